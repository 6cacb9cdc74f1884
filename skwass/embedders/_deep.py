"""DWE: a siamese network with a decoder, for histograms on a shared support."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted

from ..nn.architectures import NEEDS_IMAGES, histogram_network
from ..nn.initialization import build
from ..nn.siamese import DWEObjective, ValidationScore
from ._trained import TrainedEmbedder

# Rows embedded at once.
CHUNK_ROWS = 4096


def _has_decoder(embedder):
    return embedder.reconstruction_weight > 0


class DeepWassersteinEmbedder(TrainedEmbedder):
    """Embed histograms by a network trained on their Wasserstein distances (DWE)."""

    _parameter_constraints = {
        **TrainedEmbedder._parameter_constraints,
        "architecture": [StrOptions({"mlp", "conv", "paper"})],
        "widths": ["array-like", None],
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=50,
        *,
        architecture="mlp",
        widths=None,
        grid_shape=None,
        support=None,
        reconstruction_weight=0.02,
        sparsity_weight=0.0,
        ground_truth="exact",
        n_pairs=20_000,
        max_iter=30,
        max_time=None,
        batch_size=512,
        learning_rate=1e-3,
        weight_decay=0.01,
        max_grad_norm=1.0,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=0.0,
        warm_start=False,
        n_score_pairs=1_000,
        memory=None,
        device="cpu",
        n_jobs=None,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.architecture = architecture
        self.widths = widths
        self.grid_shape = grid_shape
        self.support = support
        self.reconstruction_weight = reconstruction_weight
        self.sparsity_weight = sparsity_weight
        self.ground_truth = ground_truth
        self.n_pairs = n_pairs
        self.max_iter = max_iter
        self.max_time = max_time
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @available_if(_has_decoder)
    def inverse_transform(self, Z):
        """Decode embeddings into histograms.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Embeddings, or means of embeddings: a mean decodes to an approximate
            Wasserstein barycenter.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float32
            Masses; rows sum to 1.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=np.float32, input_name="Z")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Got Z with {Z.shape[1]} columns, expected {self._n_features_out}. "
                "Pass rows of transform(X)."
            )
        return self._apply(self.module_.reconstruct, Z)

    def _embed(self, measures):
        return self._apply(self.module_, measures.masses)

    def _apply(self, function, rows):
        """Map rows chunk by chunk on the device: [n, n_in] -> float32 [n, n_out]."""
        device = self._device()
        self.module_.to(device)
        with torch.inference_mode():
            chunks = [
                function(_to_tensor(rows[k : k + CHUNK_ROWS], device)).cpu()
                for k in range(0, len(rows), CHUNK_ROWS)
            ]
        return torch.cat(chunks).numpy()

    def _make_module(self, measures, generator):
        if self.architecture in NEEDS_IMAGES and (
            measures.grid_shape is None or len(measures.grid_shape) != 2
        ):
            raise ValueError(
                f"Got architecture={self.architecture!r} with "
                f"grid_shape={self.grid_shape}, expected a grid of two dimensions. Pass "
                "grid_shape=(height, width), or architecture='mlp' for other data."
            )
        module = build(
            lambda: histogram_network(
                self.architecture,
                measures.n_features,
                measures.grid_shape,
                self.n_components,
                self.widths,
                with_decoder=_has_decoder(self),
            ),
            generator,
        )
        module.inputs.fit(_to_tensor(measures.masses))
        return module

    def _objective(self, measures, device):
        masses = _to_tensor(measures.masses, device)
        return DWEObjective(
            self._features(masses),
            masses,
            self.reconstruction_weight,
            self.sparsity_weight,
        )

    def _validation_score(self, measures, pairs, w, device):
        held_out, positions = np.unique(pairs, return_inverse=True)
        masses = _to_tensor(measures.masses[held_out], device)
        return ValidationScore(
            self._features(masses),
            torch.from_numpy(positions).to(device),
            _to_tensor(w, device),
        )

    @torch.no_grad()
    def _features(self, masses):
        """Apply the fixed first layer to all data at once."""
        return torch.cat([self.module_.inputs(x) for x in masses.split(CHUNK_ROWS)])

    def _refuse_clouds(self, X):
        raise TypeError(
            "Got X=a collection of point clouds, expected histograms of shape "
            "(n_samples, n_bins): it reads masses on one support. "
            "Bin the clouds first, e.g. with numpy.histogramdd and common edges."
        )


def _to_tensor(array, device="cpu"):
    return torch.from_numpy(np.array(array, dtype=np.float32)).to(device)
