"""The embedder that proposes neighbours."""

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ..embedders import LinearOTEmbedder
from ..measures import Histograms

# Columns of the default, where the data have as many.
_N_COMPONENTS = 64


def default_embedder(measures, random_state):
    """Return an embedder without labels that suits any measures."""
    n_points = measures.sizes.min()
    if isinstance(measures, Histograms):
        n_points = len(measures.support)
    has_columns = n_points * measures.dim >= _N_COMPONENTS < len(measures)
    n_components = _N_COMPONENTS if has_columns else None
    return LinearOTEmbedder(n_components, random_state=random_state)


def fitted_to(embedder, measures, random_state):
    """Return a fitted clone of an embedder, or of the default.

    Parameters
    ----------
    embedder : object
        As :class:`skwass.WassersteinEmbedder`; None for the default.
    measures : Histograms or PointClouds
        To fit it to.
    random_state : int
        Of the default.
    """
    if embedder is None:
        return default_embedder(measures, random_state).fit(measures)
    for method in ("fit", "transform", "embedded_distances"):
        if not hasattr(embedder, method):
            raise TypeError(
                f"Got embedder={embedder!r} without {method}, expected an embedder of "
                "skwass. Leave it out, or pass LinearOTEmbedder(64)."
            )
    return clone(embedder).fit(measures, None)


def rows_of(embedder, measures):
    """Return embeddings in float32, in C order."""
    check_is_fitted(embedder)
    return np.array(embedder.transform(measures), dtype=np.float32, order="C")


def bins_of(embedder):
    """Return where an embedder takes bins to be."""
    names = ("grid_shape", "support")
    return {name: getattr(embedder, name, None) for name in names}
