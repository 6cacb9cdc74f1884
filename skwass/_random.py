"""Where randomness comes from: never numpy's global generator."""

import numpy as np
from sklearn.utils import check_random_state


def fresh_random_state(random_state):
    """Return a RandomState that is not numpy's global one.

    scikit-learn reads None as the global generator; we promise not to touch that, and
    draw a new one instead.
    """
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)
