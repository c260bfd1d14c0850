"""How many examples hypothesis makes: few by default, `HERON_EXAMPLES` in a soak."""

import os

from hypothesis import HealthCheck, settings


def examples(default: int) -> settings:
    """The number asked for by `HERON_EXAMPLES`, else `default`."""
    number = int(os.environ.get("HERON_EXAMPLES", default))
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=number, deadline=None, suppress_health_check=quiet)
