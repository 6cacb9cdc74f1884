"""What embedders of histograms have in common: a siamese network, maybe a decoder."""

from abc import abstractmethod
from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted

from ..nn.initialization import build
from ..nn.inputs import CHUNK_ROWS
from ..nn.siamese import PairObjective, ValidationScore
from ._trained import TrainedEmbedder


def _has_decoder(embedder):
    """Whether there is a decoder or, before `fit`, will be."""
    if hasattr(embedder, "module_"):
        has_one = embedder.module_.decoder is not None
    else:
        has_one = embedder.reconstruction_weight > 0
    if not has_one:
        raise AttributeError(
            "Got a network without a decoder, expected one for inverse_transform. Set "
            "reconstruction_weight > 0 before a fit from scratch."
        )
    return True


class HistogramEmbedder(TrainedEmbedder):
    """Base class of embedders of histograms on one support.

    A subclass names its `_network`, the factory of a `Siamese`, says in `_settings` how
    to call it, and in `_regresses_squares` whether W^2 is learned or W. It has the
    parameters `grid_shape`, `support`, `widths`, `reconstruction_weight` and
    `sparsity_weight`.
    """

    _parameter_constraints = {
        **TrainedEmbedder._parameter_constraints,
        "widths": ["array-like", None],
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
    }

    @abstractmethod
    def _settings(self, measures):
        """Return keyword arguments of `_network` for these measures."""

    @available_if(_has_decoder)
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
        check_is_fitted(self)
        X = check_array(X, dtype=np.float32, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"Got X with {X.shape[1]} columns, expected {self._n_features_out}. "
                "Pass rows of what transform gives."
            )
        return self._apply(self.module_.reconstruct, X)

    def _embed(self, measures):
        return self._apply(self.module_, measures.masses)

    def _apply(self, function, rows):
        """Map rows chunk by chunk on the device: [n, n_in] -> float32 [n, n_out]."""
        device = self._device()
        self.module_.to(device)
        with torch.inference_mode():
            chunks = [
                function(to_tensor(rows[k : k + CHUNK_ROWS], device)).cpu()
                for k in range(0, len(rows), CHUNK_ROWS)
            ]
        return torch.cat(chunks).numpy()

    def _blocks(self, z):
        return self.module_.blocks

    def _make_module(self, measures, generator):
        module = self._build(self._settings(measures), generator)
        module.inputs.fit(to_tensor(measures.masses))
        return module

    @classmethod
    def _build(cls, settings, generator):
        module = build(partial(cls._network, **settings), generator)
        module.settings = settings
        return module

    def _refuse_other_than_images(self, measures, value, way_out):
        """Raise unless bins form a grid of two dimensions, as convolutions need."""
        if measures.grid_shape is None or len(measures.grid_shape) != 2:
            raise ValueError(
                f"Got {value} with grid_shape={self.grid_shape}, expected a grid of "
                f"two dimensions. Pass grid_shape=(height, width), or {way_out} "
                "otherwise."
            )

    def _check_widths(self, fewest):
        """Return the widths of hidden layers, checked."""
        widths = tuple(np.asarray(self.widths).ravel().tolist())
        if len(widths) < fewest or not all(
            type(width) is int and width > 0 for width in widths
        ):
            one = "one or more " if fewest else ""
            raise ValueError(
                f"Got widths={self.widths!r}, expected {one}positive integers. Use "
                "None for the default."
            )
        return widths

    def _objective(self, module, measures, device):
        masses = to_tensor(measures.masses, device)
        return PairObjective(
            self._regresses_squares,
            _features(module, masses),
            masses if module.decoder is not None else None,
            self.reconstruction_weight,
            self.sparsity_weight,
        )

    def _validation_score(self, module, measures, pairs, w, device):
        held_out, positions = np.unique(pairs, return_inverse=True)
        masses = to_tensor(measures.masses[held_out], device)
        return ValidationScore(
            _features(module, masses),
            torch.from_numpy(positions).to(device),
            to_tensor(w, device),
        )

    def _refuse_clouds(self, X):
        if getattr(X, "ndim", 0) == 3:
            raise ValueError(
                f"Got X of shape {tuple(X.shape)}, expected one row a measure, "
                "(n_samples, n_bins). Pass X.reshape(len(X), -1) if these are images."
            )
        raise TypeError(
            "Got X=a collection of point clouds, expected histograms of shape "
            "(n_samples, n_bins) on one support. Bin the clouds first, e.g. with "
            "numpy.histogramdd and common edges; if these are images, flatten them."
        )


@torch.no_grad()
def _features(module, masses):
    """Apply the fixed first layer to all data at once."""
    return torch.cat([module.inputs(x) for x in masses.split(CHUNK_ROWS)])


def to_tensor(array, device="cpu"):
    """Return a copy of an array as a float32 tensor."""
    return torch.from_numpy(np.array(array, dtype=np.float32)).to(device)
