"""The contract that every embedder keeps."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..measures import MeasureReaderMixin
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
        z_x = torch.from_numpy(self._embed(self._as_measures(X)))
        z_y = None
        if Y is not None:
            z_y = torch.from_numpy(self._embed(self._as_measures(Y, "Y")))
        return pairwise_distances(z_x, z_y, self._blocks(z_x), squared).numpy()

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
        w, _ = label(self, measures, pairs)
        z = torch.from_numpy(self._embed(measures)).double()
        predicted = paired_distances(z[pairs[:, 0]], z[pairs[:, 1]], self._blocks(z))
        return float(r2_score(w, predicted.numpy()))

    def _blocks(self, z):
        """Return the sizes of the blocks of z whose Euclidean distances add up."""
        return (z.shape[1],)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = []
        return tags
