"""DWE: a siamese network with a decoder, for histograms on a shared support."""

from sklearn.utils._param_validation import StrOptions

from ..nn.architectures import DEFAULT_WIDTHS, NEEDS_IMAGES, histogram_network
from ._checks import check_widths
from ._histograms import HistogramEmbedder


class DeepWassersteinEmbedder(HistogramEmbedder):
    """Embed histograms in R^k so that Euclidean distance is Wasserstein distance.

    Deep Wasserstein Embedding [1]_ trains an encoder phi on pairs of measures whose
    distance is known, and a decoder psi beside it. Minimised is the mean, over pairs
    (x, x') and over measures x, of::

        (|phi(x) - phi(x')|^2 - W^2)^2 / s^4
            + reconstruction_weight * KL(x || psi(phi(x)))
            + sparsity_weight * sum_bins sqrt(psi(phi(x)))

    where s^2 is the mean of W^2 over the training pairs, so that one setting serves
    data in any unit, and beside it the mean squared error of the derivatives of the
    squared distance (see `gradient_weight`). Embeddings come out in the unit of the
    data: the Euclidean distance of two is about W, not squared. Fewer than a thousand
    measures, or distances wanted to more than two digits, are served better by
    :func:`skwass.ot.pairwise_wasserstein`.

    Parameters
    ----------
    n_components : int, default=50
        Dimension of the embedding, at least 1, the mean included. W2 on images has
        about that many directions that matter; more costs little.
    architecture : {"auto", "slices", "mlp", "conv", "paper"}, default="auto"
        The encoder. `"slices"`: dense layers on fixed quantile functions of projections
        on lines, which are near W2 already; by far the most accurate for W2 in up to
        three dimensions. `"mlp"`: dense layers on masses, on a grid after a fixed
        cosine transform; for any distance of histograms. `"auto"` is the former where
        bins lie in up to three dimensions, `ground_truth` is W2 with the Euclidean
        metric, and given distances are none less than those of means; the latter
        elsewhere. `"conv"`: convolutions of stride 2, for images. `"paper"`: encoder
        and decoder of [1]_, section 4.1, whose convolutions at full resolution are slow
        on CPUs.
    widths : tuple of int, default=None
        Widths of the hidden layers: if None, (512, 512) for `"slices"` and (1024, 512)
        for `"mlp"`; for `"conv"`, the channels of each convolution and then the width
        of one dense layer, (32, 64, 256) if None. `"paper"` has its own.
    grid_shape : tuple of int, default=None
        The grid that the bins form, e.g. (28, 28); W is then in pixels. If None and
        `support` too, bins are at 0, 1, 2, ... on a line.
    support : array-like of shape (n_features, d), default=None
        Positions of bins that form no grid.
    exact_mean : bool or "auto", default="auto"
        Whether the last d columns of an embedding are the mean of the measure, less
        that of all in `fit`, and the rest knows its centred copy alone. For W2, W^2 is
        the sum of both parts, so translates are at their true distance wherever they
        are, and a decoder on a grid moves what it decodes. For `"slices"`; `"auto"`:
        where these are chosen or asked for, in at most `n_components / 2` dimensions.
    reconstruction_weight : float, default=0.005
        Weight of the decoder's KL divergence. Without it (0) there is no decoder and no
        `inverse_transform`. More decodes better; 0.02 in place of 0 made the MSE of
        MNIST distances a tenth worse, 0.002 did not. The weight of [1]_ (10 for each
        end of a pair, labels in pixels^2) would be 0.15 here.
    sparsity_weight : float, default=0.0
        Weight of the square roots of decoded masses; more gives sharper images.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What labels pairs: a distance of :mod:`skwass.ot`, by name or as an object such
        as `SinkhornDivergence(reg=0.01)`, to be set in a grid as `ground_truth__reg`;
        or any object whose `solve(mu, nu)`, given two tuples of points and masses,
        returns `(w, converged)`.
    n_pairs : int or "auto", default=20_000
        Pairs drawn and labelled for training, at most all there are. The error falls
        with their number, and the bill of exact solves rises: of 28 x 28 images, about
        600 per second and core. A tenth more (2,000 at most) is labelled for
        validation. `"auto"` labels 5,000 and then, round by round, as many again, and
        goes on training with all, until a round takes less than a fifth off the error
        of held-out pairs.
    n_maps : int, default=0
        Training measures, at most, whose optimal maps from one reference are solved and
        learned before the pairs, as by :class:`LinearOTEmbedder`: one solve per measure
        teaches its distance to all others; up to 300 more make the reference.
        `max_iter` epochs over them come first; not in `partial_fit`. For W2 with the
        Euclidean metric. 0 learns from pairs alone; otherwise at least 2.
    gradient_weight : float or "auto", default="auto"
        Weight of the derivatives of W^2, which come with the distance out of one exact
        solve: toward 64 other measures, for both ends of a pair. It falls to 0 over the
        pairs' epochs. A step takes about three times as long, and half of the solves or
        less do for the same error. `"auto"` is 0.3, and 0 with `n_maps`, which teach as
        much. 0 is the loss above alone; so is any weight with given distances, in
        `partial_fit`, with any but an exact W2, and with slices but no exact mean.
    max_iter : int, default=20
        Epochs: passes over the pairs. The learning rate ends at zero after the last.
    max_time : float, default=None
        Seconds that `fit` may take, labels included; labelling stops at half of it, and
        the schedule of training is compressed to end in time. The one setting that
        gives up reproducibility.
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
        stop when `n_iter_no_change` epochs brought nothing better. With fewer than two
        measures to hold out, or given pairs that leave none, training goes on without.
    validation_fraction : float, default=0.1
        Share of the measures to hold out, in (0, 1). Pairs given by the user that join
        both sides are not used: some 5 % where pairs are few a measure, since held-out
        measures are chosen so; 18 % of all pairs of a collection.
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
        Keeps labels, if `random_state` is an integer: a search over architectures
        computes those of a fold once, unless candidates of one fold run at the same
        time. With `max_time`, labels are read from it but not added.
    device : str, default="cpu"
        `"cpu"`, `"cuda"`, `"cuda:<number>"`, or `"auto"` for CUDA where there is any. A
        model fitted on a GPU opens on a CPU.
    n_jobs : int, default=None
        Threads that label pairs. Training uses the threads of torch.
    verbose : int, default=0
        Whether to print one line per epoch. For a progress bar, see `set_callbacks`.
    random_state : int, RandomState instance or None, default=None
        Pairs, validation measures, initial weights and batches. With an integer, the
        same CPU gives the same bytes. Global generators are never touched.

    Attributes
    ----------
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
    skwass.KuratowskiEmbedder : Histograms, by distances of many feature maps.
    skwass.WormholeEmbedder : Point clouds.
    skwass.LinearOTEmbedder : Nothing is trained.

    Notes
    -----
    The distance is a metric on embeddings, hence symmetric and triangular, but
    different measures may share an embedding. It is trained for W between measures like
    those of `fit`; others, e.g. far translates, may come out wrong: check with `score`.

    `transform` takes, with slices on a grid, some 16 additions per bin, 16 searches
    among some hundred places each, and `256 * 512 + 512 * 512 + 512 * n_components`
    multiplications per row; an exact solve, many times that.

    Raises ValueError for rows without mass, negative masses, NaN or infinity, for a
    `grid_shape` that does not fit, and for an architecture that needs images without a
    grid of two dimensions; TypeError for point clouds.

    References
    ----------
    .. [1] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings. ICLR.
       Equation 2 and section 4.1.

    Examples
    --------
    >>> from skwass import DeepWassersteinEmbedder
    >>> from skwass.datasets import make_translated
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = DeepWassersteinEmbedder(
    ...     grid_shape=(8, 8), widths=(64,), n_pairs=500, random_state=0
    ... ).fit(X)
    >>> embedder.transform(X).shape
    (60, 50)
    >>> embedder.score(X) > 0.9
    True
    """

    _parameter_constraints = {
        **HistogramEmbedder._parameter_constraints,
        "architecture": [StrOptions({"auto", "slices", "mlp", "conv", "paper"})],
    }
    _network = staticmethod(histogram_network)
    _kind_name = "architecture"
    _regresses_squares = True

    def __init__(
        self,
        n_components=50,
        *,
        architecture="auto",
        widths=None,
        grid_shape=None,
        support=None,
        exact_mean="auto",
        reconstruction_weight=0.005,
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
        self.widths = widths
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

    def _obstacle_to_mean(self, kind, dim):
        if dim >= self.n_components:
            return f"n_components={self.n_components}"
        return super()._obstacle_to_mean(kind, dim)

    def _settings(self, measures, plan):
        architecture = plan.kind
        if architecture in NEEDS_IMAGES:
            value = f"architecture={architecture!r}"
            self._refuse_other_than_images(measures, value, "architecture='auto'")
        widths = DEFAULT_WIDTHS[architecture]
        if self.widths is not None:
            widths = check_widths(self.widths, 1 if architecture == "conv" else 0)
        return {
            "architecture": architecture,
            "widths": widths,
            **self._common_settings(measures, plan),
        }
