"""What estimators on top of embeddings share: an embedder, and its columns."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from ..measures.layout import check_embeddings
from ..ot.ground_truths import is_w2

EMBEDDER_CONSTRAINT = [HasMethods(["fit", "transform"])]


def refuse_other_estimators(embedder):
    """Raise unless a fitted estimator is one of measures, or stands for one."""
    if not all(
        hasattr(embedder, name)
        for name in ("ground_truth", "support_", "private_reach_")
    ):
        raise ValueError(
            f"Got embedder={embedder}, expected an embedder of measures. Use one of "
            "skwass, such as LinearOTEmbedder."
        )


def refuse_other_distance(embedder, way, way_out):
    """Raise unless an embedder is about W2, whose barycenters plans find."""
    if not is_w2(embedder.ground_truth):
        raise ValueError(
            f"Got {way} and an embedder with ground_truth={embedder.ground_truth}, "
            "expected a W2 with the Euclidean metric: optimal plans of W2 move points "
            f"straight to the mean. {way_out}"
        )


def decoder_of(embedder, other_way=""):
    """Return what decodes embeddings, or raise that nothing does."""
    if not hasattr(embedder, "inverse_transform"):
        way_out = "Use LinearOTEmbedder"
        if hasattr(embedder, "decoder"):
            way_out = "Set decoder='auto' before a new fit"
        raise AttributeError(
            f"Got embedder={embedder} without a decoder, expected one that has "
            f"inverse_transform. {way_out}{other_way}."
        )
    return embedder.inverse_transform


def share_explained(rows, found):
    """Return how much of the sum of squares of rows is in what was found of them."""
    total = np.square(rows).sum()
    return float(1 - np.square(rows - found).sum() / total) if total > 0 else 0.0


class OnEmbeddings(BaseEstimator):
    """Base class of estimators that see measures through an embedder.

    A subclass has the parameter `embedder`. A fitted one is used as it is; an unfitted
    one is cloned and fitted to the same measures.
    """

    def _fit_columns(self, X):
        """Settle the embedder and return embeddings of X, [n, k] in float64."""
        try:
            check_is_fitted(self.embedder)
            embedder = self.embedder
        except NotFittedError:
            embedder = clone(self.embedder).fit(X)
        refuse_other_estimators(embedder)
        self.embedder_ = embedder
        self.n_features_in_ = embedder.n_features_in_
        if hasattr(embedder, "feature_names_in_"):
            self.feature_names_in_ = embedder.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self._columns(X)

    def _columns(self, X):
        """Return embeddings; what a measure has alone is in no direction of them."""
        Z = np.asarray(self.embedder_.transform(X), dtype=np.float64)
        return Z if self.embedder_.private_reach_ is None else Z[:, :-1]

    def _decode(self, Z):
        """Return measures of columns, or raise that the embedder has no decoder."""
        return decoder_of(self.embedder_)(Z)

    def _check_rows(self, Z, n_columns, name):
        """Check rows of `transform` that a user gives back."""
        check_is_fitted(self)
        return check_embeddings(Z, n_columns, name)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.embedder).input_tags
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = []
        return tags
