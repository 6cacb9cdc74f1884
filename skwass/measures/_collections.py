"""The two kinds of collections of measures."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np


# No generated repr: it would print the data.
@dataclass(frozen=True, eq=False, repr=False)
class Histograms:
    """Measures that share their support points.

    Build it with :func:`as_measures`, which checks and normalises.

    Parameters
    ----------
    masses : ndarray of shape (n_measures, n_bins), float64
        Rows are non-negative and sum to 1.
    support : ndarray of shape (n_bins, d), float64
        Positions of the bins.
    grid_shape : tuple of int, default=None
        The grid that `support` enumerates in C order, if it is one.

    See Also
    --------
    as_measures : Makes it, and checks what it is made of.
    PointClouds : Measures with points of their own.
    SparseHistograms : Those of which few bins have mass.
    """

    masses: np.ndarray
    support: np.ndarray
    grid_shape: tuple | None = None

    def __len__(self):
        return self.masses.shape[0]

    def __repr__(self):
        kind = type(self).__name__
        return f"{kind}({len(self)} measures, {self.n_features} bins)"

    def __sizeof__(self):
        # Cluster schedulers ask this to tell data, sent once, from small arguments.
        return self.masses.nbytes + self.support.nbytes

    def __getitem__(self, key):
        if isinstance(key, Integral):
            return self.measure(key)
        rows = np.arange(len(self))[key]
        return type(self)(self.masses[rows], self.support, self.grid_shape)

    @property
    def shape(self):
        """Measures and bins, which scikit-learn asks for before it selects some."""
        return len(self), self.n_features

    def measure(self, index):
        """Return `(points, masses)` of one measure, bins without mass dropped."""
        row = self.masses[index]
        occupied = np.flatnonzero(row)
        return self.support[occupied], row[occupied]

    def are_on(self, support):
        """Whether these are the positions of the bins."""
        return np.array_equal(self.support, support)

    def on(self, support, grid_shape=None):
        """Return the same masses with bins elsewhere."""
        return type(self)(self.masses, support, grid_shape)

    def dense_masses(self):
        """Return masses of all bins, as an array."""
        return self.masses

    def to_clouds(self):
        """Return the same measures as :class:`PointClouds`."""
        pairs = [self.measure(i) for i in range(len(self))]
        return PointClouds([p for p, _ in pairs], [w for _, w in pairs])

    def packed(self):
        """Return self: one array holds all masses already."""
        return self

    @property
    def sizes(self):
        """Number of bins with mass of each measure."""
        return np.count_nonzero(self.masses, axis=1)

    @property
    def n_features(self):
        """Number of bins."""
        return self.masses.shape[1]

    @property
    def dim(self):
        """Dimension of the space that the bins lie in."""
        return self.support.shape[1]


@dataclass(frozen=True, eq=False, repr=False)
class PointClouds:
    """Measures with a support of their own each, of any size.

    Build it with :func:`as_measures`.

    Parameters
    ----------
    points : list of ndarray of shape (n_i, d)
        Support points; the user's arrays, not copies, where no point was dropped.
    masses : list of ndarray of shape (n_i,), float64
        Positive weights that sum to 1.

    See Also
    --------
    as_measures : Makes it, and checks what it is made of.
    CloudView : The same as rows of one table, which is held once.
    Histograms : Measures on one support.
    """

    points: list
    masses: list

    def __len__(self):
        return len(self.points)

    def __repr__(self):
        return f"PointClouds({len(self)} measures, dimension {self.dim})"

    def __getitem__(self, key):
        if isinstance(key, Integral):
            return self.measure(key)
        index = np.arange(len(self))[key]
        return PointClouds(
            [self.points[i] for i in index], [self.masses[i] for i in index]
        )

    @property
    def shape(self):
        """The number of measures, which scikit-learn asks for before it selects."""
        return (len(self),)

    def measure(self, index):
        """Return `(points, masses)` of one measure."""
        return self.points[index], self.masses[index]

    def to_clouds(self):
        """Return self."""
        return self

    @property
    def sizes(self):
        """Number of points of each measure."""
        return np.array([len(a) for a in self.masses], dtype=int)

    def packed(self):
        """Return the same measures in three arrays, to be sent to other processes."""
        return PackedClouds(
            np.concatenate(self.points),
            np.concatenate(self.masses),
            np.cumsum([0, *map(len, self.points)]),
        )

    @property
    def n_features(self):
        """Dimension of the points, which scikit-learn calls the number of features."""
        return self.dim

    @property
    def dim(self):
        """Dimension of the points."""
        return self.points[0].shape[1] if self.points else 0


@dataclass(frozen=True, eq=False, repr=False)
class PackedClouds:
    """Point clouds end to end: as :class:`PointClouds`, in a form fit for travelling.

    Parameters
    ----------
    points : ndarray of shape (n_points, d)
        Points of all measures.
    masses : ndarray of shape (n_points,)
        Their weights.
    offsets : ndarray of int of shape (n_measures + 1,)
        Measure i has the points from `offsets[i]` up to `offsets[i + 1]`.
    """

    points: np.ndarray
    masses: np.ndarray
    offsets: np.ndarray

    def __len__(self):
        return len(self.offsets) - 1

    def __sizeof__(self):
        return self.points.nbytes + self.masses.nbytes + self.offsets.nbytes

    def measure(self, index):
        """Return `(points, masses)` of one measure."""
        own = slice(self.offsets[index], self.offsets[index + 1])
        return self.points[own], self.masses[own]

    @property
    def dim(self):
        """Dimension of the points."""
        return self.points.shape[1]


def grid_support(grid_shape):
    """Return the integer positions of the cells of a grid, in C order.

    Parameters
    ----------
    grid_shape : tuple of int
        Number of cells along each axis.

    Returns
    -------
    support : ndarray of shape (prod(grid_shape), len(grid_shape))
    """
    return np.indices(grid_shape, dtype=np.float64).reshape(len(grid_shape), -1).T
