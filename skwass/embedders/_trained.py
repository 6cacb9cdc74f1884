"""What embedders have in common that train a network on labelled pairs."""

import copy
from abc import abstractmethod
from dataclasses import replace
from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from .. import _clock
from ..labels.given import warn_of_other_labels
from ..labels.holdout import MAX_VALIDATION_PAIRS
from ..labels.maps import learn_maps
from ..labels.obtain import draw_labelled, split_given
from ..labels.pairs import refuse_rounds
from ..labels.probes import as_probes
from ..labels.rounds import label_more
from ..labels.solve import BatchLabeller
from ..measures.layout import refuse_square
from ..nn.objectives import PairObjective, ValidationScore
from ..nn.train import (
    TrainingOptions,
    TrainingResult,
    make_optimizer,
    seeded,
    train_epoch,
)
from ..ot.ground_truths import GROUND_TRUTH_CONSTRAINT, as_ground_truth
from ._base import fresh_random_state, refuse_one
from ._network import NetworkEmbedder
from ._plan import Plan, decide_mean, decide_slopes, labels_are_w2
from ._reporting import FitReporter, warn_of_useless
from ._rounds import train_in_rounds
from ._stages import (
    ends_and_labels,
    fresh_batches,
    label_scale,
    map_batches,
    map_options,
    pair_batches,
    train_stages,
    tuning_options,
)

_AUTO = StrOptions({"auto"})


