"""What embedders of point clouds have in common: how clouds reach a network."""

import numpy as np
from sklearn.utils.metaestimators import available_if

from ..measures import Histograms
from ..measures.subsets import effective_size, some_clouds
from ..nn.cloud_inputs import N_FIT_CLOUDS
from ..nn.ragged import padded_share
from ..nn.wormhole import CloudData, wormhole_network
from ._checks import has_decoder
from ._trained import TrainedEmbedder

# Regularisation of the decoder's loss, in units of the squared spread of points.
_REG = 0.05


class CloudEmbedder(TrainedEmbedder):
    """Base class of embedders of point clouds, and of histograms taken as such.

    A subclass says in `_settings` how to call `wormhole_network`. It has the parameters
    `reconstruction_weight` and `max_points`.
    """

    _network = staticmethod(wormhole_network)

    @available_if(has_decoder)
    def inverse_transform(self, X):
        """Decode embeddings into point clouds.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Embeddings, or means of embeddings: a mean decodes to an approximate
            Wasserstein barycenter, a point between two to one on their geodesic.

        Returns
        -------
        clouds : ndarray of shape (n_samples, n_points, d), float32
            Points of equal weights, in the unit of the data. After a fit on a Gromov
            distance each is one of its isometry class.
        """
        return self._in_data_unit(self._decode(X))

    def _remember(self, X, measures):
        super()._remember(X, measures)
        if isinstance(measures, Histograms):
            sizes = np.count_nonzero(measures.masses, axis=1)
        else:
            sizes = [len(a) for a in measures.masses]
        self.padded_share_ = padded_share(sizes)

    def _data(self, module, measures, device, generator):
        return CloudData(
            measures,
            module.rows(measures, device),
            self.reconstruction_weight,
            _REG,
            self.max_points,
            generator,
        )


def decoded_size(measures):
    """Return how many points a decoded cloud has by default."""
    return max(1, round(effective_size(some_clouds(measures, N_FIT_CLOUDS))))
