"""Hidden layers as wide as a number of weights allows."""

from collections.abc import Callable
from typing import Any

# Halvings of the factor that sizes are multiplied by.
_N_HALVINGS = 20


def match_sizes(
    architecture: Any, count: Callable[[Any], int], n_parameters: int, name: str
) -> Any:
    """Scale hidden layers so that a network learns as many numbers as it may.

    Parameters
    ----------
    architecture : Architecture
        With the sizes to scale.
    count : callable
        `count(architecture)` gives how many numbers its network learns.
    n_parameters : int
        How many it may learn.
    name : str
        Of the architecture, for messages.

    Returns
    -------
    architecture : Architecture
        A copy, its sizes in the ratios of those given, up to rounding.

    Raises
    ------
    ValueError
        If that is too few for any width, or no width can be scaled.
    """
    fewest = count(architecture.scaled(0))
    if fewest > n_parameters:
        raise ValueError(
            f"Got n_parameters={n_parameters}, expected at least {fewest} for {name}. "
            "Raise n_parameters."
        )
    if count(architecture.scaled(2)) == fewest:
        raise ValueError(
            f"Got n_parameters={n_parameters} for {name}, which learns {fewest}, "
            "expected hidden sizes to scale, in widths or channels. Leave n_parameters "
            "out."
        )
    low, high = 0.0, 1.0
    while count(architecture.scaled(high)) <= n_parameters:
        low, high = high, 2 * high
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        if count(architecture.scaled(middle)) <= n_parameters:
            low = middle
        else:
            high = middle
    return architecture.scaled(low)
