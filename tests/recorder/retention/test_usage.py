"""Bytes per stream are counted once and kept exact; the forecast alarms early, once a day; a late hold wins."""

from datetime import timedelta

import pytest
from django.utils import timezone

from recorder.models import Hold, RetentionRule, Segment, StreamUsage
from recorder.retention.alarms import tell_forecast
from recorder.retention.purge import purge_segments
from recorder.retention.services import create_hold
from recorder.retention.usage import count_usage, stored_bytes
from tests.recorder.retention.archived import MINUTE, START, ids
from vms.events.models import Event
from vms.servers.models import Volume

pytestmark = pytest.mark.django_db


def true_bytes(stream):
    return sum(Segment.objects.filter(stream=stream).values_list("size_bytes", flat=True))


def test_what_is_stored_is_exact_between_counts(server, stream, recording):
    assert stored_bytes(server.pk) == {stream.pk: 10_000}, "before the first count"
    count_usage(server.pk, timezone.now())
    assert stored_bytes(server.pk) == {stream.pk: 10_000}
    last = Segment.objects.order_by("-pk").first()
    Segment.objects.create(
        stream=stream, recording=recording, volume=last.volume, epoch=1, started_at=START + 10 * MINUTE,
        ended_at=START + 11 * MINUTE, size_bytes=700, frame_count=1, keyframe_count=1,
    )  # fmt: skip
    assert stored_bytes(server.pk) == {stream.pk: 10_700}
    purge_segments([*ids(recording, 0, 1), *ids(recording, 10)])
    assert stored_bytes(server.pk) == {stream.pk: 8000} == {stream.pk: true_bytes(stream)}
    count_usage(server.pk, timezone.now())
    assert stored_bytes(server.pk) == {stream.pk: 8000}


def test_the_rate_is_that_of_the_last_days(server, stream, recording):
    count_usage(server.pk, START + timedelta(hours=1))
    usage = StreamUsage.objects.get()
    assert usage.rate_bytes_per_day == pytest.approx(10_000 * 24)
    assert usage.oldest_at == START
    count_usage(server.pk, timezone.now())
    assert StreamUsage.objects.get().rate_bytes_per_day == 0


def test_held_bytes_are_counted_apart(server, stream, recording):
    Hold.objects.create(camera=stream.camera, started_at=START, ended_at=START + 3 * MINUTE, reason="theft")
    count_usage(server.pk, timezone.now())
    assert StreamUsage.objects.get().held_bytes == 3000


def test_a_hold_that_comes_between_plan_and_purge_wins(server, stream, recording):
    chosen = ids(recording, 0, 1, 2)
    create_hold(
        actor=None, camera=stream.camera, started_at=START + MINUTE, ended_at=START + 2 * MINUTE, reason="theft"
    )
    assert purge_segments(chosen) == 2000
    assert Segment.objects.filter(pk=chosen[1]).exists()


def test_a_promise_at_risk_is_told_once_a_day(server, stream, recording):
    RetentionRule.objects.create(min_days=30)
    Volume.objects.update(capacity_bytes=100_000, free_bytes=50_000)
    now = START + timedelta(hours=1)
    count_usage(server.pk, now)
    assert [row.stream for row in tell_forecast(server.pk, now)] == [stream]
    tell_forecast(server.pk, now)
    event = Event.objects.get()
    assert (event.kind, event.severity) == ("retention_promise_at_risk", "alarm")
    assert "promise 30" in event.detail
    tell_forecast(server.pk, now + timedelta(days=1))
    assert Event.objects.count() == 2
