"""What embedders have in common that have a network: how rows go through it."""

import copy
from functools import partial

import numpy as np

from ..files import FileMixin
from ..nn.devices import by_chunks, inference, resolve_device
from ..nn.initialization import build
from ._base import OF_INPUT, WassersteinEmbedder
from ._checks import on_cpu


class NetworkEmbedder(FileMixin, WassersteinEmbedder):
    """Base class of embedders that have a torch module, and what training leaves.

    A subclass names its `_network`, the factory of the module, and has the parameter
    `device`. The module has `blocks`, the sizes of parts whose Euclidean distances add
    up; a buffer `scale`, in units of which it is trained; and what it does with
    measures is its own: `fit_to` before training, `rows` and `row_slopes` for it,
    `embed` and, with a decoder, `reconstruct` afterwards.
    """

    loss_curve_: list[float]
    validation_scores_: list[float]
    _saved = (
        *OF_INPUT,
        "n_iter_",
        "n_pairs_",
        "n_solves_",
        "stopped_by_",
        "loss_curve_",
        "validation_scores_",
    )

    @classmethod
    def _build(cls, settings, generator):
        """Return a module made from settings, its fixed parts still empty."""
        module = build(partial(cls._network, **settings), generator)
        module.settings = settings
        return module

    def _keep(self, goes_on, module, labelled, in_batch, result, moments=None):
        """Store what training left."""
        if not goes_on:
            self.loss_curve_, self.validation_scores_, self.n_iter_ = [], [], 0
        self.module_, self._moments = module, moments
        before, new = len(self.loss_curve_), len(result.loss_curve)
        self.loss_curve_ += result.loss_curve
        if result.validation_scores or self.validation_scores_:
            missing = before - len(self.validation_scores_)
            scores = result.validation_scores or [np.nan] * new
            self.validation_scores_ += [np.nan] * missing + scores
        self.n_iter_ += len(result.loss_curve)
        self.n_pairs_, self.n_solves_ = len(labelled.w), labelled.n_solves
        if in_batch is not None:
            self.n_pairs_ += in_batch.n_solves
            self.n_solves_ += in_batch.n_solves
            in_batch.warn()
        self.stopped_by_ = result.stopped_by

    def _device(self, *, for_training=False):
        return resolve_device(self.device, for_training=for_training)

    def _decode(self, X):
        """Check embeddings given by a user, and decode them."""
        X = self._check_embeddings(X, np.float32)
        return self._on_device(
            lambda device: by_chunks(self.module_.reconstruct, X, device)
        )

    def _embed(self, measures):
        return self._on_device(lambda device: self.module_.embed(measures, device))

    def _on_device(self, function):
        """Return what a function of the device makes with the module there."""
        device = self._device()
        self.module_.to(device)
        with inference(device):
            return function(device).numpy()

    def _blocks(self, z):
        return self.module_.blocks

    def __getstate__(self):
        # A model trained on a GPU opens where there is none.
        state = super().__getstate__().copy()
        if "module_" in state:
            state["module_"] = copy.deepcopy(state["module_"]).cpu()
        if "_moments" in state:
            state["_moments"] = on_cpu(state["_moments"])
        return state

    @property
    def _n_features_out(self):
        return sum(self.module_.blocks)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")
