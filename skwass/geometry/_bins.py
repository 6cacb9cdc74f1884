"""Points turned into masses of bins."""

from dataclasses import dataclass

import numpy as np

# Of a decoded histogram, the least masses that together are this share are dropped: a
# network gives some to every bin.
_FAINT = 1e-3
# Masses below this share of all come from rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Bins:
    """Bins that mass can be spread on: those of a grid, or any on a line.

    Parameters
    ----------
    axes : list of ndarray of shape (n_k,)
        Coordinates along each axis, increasing.
    numbers : ndarray of int of shape (prod of n_k,)
        Which bin each combination is, in C order.
    support : ndarray of shape (n_bins, d)
        Positions.
    """

    axes: list
    numbers: np.ndarray
    support: np.ndarray

    @classmethod
    def of(cls, support, grid_shape):
        """Return bins, or None for those between which there is no interpolation."""
        if grid_shape is not None:
            axes = [np.arange(size, dtype=np.float64) for size in grid_shape]
            return cls(axes, np.arange(len(support)), support)
        if support.shape[1] > 1:
            return None
        line, numbers = np.unique(support[:, 0], return_index=True)
        return cls([line], numbers, support)

    def spread(self, points, weights):
        """Return masses of bins: each point's mass goes to the bins around it.

        By linear interpolation along each axis, which keeps the mean. What is outside
        goes to the border.

        Parameters
        ----------
        points : ndarray of shape (n_points, d)
            Where mass is.
        weights : ndarray of shape (n_points,)
            How much.

        Returns
        -------
        masses : ndarray of shape (n_bins,)
            Of the same sum.
        """
        cells = np.zeros((1, len(points)), dtype=int)  # [corners, n_points]
        shares = np.asarray(weights, dtype=np.float64)[None]
        for axis, x in zip(self.axes, points.T, strict=True):
            low = np.clip(np.searchsorted(axis, x, "right") - 1, 0, len(axis) - 1)
            high = np.minimum(low + 1, len(axis) - 1)
            width = np.where(high > low, axis[high] - axis[low], 1.0)
            share = np.clip((x - axis[low]) / width, 0, 1)
            cells = np.concatenate([cells * len(axis) + low, cells * len(axis) + high])
            shares = np.concatenate([shares * (1 - share), shares * share])
        n_cells = len(self.numbers)
        masses = np.zeros(len(self.support))
        masses[self.numbers] = np.bincount(cells.ravel(), shares.ravel(), n_cells)
        return without_dust(masses)


def without_dust(masses):
    """Return masses of the same sum, without those that are rounding.

    Exact distances to them could not be certified.
    """
    kept = np.where(masses < _ROUNDING * masses.sum(), 0, masses)
    return kept * (masses.sum() / kept.sum())


def without_faint(masses, support):
    """Return the points and masses of a histogram, without what is next to nothing."""
    masses = np.asarray(masses, dtype=np.float64)
    order = np.argsort(masses, kind="stable")
    # The largest mass stays, whatever the rounding.
    is_faint = np.cumsum(masses[order])[:-1] <= _FAINT * masses.sum()
    kept = np.sort(order[np.append(~is_faint, True)])
    return support[kept], masses[kept] / masses[kept].sum()
