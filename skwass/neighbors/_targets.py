"""Measures as masses on one table of points, and what potentials say of all of them."""

import numpy as np
from scipy.sparse import csr_array

from ..measures import CloudView, Histograms, SparseHistograms
from ..measures.subsets import are_dense_rows

# Numbers of a matrix of costs that is kept while a query lasts: 64 MB.
_MAX_KEPT = 2**23
# Numbers that are looked at in one go otherwise.
_BLOCK = 2**18


class Targets:
    """Measures that share a table of points: row i of `masses` are the weights of i.

    Histograms share their bins already; of clouds the table holds all points, those
    that several clouds share once, if they come as a view.

    Parameters
    ----------
    masses : csr_array of shape (n_measures, n_points)
        Weights, of sum 1 in each row.
    points : ndarray of shape (n_points, d)
        The table.
    """

    def __init__(self, masses, points):
        self.masses, self.points = masses, points
        self._reach = None

    @property
    def reach(self):
        """Largest absolute coordinate of a point."""
        if self._reach is None:
            self._reach = float(max(self.points.max(), -self.points.min(), 0))
        return self._reach

    @classmethod
    def of(cls, measures):
        """Return measures in this form."""
        if are_dense_rows(measures):
            return cls(csr_array(measures.masses), measures.support)
        if isinstance(measures, Histograms):
            return cls(measures.masses, measures.support)
        if isinstance(measures, CloudView):
            return cls(*_of_view(measures))
        packed = measures.packed()
        points, columns = _distinct(packed.points)
        entries = packed.masses, columns, packed.offsets
        return cls(csr_array(entries, (len(packed), len(points))), points)

    def __len__(self):
        return self.masses.shape[0]

    def __sizeof__(self):
        masses = self.masses
        parts = masses.data, masses.indices, masses.indptr, self.points
        return sum(part.nbytes for part in parts)

    @property
    def sizes(self):
        """Number of points of each measure."""
        return np.diff(self.masses.indptr)

    def entries(self, row):
        """Return rows of the table and masses of one measure."""
        own = slice(self.masses.indptr[row], self.masses.indptr[row + 1])
        return self.masses.indices[own], self.masses.data[own]

    def measure(self, row):
        """Return points and masses of one measure."""
        columns, b = self.entries(row)
        return self.points[columns], b

    def collected(self, grid_shape=None, are_rows=False):
        """Return the measures as a collection, which shares these arrays."""
        masses = self.masses
        if are_rows:
            return SparseHistograms(masses, self.points, grid_shape)
        return CloudView(self.points, masses.indices, masses.indptr, masses.data)

    def measures(self, rows):
        """Return points and masses of some."""
        return [self.measure(row) for row in rows]

    def only(self, rows):
        """Return some of the measures, and which rows of the table they keep.

        None for the latter stands for all.
        """
        masses = self.masses[rows]
        used = np.zeros(self.masses.shape[1], dtype=bool)
        used[masses.indices] = True
        if 2 * np.count_nonzero(used) > len(used):
            return Targets(masses, self.points), None
        columns = np.flatnonzero(used)
        number = np.zeros(len(used), dtype=masses.indices.dtype)
        number[columns] = np.arange(len(columns))
        entries = masses.data, number[masses.indices], masses.indptr
        shape = masses.shape[0], len(columns)
        return Targets(csr_array(entries, shape), self.points[columns]), columns

    def joined(self, other, shares_table):
        """Return these measures and others, behind them."""
        if shares_table:
            parts, points = [self.masses, other.masses], self.points
            n_points = len(points)
            offsets = 0, 0
        else:
            parts = [self.masses, other.masses]
            points = np.concatenate([self.points, other.points])
            n_points, offsets = len(points), (0, len(self.points))
        indices = [m.indices + k for m, k in zip(parts, offsets, strict=True)]
        indptr = np.concatenate(
            [parts[0].indptr, parts[1].indptr[1:] + parts[0].indptr[-1]]
        )
        data = np.concatenate([m.data for m in parts])
        shape = len(self) + len(other), n_points
        return Targets(
            csr_array((data, np.concatenate(indices), indptr), shape), points
        )


