"""The clock that limits on time are read from: the one place, so that tests can set it.

Call `_clock.now()`: `from ._clock import now` would keep the real clock in tests.
"""

import time


def now():
    """Return seconds since a fixed but arbitrary moment; never decreasing."""
    return time.perf_counter()
