"""DWE: a siamese network with a decoder, for histograms on a shared support."""

from ._histograms import HistogramReaderMixin
from ._parameters import trained
from ._trained import TrainedEmbedder


@trained(n_components=50, decoder="auto")
class DeepWassersteinEmbedder(HistogramReaderMixin, TrainedEmbedder):
    """Embed histograms in R^k so that distance is Wasserstein distance.

    Deep Wasserstein Embedding [1]_ trains an encoder phi on pairs of measures whose
    distance is known, together with a decoder psi. It minimises the mean, over pairs
    (x, x') and over measures x, of::

        (|phi(x) - phi(x')|^2 - W^2)^2 / s^4 + decoder.weight * KL(x || psi(phi(x)))

    where s^2 is the mean of W^2 over the training pairs, so that one setting serves
    data in any unit; the losses of other decoders are given in their classes. The mean
    squared error of the derivatives of the squared distance is added (see
    `gradient_weight`); with a private axis, squared distances have one more term (see
    `private_axis`). Embeddings come out in the unit of the data: the distance of two is
    about W, not squared. Fewer than a thousand measures, or distances wanted to more
    than two digits, are served better by :func:`skwass.ot.pairwise_wasserstein`.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    skwass.KuratowskiEmbedder : Histograms, by distances of many feature maps.
    skwass.WormholeEmbedder : Point clouds.
    skwass.LinearOTEmbedder : Nothing is trained.

    Notes
    -----
    The distance is a metric on embeddings, hence symmetric and within the triangle
    inequality, but different measures may share an embedding. The network is trained
    for W between measures like those of `fit`; others, e.g. far translates, may come
    out wrong: check with `score`.

    The network of [1]_ is `architecture="courty2018"`, whose convolutions at full
    resolution are slow on CPUs; the default is several times as accurate.

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
    >>> from skwass.architectures import Slices
    >>> from skwass.datasets import make_translated
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = DeepWassersteinEmbedder(
    ...     architecture=Slices(widths=(64,)), grid_shape=(8, 8), n_pairs=500,
    ...     max_iter=20, random_state=0,
    ... ).fit(X)
    >>> embedder.transform(X).shape
    (60, 51)
    >>> embedder.score(X) > 0.9
    True
    """

    _regresses_squares = True
    _otherwise = "dense"
