"""Where an embedding stands between the best there is and classical scaling."""

import warnings
from dataclasses import astuple, dataclass
from numbers import Integral

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from ..manifold import StressBounds, nearest_edm
from ..manifold.checks import check_distances, look_like_distances
from ..manifold.descent import in_dimension, squares_among
from ..manifold.nearest_edm import SOLVER_CONSTRAINTS
from ..measures import Histograms, as_measures
from ..ot import pairwise_wasserstein

# Relative gain at which the descent in few dimensions stops.
_TOL = 1e-8


@dataclass(frozen=True, eq=False)
class StressCertificate:
    """Where distances stand between the best Euclidean ones and classical scaling.

    Stresses are `sum_ij (d_ij^2 - W_ij^2)^2` over ordered pairs, in units of W^4.

    Parameters
    ----------
    stress : float
        Of the distances in question.
    optimum : float
        The least stress of any Euclidean embedding.
    duality_gap : float
        `optimum` is above the true optimum by no more than this.
    bounds : StressBounds
        What one eigendecomposition says.
    n_measures : int
        Number of measures.
    eigenvalues : ndarray of shape (n_measures - 1,)
        Of `-J W^2 J`, the largest first.
    n_components : int, default=None
        Columns that `reachable` is about.
    reachable : float, default=None
        The least stress found of embeddings in `n_components` columns and a private
        axis, if asked for: a local optimum, which bounds the least from above.

    See Also
    --------
    stress_certificate : Makes it.
    """

    stress: float
    optimum: float
    duality_gap: float
    bounds: StressBounds
    n_measures: int
    eigenvalues: np.ndarray
    n_components: int | None = None
    reachable: float | None = None

    def __repr__(self):
        reachable = ""
        if self.reachable is not None:
            reachable = f", reachable={self.reachable:.6g}"
        return (
            f"StressCertificate(stress={self.stress:.6g}, optimum={self.optimum:.6g}, "
            f"ratio={self.ratio:.4g}{reachable})"
        )

    @property
    def ratio(self):
        """Stress over the optimum: 1 is best, below 1 only what is not Euclidean."""
        if self.optimum > 0:
            return self.stress / self.optimum
        return 1.0 if self.stress == 0 else float("inf")

    @property
    def position(self):
        """0 at the optimum, 1 at classical scaling; nan where the two are one."""
        width = self.bounds.cmds - self.optimum
        return (self.stress - self.optimum) / width if width > 0 else float("nan")

    @property
    def mse(self):
        """Mean over pairs of the squared error of squared distances."""
        return self.stress / (self.n_measures * (self.n_measures - 1))


