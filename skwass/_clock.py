"""The clock that limits on time are read from: the one place, so that tests can set it.

Call it as `_clock.now()`, not by a name of its own.
"""

import time


def now():
    """Return seconds since a fixed but arbitrary moment; they never go back."""
    return time.perf_counter()
