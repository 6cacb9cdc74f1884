"""The contract that every embedder keeps."""

from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from .._random import fresh_random_state
from ..labels.given import check_labels, refuse_other_unit
from ..labels.solve import Labeller
from ..measures import MeasureReaderMixin
from ..measures.layout import check_embeddings, refuse_masked
from ..measures.units import in_unit, unit_exponent
from ..nn.readouts import Readout, paired_distances, pairwise_distances
from ..ot import sample_pairs
from ..ot.ground_truths import scales_with_points
from ..ot.inputs import check_pairs

# What a fit stores before it trains: of its input, and its seeds.
OF_INPUT = (
    "n_features_in_",
    "feature_names_in_",
    "grid_shape_",
    "support_",
    "padded_share_",
    "_first_seeds",
    "_unit",
    "_made_with",
)
# Beyond this in the unit of fit, squares of float32 overflow.
_MAX_EMBEDDING = 1e18
# Entries of a table that `transform` reads at once.
_BLOCK_ENTRIES = 2**22
# Coordinates beyond two to this power need a unit of their own.
_MAX_EXPONENT = 60


def at_least_two(measures):
    """Return measures, unless there is only one."""
    if len(measures) < 2:
        raise ValueError(
            "Got X with n_samples=1, expected at least two measures: one alone has no "
            "distances to learn. Add measures."
        )
    return measures


