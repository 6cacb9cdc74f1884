"""What every ground truth has in common."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from ..measures import PointClouds
from ..measures.layout import normalised


class GroundTruth(BaseEstimator, ABC):
    """Base class of distances between measures.

    A subclass implements `_label`, and `_prepare` where something depends on whole
    collections. Parameters are those of scikit-learn: a grid search sets them as
    `ground_truth__p`.

    See Also
    --------
    ExactWasserstein : The default of most embedders.
    pairwise_wasserstein : Distances of pairs by any ground truth.
    """

    def label(self, mu, nu, pairs, *, gradients=False):
        """Label pairs of measures.

        Parameters
        ----------
        mu, nu : Histograms or PointClouds
            Collections that the columns of `pairs` index, as from
            :func:`skwass.measures.as_measures`.
        pairs : array-like of int of shape (n_pairs, 2)
            Which pairs.
        gradients : bool, default=False
            Whether to return derivatives of W^p too.

        Returns
        -------
        labels : PairLabels
            Distances in W units, which of them converged, and gradients.

        Raises
        ------
        ValueError
            For parameters out of range, or gradients that the distance has not.
        """
        self._validate_params()
        mu, nu, prepared = self._prepare(mu, nu)
        return prepared._label(mu, nu, np.asarray(pairs), gradients=gradients)

    def solve(self, mu, nu):
        """Return the distance of two measures.

        Parameters
        ----------
        mu, nu : tuple of (points, masses)
            Arrays of shape (n, d) and (n,); masses positive, and divided by their sum.

        Returns
        -------
        w : float
            The distance, not raised to the power p.
        converged : bool
            Whether the solver met its own criterion.
        """
        left, right = (
            PointClouds([np.asarray(X)], [normalised(np.asarray(a, dtype=np.float64))])
            for X, a in (mu, nu)
        )
        labels = self.label(left, right, [[0, 0]])
        return float(labels.w[0]), bool(labels.converged[0])

    def _prepare(self, mu, nu):
        """Settle what depends on whole collections; return them and a ground truth."""
        return mu, nu, self

    @abstractmethod
    def _label(self, mu, nu, pairs, *, gradients):
        """Return :class:`PairLabels` of a chunk of pairs."""
