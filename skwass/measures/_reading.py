"""How an estimator reads measures: what `fit` saw decides what comes after."""

import numpy as np
from sklearn.utils.validation import validate_data

from ._collections import Histograms, PointClouds
from ._convert import as_measures
from .layout import is_collection_of_clouds, listed, refuse_containers, to_numpy


class MeasureReaderMixin:
    """Mixin of estimators whose input is measures.

    The estimator has the parameters `grid_shape` and `support`; `fit` calls `_read` and
    `_remember`, everything after it `_as_measures`.
    """

    grid_shape: tuple | None
    support: np.ndarray | None

    @property
    def _reads_other_bins(self):
        """Whether histograms mean something after `fit` whose bins are elsewhere."""
        return False

    def _read(self, X):
        """Check `X` for a fit from scratch and return measures."""
        refuse_containers(X, "X")
        X = to_numpy(listed(X, "X"))
        if is_collection_of_clouds(X):
            self._refuse_clouds(X)
        elif getattr(X, "shape", ())[1:] == (1,) and np.isrealobj(X):
            raise ValueError(
                "Got X with n_features=1, expected at least two bins: on one, all "
                "measures are equal. Check that rows are measures."
            )
        return as_measures(X, **self._bins())

    def _bins(self):
        """Return where the bins of rows are, as the parameters say."""
        return {"grid_shape": self.grid_shape, "support": self.support}

    def _remember(self, X, measures):
        """Store what later input is held against: features and where bins are."""
        if isinstance(measures, PointClouds):
            # A list of clouds has no columns that scikit-learn could count.
            self.n_features_in_ = measures.n_features
            names = getattr(measures, "feature_names", None)
            if names is not None:
                self.feature_names_in_ = names
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            self.support_ = self.grid_shape_ = None
            return
        named = X if hasattr(X, "columns") else measures.masses
        validate_data(self, named, reset=True, skip_check_array=True)
        self.support_, self.grid_shape_ = measures.support, measures.grid_shape

    def _as_measures(self, X, input_name="X"):
        """Check `X` against what was fitted and return measures."""
        X = listed(X, input_name)
        if is_collection_of_clouds(X):
            self._refuse_clouds(X)
        elif self.support_ is None:
            self._refuse_one_cloud(X, input_name)
        measures = as_measures(X, input_name=input_name)
        is_cloud = isinstance(measures, PointClouds)
        if is_cloud != (self.support_ is None):
            kinds = ("histograms", "point clouds")
            remedy = (
                "Pass X.reshape(len(X), -1) if these are images."
                if is_cloud
                else "as_measures(X, ...).to_clouds() makes clouds of histograms."
            )
            raise ValueError(
                f"Got {input_name}={kinds[is_cloud]}, expected {kinds[not is_cloud]} "
                f"as in fit. {remedy}"
            )
        if self.support_ is None:  # clouds, then and now
            if measures.dim != self.n_features_in_:
                raise ValueError(
                    f"Got {input_name} with points of dimension {measures.dim}, "
                    f"expected {self.n_features_in_} features as in fit. All clouds "
                    "live in one space."
                )
            self._refuse_other_names(measures, input_name)
            return measures
        if isinstance(X, Histograms) and not X.are_on(self.support_):
            return self._read_elsewhere(X, input_name)
        named = X if hasattr(X, "columns") else measures.masses
        validate_data(self, named, reset=False, skip_check_array=True)
        return measures.on(self.support_, self.grid_shape_)

    def _refuse_other_names(self, measures, input_name):
        """Raise where features have names that are not those of `fit`, in its order."""
        names = getattr(measures, "feature_names", None)
        expected = getattr(self, "feature_names_in_", None)
        if names is None or expected is None or np.array_equal(names, expected):
            return
        k = np.flatnonzero(np.asarray(names) != np.asarray(expected))[0]
        raise ValueError(
            f"Got {input_name} with feature {names[k]!r} in column {k}, expected "
            f"{expected[k]!r} as in fit. Select the columns feature_names_in_, in that "
            "order, before clouds are made."
        )

    def _read_elsewhere(self, measures, input_name):
        """Return histograms that know their bins, others than those of `fit`."""
        n_bins, dim = np.asarray(self.support_).shape
        if self._reads_other_bins and measures.dim == dim:
            return measures
        others = (
            ""
            if self._reads_other_bins
            else " Embedders of clouds, such as LinearOTEmbedder, take other bins."
        )
        raise ValueError(
            f"Got {input_name}={measures} in dimension {measures.dim} on bins other "
            f"than those of fit, expected those ({n_bins}, in dimension {dim}). Pass "
            f"{input_name}.masses if these are masses on them.{others}"
        )

    def _refuse_one_cloud(self, X, input_name):
        """Raise for one cloud in the place of a list of them."""
        shape = getattr(X, "shape", ())
        if not isinstance(X, Histograms) and shape[1:] == (self.n_features_in_,):
            raise ValueError(
                f"Got {input_name}=histograms, expected point clouds as in fit, in a "
                f"list. Pass [{input_name}] if it is one cloud."
            )

    def _refuse_clouds(self, X):
        """Raise where point clouds mean nothing to the estimator."""
