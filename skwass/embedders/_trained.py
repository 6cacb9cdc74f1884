"""What embedders have in common that train a network on labelled pairs."""

import copy
import warnings
from abc import abstractmethod
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from .. import _clock
from ..measures.layout import refuse_square
from ..nn.devices import inference, resolve_device
from ..nn.inputs import CHUNK_ROWS
from ..nn.siamese import PairObjective, ValidationScore
from ..nn.train import (
    TrainingOptions,
    TrainingResult,
    make_optimizer,
    seeded,
    train_epoch,
)
from ..ot.ground_truths import GROUND_TRUTH_CONSTRAINT
from ._base import OF_INPUT, WassersteinEmbedder, fresh_random_state, refuse_one
from ._checks import on_cpu, to_tensor
from ._holdout import MAX_VALIDATION_PAIRS
from ._io import FileMixin
from ._labelling import obtain_labels
from ._reporting import FitReporter, warn_of_useless
from ._rounds import train_in_rounds
from ._slopes import slope_weight, will_go_on
from ._stages import (
    map_batches,
    map_options,
    pair_batches,
    train_stages,
    tuning_options,
)

_AUTO = StrOptions({"auto"})


class TrainedEmbedder(FileMixin, CallbackSupportMixin, WassersteinEmbedder):
    """Base class of embedders that train a torch module on labelled pairs.

    A subclass says how to make its network and what that sees of measures,
    `_make_module` and `_data`, and in `_regresses_squares` whether W^2 is learned or W.
    The module has a buffer `scale`, in units of which it is trained.
    """

    _saved = (
        *OF_INPUT,
        "n_iter_",
        "n_pairs_",
        "n_solves_",
        "stopped_by_",
        "loss_curve_",
        "validation_scores_",
    )

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "ground_truth": GROUND_TRUTH_CONSTRAINT,
        "n_pairs": [Interval(Integral, 1, None, closed="left"), _AUTO],
        "n_maps": [Interval(Integral, 2, None, closed="left"), Options(Integral, {0})],
        "gradient_weight": [Interval(Real, 0, None, closed="left"), _AUTO],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), _AUTO],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "n_score_pairs": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "device": [str],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _make_module(self, measures, labelled, generator):
        """Return an untrained module on the CPU, its fixed parts fitted to measures.

        Its attribute `settings` holds what `_build` needs to make another like it.
        """

    @classmethod
    @abstractmethod
    def _build(cls, settings, generator):
        """Return a module made from settings, its fixed parts still empty."""

    @abstractmethod
    def _data(self, module, measures, device, generator):
        """Return :class:`PairData` of measures; for validation, without a generator."""

    def _labels_mode(self):
        """Return how pairs are chosen: "pairs", "blocks" or "in_batch"."""
        return "pairs"

    @abstractmethod
    def _make_row_slopes(self, module, measures, probes, device):
        """Return how gradients in rows of measures become derivatives toward probes."""

    @abstractmethod
    def _takes_slopes(self, measures):
        """Return whether it is known how rows of measures move toward probes."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, pairs=None, distances=None):
        """Label pairs of measures, or take given labels, and train on them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Measures, at least two.
        y : None
            Ignored.
        pairs : array-like of int of shape (n_pairs, 2), default=None
            Rows of `X` whose distances are known. If None and `distances` too,
            `n_pairs` pairs are drawn and labelled by `ground_truth`.
        distances : array-like of shape (n_pairs,), default=None
            W of `pairs`, not squared; or of all pairs, as a matrix of shape
            (n_samples, n_samples), with `pairs` None. A dozen of them are solved, if
            that takes no more than a second, and a warning says how they differ from W.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        refuse_square(y, X, "Pass distances=y.")
        with self._rollback():
            return self._fit(X, y, pairs, distances)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, pairs=None, distances=None):
        """Train for one epoch on pairs of these measures, from where training stands.

        Each call labels up to `n_pairs` pairs of its measures. The learning rate is
        constant at its peak: after `fit`, whose rate ended at zero, set a lower one
        first, or a few epochs undo what the schedule gained. Nothing is held out. The
        first call decides the network and the scale of inputs and labels: give it a
        fair sample. `n_pairs_` and `n_solves_` are those of the last call.

        Parameters
        ----------
        X, y, pairs, distances
            As in `fit`.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        refuse_square(y, X, "Pass distances=y.")
        with self._rollback():
            return self._partial_fit(X, y, pairs, distances)

    def _fit(self, X, y, pairs, distances):
        start = _clock.now()
        device = self._device(for_training=True)
        goes_on = will_go_on(self)
        measures = self._check_several(X, goes_on)
        pair_seed, training_seed = self._seeds(goes_on)
        generator = torch.Generator().manual_seed(training_seed)
        pair_rng = np.random.RandomState(pair_seed)
        reporter = FitReporter(self, X, y)
        labelled = obtain_labels(
            self,
            measures,
            pairs,
            distances,
            self.validation_fraction if self.early_stopping else 0.0,
            pair_rng,
            reporter,
            self._deadline(start, share=0.5),
        )
        module = self._module(goes_on, measures, labelled, generator).to(device)
        stages, n_mapped = [], 0
        options = self._options(self._deadline(start))
        if self.n_maps and not goes_on:
            rng = np.random.RandomState(training_seed)
            batches, n_mapped = map_batches(
                self, module, measures, labelled, device, rng
            )
            stages.append((batches, map_options(options)))
            options = tuning_options(options)
        batches = pair_batches(self, module, measures, labelled, device)
        stages.append((batches, options))
        reporter.begin_training(self.max_iter * len(stages), module)
        loss = self._objective(module, measures, labelled, device, generator)
        validate = self._validation(module, measures, labelled, device)
        common = module, loss, validate, generator, reporter
        result = train_stages(stages, *common)
        if self.n_pairs == "auto" and result.validation_scores and distances is None:

            def fit_round(labelled):
                batches = pair_batches(self, module, measures, labelled, device)
                return train_stages([(batches, options)], *common)

            labels = self, measures, labelled, pair_rng, reporter, options.deadline
            labelled, result = train_in_rounds(module, result, fit_round, *labels)
        if result.validation_scores:
            warn_of_useless(max(result.validation_scores), "validation")
        elif labelled.members is None:
            rows = labelled.train[:MAX_VALIDATION_PAIRS]
            known = labelled._replace(validation=rows)
            score = self._validation(module, measures, known, device)(module)
            warn_of_useless(score, "training")
        self._keep(goes_on, module, labelled, batches, result)
        self.n_solves_ += n_mapped
        reporter.end_training(result.stopped_by)
        return self

    def _partial_fit(self, X, y, pairs, distances):
        device = self._device(for_training=True)
        goes_on = hasattr(self, "module_")
        measures = self._check_several(X, goes_on)
        _, seed = self._seeds(goes_on)
        generator = torch.Generator().manual_seed(seed)
        rng = np.random.RandomState(seed)
        reporter = FitReporter(self, X, y)
        labelled = obtain_labels(
            self,
            measures,
            pairs,
            distances,
            0.0,
            rng,
            reporter,
            None,
            with_slopes=False,
            compare=not goes_on,
        )
        module = self._module(goes_on, measures, labelled, generator).to(device)
        options = self._options(None)
        optimizer = make_optimizer(module, options)
        moments = copy.deepcopy(getattr(self, "_moments", None))
        if moments is not None:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        reporter.begin_training(1, module)
        reporter.begin_epoch()
        batches = pair_batches(self, module, measures, labelled, device)
        loss = self._objective(module, measures, labelled, device, generator)
        parts = module, batches, loss, optimizer, options, generator
        with seeded(generator, device):
            mean_loss = train_epoch(*parts)
        result = TrainingResult([mean_loss], [], "max_iter")
        moments = optimizer.state_dict()["state"]
        self._keep(goes_on, module, labelled, batches, result, moments)
        reporter.end_epoch(self.n_iter_ - 1, mean_loss, None)
        reporter.end_training("max_iter")
        return self

    def _check_several(self, X, goes_on):
        """Check measures to train on; a fit from scratch remembers their kind."""
        if goes_on:
            return refuse_one(self._as_measures(X))
        measures = refuse_one(self._read(X))
        self._remember(X, measures)
        return self._choose_unit(measures)

    def _seeds(self, goes_on):
        """Return seeds of the choice of pairs and of the training.

        A fit that goes on holds out the measures that the first one did, or it would be
        validated on what it was trained on; its training does not repeat itself.
        """
        if not goes_on:
            rng = fresh_random_state(self.random_state)
            self._first_seeds = [int(seed) for seed in rng.randint(2**31 - 1, size=2)]
        pair_seed, training_seed = self._first_seeds
        return pair_seed, training_seed + (self.n_iter_ if goes_on else 0)

    def _deadline(self, start, share=1.0):
        return None if self.max_time is None else start + share * self.max_time

    def _device(self, *, for_training=False):
        return resolve_device(self.device, for_training=for_training)

    def _options(self, deadline):
        return TrainingOptions(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            deadline=deadline,
        )

    def _module(self, goes_on, measures, labelled, generator):
        """Return the module to train, a copy: a fit that fails changes nothing."""
        if goes_on:
            return copy.deepcopy(self.module_)
        module = self._make_module(measures, labelled, generator)
        scale = float(np.sqrt(np.mean(labelled.w[labelled.train] ** 2)))
        if scale == 0:
            warnings.warn(
                "Got labels that are all 0, expected some W > 0: all measures trained "
                "on are equal, and distances to others will mean nothing. Fit on "
                "measures that differ.",
                UserWarning,
                stacklevel=5,
            )
        module.scale.fill_(scale or 1.0)
        return module.eval()

    def _objective(self, module, measures, labelled, device, generator):
        data, weight = self._data(module, measures, device, generator), 0.0
        if labelled.probes is not None:
            toward = self._make_row_slopes(module, measures, labelled.probes, device)
            data, weight = replace(data, row_slopes=toward), slope_weight(self)
        return PairObjective(self._regresses_squares, data, weight)

    def _validation(self, module, measures, labelled, device):
        """Return the score of held-out pairs, or None where there are none."""
        rows = labelled.validation
        if not len(rows):
            return None
        numbers, pairs = np.unique(labelled.pairs[rows], return_inverse=True)
        w = torch.from_numpy(labelled.w[rows] / float(module.scale)).float()
        return ValidationScore(
            self._data(module, measures[numbers], device, None),
            len(numbers),
            torch.from_numpy(pairs.reshape(-1, 2)).to(device),
            w.to(device),
        )

    def _keep(self, goes_on, module, labelled, batches, result, moments=None):
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
        if labelled.members is not None:
            self.n_pairs_ += batches.label.n_solves
            self.n_solves_ += batches.label.n_solves
            batches.label.warn()
        self.stopped_by_ = result.stopped_by

    def _decode(self, X):
        """Check embeddings given by a user, and decode them."""
        X = self._check_embeddings(X, np.float32)
        return self._apply(self.module_.reconstruct, X)

    def _apply(self, function, rows):
        """Map rows chunk by chunk on the device: [n, n_in] -> float32 [n, n_out]."""
        device = self._device()
        self.module_.to(device)
        with inference(device):
            chunks = [
                function(to_tensor(rows[k : k + CHUNK_ROWS], device)).cpu()
                for k in range(0, len(rows), CHUNK_ROWS)
            ]
        return torch.cat(chunks).numpy()

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
