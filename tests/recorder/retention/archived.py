"""When the minutes of the `recording` fixture were, and which rows they are."""

from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
START = datetime.now(UTC).replace(microsecond=123000) - timedelta(days=10)


def ids(recording, *numbers):
    rows = list(recording.segments.order_by("started_at").values_list("pk", flat=True))
    return [rows[number] for number in numbers]