class TrainedEmbedder(CallbackSupportMixin, NetworkEmbedder):
    """Base class of embedders that train a torch module on labelled pairs.

    A subclass says in `_settings` how to make its network, in `_data` what the loss
    needs of measures, and in `_regresses_squares` whether W^2 is learned or W. What a
    :class:`Plan` holds it decides in `_choose_kind`, `_kind_of`, `_obstacle_to_mean`
    and `_knows_slopes`.
    """

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
    def _settings(self, measures, plan):
        """Return keyword arguments of `_network` for these measures."""

    def _make_module(self, measures, plan, generator):
        """Return an untrained module on the CPU, its fixed parts fitted to measures."""
        module = self._build(self._settings(measures, plan), generator).eval()
        module.fit_to(measures, generator)
        return module

    @abstractmethod
    def _data(self, module, measures, device, generator):
        """Return :class:`PairData` of measures; for validation, without a generator."""

    def _labels_mode(self):
        """Return how pairs are chosen: "pairs", "blocks" or "in_batch"."""
        return "pairs"

    @abstractmethod
    def _choose_kind(self, measures, are_w2):
        """Return the kind of network, chosen if that is to be done here."""

    @abstractmethod
    def _kind_of(self, module):
        """Return the kind of a network that there is."""

    @abstractmethod
    def _obstacle_to_mean(self, kind, dim):
        """Return what keeps a network from carrying the mean, or None."""

    @abstractmethod
    def _knows_slopes(self, kind, exact_mean, goes_on):
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
        goes_on = self.warm_start and hasattr(self, "module_")
        measures = self._check_several(X, goes_on)
        given = self._check_given(measures, pairs, distances)
        plan = self._make_plan(measures, given, goes_on)
        pair_seed, training_seed = self._seeds(goes_on)
        generator = torch.Generator().manual_seed(training_seed)
        pair_rng = np.random.RandomState(pair_seed)
        reporter = FitReporter(self, X, y)
        labelled = self._obtain_labels(
            measures,
            given,
            plan,
            self.validation_fraction if self.early_stopping else 0.0,
            pair_rng,
            reporter,
            self._deadline(start, share=0.5),
        )
        module = self._module(measures, plan, labelled, generator).to(device)
        stages, n_mapped = [], 0
        options = self._options(self._deadline(start))
        if self.n_maps and not goes_on:
            numbers, Z, n_mapped = learn_maps(
                self._labeller(), self.n_maps, measures, labelled, training_seed
            )
            batches = map_batches(numbers, Z, float(module.scale), device)
            stages.append((batches, map_options(options)))
            options = tuning_options(options)
        batches, in_batch = self._batches(module, measures, plan, labelled, device)
        stages.append((batches, options))
        reporter.begin_training(self.max_iter * len(stages), module)
        loss = self._objective(module, measures, plan, labelled, device, generator)
        rows = labelled.validation
        validate = self._score(module, measures, labelled, rows, device)
        common = module, loss, validate, generator, reporter
        result = train_stages(stages, *common)
        if self.n_pairs == "auto" and result.validation_scores and given is None:

            def fit_round(labelled):
                batches = self._batches(module, measures, plan, labelled, device)[0]
                return train_stages([(batches, options)], *common)

            more = partial(
                label_more,
                self._labeller(),
                measures,
                rng=pair_rng,
                centred=plan.exact_mean,
                reporter=reporter,
                deadline=options.deadline,
            )
            labelled, result = train_in_rounds(
                module, result, fit_round, more, labelled, options.deadline
            )
        self._warn_of_useless(module, measures, labelled, result, device)
        self._keep(goes_on, module, labelled, in_batch, result)
        self.n_solves_ += n_mapped
        reporter.end_training(result.stopped_by)
        return self

    def _partial_fit(self, X, y, pairs, distances):
        device = self._device(for_training=True)
        goes_on = hasattr(self, "module_")
        measures = self._check_several(X, goes_on)
        given = self._check_given(measures, pairs, distances, compare=not goes_on)
        plan = replace(self._make_plan(measures, given, goes_on), slope_weight=0.0)
        _, seed = self._seeds(goes_on)
        generator = torch.Generator().manual_seed(seed)
        rng = np.random.RandomState(seed)
        reporter = FitReporter(self, X, y)
        labelled = self._obtain_labels(measures, given, plan, 0.0, rng, reporter, None)
        module = self._module(measures, plan, labelled, generator).to(device)
        options = self._options(None)
        optimizer = make_optimizer(module, options)
        moments = copy.deepcopy(getattr(self, "_moments", None))
        if moments is not None:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        reporter.begin_training(1, module)
        reporter.begin_epoch()
        batches, in_batch = self._batches(module, measures, plan, labelled, device)
        loss = self._objective(module, measures, plan, labelled, device, generator)
        parts = module, batches, loss, optimizer, options, generator
        with seeded(generator, device):
            mean_loss = train_epoch(*parts)
        result = TrainingResult([mean_loss], [], "max_iter")
        moments = optimizer.state_dict()["state"]
        self._keep(goes_on, module, labelled, in_batch, result, moments)
        reporter.end_epoch(self.n_iter_ - 1, mean_loss, None)
        reporter.end_training("max_iter")
        return self

    def _check_given(self, measures, pairs, distances, compare=True):
        """Return labels that the user gave, or None, with a word if they are not W."""
        given = self._read_labels(measures, pairs, distances)
        if compare and given is not None:
            pairs, w = given
            warn_of_other_labels(self.ground_truth, measures, pairs, w, self.max_time)
        return given

    def _make_plan(self, measures, given, goes_on):
        """Decide what is decided once."""
        truth = as_ground_truth(self.ground_truth)
        are_w2 = labels_are_w2(truth, measures, given)
        if goes_on:
            kind, exact = self._kind_of(self.module_), self.module_.n_exact > 0
        else:
            kind, dim = self._choose_kind(measures, are_w2), measures.dim
            exact = decide_mean(
                self.exact_mean,
                self._obstacle_to_mean(kind, dim),
                are_w2,
                dim,
                self.n_components,
                self.ground_truth,
            )
        weight = 0.0
        if self._knows_slopes(kind, exact, goes_on):
            weight = decide_slopes(self.gradient_weight, self.n_maps, truth)
        return Plan(kind, exact, weight, goes_on)

    def _obtain_labels(self, measures, given, plan, fraction, rng, reporter, deadline):
        """Return labelled pairs, given by the user or drawn, split by measures."""
        mode = self._labels_mode()
        how = {"mode": mode, "block_size": getattr(self, "block_size", None)}
        if given is not None:
            pairs, w = given
            return split_given(len(measures), pairs, w, rng, fraction=fraction, **how)
        if self.n_pairs == "auto":
            refuse_rounds(mode, self.early_stopping)
        labeller = self._labeller()
        labeller.warn_of_idle_memory(self.random_state)
        return draw_labelled(
            labeller,
            measures,
            rng,
            n_pairs=self.n_pairs,
            fraction=fraction,
            toward=plan.toward,
            reporter=reporter,
            deadline=deadline,
            **how,
        )

    def _batches(self, module, measures, plan, labelled, device):
        """Return batches of pairs, and what labels them, if that is done there."""
        scale = float(module.scale)
        if labelled.members is None:
            return pair_batches(labelled, scale, self.batch_size, device), None
        gradients = as_probes(labelled.probes, centred=plan.exact_mean)
        in_batch = BatchLabeller(self._labeller(), measures, gradients)
        batches = fresh_batches(
            labelled, in_batch, scale, self.n_pairs, self.block_size, device
        )
        return batches, in_batch

    def _warn_of_useless(self, module, measures, labelled, result, device):
        """Warn of an embedding that is worse than a constant."""
        if result.validation_scores:
            warn_of_useless(max(result.validation_scores), "validation")
        elif labelled.members is None:
            rows = labelled.train[:MAX_VALIDATION_PAIRS]
            score = self._score(module, measures, labelled, rows, device)
            warn_of_useless(score(module), "training")

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

    def _options(self, deadline):
        names = TrainingOptions.__dataclass_fields__.keys() - {"deadline"}
        settings = {name: getattr(self, name) for name in names}
        return TrainingOptions(**settings, deadline=deadline)

    def _module(self, measures, plan, labelled, generator):
        """Return the module to train, a copy: a fit that fails changes nothing."""
        if plan.goes_on:
            return copy.deepcopy(self.module_)
        module = self._make_module(measures, plan, generator)
        module.scale.fill_(label_scale(labelled))
        return module.eval()

    def _objective(self, module, measures, plan, labelled, device, generator):
        data, weight = self._data(module, measures, device, generator), 0.0
        if labelled.probes is not None:
            toward = module.row_slopes(measures, labelled.probes, device)
            data, weight = replace(data, row_slopes=toward), plan.slope_weight
        return PairObjective(self._regresses_squares, data, weight)

    def _score(self, module, measures, labelled, rows, device):
        """Return the score of some labelled pairs, or None where there are none."""
        if not len(rows):
            return None
        numbers, pairs, w = ends_and_labels(labelled, rows, float(module.scale), device)
        data = self._data(module, measures[numbers], device, None)
        return ValidationScore(data, len(numbers), pairs, w)
