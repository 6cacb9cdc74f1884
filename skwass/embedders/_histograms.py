"""What embedders refuse that read only histograms."""


class HistogramReaderMixin:
    """Mixin of estimators of histograms on common bins: it explains what else to do."""

    def _refuse_clouds(self, X):
        if getattr(X, "ndim", 0) == 3:
            raise ValueError(
                f"Got X of shape {tuple(X.shape)}, expected one row per measure, "
                "(n_samples, n_bins). Pass X.reshape(len(X), -1) if these are images."
            )
        raise TypeError(
            "Got X=a collection of point clouds, expected histograms of shape "
            "(n_samples, n_bins) on one support. Bin the clouds first, e.g. with "
            "numpy.histogramdd and common edges, or use WormholeEmbedder, which takes "
            "clouds; if these are images, flatten them."
        )