@validate_params(
    {
        "embedder_or_distances": ["array-like", HasMethods(["pairwise_distances"])],
        "distances": ["array-like", None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "solver": SOLVER_CONSTRAINTS["solver"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def stress_certificate(
    embedder_or_distances,
    X=None,
    *,
    distances=None,
    grid_shape=None,
    support=None,
    n_components=None,
    solver="newton",
    n_jobs=None,
):
    """Say how far an embedding is from the best that any could be.

    Parameters
    ----------
    embedder_or_distances : fitted embedder, or array-like of shape (n, n)
        What to judge: its `pairwise_distances(X)`, or a matrix of distances d, not
        squared.
    X : array-like of shape (n, n_features), or a collection of n clouds, default=None
        The measures, as the embedder takes them: for a `WassersteinMDS` of precomputed
        distances, those to its training measures. Needed by an embedder, and where
        `distances` is None.
    distances : array-like of shape (n, n), default=None
        True distances W, not squared. If None they are computed: by the ground truth of
        the embedder, or exactly.
    grid_shape, support : tuple of int, array-like, default=None
        Where bins are, if a matrix is judged and `X` holds histograms. An embedder
        knows its own.
    n_components : int, default=None
        Columns of the embedder, if `reachable` is wanted: how good an embedding in as
        many columns and a private axis could be.
    solver : {"newton", "pgd", "sdp"}, default="newton"
        As in :func:`skwass.manifold.nearest_edm`.
    n_jobs : int, default=None
        Workers for true distances.

    Returns
    -------
    certificate : StressCertificate
        Stress, certified optimum, bounds, and the ratio of the first two.

    Raises
    ------
    ValueError
        If neither measures nor true distances are given, sizes differ, or a matrix is
        none of distances.

    See Also
    --------
    skwass.inspection.StressBoundsDisplay : The certificate, drawn.
    skwass.manifold.nearest_edm : The optimum itself.

    Notes
    -----
    The optimum is that of embeddings made for these measures, in up to n - 1
    dimensions. An embedder that has not seen them cannot be expected to reach it; one
    that is trained on them can. A few measures are often Euclidean exactly, and the
    ratio is infinite then: take some hundreds. Stresses that are rounding count as 0.

    `n (n - 1) / 2` exact distances unless they are given, then `O(n^3)`. A
    `WassersteinMDS` of measures computes those to its training measures as well; for
    these themselves pass its `distance_matrix_` and `dissimilarity_matrix_`.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole, table 2. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.metrics import stress_certificate
    >>> W = np.array([[0, 1, 3], [1, 0, 1], [3, 1, 0]])
    >>> line = np.array([[0.0], [1.5], [3.0]])
    >>> certificate = stress_certificate(np.abs(line - line.T), distances=W)
    >>> round(certificate.stress, 3), round(certificate.optimum, 3)
    (6.25, 5.556)
    """
    embedder = embedder_or_distances
    is_embedder = hasattr(embedder, "pairwise_distances")
    if not is_embedder and hasattr(embedder, "fit"):
        raise TypeError(
            f"Got {type(embedder).__name__}, which has no pairwise_distances, expected "
            "an embedder or distances. Pass the embedder inside, or distances."
        )
    if X is None and (is_embedder or distances is None):
        raise ValueError(
            "Got X=None, expected measures: an embedder embeds them, and true "
            "distances are computed from them. Pass X, or two matrices."
        )
    if distances is None and is_embedder:
        distances = true_distances(embedder, X, n_jobs)
    elif distances is None:
        measures = as_measures(X, grid_shape=grid_shape, support=support)
        if isinstance(measures, Histograms) and look_like_distances(measures.masses):
            raise ValueError(
                "Got X with a zero diagonal, as distances have, expected measures. "
                "Pass distances=X if these are true distances."
            )
        distances = pairwise_wasserstein(measures, n_jobs=n_jobs)
    predicted = embedder.pairwise_distances(X) if is_embedder else embedder
    (certificate,) = certify([predicted], distances, solver, n_components)
    return certificate


def certify(predictions, distances, solver="newton", n_components=None):
    """Return a certificate for each lot of distances; the optimum is found once.

    Parameters
    ----------
    predictions : iterable of array-like of shape (n, n)
        Distances between embeddings.
    distances : array-like of shape (n, n)
        True ones.
    solver : str, default="newton"
        As in :func:`skwass.manifold.nearest_edm`.
    n_components : int, default=None
        As in :func:`stress_certificate`.

    Returns
    -------
    certificates : list of StressCertificate
    """
    W = check_distances(distances, "distances")
    predictions = [check_distances(d, "embedder_or_distances") for d in predictions]
    for predicted in predictions:
        if predicted.shape != W.shape:
            raise ValueError(
                f"Got distances of shape {W.shape} for embeddings of {len(predicted)} "
                "measures, expected as many. Pass the distances of X."
            )
    D = np.square(W)
    best = nearest_edm(D, solver=solver)
    rounding = (len(D) * np.finfo(float).eps * np.linalg.norm(D)) ** 2

    def rounded(stress):
        return float(stress) if stress > rounding else 0.0

    bounds = StressBounds(*map(rounded, astuple(best.bounds)))
    reachable = None
    if n_components is not None:
        with warnings.catch_warnings():  # a bound in any case
            warnings.simplefilter("ignore", ConvergenceWarning)
            rows = in_dimension(best.embedding, D, n_components, _TOL, True)
        reachable = rounded(np.square(squares_among(rows, D, True) - D).sum())
    return [
        StressCertificate(
            stress=rounded(np.square(np.square(predicted) - D).sum()),
            optimum=rounded(best.stress),
            duality_gap=best.duality_gap,
            bounds=bounds,
            n_measures=len(W),
            eigenvalues=best.eigenvalues,
            n_components=n_components,
            reachable=reachable,
        )
        for predicted in predictions
    ]


def distance_of(embedder):
    """Return the distance that an embedder is about, by name or as an object."""
    return embedder.ground_truth


def true_distances(embedder, X, n_jobs=None):
    """Compute W of all pairs, in the space and by the distance of an embedder.

    Parameters
    ----------
    embedder : fitted embedder
        Its grid or support, and its ground truth, are used.
    X : array-like of shape (n, n_features), or a collection of n clouds
        Measures.
    n_jobs : int, default=None
        Workers.

    Returns
    -------
    W : ndarray of shape (n, n)
        Not squared. `X` itself if the embedder takes distances: it is checked later.
    """
    check_is_fitted(embedder)
    if getattr(embedder, "measures_", X) is None:  # it was fitted to distances
        return X
    if isinstance(X, Histograms):  # which know where they are
        space = {}
    elif embedder.grid_shape_ is not None:
        space = {"grid_shape": embedder.grid_shape_}
    else:
        space = {"support": embedder.support_}
    return pairwise_wasserstein(
        X, ground_truth=distance_of(embedder), **space, n_jobs=n_jobs
    )
