"""What embedders have in common that train no network."""

from abc import abstractmethod
from inspect import signature
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval

from .._random import fresh_random_state
from ..files import FileMixin
from ..labels.given import warn_of_other_labels
from ..measures.layout import refuse_square
from ..ot import sample_pairs
from ..ot.ground_truths import GROUND_TRUTH_CONSTRAINT
from ._base import OF_INPUT, WassersteinEmbedder, at_least_two


class TrainingFreeEmbedder(FileMixin, WassersteinEmbedder):
    """Base class of embedders by a formula, with at most a few numbers to fit.

    A subclass computes in `_fit` what it needs of measures, and returns it as a dict of
    fitted attributes, which are named in `_saved`.
    """

    _parameter_constraints = {
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "ground_truth": GROUND_TRUTH_CONSTRAINT,
        "n_score_pairs": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    _saved: tuple[str, ...] = (*OF_INPUT, "_n_features_out")

    @property
    def _of_points(self):
        """Fitted attributes that are multiplied with the points, and their powers.

        Outside they are in the unit of the data.
        """
        return {}

    @abstractmethod
    def _fit(self, measures, given, rng):
        """Return fitted attributes; `given` are checked pairs and their W, or None."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn what the embedding needs of measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or clouds
            Measures, at least two.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._fit_whole(X, y, None, None)

    def _fit_whole(self, X, y, pairs, distances):
        takes = "distances" in signature(self.fit).parameters
        refuse_square(y, X, "Pass distances=y." if takes else "Leave it out.")
        with self._rollback():
            read = at_least_two(self._read(X))
            measures = self._choose_unit(read)
            rng = fresh_random_state(self.random_state)
            given = self._read_labels(measures, pairs, distances)
            fitted = self._fit(measures, given, rng)
            if given is not None:
                warn_of_other_labels(self.ground_truth, measures, *given)
        # Last, so that a fit that fails changes nothing.
        self._remember(X, read)
        self.__dict__.update(fitted)
        for name, power in self._of_points.items():
            setattr(self, name, self._in_data_unit(fitted[name], power))
        return self

    def _own(self, name):
        """Return a fitted attribute that is made of points, in the own unit."""
        return np.ldexp(getattr(self, name), -self._of_points.get(name, 0) * self._unit)

    def __sklearn_is_fitted__(self):
        return "_n_features_out" in self.__dict__


class ScaledEmbedder(TrainingFreeEmbedder):
    """Base class of training-free embedders whose unit is fitted to a few distances.

    It has the parameters `scale` and `n_pairs`.
    """

    _parameter_constraints = {
        **TrainingFreeEmbedder._parameter_constraints,
        "scale": ["boolean"],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
    }
    _saved = (*TrainingFreeEmbedder._saved, "scale_", "n_pairs_", "n_solves_")

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, pairs=None, distances=None):
        """Learn what the embedding needs of measures, and its unit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or clouds
            Measures, at least two.
        y : None
            Ignored.
        pairs : array-like of int of shape (n_pairs, 2), default=None
            Rows of `X` whose distances are known. If None and `distances` too, pairs
            are drawn and labelled by `ground_truth`, if there is anything to fit.
        distances : array-like of shape (n_pairs,), default=None
            W of `pairs`, not squared; or of all pairs, as a matrix of shape
            (n_samples, n_samples), with `pairs` None. A dozen of them are solved, if
            that takes no more than a second, and a warning says how they differ from W.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._fit_whole(X, y, pairs, distances)

    def _needs_labels(self):
        """Whether there is anything to fit to distances."""
        return self.scale

    def _label(self, measures, given, rng, n_pairs, members=None):
        """Return pairs of measures, W, and how many had to be solved.

        Those given by the user, or pairs drawn among `members`; none, if none are
        needed.
        """
        if not self._needs_labels():
            if given is not None:
                raise ValueError(
                    "Got distances with scale=False, expected none: there is nothing "
                    "to fit to them. Set scale=True."
                )
            return np.empty((0, 2), dtype=int), np.empty(0), 0
        if given is not None:
            return *given, 0
        labeller = self._labeller()
        labeller.warn_of_idle_memory(self.random_state)
        members = np.arange(len(measures)) if members is None else members
        pairs = members[sample_pairs(len(members), n_pairs, rng)]
        w, _, n_solves = labeller.label(measures, pairs)
        return pairs, w, n_solves
