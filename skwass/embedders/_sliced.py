"""Sliced Wasserstein distances: quantile functions of projections."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from ..formulas.correction import fit_scale, gaps_squared
from ..formulas.private_axis import fit_private
from ..measures.subsets import blocks_of, center_of, variances_of
from ..nn.readouts import Readout
from ..ot.quantiles import centred_cells, draw_directions
from ._training_free import ScaledEmbedder


class SlicedWassersteinEmbedder(ScaledEmbedder):
    """Embed measures so that distance is the sliced Wasserstein distance.

    The mean, over directions u_l, of the squared W2 of projections on a line [1]_::

        SW2^2 = mean_l W2^2(u_l . x, u_l . x')

    On a line W2 is the L2 distance of quantile functions, here averaged over cells of
    equal probability. No transport is solved. SW2 is less than W2: by the factor
    `sqrt(d)` for translates, by more for most. `scale=True` brings it to the unit of
    W2. Where maps can be afforded, :class:`LinearOTEmbedder` is far more accurate.

    Parameters
    ----------
    n_projections : int, default=64
        Directions, at least 1, of random orthonormal bases, of which the last may be
        incomplete. On a line one is taken. More bring the mean nearer to that over all
        directions.
    n_quantiles : int, default=32
        Cells of the quantile functions, at least 1, which keeps only means. More
        resolve more of them; the distance grows towards SW2.
    scale : bool, default=False
        Whether to scale to W2: squared distances are then those of the means, which
        are kept exactly, plus a multiple of SW2^2 of the centred measures, fitted to
        the distances of `n_pairs` pairs.
    private_axis : bool or "auto", default="auto"
        Whether a last column holds the square root of a multiple of the variance of the
        measure, fitted at the same time: in high dimension, and of small samples, most
        of W2^2 is particular to each measure, and lines do not see that.
        `pairwise_distances` adds the squares of two measures. `"auto"`: with `scale`.
        R2 of W of unseen measures rises from 0.29 to 0.91 on samples of 20 to 70 cells
        in 50 dimensions, and from 0.90 to 0.97 on digits.
    n_pairs : int, default=500
        Pairs whose distances are solved in `fit`, if `scale`.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What `score`, and `fit` if `scale`, label pairs by; a distance of
        :mod:`skwass.ot`.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer.
    n_jobs : int, default=None
        Threads that label pairs. The embedding uses the threads of torch.
    random_state : int, RandomState instance or None, default=None
        Directions and pairs.

    Attributes
    ----------
    directions_ : ndarray of shape (d, n_directions)
        Unit vectors.
    scale_ : float
        Factor of SW2 of centred measures; 1 without `scale`.
    private_share_ : float
        Factor of the variance of measures in private axes; 0 without them.
    n_pairs_ : int
        Pairs that the scale was fitted to.
    n_solves_ : int
        Solves of `fit` that were not in `memory`.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    support_ : ndarray of shape (`n_features_in_`, d) or None
        Positions of the bins of histograms.
    grid_shape_ : tuple of int or None
        The grid that they form, if any.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    skwass.LinearOTEmbedder : More accurate, one exact solve per measure.
    skwass.GaussianEmbedder : Only means and covariances.

    Notes
    -----
    Embeddings have `n_directions * n_quantiles` columns of the centred measure, and
    those of its mean in the end: one per direction, or d if scaled. Averages over cells
    make the distance, not scaled, a lower bound of W2, whatever the number of cells;
    with bases of all d directions `sqrt(d)` times the distance is one too. SW2 is a
    metric; measures with equal embeddings need more projections and quantiles.

    `O(n_directions n (d + log n))` time per cloud of n points; bins of histograms are
    sorted once.

    References
    ----------
    .. [1] Bonneel, Rabin, Peyre, Pfister (2015). Sliced and Radon Wasserstein
       barycenters of measures. JMIV 51(1).

    Examples
    --------
    >>> from skwass import SlicedWassersteinEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> clouds, W = make_gaussian_clouds(40, n_points=30, random_state=0)
    >>> embedder = SlicedWassersteinEmbedder(scale=True, random_state=0).fit(clouds)
    >>> embedder.transform(clouds).shape
    (40, 2051)
    >>> embedder.score(clouds) > 0.9
    True
    """

    _parameter_constraints = {
        **ScaledEmbedder._parameter_constraints,
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "n_quantiles": [Interval(Integral, 1, None, closed="left")],
        "private_axis": ["boolean", StrOptions({"auto"})],
    }
    _reads_other_bins = True
    _saved = (
        *ScaledEmbedder._saved,
        "directions_",
        "private_share_",
        "_origin",
        "_mean_map",
        "_n_cells",
        "_reach",
    )

    def __init__(
        self,
        n_projections=64,
        *,
        n_quantiles=32,
        scale=False,
        private_axis="auto",
        n_pairs=500,
        grid_shape=None,
        support=None,
        ground_truth="exact",
        n_score_pairs=1_000,
        memory=None,
        n_jobs=None,
        random_state=None,
    ):
        self.n_projections = n_projections
        self.n_quantiles = n_quantiles
        self.scale = scale
        self.private_axis = private_axis
        self.n_pairs = n_pairs
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _embed(self, measures):
        parts = []
        for some in blocks_of(measures, self._n_features_out):
            means, cells = _split(some, self.directions_, self._n_cells, self._origin)
            columns = [self.scale_ * cells, means @ self._mean_map]
            if self._reach is not None:
                own = self.private_share_ * variances_of(some)
                columns.append(np.sqrt(own)[:, None])
            parts.append(np.hstack(columns).astype(np.float32))
        return np.concatenate(parts)

    @property
    def _readout(self):
        if self._reach is None:
            return super()._readout
        n_means = self._mean_map.shape[1]
        return Readout((self._n_features_out - 1,), n_means, self._reach)

    def _fit(self, measures, given, rng):
        directions = draw_directions(measures.dim, self.n_projections, rng)
        pairs, w, n_solves = self._label(measures, given, rng, self.n_pairs)
        origin, scale, private, reach = center_of(measures), 1.0, 0.0, None
        has_private = self.scale if self.private_axis == "auto" else self.private_axis
        if has_private and not self.scale:
            raise ValueError(
                "Got private_axis=True with scale=False, expected scale=True: SW2 has "
                "no such axis. Set both, or leave private_axis='auto'."
            )
        # Centred cells sum to 0, so means add to the squared distance by themselves.
        mean_map = directions / np.sqrt(directions.shape[1])
        if self.scale:
            rows, ends = np.unique(pairs, return_inverse=True)
            ends = ends.reshape(-1, 2)
            means, cells = _split(measures[rows], directions, self.n_quantiles, origin)
            known_sq = gaps_squared(means, ends)
            scale = fit_scale(gaps_squared(cells, ends), w, known_sq)
            if has_private:
                own = variances_of(measures[rows])[:, None]
                scale, (private,), reach = fit_private(cells, own, ends, w, known_sq)
            mean_map = np.eye(measures.dim)
        return {
            "directions_": directions,
            "scale_": float(scale),
            "private_share_": float(private),
            "_reach": reach,
            "n_pairs_": len(pairs),
            "n_solves_": n_solves,
            "_origin": origin,
            "_mean_map": mean_map,
            "_n_cells": self.n_quantiles,
            "_n_features_out": (
                directions.shape[1] * self.n_quantiles
                + mean_map.shape[1]
                + (reach is not None)
            ),
        }


def _split(measures, directions, n_quantiles, origin):
    """Return means, and rows whose distance is SW2 of centred measures."""
    means, cells = centred_cells(measures, directions, n_quantiles, origin)
    cells = cells.reshape(len(measures), -1)
    return means, cells / np.sqrt(cells.shape[1])