def _refuse_beyond(rows):
    """Return rows, unless float32 cannot hold their squares."""
    largest = max(rows.max(), -rows.min())
    if not largest < _MAX_EMBEDDING:  # NaN, too
        raise ValueError(
            f"Got measures whose embeddings reach {largest:.1g}, expected less than "
            "1e18, whose squares float32 can hold. Check their unit, or fit to "
            "measures like them."
        )
    return rows


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

    See Also
    --------
    skwass.WormholeEmbedder : Point clouds and histograms, by a trained network.
    skwass.LinearOTEmbedder : The one to try first; nothing is trained.
    """

    # The power of two that coordinates are divided by, at the door.
    _unit = 0

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
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, as given to `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
            Its :meth:`embedded_distances` are about W, not squared: those of rows,
            `||Z[i] - Z[j]||`, unless the last column is a private axis, or the notes of
            the class say otherwise. A row depends on no other row, unless these notes
            say for which setting not. float64 if the largest coordinate in `fit` was
            above 2^30 (about 1e9) or below 2^-31.
        """
        check_is_fitted(self)
        is_table = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "fiub"
        if is_table and X.size > _BLOCK_ENTRIES:
            # Copies in float64 of all of it would be larger than the result.
            with suppress(ValueError):  # raised again, with numbers of rows of X
                return self._transform_blocks(X)
        return self._transform(X)

    def _transform(self, X):
        return self._rescaled(_refuse_beyond(self._embed(self._as_measures(X))))

    def _transform_blocks(self, X):
        """Do the same with some rows at a time."""
        n_rows = max(1, _BLOCK_ENTRIES // X.shape[1])
        Z = None
        for start in range(0, len(X), n_rows):
            rows = self._transform(X[start : start + n_rows])
            if Z is None:
                Z = np.empty((len(X), rows.shape[1]), dtype=rows.dtype)
            Z[start : start + n_rows] = rows
        return Z

    def pairwise_distances(self, X, Y=None, *, squared=False):
        """Predict Wasserstein distances of all pairs.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_x, n_features)
            Measures.
        Y : {array-like, sparse matrix} of shape (n_y, n_features), default=None
            Other measures; `X` if None.
        squared : bool, default=False
            Whether to return squared distances.

        Returns
        -------
        W : ndarray of shape (n_x, n_y), float32
            Distances between the rows of `transform`, as :meth:`embedded_distances`
            gives them, unless the notes of the class say otherwise. Symmetric with a
            zero diagonal if `Y` is None. float64 where `transform` gives float64.

        Notes
        -----
        Computed by blocks; memory beyond the result is bounded.
        """
        check_is_fitted(self)
        r_x = _refuse_beyond(self._represent(self._as_measures(X)))
        r_y = None
        if Y is not None:
            r_y = _refuse_beyond(self._represent(self._as_measures(Y, "Y")))
        W = self._all_distances(r_x, r_y, squared)
        return self._rescaled(W, 2 if squared else 1)

    def embedded_distances(self, Z, Z_new=None, *, pairs=None, squared=False):
        """Return distances of stored embeddings; their measures are not needed.

        Parameters
        ----------
        Z : array-like of shape (n, n_features_out)
            Rows of `transform`.
        Z_new : array-like of shape (m, n_features_out), default=None
            Others; `Z` if None.
        pairs : array-like of int of shape (n_pairs, 2), default=None
            Rows of `Z`, and of `Z_new`, whose distances are wanted, such as candidates
            that an index found; all pairs if None.
        squared : bool, default=False
            Whether to return squared distances.

        Returns
        -------
        W : ndarray of shape (n, m), (n, n) or (n_pairs,)
            Predicted Wasserstein distances, float32, of pairs float64. Distances of
            rows, which are Euclidean unless the notes of the class say otherwise; but
            where the last column is a private axis, r = sqrt(s), and z the others::

                d^2 = |z - z'|^2 + s + s' - 2 r r' exp(-|y - y'|^2 / (2 h^2))

            with the shape y, which is z but for an exact mean, and the reach h,
            `private_reach_`. For shapes that are several h apart it is
            `|z - z'|^2 + s + s'`. float64 where `transform` gives float64.

        Raises
        ------
        ValueError
            For another number of columns, NaN and infinity, and bad pairs.

        Notes
        -----
        The Euclidean distance of rows is a lower bound of d. An index over the rows
        that is asked with 0 in the last column compares `|z - z'|^2 + s'`, which is d^2
        less the s of the query, where axes are not shared, and no less elsewhere. Take
        some more candidates than you need, and rank them by this function.
        """
        check_is_fitted(self)
        Z = self._check_embeddings(Z, np.float32, "Z")
        others = Z
        if Z_new is not None:
            others = Z_new = self._check_embeddings(Z_new, np.float32, "Z_new")
        if pairs is None:
            W = self._embedded_distances(Z, Z_new, squared)
        else:
            pairs = check_pairs(pairs, len(Z), len(others))
            W = self._listed_distances(Z, others, pairs)
            W = np.square(W) if squared else W
        return self._rescaled(W, 2 if squared else 1)

    @property
    def private_reach_(self):
        """Distance of shapes within which private axes are shared, None without any."""
        check_is_fitted(self)
        reach = self._readout.reach
        return None if reach is None else float(self._rescaled(reach))

    def score(self, X, y=None):
        """Return R2 of predicted against true distances W of pairs of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
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
        w, *_ = self._labeller().label(measures, pairs)
        # Of many measures, few are in a pair.
        named, numbers = np.unique(pairs, return_inverse=True)
        represented = self._represent(measures[named])
        predicted = self._paired_distances(represented, numbers.reshape(pairs.shape))
        return float(r2_score(w, predicted))

    def _as_measures(self, X, input_name="X"):
        return in_unit(super()._as_measures(X, input_name), self._unit)

    def _choose_unit(self, measures):
        """Set the unit to compute in, by a fit from scratch; return measures in it.

        Everything inside an embedder is in this unit, labels too, so that squares in
        float32 are safe whatever the data are measured in.
        """
        exponent = unit_exponent(measures)
        if exponent and not scales_with_points(self.ground_truth):
            if abs(exponent) > _MAX_EXPONENT:
                raise ValueError(
                    f"Got X with coordinates up to about {2.0**exponent:.1g} and "
                    f"ground_truth={self.ground_truth}, which need not be in their "
                    f"unit, expected them between {2.0**-_MAX_EXPONENT:.1g} and "
                    f"{2.0**_MAX_EXPONENT:.1g}. Measure in another unit."
                )
            exponent = 0
        self._unit = exponent
        return in_unit(measures, exponent)

    def _read_labels(self, measures, pairs, distances):
        """Check labels that the user gave, if any: pairs and W in the own unit."""
        if pairs is None and distances is None:
            return None
        pairs, w = check_labels(pairs, distances, len(measures))
        w = np.ldexp(w, -self._unit)
        refuse_other_unit(w)
        return pairs, w

    def _labeller(self, checkpoint=None):
        return Labeller(self.ground_truth, self.memory, self.n_jobs, checkpoint)

    @contextmanager
    def _rollback(self):
        """Undo the bookkeeping of input if a fit fails."""
        before = {
            name: self.__dict__[name] for name in OF_INPUT if name in self.__dict__
        }
        try:
            yield
        except BaseException:
            for name in OF_INPUT:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    def _in_data_unit(self, values, power=1):
        """Return values, which are multiplied as points to a power, in their unit.

        In float64, where the unit of the data may be beyond float32.
        """
        if self._unit == 0:
            return values
        return np.ldexp(np.asarray(values, dtype=np.float64), power * self._unit)

    def _rescaled(self, values, power=1):
        """Return embeddings, or distances to a power, in the unit of the data."""
        return self._in_data_unit(values, power)

    def _in_own_unit(self, values):
        """Return embeddings that are in the unit of the data, in the own unit."""
        return values if self._unit == 0 else np.ldexp(values, -self._unit)

    def _represent(self, measures):
        """Return what distances are computed from, one entry per measure."""
        return self._embed(measures)

    def _all_distances(self, r_x, r_y, squared):
        """Return distances of all pairs, float32; with `r_y` None, of `r_x` itself."""
        return self._embedded_distances(r_x, r_y, squared)

    def _embedded_distances(self, r_x, r_y, squared):
        """Return the same of rows of `transform`, in the own unit."""
        z_x = torch.from_numpy(r_x)
        z_y = None if r_y is None else torch.from_numpy(r_y)
        return pairwise_distances(z_x, z_y, self._readout, squared).numpy()

    def _paired_distances(self, r, pairs):
        """Return distances of some pairs."""
        return self._listed_distances(r, r, pairs)

    def _listed_distances(self, r_x, r_y, pairs):
        """Return distances of some pairs of rows of `transform`, in the own unit."""
        z_a, z_b = (
            torch.from_numpy(r[rows]).double()
            for r, rows in zip((r_x, r_y), pairs.T, strict=True)
        )
        return paired_distances(z_a, z_b, self._readout).numpy()

    def _check_embeddings(self, X, dtype, name="X"):
        """Check rows of `transform` that a user gives back."""
        check_is_fitted(self)
        dtype_in = dtype if self._unit == 0 else float
        X = check_embeddings(X, self._n_features_out, name, dtype_in)
        return self._in_own_unit(X).astype(dtype, copy=False)

    def _check_decodable(self, X, dtype):
        """Check rows to decode; they may lack the private axis, which is ignored."""
        check_is_fitted(self)
        refuse_masked(X, "X")
        readout = self._readout
        if readout.has_private and np.shape(X)[1:] == (readout.n_common,):
            X = np.pad(X, ((0, 0), (0, 1)))
        return self._check_embeddings(X, dtype)

    def get_feature_names_out(self, input_features=None):
        """Return names of the columns of `transform`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str
            The lower case name of the class with the number of the column; a private
            axis is called that.
        """
        names = super().get_feature_names_out(input_features)
        if self._readout.has_private:
            names[-1] = f"{type(self).__name__.lower()}_private"
        return names

    @property
    def _readout(self):
        """How distances are read off embeddings, in the own unit."""
        return Readout((self._n_features_out,))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
