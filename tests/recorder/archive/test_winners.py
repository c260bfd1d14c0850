"""One winner per instant where files overlap."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recorder.archive.winners import TAIL_MS, Claim, resolve_winners


@st.composite
def claim_lists(draw):
    count = draw(st.integers(0, 12))
    claims = []
    for position in range(count):
        start = draw(st.integers(0, 60))
        claims.append(Claim(start, start + draw(st.integers(0, 30)), draw(st.integers(0, 3)), position))
    return claims


def resolve(claims):
    return list(resolve_winners(sorted(claims, key=lambda claim: claim.start_ms)))


def rank(claim):
    return claim.epoch, claim.start_ms, -claim.position


@given(claim_lists())
def test_every_instant_has_the_highest_epoch_and_later_start(claims):
    won = resolve(claims)
    for at in range(95):
        here = [span for span in won if span.start_ms <= at < span.end_ms]
        there = [claim for claim in claims if claim.start_ms <= at < claim.end_ms]
        assert len(here) == (1 if there else 0)
        if there:
            assert here[0].claim is max(there, key=rank)


@given(claim_lists())
def test_spans_rise_and_lie_within_their_claims(claims):
    won = resolve(claims)
    assert all(first.end_ms <= second.start_ms for first, second in pairwise(won))
    assert all(span.claim.start_ms <= span.start_ms < span.end_ms <= span.claim.end_ms for span in won)


@given(claim_lists(), st.randoms())
def test_order_of_the_claims_does_not_matter(claims, random):
    shuffled = list(claims)
    random.shuffle(shuffled)
    assert resolve(shuffled) == resolve(claims)


def test_predicted_end_of_a_file_does_not_cost_it_frames():
    first, second = Claim(0, 60_040, 1, 0), Claim(60_000, 120_000, 1, 1)
    won = resolve([first, second])
    assert [(span.claim, span.start_ms, span.end_ms, span.has_tail) for span in won] == [
        (first, 0, 60_000, True),
        (second, 60_000, 120_000, False),
    ]


def test_clock_set_back_cuts_the_older_run():
    first, second = Claim(0, 60_000 + TAIL_MS + 1, 1, 0), Claim(60_000, 120_000, 1, 1)
    assert not resolve([first, second])[0].has_tail


def test_lower_epoch_goes_on_where_the_higher_one_stops():
    old, new = Claim(0, 100_000, 1, 0), Claim(20_000, 40_000, 2, 1)
    won = resolve([old, new])
    assert [(span.claim.epoch, span.start_ms, span.end_ms, span.has_tail) for span in won] == [
        (1, 0, 20_000, False),
        (2, 20_000, 40_000, False),
        (1, 40_000, 100_000, False),
    ]
