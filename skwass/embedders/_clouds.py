"""What embedders of point clouds have in common: how clouds reach a network."""

from functools import partial

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if

from ..measures import Histograms
from ..measures.subsets import effective_size, some_clouds
from ..nn.devices import inference
from ..nn.initialization import build
from ..nn.ragged import padded_share
from ..nn.wormhole import CloudData, wormhole_network
from ._checks import has_decoder
from ._fixed_rows import chunks, fixed_rows, moved_support
from ._slopes import row_slopes
from ._trained import TrainedEmbedder

# Clouds that fixed layers and the size of decoded clouds are fitted to, and those that
# initial scales are.
N_FIT_CLOUDS, _N_CALIBRATION_CLOUDS = 1_024, 256
# Regularisation of the decoder's loss, in units of the squared spread of points.
_REG = 0.05


class CloudEmbedder(TrainedEmbedder):
    """Base class of embedders of point clouds, and of histograms taken as such.

    A subclass says in `_settings` how to call `wormhole_network`. It has the parameters
    `reconstruction_weight` and `max_points`.
    """

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

    def _embed(self, measures):
        if isinstance(measures, Histograms) and self.module_.takes_histograms:
            support = moved_support(self.module_.inputs, measures, self._device())
            embed = partial(self.module_.embed_histograms, support)
            return self._apply(embed, measures.masses)
        device = self._device()
        self.module_.to(device)
        parts = []
        with inference(device):
            for clouds in chunks(measures):
                parts.append(self.module_(clouds, device).cpu())
        return torch.cat(parts).numpy()

    def _remember(self, X, measures):
        super()._remember(X, measures)
        if isinstance(measures, Histograms):
            sizes = np.count_nonzero(measures.masses, axis=1)
        else:
            sizes = [len(a) for a in measures.masses]
        self.padded_share_ = padded_share(sizes)

    def _make_module(self, measures, plan, generator):
        module = self._build(self._settings(measures, plan), generator).eval()
        clouds = some_clouds(measures, N_FIT_CLOUDS)
        module.inputs.fit(clouds, generator)
        module.calibrate(clouds[:: -(-len(clouds) // _N_CALIBRATION_CLOUDS)])
        if module.decoder is not None:
            moved = [
                batch.points.flatten(0, 1) for batch in module.inputs.batches(clouds)
            ]
            low, high = torch.cat(moved).aminmax(dim=0)
            room = 0.05 * (high - low)
            module.decoder.fit(low - room, high + room)
        return module

    @classmethod
    def _build(cls, settings, generator):
        module = build(partial(wormhole_network, **settings), generator)
        module.settings = settings
        return module

    def _data(self, module, measures, device, generator):
        return CloudData(
            measures,
            fixed_rows(
                module.inputs, measures, device, by_bins=module.takes_histograms
            ),
            self.reconstruction_weight,
            _REG,
            self.max_points,
            generator,
        )

    def _make_row_slopes(self, module, measures, probes, device):
        return row_slopes(module.inputs, measures, probes, device)


def decoded_size(measures):
    """Return how many points a decoded cloud has by default."""
    return max(1, round(effective_size(some_clouds(measures, N_FIT_CLOUDS))))
