"""The law of the ledger: after a repair every instant has exactly one explanation, and footage stays footage."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recorder.coverage.ledger import (
    Explained,
    GapRow,
    Reason,
    RunRow,
    find_uncovered,
    footage,
    plan_repair,
    without_holes,
)
from tests.recorder.coverage.examples import examples

END = 60
FINE = {"sliver_us": 0, "hole_us": 1}
spans = st.tuples(st.integers(0, END), st.integers(0, END)).map(sorted)
runs = st.lists(st.builds(lambda s, e: RunRow(*s, e), spans, st.integers(1, 3)), max_size=6)
causes = st.sampled_from(["stalled", "refused", "server_down", "unknown", "purged"])
gap_rows = st.lists(
    st.tuples(spans, st.booleans(), causes, st.integers(0, 3)), max_size=8
).map(lambda rows: [GapRow(n, s[0], None if is_open and n == 0 else s[1], cause, epoch)
                    for n, (s, is_open, cause, epoch) in enumerate(rows)])  # fmt: skip
reasons = st.lists(
    st.builds(
        lambda s, c, r: Reason(*s, c, "", r), spans, st.sampled_from(["server_down", "disabled"]), st.integers(0, 2)
    ),
    max_size=3,
)


def repaired(gaps, repair):
    rows = [gap for gap in gaps if gap.id not in repair.cut]
    by_id = {gap.id: gap for gap in gaps}
    for pk, pieces in repair.cut.items():
        for number, (start, end) in enumerate(pieces):
            old = by_id[pk]
            rows.append(GapRow(pk if number == 0 else (pk, start), start, end, old.cause, old.epoch))
    rows += [GapRow(("new", piece.start_us), piece.start_us, piece.end_us, piece.cause) for piece in repair.add]
    return rows


def explanations(instant, pieces, rows):
    recorded = any(start <= instant < end for start, end in pieces)
    told = [row for row in rows if row.start_us <= instant and (row.end_us is None or instant < row.end_us)]
    return recorded, told


@examples(400)
@given(runs, gap_rows, reasons, st.integers(0, 20), st.integers(1, 40))
def test_after_a_repair_every_instant_has_exactly_one_explanation(run_rows, gaps, known, since, length):
    until = since + length
    repair = plan_repair(run_rows, gaps, known, since, until, **FINE)
    rows = repaired(gaps, repair)
    pieces = footage(run_rows, gaps)
    holes = set()
    without_holes(
        [(run.start_us, run.end_us, run.epoch) for run in run_rows],
        [(gap.start_us, gap.end_us, gap.epoch) for gap in gaps if gap.end_us is not None],
        holes,
    )
    for instant in range(since, until):
        recorded, told = explanations(instant, pieces, rows)
        # A hole's row stays with its run, whatever another server recorded or missed meanwhile.
        is_hole = {id(row) for row in told if (row.start_us, row.end_us, row.epoch) in holes}
        told_closed = [row for row in told if row.end_us is not None and id(row) not in is_hole]
        assert recorded or told, f"nothing explains {instant}"
        assert not (recorded and told_closed), f"{instant} is recorded and a gap"
        assert len(told_closed) + bool(is_hole) <= 1 or recorded, f"{instant} is explained twice"


@examples(300)
@given(runs, gap_rows, reasons)
def test_a_second_repair_finds_nothing_to_do(run_rows, gaps, known):
    rows = repaired(gaps, plan_repair(run_rows, gaps, known, 0, END, **FINE))
    assert not plan_repair(run_rows, rows, known, 0, END, **FINE)


@examples(300)
@given(runs, gap_rows, reasons)
def test_additions_are_sorted_disjoint_and_lie_where_nothing_was_known(run_rows, gaps, known):
    added = plan_repair(run_rows, gaps, known, 0, END, **FINE).add
    for before, after in pairwise(added):
        assert before.end_us <= after.start_us
    uncovered = find_uncovered(run_rows, gaps, 0, END, hole_us=1)
    assert sum(piece.end_us - piece.start_us for piece in added) == sum(end - start for start, end in uncovered)
    for piece in added:
        assert any(start <= piece.start_us and piece.end_us <= end for start, end in uncovered)


@examples(200)
@given(runs, gap_rows, st.integers(0, 30), st.integers(31, END))
def test_what_lies_outside_the_window_is_not_touched(run_rows, gaps, since, until):
    rows = repaired(gaps, plan_repair(run_rows, gaps, [], since, until, **FINE))
    for instant in [*range(0, since), *range(until, END)]:
        before = {row.cause for row in gaps if row.start_us <= instant and (row.end_us is None or instant < row.end_us)}
        after = {row.cause for row in rows if row.start_us <= instant and (row.end_us is None or instant < row.end_us)}
        assert before == after


def test_unknown_is_written_only_when_nothing_better_is_known():
    silent = Reason(20, 40, "server_down", "The recorder was not running.", 1)
    repair = plan_repair([RunRow(0, 10), RunRow(50, 60)], [], [silent], 0, 60, **FINE)
    assert repair.add == (
        Explained(10, 20, "unknown", ""),
        Explained(20, 40, "server_down", "The recorder was not running."),
        Explained(40, 50, "unknown", ""),
    )


def test_a_hole_that_capture_told_within_a_run_stays_a_gap():
    hole = GapRow("hole", 20, 30, "stalled", epoch=1)
    assert not plan_repair([RunRow(0, 60, 1)], [hole], [], 0, 60, **FINE)
    assert footage([RunRow(0, 60, 1)], [hole]) == [(0, 20), (30, 60)]


def test_footage_of_another_server_beats_a_gap():
    gap = GapRow("gap", 20, 30, "unreachable", epoch=2)
    assert plan_repair([RunRow(0, 60, 1)], [gap], [], 0, 60, **FINE).cut == {"gap": ()}


def test_an_unknown_gap_gives_way_to_a_late_reason():
    late = GapRow("late", 0, 30, "server_down", epoch=0)
    unknown = GapRow("unknown", 10, 40, "unknown", epoch=0)
    assert plan_repair([], [late, unknown], [], 0, 40, **FINE).cut == {"unknown": ((30, 40),)}
