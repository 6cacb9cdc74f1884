"""Diffusion earth mover's distance: mass on a graph, compared at many scales."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from ..formulas.correction import fit_scale
from ..formulas.diffusion import (
    diffusion_features,
    diffusion_operator,
    dyadic_steps,
    grid_affinity,
    grid_gap,
    n_mixing_scales,
    neighbor_affinity,
    share_mass,
    spectral_gap,
    without_density,
)
from ..measures import Histograms
from ..measures.subsets import blocks_of, merge_coincident, support_of
from ._training_free import ScaledEmbedder

# Points that nodes are drawn from, and pairs that are compared at a time.
_MAX_POINTS = 2**20
_N_COMPARED = 1_024


class DiffusionEMDEmbedder(ScaledEmbedder):
    """Embed measures so that L1 distance is an earth mover's distance on a graph.

    The diffusion earth mover's distance [1]_. With the transition matrix P of a random
    walk between neighbours, and mu the mass on its nodes, columns are::

        2^(-(K - k - 1) alpha) (mu P^(2^(k + 1)) - mu P^(2^k)),  k < K,  and  mu P^(2^K)

    Their L1 distance is, up to constants, a W1 whose ground distance is the power
    2 alpha of the geodesic distance on the graph: good where data lie on a curved
    manifold and straight lines mean little. It is not W2, and far less accurate than
    :class:`LinearOTEmbedder` where that is wanted.

    Parameters
    ----------
    n_scales : int or "auto", default="auto"
        K, at least 1; the longest walk has 2^K steps. `"auto"`: twice the relaxation
        time of the walk, beyond which little is left to see; at most 16.
    alpha : float, default=0.5
        Half the power of the geodesic distance, in (0, 1].
    n_neighbors : int, default=10
        Neighbours of a node, at least 1, and nodes that a point of a cloud goes to. On
        a grid, neighbours are those along the axes.
    n_nodes : int, default=1_000
        For clouds: nodes, at least 2, drawn from the points of training measures by
        their mass. Bins of histograms are nodes themselves.
    scale : bool, default=True
        Whether to multiply by one number, fitted to the distances of `n_pairs` pairs,
        which takes most of the time of `fit`. Otherwise the unit means nothing.
    n_pairs : int, default=500
        Pairs whose distances are solved in `fit`, if `scale`.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What `score`, and `fit` if `scale`, label pairs by; a distance of
        :mod:`skwass.ot`, such as `ExactWasserstein(p=1)`.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer.
    n_jobs : int, default=None
        Threads that label pairs.
    random_state : int, RandomState instance or None, default=None
        Nodes and pairs.

    Attributes
    ----------
    nodes_ : ndarray of shape (n_nodes, d)
        Positions of the nodes.
    operator_ : sparse array of shape (n_nodes, n_nodes)
        Transition matrix of the walk.
    n_scales_ : int
        K.
    scale_ : float
        Factor of all columns; 1 without `scale`.
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
    skwass.LinearOTEmbedder : W2, and more accurate where that is wanted.
    skwass.SlicedWassersteinEmbedder : No graph of the points is needed.

    Notes
    -----
    The distance is L1: that of `pairwise_distances`, and of `metric="manhattan"` on
    rows of `transform`. KMeans and others that are Euclidean see something else.

    A point of a cloud goes to its `n_neighbors` nearest nodes, by a kernel. Points far
    from all training points go to the nodes at the edge, so that distances beyond are
    not seen.

    Embeddings have `(n_scales_ + 1) * n_nodes` columns. Up to 2,000 nodes, powers of P
    are multiplied out, and a measure takes `n_scales_ + 1` products of a vector and a
    matrix; beyond that the walk is walked, at 2^K sparse products: 0.1 s an image of
    64 x 64 pixels. Warns if the graph
    falls apart: distances between its parts are then those of shares of mass.

    References
    ----------
    .. [1] Tong, Huguet, Natik, MacDonald, Kuchroo, Coifman, Wolf, Krishnaswamy (2021).
       Diffusion earth mover's distance and distribution embeddings. ICML, section 4.

    Examples
    --------
    >>> from skwass import DiffusionEMDEmbedder
    >>> from skwass.datasets import make_translated
    >>> X, W = make_translated(40, grid_shape=(8, 8), random_state=0)
    >>> embedder = DiffusionEMDEmbedder(grid_shape=(8, 8), random_state=0).fit(X)
    >>> embedder.transform(X).shape == (40, 64 * (embedder.n_scales_ + 1))
    True
    >>> embedder.score(X) > 0.8
    True
    """

    _parameter_constraints = {
        **ScaledEmbedder._parameter_constraints,
        "n_scales": [Interval(Integral, 1, 30, closed="both"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, 1, closed="right")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_nodes": [Interval(Integral, 2, None, closed="left")],
    }
    _saved = (
        *ScaledEmbedder._saved,
        "nodes_",
        "n_scales_",
        "_alpha",
        "_n_neighbors",
    )

    def __init__(
        self,
        *,
        n_scales="auto",
        alpha=0.5,
        n_neighbors=10,
        n_nodes=1_000,
        scale=True,
        n_pairs=500,
        grid_shape=None,
        support=None,
        ground_truth="exact",
        n_score_pairs=1_000,
        memory=None,
        n_jobs=None,
        random_state=None,
    ):
        self.n_scales = n_scales
        self.alpha = alpha
        self.n_neighbors = n_neighbors
        self.n_nodes = n_nodes
        self.scale = scale
        self.n_pairs = n_pairs
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, measures, given, rng):
        nodes = _draw_nodes(measures, self.n_nodes, rng)
        grid_shape = getattr(measures, "grid_shape", None)
        even = _even_affinity(nodes, grid_shape, self.n_neighbors)
        n_scales = self.n_scales
        if n_scales == "auto" and grid_shape is not None:
            n_scales = n_mixing_scales(grid_gap(grid_shape))
        elif n_scales == "auto":
            n_scales = n_mixing_scales(spectral_gap(even))
        pairs, w, n_solves = self._label(measures, given, rng, self.n_pairs)
        fitted = {
            "nodes_": nodes,
            "n_scales_": n_scales,
            "scale_": 1.0,
            "n_pairs_": len(pairs),
            "n_solves_": n_solves,
            "_alpha": self.alpha,
            "_n_neighbors": self.n_neighbors,
            "_n_features_out": (n_scales + 1) * len(nodes),
            **_walk(even, n_scales),
        }
        if self.scale:
            draft = clone(self)
            vars(draft).update(fitted)
            rows, ends = np.unique(pairs, return_inverse=True)
            Z = draft._embed(measures[rows])
            predicted = self._paired_distances(Z, ends.reshape(-1, 2))
            # A walk has no unit; in one of its own, labels are about as large.
            unit = predicted.max(initial=0.0) / (w.max(initial=0.0) or np.inf) or 1.0
            fitted["scale_"] = fit_scale(predicted**2, unit * w) / unit
        return fitted

    def _reopen(self):
        with warnings.catch_warnings():  # fit has warned
            warnings.simplefilter("ignore", UserWarning)
            even = _even_affinity(
                self._own("nodes_"), self.grid_shape_, self._n_neighbors
            )
        self.__dict__.update(_walk(even, self.n_scales_))

    @property
    def _of_points(self):
        # Without a fitted scale, distances have the unit of the walk, which is none.
        return {"nodes_": 1, "scale_": 1} if self.n_pairs_ else {"nodes_": 1}

    def _rescaled(self, values, power=1):
        return super()._rescaled(values, power) if self.n_pairs_ else values

    def _in_own_unit(self, values):
        return super()._in_own_unit(values) if self.n_pairs_ else values

    def __getstate__(self):
        # Powers of the operator are large, and soon made.
        return {k: v for k, v in super().__getstate__().items() if k != "_steps"}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "operator_" in self.__dict__:
            self._steps = dyadic_steps(self.operator_, self.n_scales_)

    def _embed(self, measures):
        scale, parts = float(self._own("scale_")), []
        for some in blocks_of(measures, self._n_features_out):
            masses = self._masses(some)
            features = diffusion_features(
                masses, self.operator_, self._steps, self._alpha
            )
            parts.append(np.multiply(features, scale, out=features))
        return np.concatenate(parts)

    def _masses(self, measures):
        """Return the mass on each node: [n_measures, n_nodes]."""
        if isinstance(measures, Histograms):
            return measures.dense_masses()
        return share_mass(self._own("nodes_"), measures, self._n_neighbors)

    def _embedded_distances(self, r_x, r_y, squared):
        z_x = torch.from_numpy(r_x)
        z_y = z_x if r_y is None else torch.from_numpy(r_y)
        W = torch.cdist(z_x, z_y, p=1).numpy()
        return np.square(W, out=W) if squared else W

    def _listed_distances(self, r_x, r_y, pairs):
        parts = [
            np.abs(r_x[some[:, 0]] - r_y[some[:, 1]]).sum(axis=1, dtype=np.float64)
            for some in np.array_split(pairs, -(-len(pairs) // _N_COMPARED))
        ]
        return np.concatenate(parts)


def _even_affinity(nodes, grid_shape, n_neighbors):
    """Return affinities of nodes without the part that is density."""
    if grid_shape is not None:
        return without_density(grid_affinity(grid_shape))
    affinity = neighbor_affinity(nodes, n_neighbors)
    n_parts = connected_components(affinity, directed=False)[0]
    if n_parts > 1:
        warnings.warn(
            f"The graph falls into {n_parts} parts that no walk joins; distances "
            "between them are those of shares of mass. Raise n_neighbors.",
            UserWarning,
            stacklevel=6,
        )
    return without_density(affinity)


def _walk(even, n_scales):
    operator = diffusion_operator(even)
    return {"operator_": operator, "_steps": dyadic_steps(operator, n_scales)}


def _draw_nodes(measures, n_nodes, rng):
    """Return the bins of histograms, or points of clouds drawn by their mass."""
    if isinstance(measures, Histograms):
        return measures.support
    if sum(map(len, measures.masses)) > _MAX_POINTS:
        # Few of the measures hold points enough, and all points are too many to sort.
        few = rng.permutation(len(measures))[: max(1, _MAX_POINTS // n_nodes)]
        measures = measures[np.sort(few)]
    points, masses = merge_coincident(*support_of(measures))
    n_nodes = min(n_nodes, len(points))
    return points[rng.choice(len(points), n_nodes, replace=False, p=masses)]
