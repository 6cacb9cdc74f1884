"""DeepKENN and ODE-KENN: learned metrics on many feature maps of histograms."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from ..nn.kuratowski import (
    DEFAULT_WIDTHS,
    count_weights,
    kuratowski_network,
    match_widths,
)
from ..nn.ode import SOLVERS
from ._checks import check_widths
from ._histograms import HistogramEmbedder


class KuratowskiEmbedder(HistogramEmbedder):
    """Embed histograms so that distances of feature maps add up to W.

    Kuratowski networks [1]_ learn a metric: with feature maps phi_k of a network and
    positive weights lambda_k, both learned::

        d(x, x') = sum_k q_k lambda_k |phi_k(x) - phi_k(x')|           "l1"
        d(x, x')^2 = sum_k q_k lambda_k |phi_k(x) - phi_k(x')|^2       "l2"

    where q_k are fixed and of sum 1 (with `velocity`, the velocities are maps too, and
    of sum 1 again). Minimised is the mean over pairs of (d - W)^2 / s^2, s^2 the mean
    of W^2. The maps are all layers of a network (DeepKENN), the last one, or a curve
    (ODE-KENN): h(0) = lift(x), h'(t) = v(h(t), t), with q the trapezoidal rule on
    [0, 1] and lambda(t) learned at its nodes.

    d is a metric on what the network tells apart: symmetric, zero between equal
    measures, and within the triangle inequality. With `"l2"` it is the Euclidean
    distance of the rows of `transform`.

    Parameters
    ----------
    n_components : int, default=128
        Dimension of the last feature map, or of h(t); at least 1. Rows of `transform`
        are longer: they hold all maps.
    architecture : {"last_layer", "cnn", "ode"}, default="ode"
        `"ode"`: ODE-KENN, the curve. `"cnn"`: DeepKENN, all layers, taken before their
        activations; faster, and good where labels are few. `"last_layer"`: the
        baseline, the last layer alone.
    aggregation : {"l1", "l2"}, default="l2"
        How distances of feature maps add up. `"l1"` is that of [1]_. `"l2"` makes
        `transform` isometric to `pairwise_distances`: in a pipeline, KMeans and
        neighbours see the distance between rows, which with `"l1"` is another than d.
    backbone : {"auto", "slices", "mlp", "conv"}, default="auto"
        What feature maps are of: dense layers on fixed quantile functions of
        projections on lines, `"slices"`, the most accurate for W2 with the Euclidean
        metric, or on masses, on a grid after a fixed cosine transform, `"mlp"`; with
        `"ode"`, a linear lift of either. `"auto"` chooses as in
        :class:`DeepWassersteinEmbedder`. `"conv"`: convolutions of stride 2 on pixels,
        for images; for `"ode"`, they lift. That is nearer to [1]_, slower on CPUs and
        less accurate.
    widths : tuple of int, default=None
        Widths of hidden layers: for dense ones, (512, 512) if None; for `"conv"`,
        channels of each convolution and then the width of one dense layer, (16, 32,
        128) if None. With `"ode"`, those of the vector field: (512,), or the last of
        (16, 32, 128), whose others are channels.
    n_parameters : int, default=None
        How many numbers the network may learn, a decoder not counted: hidden layers are
        scaled to it, so that architectures compare at one size.
    n_nodes : int, default=3
        Of `"ode"`: times in [0, 1] at which a curve is seen, both ends included; at
        least 2. More cost more, in proportion, and draw a finer profile of weights.
    velocity : bool, default=False
        Of `"ode"`: whether distances of velocities v(h(t), t) are added, with weights
        of their own.
    solver : {"rk4", "midpoint", "euler", "dopri5", "dopri8", "bosh3"}, default="rk4"
        Of `"ode"`. The first three take one step from node to node. The others choose
        steps for a batch as a whole: a row of `transform` then depends on the rest of
        the batch, by 1e-5 to 1e-4 of its size.
    adjoint : bool, default=False
        Of `"ode"`: whether to train by the adjoint equation, which takes longer. The
        stages of the solver need not be kept then, only states at the nodes.
    grid_shape : tuple of int, default=None
        The grid that the bins form, e.g. (28, 28); W is then in pixels. If None and
        `support` too, bins are at 0, 1, 2, ... on a line.
    support : array-like of shape (n_features, d), default=None
        Positions of bins that form no grid.
    exact_mean : bool or "auto", default="auto"
        Whether the mean of a measure is d more columns, at the end, and feature maps
        know its centred copy alone; with `"l2"` and slices, otherwise as in
        :class:`DeepWassersteinEmbedder`.
    reconstruction_weight : float, default=0.0
        Weight of the KL divergence of a decoder of all maps; 0.005 is a start. With 0
        there is none, and no `inverse_transform`.
    sparsity_weight : float, default=0.0
        Weight of the square roots of decoded masses; more gives sharper images.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What labels pairs: a distance of :mod:`skwass.ot`, by name or as an object, to
        be set in a grid as `ground_truth__reg`; or any object whose `solve(mu, nu)`,
        given two tuples of points and masses, returns `(w, converged)`.
    n_pairs : int or "auto", default=20_000
        Pairs drawn and labelled for training, at most all there are; `"auto"` as in
        :class:`DeepWassersteinEmbedder`. A tenth more (2,000 at most) is labelled for
        validation.
    n_maps : int, default=0
        Training measures, at most, whose maps from one reference are solved and learned
        before the pairs, as in :class:`DeepWassersteinEmbedder`.
    gradient_weight : float or "auto", default="auto"
        Weight of the derivatives of W^2 that come with the distance out of one exact
        solve, as in :class:`DeepWassersteinEmbedder`. Without effect (as 0) with
        `adjoint` too.
    max_iter : int, default=20
        Epochs: passes over the pairs. The learning rate ends at zero after the last.
    max_time : float, default=None
        Seconds that `fit` may take, labels included: labelling stops at half of it, and
        training ends in time. The one setting that gives up reproducibility.
    batch_size : int or "auto", default="auto"
        Pairs per step; `"auto"` is a 400th of the training pairs, at least 128 and at
        most 1024.
    learning_rate : float, default=1e-3
        Peak of the one-cycle schedule of AdamW.
    weight_decay : float, default=0.01
        Of AdamW.
    max_grad_norm : float, default=1.0
        Gradients are clipped to this norm.
    early_stopping : bool, default=True
        Whether to hold out measures, to keep the weights that did best on them and to
        stop when `n_iter_no_change` epochs brought nothing better; not if none can be
        held out.
    validation_fraction : float, default=0.1
        Share of the measures to hold out, in (0, 1). Pairs given by the user that join
        both sides are not used.
    n_iter_no_change : int, default=10
        Epochs to wait for a better validation score, in the second half of the
        schedule.
    tol : float, default=0.0
        By how much a validation score must be better.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit, with the network as it
        was then.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer, for searches.
    device : str, default="cpu"
        `"cpu"`, `"cuda"`, `"cuda:<number>"`, or `"auto"` for CUDA where there is any.
    n_jobs : int, default=None
        Threads that label pairs. Training uses the threads of torch.
    verbose : int, default=0
        Whether to print one line per epoch.
    random_state : int, RandomState instance or None, default=None
        Pairs, validation measures, initial weights and batches. With an integer, the
        same CPU gives the same bytes. Global generators are never touched.

    Attributes
    ----------
    block_weights_ : ndarray of shape (n_blocks,)
        The learned lambda_k, positive; times follow in order, then those of velocities.
    block_sizes_ : tuple of int
        Dimensions of the feature maps, in the order in which rows of `transform` hold
        them; an exact mean comes after them.
    times_ : ndarray of shape (n_nodes,) or None
        Nodes of a curve, None for layers.
    n_parameters_ : int
        How many numbers the network learns, a decoder not counted.
    module_ : torch.nn.Module
        The trained network, in float32.
    loss_curve_ : list of float
        Mean training loss of each epoch.
    validation_scores_ : list of float
        R2 of W on held-out measures after each epoch, NaN where a fit that went on had
        none; empty without any.
    n_iter_ : int
        Epochs trained.
    n_pairs_ : int
        Labelled pairs, those for validation included.
    n_solves_ : int
        Labels and maps that were solved, not given or from `memory`.
    stopped_by_ : str
        `"max_iter"`, `"max_time"`, `"early_stopping"` or `"callback"`.
    n_features_in_ : int
        Number of bins.
    support_ : ndarray of shape (`n_features_in_`, d)
        Positions of the bins.
    grid_shape_ : tuple of int or None
        The grid that they form, if any. `score` labels by what was fitted, whatever the
        parameters are by then.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    skwass.DeepWassersteinEmbedder : Euclidean distance of one vector.
    skwass.inspection.WeightProfileDisplay : The weights of feature maps, drawn.

    Notes
    -----
    Rows of `transform` hold the maps one after the other, scaled: by q_k lambda_k with
    `"l1"`, so that W is about the sum of the distances of blocks (`block_sizes_`), and
    by its root with `"l2"`, so that W is about the distance of rows. With `"l1"` the
    distance of rows is a lower bound of d, and no less than d / sqrt(n_blocks).

    Weights and maps share a scale: a layer ten times as large with a tenth of the
    weight is the same. Weights start so that all maps contribute alike; look at what
    each contributes, :class:`skwass.inspection.WeightProfileDisplay`, not at weights
    alone.

    The distance is trained for W between measures like those of `fit`; check others
    with `score`. Pairs of measures seen in other pairs, the test of [1]_, are no check:
    a linear map places 235 images as well as any network, and fails on the next.

    `transform` of a row costs a multiplication a weight with `backbone="mlp"`, and a
    weight and pixel with `"conv"`; a vector field is evaluated four times from node to
    node by rk4, twice by midpoint, and once a node more with `velocity`. A decoder has
    512 * (512 + n_bins + length of a row) weights.

    Raises ValueError for rows without mass, negative masses, NaN or infinity, for a
    `grid_shape` that does not fit, for `backbone="conv"` without a grid of two
    dimensions, and for an `n_parameters` too small; TypeError for point clouds.

    References
    ----------
    .. [1] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
       Learning.

    Examples
    --------
    >>> from skwass import KuratowskiEmbedder
    >>> from skwass.datasets import make_translated
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = KuratowskiEmbedder(
    ...     16, widths=(32,), n_pairs=300, learning_rate=1e-2, grid_shape=(8, 8),
    ...     random_state=0,
    ... ).fit(X)
    >>> embedder.score(X) > 0.9, embedder.block_sizes_
    (True, (16, 16, 16))
    """

    _parameter_constraints = {
        **HistogramEmbedder._parameter_constraints,
        "architecture": [StrOptions({"last_layer", "cnn", "ode"})],
        "aggregation": [StrOptions({"l1", "l2"})],
        "backbone": [StrOptions({"auto", "slices", "mlp", "conv"})],
        "n_parameters": [Interval(Integral, 1, None, closed="left"), None],
        "n_nodes": [Interval(Integral, 2, None, closed="left")],
        "velocity": ["boolean"],
        "solver": [StrOptions(set(SOLVERS))],
        "adjoint": ["boolean"],
    }
    _network = staticmethod(kuratowski_network)
    _kind_name = "backbone"
    _regresses_squares = False

    def __init__(
        self,
        n_components=128,
        *,
        architecture="ode",
        aggregation="l2",
        backbone="auto",
        widths=None,
        n_parameters=None,
        n_nodes=3,
        velocity=False,
        solver="rk4",
        adjoint=False,
        grid_shape=None,
        support=None,
        exact_mean="auto",
        reconstruction_weight=0.0,
        sparsity_weight=0.0,
        ground_truth="exact",
        n_pairs=20_000,
        n_maps=0,
        gradient_weight="auto",
        max_iter=20,
        max_time=None,
        batch_size="auto",
        learning_rate=1e-3,
        weight_decay=0.01,
        max_grad_norm=1.0,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=0.0,
        warm_start=False,
        n_score_pairs=1_000,
        memory=None,
        device="cpu",
        n_jobs=None,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.architecture = architecture
        self.aggregation = aggregation
        self.backbone = backbone
        self.widths = widths
        self.n_parameters = n_parameters
        self.n_nodes = n_nodes
        self.velocity = velocity
        self.solver = solver
        self.adjoint = adjoint
        self.grid_shape = grid_shape
        self.support = support
        self.exact_mean = exact_mean
        self.reconstruction_weight = reconstruction_weight
        self.sparsity_weight = sparsity_weight
        self.ground_truth = ground_truth
        self.n_pairs = n_pairs
        self.n_maps = n_maps
        self.gradient_weight = gradient_weight
        self.max_iter = max_iter
        self.max_time = max_time
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @property
    def block_weights_(self):
        """The learned weights of the feature maps."""
        weights = self.module_.encoder.weights
        unit = float(self.module_.scale) ** weights.power
        return unit * weights.values.detach().double().cpu().numpy()

    @property
    def block_sizes_(self):
        """Dimensions of the feature maps."""
        return self.module_.encoder.weights.sizes

    @property
    def times_(self):
        """Nodes of a curve in [0, 1], or None for layers."""
        settings = self.module_.settings
        if settings["architecture"] != "ode":
            return None
        return np.linspace(0, 1, settings["n_nodes"])

    @property
    def n_parameters_(self):
        """How many numbers the network learns, a decoder not counted."""
        return count_weights(self.module_.encoder)

    def _obstacle_to_mean(self, kind, dim):
        if self.aggregation == "l1":
            return "aggregation='l1'"
        return super()._obstacle_to_mean(kind, dim)

    def _knows_slopes(self, kind, exact_mean, goes_on):
        # The adjoint equation gives first derivatives alone.
        is_adjoint = self.architecture == "ode" and self.adjoint
        return not is_adjoint and super()._knows_slopes(kind, exact_mean, goes_on)

    def _settings(self, measures, plan):
        backbone = plan.kind
        if backbone == "conv":
            self._refuse_other_than_images(
                measures, "backbone='conv'", "backbone='auto'"
            )
        if self.widths is not None and self.n_parameters is not None:
            raise ValueError(
                f"Got widths={self.widths!r} and n_parameters={self.n_parameters}, "
                "expected one of them at most. Leave widths out to have them sized."
            )
        is_ode = self.architecture == "ode"
        widths = DEFAULT_WIDTHS[backbone, "ode" if is_ode else "layers"]
        if self.widths is not None:
            widths = check_widths(self.widths, 1 if is_ode or backbone == "conv" else 0)
        settings = {
            "architecture": self.architecture,
            "aggregation": self.aggregation,
            "backbone": backbone,
            "widths": widths,
            "n_nodes": self.n_nodes,
            "velocity": self.velocity,
            "solver": self.solver,
            "adjoint": self.adjoint,
            **self._common_settings(measures, plan),
        }
        if self.n_parameters is not None:
            settings["widths"] = match_widths(settings, self.n_parameters)
        return settings
