"""Which footage goes when room is needed: never held footage, always enough when there is enough.

`HERON_EXAMPLES=1000000` makes a soak of it."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.retention.plan import DAY_S, Candidate, Rule, plan_retention
from tests.recorder.coverage.examples import examples

NOW_S = 1_790_000_000.0
STREAMS = (1, 2, 3)
VOLUMES = ("a", "b")

rules = st.dictionaries(
    st.sampled_from(STREAMS),
    st.builds(
        Rule,
        min_days=st.none() | st.floats(0, 40),
        max_days=st.none() | st.floats(0, 40),
        max_bytes=st.none() | st.integers(0, 4000),
    ),
)
needs = st.dictionaries(st.sampled_from(VOLUMES), st.integers(0, 6000))


@st.composite
def archives(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(STREAMS),
                st.sampled_from(VOLUMES),
                st.floats(0, 60),
                st.integers(1, 900),
                st.booleans(),
            ),
            max_size=25,
        )
    )
    return [
        Candidate(number, stream, volume, NOW_S - age * DAY_S - 60, NOW_S - age * DAY_S, size, is_held)
        for number, (stream, volume, age, size, is_held) in enumerate(rows)
    ]


@examples(500)
@given(archives(), rules, needs)
def test_held_footage_stays_and_the_need_is_met_whenever_it_can_be(rows, rule_of, needed):
    plan = plan_retention(rows, rule_of, needed, NOW_S, {1: 5000})
    purged = {row.segment for row in plan.purge}
    assert not [row for row in plan.purge if row.is_held]
    assert len(purged) == len(plan.purge)
    for volume, wanted in needed.items():
        freed = sum(row.size_bytes for row in plan.purge if row.volume == volume)
        possible = sum(row.size_bytes for row in rows if row.volume == volume and not row.is_held)
        assert freed >= min(wanted, possible)
        assert plan.missing_bytes.get(volume, 0) == max(0, wanted - freed)
    for row in rows:
        rule = rule_of.get(row.stream)
        if rule and rule.max_days is not None and not row.is_held and row.ended_s < NOW_S - rule.max_days * DAY_S:
            assert row.segment in purged


@examples(150)
@given(archives(), rules)
def test_without_need_only_law_and_quota_take_footage(rows, rule_of):
    for row in plan_retention(rows, rule_of, {}, NOW_S).purge:
        rule = rule_of[row.stream]
        is_too_old = rule.max_days is not None and row.ended_s < NOW_S - rule.max_days * DAY_S
        total = sum(other.size_bytes for other in rows if other.stream == row.stream)
        assert is_too_old or (rule.max_bytes is not None and total > rule.max_bytes)


@examples(150)
@given(archives(), needs)
def test_a_promise_is_broken_only_when_nothing_unpromised_is_left(rows, needed):
    rule_of = {stream: Rule(min_days=30) for stream in STREAMS}
    plan = plan_retention(rows, rule_of, needed, NOW_S)
    kept = {row.segment for row in rows} - {row.segment for row in plan.purge}
    for row in plan.purge:
        if row.ended_s > NOW_S - 30 * DAY_S:
            assert row.stream in plan.broken_promises
            assert not [
                other for other in rows
                if other.segment in kept and other.volume == row.volume and not other.is_held
                and other.ended_s <= NOW_S - 30 * DAY_S
            ]  # fmt: skip


def test_promises_shrink_together():
    rows = [Candidate(n, 1 + n % 2, "a", NOW_S - (20 - n) * 3600, NOW_S - (19 - n) * 3600, 100) for n in range(20)]
    plan = plan_retention(rows, {1: Rule(min_days=1), 2: Rule(min_days=1)}, {"a": 1000}, NOW_S)
    assert [sum(row.stream == stream for row in plan.purge) for stream in (1, 2)] == [5, 5]
