"""Where displays draw."""

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support


def as_axes(display, axes, n_axes, purpose, *, n_rows=1, **options):
    """Return axes given by the user, checked, or those of a new figure.

    Parameters
    ----------
    display : object
        What will be drawn, for the message where matplotlib is missing.
    axes : sequence of matplotlib Axes or None
        Given by the user.
    n_axes : int
        How many are needed.
    purpose : str
        What they are for.
    n_rows : int, default=1
        Rows of a new figure.
    **options : dict
        Of `plt.subplots`, for a new figure.

    Returns
    -------
    axes : ndarray of matplotlib Axes
    """
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if axes is None:
        shape = n_rows, n_axes // n_rows
        _, axes = plt.subplots(*shape, layout="constrained", **options)
    axes = np.ravel(axes)
    if len(axes) != n_axes:
        raise ValueError(
            f"Got axes of length {len(axes)}, expected {n_axes}, for {purpose}. Pass "
            f"plt.subplots(1, {n_axes})[1]."
        )
    return axes
