"""The contract that every embedder keeps."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from ..measures import MeasureReaderMixin
from ..measures._layout import refuse_masked
from ..nn.readouts import paired_distances, pairwise_distances
from ..ot import sample_pairs
from ._labelling import label

# What a fit stores before it trains: of its input, and its seeds.
OF_INPUT = (
    "n_features_in_",
    "feature_names_in_",
    "grid_shape_",
    "support_",
    "padded_share_",
    "_first_seeds",
)


def fresh_random_state(random_state):
    """Return a RandomState that is not numpy's global one.

    scikit-learn reads None as the global generator; we promise not to touch that, and
    draw a new one instead.
    """
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def refuse_one(measures):
    """Return measures, unless there is only one."""
    if len(measures) < 2:
        raise ValueError(
            "Got X with n_samples=1, expected at least two measures: one alone has no "
            "distances to learn. Add measures."
        )
    return measures


class WassersteinEmbedder(
    MeasureReaderMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    ABC,
):
    """Base class of embedders: vectors whose distances are Wasserstein distances.

    A subclass implements `fit` and `_embed`, and has the parameters `grid_shape`,
    `support`, `ground_truth`, `n_score_pairs`, `memory`, `n_jobs` and `random_state`.
    What follows from an embedding is here.
    """

    @abstractmethod
    def fit(self, X, y=None):
        """Learn the embedding from measures."""

    @abstractmethod
    def _embed(self, measures):
        """Return float32 vectors of shape (n_measures, n_features_out)."""

    def transform(self, X):
        """Embed measures.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Measures, as given to `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
            `||Z[i] - Z[j]||` is about W(X[i], X[j]), not squared, and a row depends on
            no other row, unless the notes of the class say for which setting not.
        """
        check_is_fitted(self)
        return self._embed(self._as_measures(X))

    def pairwise_distances(self, X, Y=None, *, squared=False):
        """Predict Wasserstein distances of all pairs.

        Parameters
        ----------
        X : array-like of shape (n_x, n_features)
            Measures.
        Y : array-like of shape (n_y, n_features), default=None
            Other measures; `X` if None.
        squared : bool, default=False
            Whether to return squared distances.

        Returns
        -------
        W : ndarray of shape (n_x, n_y), float32
            Distances between the rows of `transform`, Euclidean unless the notes of the
            class say otherwise. Symmetric with a zero diagonal if `Y` is None.

        Notes
        -----
        Computed by blocks; memory beyond the result is bounded.
        """
        check_is_fitted(self)
        r_x = self._represent(self._as_measures(X))
        r_y = None if Y is None else self._represent(self._as_measures(Y, "Y"))
        return self._all_distances(r_x, r_y, squared)

    def score(self, X, y=None):
        """Return R2 of predicted against true distances W of pairs of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Measures, at least three; unseen ones for an honest answer.
        y : None
            Ignored.

        Returns
        -------
        r2 : float
            1 is best. `n_score_pairs` pairs, drawn with `random_state`, are labelled by
            `ground_truth`; `memory` keeps their labels.
        """
        from sklearn.metrics import r2_score

        check_is_fitted(self)
        measures = self._as_measures(X)
        if len(measures) < 3 or self.n_score_pairs < 2:
            raise ValueError(
                f"Got X with n_samples={len(measures)} and n_score_pairs="
                f"{self.n_score_pairs}, expected at least three measures and two "
                "pairs: R2 compares distances. Add measures."
            )
        rng = fresh_random_state(self.random_state)
        pairs = sample_pairs(len(measures), self.n_score_pairs, rng)
        w, *_ = label(self, measures, pairs)
        predicted = self._paired_distances(self._represent(measures), pairs)
        return float(r2_score(w, predicted))

    def _represent(self, measures):
        """Return what distances are computed from, one entry a measure."""
        return self._embed(measures)

    def _all_distances(self, r_x, r_y, squared):
        """Return distances of all pairs, float32; with `r_y` None, of `r_x` itself."""
        z_x = torch.from_numpy(r_x)
        z_y = None if r_y is None else torch.from_numpy(r_y)
        return pairwise_distances(z_x, z_y, self._blocks(z_x), squared).numpy()

    def _paired_distances(self, r, pairs):
        """Return distances of some pairs."""
        z = torch.from_numpy(r).double()
        z_a, z_b = z[pairs[:, 0]], z[pairs[:, 1]]
        return paired_distances(z_a, z_b, self._blocks(z)).numpy()

    def _check_embeddings(self, X, dtype):
        """Check embeddings that a user wants decoded."""
        check_is_fitted(self)
        refuse_masked(X, "X")
        X = check_array(X, dtype=dtype, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"Got X with {X.shape[1]} columns, expected {self._n_features_out}. "
                "Pass rows of what transform gives."
            )
        return X

    def _blocks(self, z):
        """Return the sizes of the blocks of z whose Euclidean distances add up."""
        return (z.shape[1],)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = []
        return tags
