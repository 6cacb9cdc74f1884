"""Linear optimal transport: maps from one reference measure to all others."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ..formulas.correction import FeatureMap
from ..formulas.linear_ot import (
    LinearMaps,
    add_private,
    fit_maps,
    project,
    split_moves,
    unresolved,
)
from ..formulas.reference import default_size, make_reference, settle_solver
from ..labels.solve import Labeller
from ..measures.subsets import variances_of
from ..nn.readouts import Readout
from ..ot.maps import transport_maps
from ._training_free import ScaledEmbedder

_N_PAIRS, _N_CORRECTION_PAIRS = 500, 20_000


class LinearOTEmbedder(ScaledEmbedder):
    """Embed measures by the optimal maps from one reference, so that distance is W2.

    Linear optimal transport [1]_. With a reference of points r_k and weights s_k, and
    T(r_k) the mean of where an optimal plan sends the mass of r_k, two measures are at
    the distance::

        |z - z'|^2 = sum_k s_k |T(r_k) - T'(r_k)|^2

    One exact solve per measure, none per pair. Nothing is trained, and accuracy is that
    of embedders that were, so try it first; in up to three dimensions they are a
    hundred times as fast in `transform`. The mean of a measure is kept exactly: with
    `n_components=None` translates are at their true distance.

    Parameters
    ----------
    n_components : int, default=None
        Columns of the embedding, a private axis not counted, by PCA of the maps of
        training measures, at least 1. From 48 on, two thirds of them hold what the
        principal axes leave of the mean: all of it, or if it has more dimensions
        than that, random projections, which lose as little of measures unlike those of
        training. None keeps all, `(n_reference + 1) * d`, the last d of which are the
        mean.
    private_axis : bool or "auto", default="auto"
        Whether a last column holds the square root of what the others cannot: the
        variance that the projection drops, and that of mass which one point of the
        reference sends to several places, times two numbers fitted to distances.
        `pairwise_distances` adds their squares. `"auto"`: with `n_components`, where
        dropped columns would otherwise take most from small distances. Beside a
        reference of all columns it pays where that is coarse: with 32 points it takes
        three tenths off the squared error of W2^2 on MNIST, with 128 one hundredth.
    n_reference : int or "auto", default="auto"
        Points of the reference, at least 1. More make the distance larger and, slowly,
        better correlated, and cost time in proportion. `"auto"` is 128; with
        `n_components`, as many as clouds have, if that is one number up to 64: maps are
        then assignments, of 25 microseconds each.
    reference : {"barycenter", "kmeans"}, array-like or tuple, default="barycenter"
        `"kmeans"`: centers of the points of some centred training measures, weighted by
        their clusters. `"barycenter"`: from those with equal weights, three rounds
        towards a free-support barycenter [2]_, 300 solves; better. Or points of shape
        (n_reference, d), or a tuple `(points, weights)`.
    scale : bool, default=True
        Whether to multiply the part without the mean by one number, fitted to distances
        of `n_pairs` pairs: a detour through the reference overestimates. Part of
        `correction`.
    correction : bool, default=False
        Whether to fit more than one number: the positive semidefinite form of leading
        components of the maps (64 at most, fewer with few pairs) that is nearest to
        given or solved distances, and the scale of the rest. Takes a quarter to a half
        off the squared error where there are some thousand measures and pairs; with
        less than some hundred measures leave it out.
    n_maps : int, default=10_000
        Training measures, at most, that PCA and correction see and pairs are drawn
        among, at least 2; those of given pairs come on top. Each costs a solve in
        `fit`, and `8 n_reference d` bytes. Without either, those of pairs alone do.
    n_pairs : int or "auto", default="auto"
        Pairs whose distances are solved in `fit`; `"auto"` is 500 for the scale, 20,000
        for the correction.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {"exact", "sinkhorn"} or object, default="exact"
        What solves maps and distances: a W2 of :mod:`skwass.ot` with the Euclidean
        metric. `SinkhornDivergence(device="cuda")` solves batches on a GPU.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps distances of pairs and maps of training measures, if `random_state` is an
        integer; the solves that make the reference are not kept.
    n_jobs : int, default=None
        Threads that solve, in `transform` too.
    random_state : int, RandomState instance or None, default=None
        Reference, choice of maps and pairs.

    Attributes
    ----------
    reference_points_ : ndarray of shape (n_points, d)
        Points of the reference, fewer than `n_reference` where the data have fewer.
    reference_weights_ : ndarray of shape (n_points,)
        Their weights, of sum 1.
    scale_ : float
        Factor of what is neither mean nor corrected.
    n_pairs_ : int
        Pairs that scale and correction were fitted to.
    n_solves_ : int
        Solves of `fit` that were not in `memory`: reference, maps and pairs.
    solver_ : GroundTruth
        What solves maps; what is relative to the data is settled.
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
    skwass.SlicedWassersteinEmbedder : No solves unless scaled, and less accurate.
    skwass.WormholeEmbedder : A trained network, faster in transform in few dimensions.

    Notes
    -----
    `X` is a matrix of histograms, or a collection of clouds as for
    :class:`WormholeEmbedder`. `inverse_transform` gives clouds of as many points as the
    reference, so barycenters and geodesics need no decoder.

    Unscaled, the distance is the length of one coupling of both measures, where each
    is replaced by its means T(r_k): an upper bound of the W2 of those, so of W2 itself
    where the reference is so fine that each of its points goes to one place. On MNIST
    (311 pixels at most) the smallest ratio to W2 is 0.95 with 128 points, 0.98 with 256
    and 0.99 with 400; on Fashion-MNIST (746) 0.91 with 784.
    The distance is exact on a line, up to those means, and for translates.

    Entropic maps of `ground_truth="sinkhorn"` are blurred, the more the higher the
    dimension.

    Where an optimal plan is not unique, the map depends on the order of points. Raises
    ValueError for a distance other than W2 with the Euclidean metric, a reference of
    another dimension, and more components than there are.

    References
    ----------
    .. [1] Wang, Slepcev, Basu, Ozolek, Rohde (2013). A linear optimal transportation
       framework for quantifying and visualizing variations in sets of images. IJCV
       101(2).
    .. [2] Cuturi, Doucet (2014). Fast computation of Wasserstein barycenters. ICML,
       algorithm 2.

    Examples
    --------
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> clouds, W = make_gaussian_clouds(40, n_points=30, random_state=0)
    >>> embedder = LinearOTEmbedder(n_reference=32, random_state=0).fit(clouds)
    >>> embedder.transform(clouds).shape
    (40, 66)
    >>> embedder.score(clouds) > 0.99
    True
    """

    _parameter_constraints = {
        **ScaledEmbedder._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "private_axis": ["boolean", StrOptions({"auto"})],
        "n_reference": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "reference": [StrOptions({"barycenter", "kmeans"}), "array-like"],
        "correction": ["boolean"],
        "n_maps": [Interval(Integral, 2, None, closed="left")],
        "n_pairs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "ground_truth": [StrOptions({"exact", "sinkhorn"}), HasMethods(["solve"])],
    }
    _reads_other_bins = True
    _of_points = {"reference_points_": 1}
    _saved = (
        *ScaledEmbedder._saved,
        "reference_points_",
        "reference_weights_",
        "solver_",
        "_offset",
        "_axes",
        "_factor",
        "_center",
        "_components",
        "_n_sketched",
        "_stretch",
        "_private",
        "_reach",
    )

    def __init__(
        self,
        n_components=None,
        *,
        private_axis="auto",
        n_reference="auto",
        reference="barycenter",
        scale=True,
        correction=False,
        n_maps=10_000,
        n_pairs="auto",
        grid_shape=None,
        support=None,
        ground_truth="exact",
        n_score_pairs=1_000,
        memory=None,
        n_jobs=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.private_axis = private_axis
        self.n_reference = n_reference
        self.reference = reference
        self.scale = scale
        self.correction = correction
        self.n_maps = n_maps
        self.n_pairs = n_pairs
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def inverse_transform(self, X):
        """Turn embeddings into point clouds: the reference, moved.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Embeddings, or means of embeddings: a mean decodes to an approximate
            Wasserstein barycenter, a point between two to one on their geodesic. A
            private axis is ignored, and may be left out.

        Returns
        -------
        clouds : ndarray of shape (n_samples, n_points, d), float64
            Points of equal weights, in the unit of the data; if the reference has
            weights, a list of n_samples tuples `(points, weights)`.
        """
        X = self._check_decodable(X, np.float64)
        weights = self.reference_weights_
        clouds = self._in_data_unit(self._maps().decode(X))
        if np.ptp(weights) > 1e-12:
            return [(cloud, weights.copy()) for cloud in clouds]
        return clouds

    def _embed(self, measures):
        return self._maps().embed(measures, self.n_jobs)

    def _fit(self, measures, given, rng):
        wants_private = self._wants_private()
        solver = settle_solver(self.ground_truth, measures)
        n_points = self.n_reference
        if n_points == "auto":
            n_points = default_size(measures, self.n_components is not None)
        *reference, n_solves = make_reference(
            self.reference, n_points, measures, solver, rng, self.n_jobs
        )
        if not isinstance(self.reference, str):
            reference[0] = np.ldexp(reference[0], -self._unit)
        members = np.sort(rng.permutation(len(measures))[: self.n_maps])
        n_pairs = self.n_pairs
        if n_pairs == "auto":
            n_pairs = _N_CORRECTION_PAIRS if self.correction else _N_PAIRS
        pairs, w, n_solved = self._label(measures, given, rng, n_pairs, members)
        needs_maps = self.correction or self.n_components is not None
        rows = np.union1d(members, pairs) if needs_maps else np.unique(pairs)
        labeller = Labeller(solver, self.memory, self.n_jobs)
        moves, are_kept = labeller.recall(transport_maps, *reference, measures[rows])
        labels = np.searchsorted(rows, pairs), w
        how = {"scale": self.scale, "correction": self.correction}
        maps, Z = fit_maps(moves, reference, solver, *labels, **how)
        if self.n_components is not None:
            maps = project(maps, Z, *labels, self.n_components, rng)
        if wants_private:
            shapes, _ = split_moves(moves, maps.weights)
            variances = variances_of(measures[rows])
            spreads = unresolved(maps.points, maps.weights, shapes, variances)
            maps = add_private(maps, Z, spreads, *labels, rng)
        return {
            "reference_points_": maps.points,
            "reference_weights_": maps.weights,
            "solver_": solver,
            "n_pairs_": len(pairs),
            "n_solves_": n_solves + n_solved + (0 if are_kept else len(rows)),
            "_offset": maps.feature_map.offset,
            "_axes": maps.feature_map.axes,
            "_factor": maps.feature_map.factor,
            "scale_": maps.feature_map.scale,
            "_center": maps.center,
            "_components": maps.components,
            "_n_sketched": maps.n_sketched,
            "_stretch": maps.stretch,
            "_private": maps.private,
            "_reach": maps.reach,
            "_n_features_out": (
                (len(maps.components) or Z.shape[1]) + (len(maps.private) > 0)
            ),
        }

    def _maps(self):
        """Return the maps that were fitted, in the own unit."""
        return LinearMaps(
            self._own("reference_points_"),
            self.reference_weights_,
            self.solver_,
            FeatureMap(self._offset, self._axes, self._factor, self.scale_),
            self._center,
            self._components,
            self._n_sketched,
            self._stretch,
            self._private,
            self._reach,
        )

    def _wants_private(self):
        """Whether columns leave out enough for an axis, where that is left open."""
        if isinstance(self.private_axis, str):  # "auto"
            return self.n_components is not None
        if self.private_axis and self.n_components is None and not self._needs_labels():
            raise ValueError(
                "Got private_axis=True with scale=False and n_components=None, "
                "expected labels to fit it to, or columns that are dropped. Set "
                "scale=True or n_components, or leave private_axis='auto'."
            )
        return self.private_axis

    @property
    def _readout(self):
        if not len(self._private):
            return super()._readout
        n_common = self._n_features_out - 1
        # Means are columns of their own unless there is a projection.
        n_exact = 0 if len(self._components) else self.reference_points_.shape[1]
        return Readout((n_common,), n_exact, self._reach)

    def _needs_labels(self):
        return self.scale or self.correction
