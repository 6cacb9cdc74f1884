"""DeepKENN and ODE-KENN: learned metrics on many feature maps of histograms."""

from ._histograms import HistogramReaderMixin
from ._parameters import trained
from ._trained import TrainedEmbedder


@trained(n_components=128, architecture="ode_kenn")
class KuratowskiEmbedder(HistogramReaderMixin, TrainedEmbedder):
    """Embed histograms so that distances of feature maps add up to W.

    Kuratowski networks [1]_ learn a metric: with feature maps phi_k of a network and
    positive weights lambda_k, both learned::

        d(x, x') = sum_k q_k lambda_k |phi_k(x) - phi_k(x')|           "l1"
        d(x, x')^2 = sum_k q_k lambda_k |phi_k(x) - phi_k(x')|^2       "l2"

    where the q_k are fixed and sum to 1 (with `velocity`, the velocities are maps too,
    and their q_k sum to 1 as well). Minimised is the mean over pairs of (d - W)^2 /
    s^2, s^2 the mean of W^2, and what a decoder adds. The maps are a curve,
    :class:`~skwass.architectures.ODEKENN`, the default, or all layers of a network,
    :class:`~skwass.architectures.DeepKENN`, or its last one.

    d is a metric on what the network tells apart: symmetric, zero between equal
    measures, and within the triangle inequality. With `aggregation="l2"`, the default
    of both, it is that of the rows of `transform`, to which a private axis is added.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    skwass.DeepWassersteinEmbedder : Euclidean distance of one vector.
    skwass.WormholeEmbedder : Point clouds; Kuratowski networks of them too.
    skwass.inspection.WeightProfileDisplay : The weights of feature maps, drawn.

    Notes
    -----
    Rows of `transform` hold the maps one after the other, scaled: by q_k lambda_k with
    `"l1"`, so that W is about the sum of the distances of blocks (`block_sizes_`), and
    by its root with `"l2"`, and end with the private axis. With `"l1"` the
    distance of rows is a lower bound of d, and no less than d / sqrt(n_blocks).

    Weights and maps share a scale: a layer ten times as large with a tenth of the
    weight is the same. Weights start so that all maps contribute alike; look at what
    each contributes, :class:`skwass.inspection.WeightProfileDisplay`, not only at
    weights.

    The distance is trained for W between measures like those of `fit`; check others
    with `score`. Testing on new pairs of measures already seen, as [1]_ does, is no
    check: a linear map places 235 images as well as any network, and fails on the next
    image.

    `transform` of a row costs one multiplication per weight of dense layers, and one
    per weight and pixel of convolutions; a vector field is evaluated four times from
    node to node by rk4, twice by midpoint, and once more per node with `velocity`.

    Raises ValueError for rows without mass, negative masses, NaN or infinity, for a
    `grid_shape` that does not fit, for convolutions without a grid of two dimensions,
    and for an `n_parameters` too small; TypeError for point clouds.

    References
    ----------
    .. [1] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
       Learning.

    Examples
    --------
    >>> from skwass import KuratowskiEmbedder
    >>> from skwass.architectures import ODEKENN
    >>> from skwass.datasets import make_translated
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = KuratowskiEmbedder(
    ...     16, architecture=ODEKENN(widths=(32,)), n_pairs=300, max_iter=20,
    ...     learning_rate=1e-2, grid_shape=(8, 8), random_state=0,
    ... ).fit(X)
    >>> embedder.score(X) > 0.9, embedder.block_sizes_
    (True, (16, 16, 16))
    """

    _regresses_squares = False
    _otherwise = "dense"
