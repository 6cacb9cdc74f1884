"""The Wasserstein Wormhole: point clouds of any size."""

from ..measures import Histograms
from ..nn.ragged import padded_share
from ._parameters import trained
from ._trained import TrainedEmbedder


@trained()
class WormholeEmbedder(TrainedEmbedder):
    """Embed point clouds of any size so that distance is Wasserstein distance.

    As the Wasserstein Wormhole [1]_, an encoder of weighted sets is trained on pairs
    whose distance is known, and a decoder that gives measures back, if there is one.
    It minimises the mean, over pairs (x, x') and, with a decoder of clouds, over a few
    measures x of each batch, of::

        (|T(x) - T(x')| - W)^2 / s^2 + decoder.weight * S(x, G(T(x))) / r^2

    with the encoder T, the decoder G, the Sinkhorn divergence S, the mean square s^2 of
    W over the training pairs, and the mean squared distance r^2 of points to the mean
    of their cloud (of all clouds, if the mean is not exact); with a private axis, the
    distance of T(x) and T(x') has one more term (see `private_axis`). Embeddings come
    out in the unit of the data. Images are weighted clouds of pixels. Fewer than a
    thousand measures, or distances wanted to more than two digits, are served better by
    :func:`skwass.ot.pairwise_wasserstein`.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}
    padded_share_ : float
        Share of padding in batches of all training measures.

    See Also
    --------
    skwass.DeepWassersteinEmbedder : Histograms on a common support.
    skwass.LinearOTEmbedder : Nothing is trained.

    Notes
    -----
    `X` is a list of arrays of shape (n_i, d) or of `(points, weights)` tuples, or an
    array of shape (n_samples, m, d). A matrix holds histograms, which every
    architecture takes; convolutions only those of images.

    With architectures that see points, reordering points, splitting a point in two
    halves or adding points without mass changes an embedding only by rounding, a few
    1e-7 of its size. Different measures may share an embedding: it is trained for W
    between measures like those of `fit`; check others with `score`.

    The network of [1]_ is `architecture="set_transformer"`; there squared distances are
    regressed. `transform` sorts the n points of a cloud along each of 16 lines in the
    plane or 32 in space, solves one optimal plan in more dimensions, or evaluates
    `n * n_frequencies` waves; its cost grows as the
    square of n for Gromov distances and for each layer of a transformer. Histograms
    without learned layers on points take matrix products. Clouds go through in batches
    of similar size.

    The cost is linear in d. Beyond a few hundred features,
    :class:`sklearn.decomposition.PCA` on the stacked points, before clouds are built,
    is cheaper, and the loss of W2 is no more than the loss of variance. Arrays, also
    memory maps of shape (n_samples, m, d), stay where they are: fit and transform copy
    the clouds of one batch at a time. What fit keeps in memory, on the device, is what
    the dense layers see of all clouds: some 500 numbers each, three times as many with
    derivatives. :func:`skwass.measures.thin_clouds` makes smaller clouds once and for
    all, for labels too.

    Raises ValueError for empty clouds, clouds of several dimensions, negative weights,
    NaN or infinity, and an exact mean or maps with another distance than W2; TypeError
    for architectures of histograms with point clouds.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
       Algorithm 1.

    Examples
    --------
    >>> from skwass import WormholeEmbedder
    >>> from skwass.architectures import Fourier
    >>> from skwass.datasets import make_gaussian_clouds
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> embedder = WormholeEmbedder(
    ...     architecture=Fourier(widths=(64,), n_frequencies=64), n_pairs=300,
    ...     max_iter=20, random_state=0,
    ... ).fit(clouds)
    >>> embedder.transform(clouds).shape
    (40, 65)
    >>> embedder.score(clouds) > 0.95
    True
    """

    _regresses_squares = False
    _otherwise = "fourier"

    def _remember(self, X, measures):
        super()._remember(X, measures)
        if isinstance(measures, Histograms):
            sizes = measures.sizes
        else:
            sizes = measures.sizes
        self.padded_share_ = padded_share(sizes)
