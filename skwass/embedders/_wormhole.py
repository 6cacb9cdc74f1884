"""The Wasserstein Wormhole: point clouds of any size, by deep sets or a transformer."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from ..ot.ground_truths import is_gromov
from ._checks import check_widths
from ._clouds import CloudEmbedder, decoded_size
from ._plan import EXACT_MEAN_CONSTRAINT, suit_slices

_WIDTHS = (512, 512)


class WormholeEmbedder(CloudEmbedder):
    """Embed point clouds of any size so that distance is Wasserstein distance.

    As the Wasserstein Wormhole [1]_, an encoder of weighted sets is trained on pairs
    whose distance is known, with a decoder beside it that gives clouds back. Minimised
    is the mean, over pairs (x, x') and over a few measures x of each batch, of::

        (|T(x) - T(x')| - W)^2 / s^2 + reconstruction_weight * S(x, G(T(x))) / r^2

    with the encoder T, the decoder G, the Sinkhorn divergence S, the mean square s^2 of
    W over the training pairs, and the mean squared distance r^2 of points to the mean
    of their cloud (of all clouds, if the mean is not exact). Embeddings come out in the
    unit of the data. Images are weighted clouds of pixels. Fewer than a thousand
    measures, or distances wanted to more than two digits, are served better by
    :func:`skwass.ot.pairwise_wasserstein`.

    Parameters
    ----------
    n_components : int, default=64
        Dimension of the embedding, at least 1.
    architecture : str, default="auto"
        What the points of a cloud go through before dense layers. `"slices"`: fixed
        quantile functions of projections on lines, near W2 already and computed once;
        by far the most accurate for its time, for W2 in up to three dimensions.
        `"deepsets"`: fixed Fourier coefficients, a mean over points each [2]_. `"auto"`
        is one of the two. `"transformer"` adds attention among the points [1]_,
        quadratic in their number, and `"inducing"` attention through `n_inducing`
        learned points [3]_, linear in it.
    widths : tuple of int, default=None
        Hidden dense layers after the average; (512, 512) if None.
    n_frequencies : int, default=256
        Fourier coefficients, a cosine and a sine each, of all but `"slices"`. More
        resolve finer structure, and cost time in proportion.
    n_layers : int, default=None
        Learned layers on the points. None is 2, and 0 for `"deepsets"`, whose layers
        see each point alone; `"slices"` has none. With 0 only the fixed coefficients
        are left, whatever the architecture.
    width : int, default=64
        Features of a point in learned layers and in the decoder.
    n_heads : int, default=4
        Heads of attention, a divisor of `width`.
    n_inducing : int, default=32
        Learned points of `"inducing"`.
    dropout : float, default=0.0
        Dropout in learned layers on points and in the decoder, in [0, 1).
    exact_mean : bool or "auto", default="auto"
        Whether the last d columns of an embedding are the mean of the measure, less
        that of all in `fit`, and the rest knows its centred copy alone. For W2, W^2 is
        the sum of both parts, so translates are at their true distance. `"auto"`: for
        W2 with the Euclidean ground metric in at most `n_components / 2` dimensions,
        unless given distances are below those of the means. In more dimensions
        `n_components=2 * d` makes it exact, often for the better.
    max_points : int, default=None
        In training, learned layers and decoder see at most this many points of a cloud,
        drawn anew at each step. :func:`skwass.measures.thin_clouds` makes smaller
        clouds once for all, labels included.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid.
    reconstruction_weight : float, default=0.0
        Weight of the decoder's loss. Without it (0) there is no decoder and no
        `inverse_transform`; 0.1 is a good value. It multiplies the time of `fit`, by
        the points of clouds and decoded clouds.
    n_points : int or "auto", default="auto"
        Points of decoded clouds; `"auto"` is the mean over clouds of
        exp(entropy of the weights), the number of points where weights are even.
    n_decoder_layers : int, default=2
        Layers of attention in the decoder.
    labels : {"auto", "pairs", "blocks", "in_batch"}, default="auto"
        Which pairs are labelled. `"pairs"`: `n_pairs` of all, drawn at random.
        `"blocks"`: as many, all those within groups of `block_size` measures, so that
        one encoding serves many labels. `"in_batch"`: Algorithm 1 of [1]_; all pairs of
        `block_size` measures, drawn and labelled anew at each step, `n_pairs` an epoch:
        for cheap labels, such as `ground_truth="sinkhorn"` on a GPU. `"auto"`: blocks
        if there are learned layers on points, else pairs.
    block_size : int, default=16
        Measures of a block, or of a step with `"in_batch"`; at least 2.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What labels pairs: a distance of :mod:`skwass.ot`, by name or as an object, to
        be set in a grid as `ground_truth__p`; or any object whose `solve(mu, nu)`,
        given two tuples of points and masses, returns `(w, converged)`. For a Gromov
        distance clouds are seen by their inner distances alone, so that moving, turning
        and mirroring change nothing.
    n_pairs : int or "auto", default=20_000
        Pairs drawn and labelled for training, at most all there are; with `"in_batch"`,
        pairs per epoch. A tenth more (2,000 at most) is labelled for validation.
        `"auto"`: as in :class:`DeepWassersteinEmbedder`.
    n_maps : int, default=0
        Training measures, at most, whose maps from one reference are solved, as by
        :class:`LinearOTEmbedder`, and learned in `max_iter` epochs before the pairs:
        one solve per measure teaches its distance to all others. For W2 alone.
    gradient_weight : float or "auto", default="auto"
        Weight of the derivatives of W^2 that come with the distance out of one exact
        solve, as in :class:`DeepWassersteinEmbedder`. Without effect (as 0) with
        learned layers on points too.
    max_iter : int, default=20
        Epochs: passes over the pairs. The learning rate ends at zero after the last.
        With a few thousand labels, 60 bring more than 20.
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
        Whether to hold out measures, if there are enough, keep the weights that did
        best on them and stop when `n_iter_no_change` epochs brought nothing better.
    validation_fraction : float, default=0.1
        Share of the measures to hold out, in (0, 1). Pairs given by the user that join
        both sides are not used.
    n_iter_no_change : int, default=10
        Epochs to wait for a better validation score, in the second half of the
        schedule.
    tol : float, default=0.0
        How much better a validation score must be.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit, with the network as it
        was then.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer; not those of `"in_batch"`.
    device : str, default="cpu"
        `"cpu"`, `"cuda"`, `"cuda:<number>"`, or `"auto"` for CUDA where there is any.
    n_jobs : int, default=None
        Threads that label pairs. Training uses the threads of torch.
    verbose : int, default=0
        Whether to print one line per epoch.
    random_state : int, RandomState instance or None, default=None
        Pairs, validation measures, frequencies, initial weights and batches. With an
        integer, the same CPU gives the same bytes.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, in float32.
    loss_curve_ : list of float
        Mean training loss of each epoch.
    validation_scores_ : list of float
        R2 of W on held-out measures after each epoch, NaN where there were none.
    n_iter_ : int
        Epochs trained.
    n_pairs_ : int
        Labelled pairs, those for validation included.
    n_solves_ : int
        Labels and maps that were solved, not given or from `memory`.
    padded_share_ : float
        Share of padding in batches of all training measures.
    stopped_by_ : str
        `"max_iter"`, `"max_time"`, `"early_stopping"` or `"callback"`.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    support_ : ndarray of shape (`n_features_in_`, d) or None
        Positions of the bins of histograms.
    grid_shape_ : tuple of int or None
        The grid that they form, if any.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if any.

    See Also
    --------
    skwass.DeepWassersteinEmbedder : Histograms on a common support.
    skwass.LinearOTEmbedder : Nothing is trained.

    Notes
    -----
    `X` is a list of arrays of shape (n_i, d) or of `(points, weights)` tuples, or an
    array of shape (n_samples, m, d). A matrix holds histograms.

    The order of points, a point in two halves and points without mass change an
    embedding by rounding alone, a few 1e-7 of its size. Different measures may share an
    embedding: it is trained for W between measures like those of `fit`; check others
    with `score`.

    `transform` sorts the n points of a cloud along each of 16 lines in the plane and 32
    in space, or takes `n * n_frequencies` waves; the square of n for Gromov distances
    and for each layer of a transformer; histograms without learned layers, matrix
    products. Clouds go through in batches of similar size.

    The cost is linear in d. Beyond a few hundred features,
    :class:`sklearn.decomposition.PCA` on the stacked points, before clouds are built,
    is cheaper, and loses no more W2 than it loses variance. Arrays, also memory maps of
    shape (n_samples, m, d), stay where they are: fit and transform copy the clouds of
    one batch at a time. What fit keeps in memory, on the device, is what the dense
    layers see of all clouds: some 500 numbers each, thrice that with slopes.

    Raises ValueError for empty clouds, clouds of several dimensions, negative weights,
    NaN or infinity, a `width` that heads do not share, and an exact mean or maps with
    another distance than W2.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
       Algorithm 1; there squared distances are regressed.
    .. [2] Zaheer, Kottur, Ravanbakhsh, Poczos, Salakhutdinov, Smola (2017). Deep Sets.
       NeurIPS.
    .. [3] Lee et al. (2019). Set Transformer. ICML.

    Examples
    --------
    >>> from skwass import WormholeEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> embedder = WormholeEmbedder(
    ...     widths=(64,), n_frequencies=64, n_pairs=300, random_state=0
    ... ).fit(clouds)
    >>> embedder.transform(clouds).shape
    (40, 64)
    >>> embedder.score(clouds) > 0.95
    True
    """

    _parameter_constraints = {
        **CloudEmbedder._parameter_constraints,
        "architecture": [
            StrOptions({"auto", "slices", "deepsets", "transformer", "inducing"})
        ],
        "widths": ["array-like", None],
        "n_frequencies": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 0, None, closed="left"), None],
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_inducing": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "exact_mean": EXACT_MEAN_CONSTRAINT,
        "max_points": [Interval(Integral, 1, None, closed="left"), None],
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "n_points": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_decoder_layers": [Interval(Integral, 0, None, closed="left")],
        "labels": [StrOptions({"auto", "pairs", "blocks", "in_batch"})],
        "block_size": [Interval(Integral, 2, None, closed="left")],
    }
    _regresses_squares = False
    _reads_other_bins = True

    def __init__(
        self,
        n_components=64,
        *,
        architecture="auto",
        widths=None,
        n_frequencies=256,
        n_layers=None,
        width=64,
        n_heads=4,
        n_inducing=32,
        dropout=0.0,
        exact_mean="auto",
        max_points=None,
        grid_shape=None,
        support=None,
        reconstruction_weight=0.0,
        n_points="auto",
        n_decoder_layers=2,
        labels="auto",
        block_size=16,
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
        self.widths = widths
        self.n_frequencies = n_frequencies
        self.n_layers = n_layers
        self.width = width
        self.n_heads = n_heads
        self.n_inducing = n_inducing
        self.dropout = dropout
        self.exact_mean = exact_mean
        self.max_points = max_points
        self.grid_shape = grid_shape
        self.support = support
        self.reconstruction_weight = reconstruction_weight
        self.n_points = n_points
        self.n_decoder_layers = n_decoder_layers
        self.labels = labels
        self.block_size = block_size
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

    def _labels_mode(self):
        if self.labels == "auto":
            in_blocks = self._n_layers() and self.n_pairs != "auto"
            return "blocks" if in_blocks else "pairs"
        return self.labels

    def _n_layers(self):
        """Return the number of learned layers on points."""
        if self.architecture in ("auto", "slices"):
            return 0
        if self.n_layers is None:
            return 0 if self.architecture == "deepsets" else 2
        return self.n_layers

    def _choose_kind(self, measures, are_w2):
        if self.architecture != "auto":
            return self.architecture
        return "slices" if suit_slices(measures.dim, are_w2) else "deepsets"

    def _kind_of(self, module):
        return module.settings["architecture"]

    def _settings(self, measures, plan):
        if self.width % self.n_heads:
            raise ValueError(
                f"Got width={self.width} with n_heads={self.n_heads}, expected a "
                "multiple: heads share the features of a point. Change one of them."
            )
        n_points = 0
        if self.reconstruction_weight > 0:
            n_points = self.n_points
            if n_points == "auto":
                n_points = decoded_size(measures)
        return {
            "architecture": plan.kind,
            "dim": measures.dim,
            "n_components": self.n_components,
            "widths": _WIDTHS if self.widths is None else check_widths(self.widths, 0),
            "n_frequencies": self.n_frequencies,
            "exact_mean": plan.exact_mean,
            "by_isometry": is_gromov(self.ground_truth),
            "n_layers": self._n_layers(),
            "width": self.width,
            "n_heads": self.n_heads,
            "n_inducing": self.n_inducing,
            "dropout": self.dropout,
            "n_points": n_points,
            "n_decoder_layers": self.n_decoder_layers,
        }

    def _obstacle_to_mean(self, kind, dim):
        return f"n_components={self.n_components}" if dim >= self.n_components else None

    def _knows_slopes(self, kind, exact_mean, goes_on):
        has_layers = (
            self.module_.points is not None if goes_on else self._n_layers() > 0
        )
        return not has_layers and (kind != "slices" or exact_mean)
