"""What embedders of histograms have in common: a siamese network, maybe a decoder."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if

from ..nn.devices import to_tensor
from ..nn.siamese import HistogramData
from ._checks import has_decoder
from ._plan import EXACT_MEAN_CONSTRAINT, suit_slices
from ._trained import TrainedEmbedder


class HistogramEmbedder(TrainedEmbedder):
    """Base class of embedders of histograms on one support.

    A subclass names its `_network`, the factory of a `Siamese`, says in `_settings` how
    to call it, and in `_kind_name` which parameter says what the network sees. It has
    the parameters `grid_shape`, `support`, `widths`, `exact_mean`,
    `reconstruction_weight` and `sparsity_weight`.
    """

    _parameter_constraints = {
        **TrainedEmbedder._parameter_constraints,
        "widths": ["array-like", None],
        "exact_mean": EXACT_MEAN_CONSTRAINT,
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
    }

    def _choose_kind(self, measures, are_w2):
        kind = getattr(self, self._kind_name)
        if kind == "auto":
            return "slices" if suit_slices(measures.dim, are_w2) else "mlp"
        return kind

    def _kind_of(self, module):
        return module.settings[self._kind_name]

    def _obstacle_to_mean(self, kind, dim):
        return None if kind == "slices" else f"{self._kind_name}={kind!r}"

    def _common_settings(self, measures, plan):
        """Return those keyword arguments of `_network` that all networks share."""
        return {
            "n_bins": measures.n_features,
            "grid_shape": measures.grid_shape,
            "dim": measures.dim,
            "n_components": self.n_components,
            "with_decoder": self.reconstruction_weight > 0,
            "exact_mean": plan.exact_mean,
        }

    @available_if(has_decoder)
    def inverse_transform(self, X):
        """Decode embeddings into histograms.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Embeddings, or means of embeddings: a mean decodes to an approximate
            Wasserstein barycenter.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features), float32
            Masses; rows sum to 1.
        """
        return self._decode(X)

    def _refuse_other_than_images(self, measures, value, way_out):
        """Raise unless bins form a grid of two dimensions, as convolutions need."""
        if measures.grid_shape is None or len(measures.grid_shape) != 2:
            raise ValueError(
                f"Got {value} with grid_shape={self.grid_shape}, expected a grid of "
                f"two dimensions. Pass grid_shape=(height, width), or {way_out} "
                "otherwise."
            )

    def _data(self, module, measures, device, generator):
        features = module.rows(measures, device)
        if generator is None or module.decoder is None:
            return HistogramData(features)
        return HistogramData(
            features,
            to_tensor(measures.masses, device),
            self.reconstruction_weight,
            self.sparsity_weight,
        )

    def _knows_slopes(self, kind, exact_mean, goes_on):
        return kind != "slices" or exact_mean

    def _refuse_clouds(self, X):
        if getattr(X, "ndim", 0) == 3:
            raise ValueError(
                f"Got X of shape {tuple(X.shape)}, expected one row per measure, "
                "(n_samples, n_bins). Pass X.reshape(len(X), -1) if these are images."
            )
        raise TypeError(
            "Got X=a collection of point clouds, expected histograms of shape "
            "(n_samples, n_bins) on one support. Bin the clouds first, e.g. with "
            "numpy.histogramdd and common edges; if these are images, flatten them."
        )
