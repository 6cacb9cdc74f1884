"""EmbeddingDisplay: an embedding as a map in the plane."""

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA

from ._axes import as_axes


class EmbeddingDisplay:
    """Embedded measures as points in the plane, coloured by class.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    positions : ndarray of shape (n_samples, 2)
        Where each measure is drawn.
    y : ndarray of shape (n_samples,) or None
        Classes.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    ax_ : matplotlib Axes
        Its axes.

    See Also
    --------
    EmbeddingReportDisplay : Which distances are right, and by how much.

    Examples
    --------
    >>> from skwass import WassersteinMDS
    >>> from skwass.datasets import make_translated
    >>> from skwass.inspection import EmbeddingDisplay
    >>> X, W = make_translated(30, grid_shape=(8, 8), random_state=0)
    >>> mds = WassersteinMDS(ground_truth="exact", grid_shape=(8, 8)).fit(X)
    >>> EmbeddingDisplay.from_estimator(mds, X).positions.shape
    (30, 2)
    """

    def __init__(self, positions, y):
        self.positions = positions
        self.y = y

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, reducer=None, ax=None):
        """Draw a map of measures.

        Parameters
        ----------
        estimator : fitted embedder, or a Pipeline that ends in one
            Has `transform`.
        X : array-like of shape (n_samples, n_features), or a collection of clouds
            Measures, at least two.
        y : array-like of shape (n_samples,), default=None
            Their classes.
        reducer : transformer, default=None
            From embeddings to the plane, e.g. `TSNE()`; a copy is fitted, and its first
            two columns drawn. None takes the two principal components, which keep
            distances best of all linear maps.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : EmbeddingDisplay
        """
        Z = np.asarray(estimator.transform(X))
        if reducer is None:
            reducer = PCA(2, svd_solver="full")  # the same picture each time
        if Z.shape[1] == 1:
            positions = np.column_stack([Z, np.zeros(len(Z))])
        else:
            positions = np.asarray(clone(reducer).fit_transform(Z))[:, :2]
        return cls(positions, None if y is None else np.asarray(y)).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : EmbeddingDisplay
            With `figure_` and `ax_`.
        """
        (self.ax_,) = as_axes(
            self, None if ax is None else [ax], 1, "the map", figsize=(5, 4)
        )
        import matplotlib.pyplot as plt

        self.figure_ = self.ax_.figure
        x, y = self.positions.T
        if self.y is None:
            self.ax_.scatter(x, y, s=8)
        else:
            names = np.unique(self.y)
            for k, name in enumerate(names):
                own = self.y == name
                color = f"C{k}" if len(names) <= 10 else plt.cm.turbo(k / len(names))
                self.ax_.scatter(x[own], y[own], s=8, color=color, label=str(name))
            self.ax_.legend(
                frameon=False,
                fontsize="small",
                loc="center left",
                bbox_to_anchor=(1, 0.5),
            )
        self.ax_.set_aspect("equal", adjustable="datalim")
        self.ax_.set(xticks=[], yticks=[])
        return self
