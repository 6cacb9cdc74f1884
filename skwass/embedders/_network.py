"""What embedders with a network have in common: how rows go through it."""

import copy
from contextlib import nullcontext
from functools import partial

import numpy as np
from joblib import parallel_config
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from ..architectures.network import make_network, n_learned
from ..files import FileMixin
from ..measures import Histograms
from ..nn.devices import by_chunks, inference, resolve_device
from ..nn.initialization import build
from ._base import OF_INPUT, WassersteinEmbedder
from ._checks import has_decoder, on_cpu
from ._reporting import warn_of_little_time


class NetworkEmbedder(FileMixin, WassersteinEmbedder):
    """Base class of embedders that have a torch module, and what training leaves.

    A subclass has the parameters `decoder` and `device`. What the module does with
    measures is its own: `fit_to` before training, `data` and `row_slopes` for it,
    `embed` and, with a decoder, `reconstruct` afterwards.
    """

    max_time: float | None
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

    @staticmethod
    def _build(settings, generator):
        """Return a module made from settings, its fixed parts still empty."""
        module = build(partial(make_network, **settings), generator)
        module.settings = settings
        return module

    @property
    def architecture_(self):
        """The architecture that was trained, with nothing left to choose."""
        return clone(self._trained.settings["architecture"])

    @property
    def decoder_(self):
        """The decoder that was trained, or None."""
        decoder = self._trained.settings["decoder"]
        return None if decoder is None else clone(decoder)

    @property
    def _trained(self):
        """The module, of attributes that are there after `fit`."""
        if not hasattr(self, "module_"):
            raise AttributeError(
                f"Got {type(self).__name__} before fit, expected a fitted one. Call "
                "fit first."
            )
        return self.module_

    @property
    def n_parameters_(self):
        """How many numbers the network learns, a decoder not counted."""
        module = self._trained
        learned = n_learned(module)
        return learned - (0 if module.decoder is None else n_learned(module.decoder))

    @property
    def block_weights_(self):
        """The learned weights of the feature maps of a Kuratowski network."""
        weights = self._feature_maps.weights
        unit = float(self.module_.scale) ** weights.power
        return unit * weights.values.detach().double().cpu().numpy()

    @property
    def block_sizes_(self):
        """Dimensions of the feature maps of a Kuratowski network."""
        return self._feature_maps.weights.sizes

    @property
    def times_(self):
        """Nodes of a curve in [0, 1], or None for layers, of a Kuratowski network."""
        return self._feature_maps.times

    @property
    def _feature_maps(self):
        """What encodes, if it has feature maps with weights."""
        encoder = self._trained.encoder
        if not hasattr(encoder, "weights"):
            raise AttributeError(
                f"Got architecture={self.architecture_}, expected DeepKENN() or "
                "ODEKENN(): others have one feature map, and no weights. Fit with one "
                "of these."
            )
        return encoder

    @property
    def _reads_other_bins(self):
        return not self.module_.inputs.needs_bins

    def _refuse_other_masses(self, X):
        """Raise for histograms whose masses the decoder cannot learn to make."""
        decoder = self.module_.decoder
        if decoder is None or decoder.gives_points:
            return
        if isinstance(X, Histograms) and not X.are_on(self.support_):
            raise ValueError(
                f"Got X={X} on bins other than those of fit, expected the same: "
                f"decoder={self.decoder_} makes masses of those. Fit with decoder=None "
                "or 'cloud' to train on others too."
            )

    @available_if(has_decoder)
    def inverse_transform(self, X):
        """Decode embeddings into measures.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Embeddings, or means of embeddings: a mean decodes to an approximate
            Wasserstein barycenter, a point between two to one on their geodesic. A
            private axis is ignored, and may be left out.

        Returns
        -------
        measures : ndarray, float32
            By a decoder of histograms, masses of shape (n_samples, n_features), whose
            rows sum to 1; by one of clouds, points of shape (n_samples, n_points, d),
            of equal weights, in the unit of the data; after a fit on a Gromov distance,
            each cloud is one representative of its isometry class.
        """
        decoded = self._decode(X)
        is_points = self.module_.decoder.gives_points
        return self._in_data_unit(decoded) if is_points else decoded

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
        if self.stopped_by_ == "max_time" and new < 2:
            warn_of_little_time(self.max_time)

    def _device(self, *, for_training=False):
        return resolve_device(self.device, for_training=for_training)

    def _decode(self, X):
        """Check embeddings given by a user, and decode them."""
        X = self._check_decodable(X, np.float32)
        return self._on_device(
            lambda device: by_chunks(self.module_.reconstruct, X, device)
        )

    def _embed(self, measures):
        with self._threads():
            return self._on_device(lambda device: self.module_.embed(measures, device))

    def _threads(self):
        """Let first layers that solve plans do so in threads, `n_jobs` of them."""
        if self.n_jobs is None:
            return nullcontext()
        return parallel_config(backend="threading", n_jobs=self.n_jobs)

    def _on_device(self, function):
        """Return what a function of the device makes with the module there."""
        device = self._device()
        self.module_.to(device)
        with inference(device):
            return function(device).numpy()

    @property
    def _readout(self):
        return self.module_.readout.in_unit(float(self.module_.scale))

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
        return self.module_.readout.n_columns

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")
