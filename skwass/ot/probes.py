"""Derivatives of W^p toward given measures: a potential in a few numbers."""

from dataclasses import dataclass

import numpy as np

from ..measures.subsets import are_dense_rows


@dataclass(frozen=True, eq=False, repr=False)
class Probes:
    """Measures toward which distances are differentiated.

    As a measure gives way to a probe c, at `(1 - t) mu + t c`, the derivative of
    `W^p(mu, nu)` in t is `int f dc - int f dmu`, where f is the potential of mu,
    extended to the points of c by the c-transform [1]_. A potential has a value for
    each bin, or none off the points of a cloud; its slopes toward a few measures like
    the data hold most of what it says about them.

    Parameters
    ----------
    points : ndarray of shape (n_points, d), or None
        Points of all probes; the bins of histograms if None.
    weights : ndarray of shape (n_probes, n_points)
        Masses, with rows of sum 1.
    centred : bool
        Whether probes have mean 0 and are moved to the mean of each measure, so that
        slopes are those of `W^p` about fixed means.

    References
    ----------
    .. [1] Santambrogio (2015). Optimal transport for applied mathematicians,
       propositions 1.11 and 7.17.
    """

    points: np.ndarray | None
    weights: np.ndarray
    centred: bool

    @classmethod
    def of_bins(cls, measures):
        """Return histograms as probes, where they are."""
        if are_dense_rows(measures):
            return cls(None, measures.masses, False)
        # Of many bins, a few probes use few.
        used = np.unique(measures.masses.indices)
        return cls(measures.support[used], measures.masses[:, used].toarray(), False)

    @classmethod
    def of_clouds(cls, measures, *, centred):
        """Return clouds as probes, where they are or about 0."""
        points, sizes = [], [len(a) for a in measures.masses]
        for x, a in map(measures.measure, range(len(measures))):
            points.append(x - a @ x if centred else x)
        weights = np.zeros((len(sizes), sum(sizes)))
        stops = np.cumsum(sizes)
        for row, a, stop in zip(weights, measures.masses, stops, strict=True):
            row[stop - len(a) : stop] = a
        return cls(np.concatenate(points).astype(np.float64), weights, centred)

    def __len__(self):
        return len(self.weights)

    def slopes(self, measure, own, potential, bins):
        """Return the derivatives toward all probes for one pair.

        Parameters
        ----------
        measure : tuple of (points, masses)
            The measure that changes.
        own : ndarray of shape (n,)
            Its potential at its points.
        potential : callable
            The same potential at other points (m, d): an array (m,).
        bins : ndarray of shape (n_bins, d) or None
            Of histograms.

        Returns
        -------
        slopes : ndarray of shape (n_probes,), float32
        """
        X, a = measure
        points = bins if self.points is None else self.points
        values = potential(points + a @ X if self.centred else points)
        return (self.weights @ values - a @ own).astype(np.float32)