def _distinct(points):
    """Return different points, in the order of the first of each, and their numbers.

    Samples of the same cells share most of theirs, and each is looked at once.
    """
    rows = np.ascontiguousarray(points) + 0.0  # without negative zeros
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    if 2 * len(first) > len(points):
        return points, np.arange(len(points))
    order = np.argsort(first)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return points[first[order]], place[number.ravel()]


def _of_view(view):
    """Return masses and the part of the table of a view that its clouds use."""
    used = np.zeros(view.table.shape[0], dtype=bool)
    used[view.rows] = True
    columns = np.flatnonzero(used)
    number = np.zeros(len(used), dtype=np.intp)
    number[columns] = np.arange(len(columns))
    ends = np.array([0, len(columns)])
    points, _ = view.replace(
        rows=columns, offsets=ends, weights=None, names=None
    ).measure(0)
    weights = view.weights
    if weights is None:
        weights = np.repeat(1 / view.sizes, view.sizes)
    shape = len(view), len(columns)
    return csr_array((weights, number[view.rows], view.offsets), shape), points


class Bounding:
    """Bounds of the costs from one measure to some targets.

    Parameters
    ----------
    source : Source
        The measure.
    targets : Targets
        Measures to be bounded.
    C : ndarray of shape (n, n_points), default=None
        Costs to the points of the table, if they are known.
    """

    def __init__(self, source, targets, C=None):
        self.source, self.targets = source, targets
        self.n = len(source.masses)
        self.C = C
        if C is None and self.n * len(targets.points) <= _MAX_KEPT:
            self.C = source.costs(targets.points)

    @property
    def n_costs(self):
        """How many costs are looked at for one potential."""
        return self.n * len(self.targets.points)

    def only(self, rows):
        """Return the same for some of the targets."""
        targets, columns = self.targets.only(rows)
        C = self.C
        if C is not None and columns is not None:
            C = C[:, columns]
        return Bounding(self.source, targets, C)

    def costs_to(self, row):
        """Return costs to the points of one target [n, m], and their masses."""
        columns, b = self.targets.entries(row)
        if self.C is not None:
            return self.C[:, columns], b
        return self.source.costs(self.targets.points[columns]), b

    def by_potentials(self, potentials):
        """Return what potentials bound the cost of each target by, the largest.

        Parameters
        ----------
        potentials : list of ndarray of shape (n,)
            Potentials of the source.

        Returns
        -------
        values : ndarray of shape (n_targets,)
            Lowered by what rounding may add.
        """
        source = self.source
        sums = np.array([source.value(f) for f in potentials])
        m = self.targets.sizes.max(initial=1)
        values = np.empty(len(self.targets))
        for rows, masses, C in self._parts():
            G = np.stack([source.extend(C, f) for f in potentials], axis=1)
            peak = C.max(initial=0)
            margins = [source.rounding(peak, f, m) for f in potentials]
            values[rows] = (masses @ G + (sums - margins)).max(axis=1)
        return np.nan_to_num(values, nan=-np.inf)

    def relaxed(self):
        """Return bounds that let all mass of either side go where it is nearest.

        The relaxed word mover's distance [Kusner et al. 2015]: potentials 0 and their
        c-transform, for one side and for the other.
        """
        m = int(self.targets.sizes.max(initial=1))
        values = np.empty(len(self.targets))
        step = max(1, _BLOCK // (self.n * m))
        for rows, masses, C in self._parts():
            found = masses @ C.min(axis=0)
            for start in range(0, len(found), step):
                ends = masses.indptr[start : start + step + 1]
                costs = C[:, masses.indices[ends[0] : ends[-1]]]
                nearest = np.minimum.reduceat(costs, ends[:-1] - ends[0], axis=1)
                some = found[start : start + step]
                np.maximum(some, self.source.masses @ nearest, out=some)
            margin = self.source.rounding(C.max(initial=0), np.zeros(1), m)
            values[rows] = found - margin
        return np.nan_to_num(values, nan=-np.inf)

    def _parts(self):
        """Yield rows of targets, their masses, and costs to the points of these."""
        targets = self.targets
        if self.C is not None:
            yield slice(None), targets.masses, self.C
            return
        mean = max(1, targets.masses.nnz // max(1, len(targets)))
        step = max(1, _BLOCK // (self.n * mean))
        for start in range(0, len(targets), step):
            rows = np.arange(start, min(start + step, len(targets)))
            part, _ = targets.only(rows)
            yield rows, part.masses, self.source.costs(part.points)
