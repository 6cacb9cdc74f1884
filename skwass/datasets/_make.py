"""Measures whose Wasserstein distances are known in closed form."""

from numbers import Integral

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

_AT_LEAST_ONE = [Interval(Integral, 1, None, closed="left")]


@validate_params(
    {
        "n_clouds": _AT_LEAST_ONE,
        "n_points": [Interval(Integral, 2, None, closed="left")],
        "dim": _AT_LEAST_ONE,
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_gaussian_clouds(n_clouds=50, n_points=100, dim=2, *, random_state=None):
    """Make Gaussian point clouds with their exact W2.

    All clouds are images of one centred Gaussian sample under `t -> m_i + s_i * t`,
    with positive factors `s_i` along the axes. Each goes into each other by the
    gradient of a convex function, so the matching by index is optimal (Brenier), and::

        W2(i, j)^2 = |m_i - m_j|^2 + mean_k |(s_i - s_j) * t_k|^2

    holds for the samples themselves, not only for the Gaussians that they come from.

    Parameters
    ----------
    n_clouds : int, default=50
        Number of clouds.
    n_points : int, default=100
        Points per cloud, at least 2.
    dim : int, default=2
        Dimension of the space.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.

    Returns
    -------
    clouds : list of ndarray of shape (n_points, dim)
        Points of each cloud, in random order; weights are uniform.
    W : ndarray of shape (n_clouds, n_clouds)
        Exact W2, not squared.

    See Also
    --------
    make_translated : Histograms whose distances are known.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.ot import pairwise_wasserstein
    >>> clouds, W = make_gaussian_clouds(4, random_state=0)
    >>> np.allclose(pairwise_wasserstein(clouds), W)
    True
    """
    rng = check_random_state(random_state)
    template = rng.normal(size=(n_points, dim))
    template -= template.mean(axis=0)
    means = 2 * rng.normal(size=(n_clouds, dim))
    factors = rng.uniform(0.3, 2.0, size=(n_clouds, dim))
    clouds = [
        rng.permutation(m + s * template) for m, s in zip(means, factors, strict=True)
    ]
    spread = factors * np.sqrt(np.square(template).mean(axis=0))
    return clouds, cdist(np.hstack([means, spread]), np.hstack([means, spread]))


@validate_params(
    {
        "n_samples": _AT_LEAST_ONE,
        "grid_shape": [tuple],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_translated(n_samples=100, *, grid_shape=(16, 16), random_state=None):
    """Make translates of one image on a grid, with their exact W_p.

    Between translates the best plan moves all mass by the shift, for every p >= 1, so W
    is the length of the shift.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images.
    grid_shape : tuple of int, default=(16, 16)
        Cells of the grid along each axis, at least 4. The image fills half of each.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.

    Returns
    -------
    X : ndarray of shape (n_samples, prod(grid_shape))
        Masses, one image a row, flattened in C order.
    W : ndarray of shape (n_samples, n_samples)
        Exact W_p in cells, not raised to a power.

    Raises
    ------
    ValueError
        If a side of the grid is shorter than 4.

    See Also
    --------
    make_gaussian_clouds : Clouds whose distances are known.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.datasets import make_translated
    >>> from skwass.ot import pairwise_wasserstein
    >>> X, W = make_translated(5, random_state=0)
    >>> np.allclose(pairwise_wasserstein(X, grid_shape=(16, 16)), W)
    True
    """
    if min(grid_shape) < 4:
        raise ValueError(
            f"Got grid_shape={grid_shape}, expected sides of 4 cells or more. Smaller "
            "grids leave the image no room."
        )
    rng = check_random_state(random_state)
    patch = np.array([side // 2 for side in grid_shape])
    image = rng.exponential(size=patch)
    shifts = rng.randint(0, np.array(grid_shape) - patch + 1, (n_samples, len(patch)))
    X = np.zeros((n_samples, *grid_shape))
    for canvas, shift in zip(X, shifts, strict=True):
        window = tuple(slice(s, s + p) for s, p in zip(shift, patch, strict=True))
        canvas[window] = image
    return X.reshape(n_samples, -1), cdist(shifts, shifts)
