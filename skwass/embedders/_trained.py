"""What embedders that train a network on labelled pairs have in common."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from joblib import effective_n_jobs
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin

from .. import _clock, _ranks
from .._random import fresh_random_state
from ..architectures.choice import retune
from ..labels.given import warn_of_other_labels
from ..labels.holdout import MAX_VALIDATION_PAIRS
from ..labels.maps import learn_maps
from ..labels.obtain import draw_labelled, split_given
from ..labels.probes import as_probes
from ..labels.rounds import label_more
from ..labels.solve import BatchLabeller
from ..measures.layout import refuse_square
from ..nn.objectives import PairObjective, ValidationScore
from ..nn.train import TrainingResult, make_optimizer, seeded, train_epoch
from ._base import at_least_two
from ._budget import TRIAL_SHARE, Budget, choose_budget, measure_speeds, plans_time
from ._checkpoint import open_checkpoint
from ._checks import network_parameters, warn_of_changes
from ._network import NetworkEmbedder
from ._parameters import TrainedParameters
from ._plan import FitRun, make_plan
from ._reporting import FitReporter, warn_of_one_round, warn_of_useless
from ._rounds import train_in_rounds
from ._stages import (
    N_FORMULA_PAIRS,
    N_PAIRS,
    TUNING_RATE,
    ends_and_labels,
    fresh_batches,
    label_scale,
    map_batches,
    map_deadline,
    pair_batches,
    train_stages,
    training_options,
)


class TrainedEmbedder(CallbackSupportMixin, TrainedParameters, NetworkEmbedder):
    """Base class of embedders that train a network on labelled pairs.

    A subclass says in `_regresses_squares` whether W^2 is learned or W, and in
    `_otherwise` what `architecture="auto"` is where slices do not suit; the decorator
    `trained` gives it its own defaults and the common documentation.
    """

    _regresses_squares: bool
    _otherwise: str
    _made_with: list[str]

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, pairs=None, distances=None, checkpoint=None):
        """Label pairs of measures, or take given labels, and train on them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, at least two, or a collection of clouds.
        y : None
            Ignored.
        pairs : array-like of int of shape (n_pairs, 2), default=None
            Rows of `X` whose distances are known. If None and `distances` too,
            `n_pairs` pairs are drawn and labelled by `ground_truth`.
        distances : array-like of shape (n_pairs,), default=None
            W of `pairs`, not squared; or of all pairs, as a matrix of shape
            (n_samples, n_samples), with `pairs` None. A dozen of them are solved, if
            that takes no more than a second, and a warning says how they differ from W.
        checkpoint : str or path, default=None
            File in which labels, maps and the state of training are noted every few
            seconds. Killed at any moment, the same call goes on from it, and ends with
            the same bytes as one that was never stopped, on one kind of machine; the
            seeds are noted too, so also with `random_state=None`. Callbacks hear of
            what is done anew, and a fit that one of them stopped stays stopped. The
            file stays until you delete it.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If `checkpoint` is a file of another fit, or `max_time` is set too; or if
            processes of a group fit to other data.
        RuntimeError
            If a process of the group is gone.
        """
        refuse_square(y, X, "Pass distances=y.")
        with self._rollback(), _ranks.together():
            return self._fit(X, y, pairs, distances, checkpoint)

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

    def _fit(self, X, y, pairs, distances, path):
        start = _clock.now()
        device = self._device(for_training=True)
        goes_on = self.warm_start and hasattr(self, "module_")
        measures = self._check_several(X, goes_on)
        given = self._check_given(measures, pairs, distances)
        plan = self._make_plan(measures, given, goes_on)
        checkpoint = open_checkpoint(path, self, measures, given, goes_on)
        pair_seed, training_seed = self._seeds(goes_on, checkpoint)
        generator = torch.Generator().manual_seed(training_seed)
        pair_rng = np.random.RandomState(pair_seed)
        in_rounds = plan.scheme.in_rounds and given is None
        if in_rounds:
            plan.scheme.refuse(self.early_stopping)
        reporter = FitReporter(self, X, y, in_rounds)
        fraction = plan.held_out(self.validation_fraction, len(measures))
        fraction = fraction if self.early_stopping else 0.0
        budget = None
        if plans_time(self.get_params(deep=False), plan.scheme, given):
            budget = self._budget(start, measures, plan, device)
            plan = budget.followed_by(plan)
            reporter.tell(budget)
        labeller = self._labeller(checkpoint)
        labelled = self._obtain_labels(
            labeller, measures, given, plan, fraction, pair_rng, reporter, start, budget
        )
        module = self._module(measures, plan, labelled, generator).to(device)
        deadline = self._deadline(start)
        parts = module, measures, plan, device, generator, reporter, deadline
        run = FitRun(*parts, checkpoint)
        labelled, result, in_batch, n_mapped = self._train(
            run, labelled, training_seed, pair_rng if in_rounds else None
        )
        self._warn_of_useless(run, labelled, result)
        self._keep(goes_on, module, labelled, in_batch, result)
        self.n_solves_ += n_mapped
        self.budget_ = None
        if budget is not None:
            self.n_solves_ += budget.speeds.n_solves
            self.budget_ = budget.summary(len(labelled.train))
        reporter.end_training(result.stopped_by)
        return self

    def _budget(self, start, measures, plan, device):
        """Measure solver and training, and decide how to spend time."""
        options = self._options(None, None)
        parts = self._labeller(), measures, plan, self._module, self._objective
        deadline = _clock.now() + TRIAL_SHARE * self.max_time
        speeds = measure_speeds(*parts, options, device, deadline)
        budget = Budget(
            start,
            _clock.now(),
            self.max_time,
            len(measures),
            speeds,
            plan.slope_weight > 0,
            self.batch_size,
            self.max_iter,
        )
        slopes_are_open = isinstance(self.gradient_weight, str)
        return choose_budget(budget, effective_n_jobs(self.n_jobs), slopes_are_open)

    def _train(self, run, labelled, seed, pair_rng):
        """Train on maps, pairs, and more pairs, if wanted.

        Parameters
        ----------
        run : FitRun
            Its module is trained in place.
        labelled : LabelledPairs
            To learn from first.
        seed : int
            Of maps.
        pair_rng : numpy.random.RandomState or None
            Draws the pairs of further rounds; None for one.

        Returns
        -------
        labelled : LabelledPairs
            All that were labelled.
        result : TrainingResult
        in_batch : BatchLabeller or None
            What labelled while training.
        n_mapped : int
            Solves of maps.
        """
        rate, stages, n_mapped = self.learning_rate, [], 0
        labeller = self._labeller(run.checkpoint)
        if self.n_maps and not run.plan.goes_on:
            numbers, Z, n_mapped = learn_maps(
                labeller, self.n_maps, run.measures, labelled, seed
            )
            batches = map_batches(numbers, Z, float(run.module.scale), run.device)
            options = self._options(batches, map_deadline(run.deadline))
            stages, rate = [(batches, options)], TUNING_RATE * rate
        batches, in_batch = self._batches(run, labelled)
        stages.append((batches, self._options(batches, run.deadline, rate)))
        n_in_all = sum(options.max_iter for _, options in stages)
        run.reporter.begin_training(n_in_all, run.module)
        loss = self._objective(run, labelled)
        validate = self._score(run, labelled, labelled.validation)
        if validate is None and self.early_stopping and run.plan.may_stay:
            return labelled, TrainingResult([], [], "formula"), in_batch, n_mapped
        parts = run.module, loss, validate, run.generator, run.reporter
        learn = partial(train_stages, checkpoint=run.checkpoint)
        result = learn(stages, *parts)
        if pair_rng is None:
            return labelled, result, in_batch, n_mapped
        if not result.validation_scores:
            warn_of_one_round(run.plan.scheme)
            return labelled, result, in_batch, n_mapped

        def fit_round(labelled):
            batches, _ = self._batches(run, labelled)
            options = self._options(batches, run.deadline, rate)
            return learn([(batches, options)], *parts)

        more = partial(
            label_more,
            labeller,
            run.measures,
            rng=pair_rng,
            centred=run.plan.exact_mean,
            reporter=run.reporter,
            deadline=run.deadline,
        )
        gain = run.plan.scheme.least_gain
        labelled, result = train_in_rounds(
            run.module, result, fit_round, more, labelled, run.deadline, gain
        )
        return labelled, result, in_batch, n_mapped

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
        labelled = self._obtain_labels(
            self._labeller(), measures, given, plan, 0.0, rng, reporter, None
        )
        module = self._module(measures, plan, labelled, generator).to(device)
        run = FitRun(module, measures, plan, device, generator, reporter, None)
        options = self._options(None, None)
        optimizer = make_optimizer(module, options)
        moments = copy.deepcopy(getattr(self, "_moments", None))
        if moments is not None:
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        reporter.begin_training(1, module)
        reporter.begin_epoch()
        batches, in_batch = self._batches(run, labelled)
        loss = self._objective(run, labelled)
        parts = module, batches, loss, optimizer, options, generator
        with seeded(generator, device):
            mean_loss = train_epoch(*parts)
        result = TrainingResult([mean_loss], [], "max_iter")
        moments = optimizer.state_dict()["state"]
        self._keep(goes_on, module, labelled, in_batch, result, moments)
        self.budget_ = None
        reporter.end_epoch(self.n_iter_ - 1, mean_loss, None)
        reporter.end_training("max_iter")
        return self

    def _check_given(self, measures, pairs, distances, compare=True):
        """Return labels that the user gave, or None; warn if they are not W."""
        given = self._read_labels(measures, pairs, distances)
        if compare and given is not None:
            pairs, w = given
            warn_of_other_labels(self.ground_truth, measures, pairs, w, self.max_time)
        return given

    def _make_plan(self, measures, given, goes_on):
        """Decide what is decided once."""
        fitted = self.module_.settings if goes_on else None
        parameters = self.get_params(deep=False)
        return make_plan(parameters, measures, given, self._otherwise, fitted)

    def _obtain_labels(
        self,
        labeller,
        measures,
        given,
        plan,
        fraction,
        rng,
        reporter,
        start,
        budget=None,
    ):
        """Return labelled pairs, given by the user or drawn, split by measures."""
        how = {"scheme": plan.scheme, "fraction": fraction}
        if given is not None:
            pairs, w = given
            return split_given(len(measures), pairs, w, rng, **how)
        labeller.warn_of_idle_memory(self.random_state)
        if budget is None:
            how |= {"n_pairs": self._n_pairs, "deadline": self._deadline(start, 0.5)}
        else:
            how |= {"n_pairs": budget.n_drawn, "until": budget.is_enough}
        return draw_labelled(
            labeller, measures, rng, toward=plan.toward, reporter=reporter, **how
        )

    @property
    def _n_pairs(self):
        """Pairs to label where nothing else limits them."""
        return N_PAIRS if self.n_pairs == "auto" else self.n_pairs

    def _batches(self, run, labelled):
        """Return batches of pairs, and what labels them, if that is done there."""
        scale = float(run.module.scale)
        if labelled.members is None:
            return pair_batches(labelled, scale, self.batch_size, run.device), None
        gradients = as_probes(labelled.probes, centred=run.plan.exact_mean)
        in_batch = BatchLabeller(self._labeller(), run.measures, gradients)
        sizes = self._n_pairs, run.plan.scheme.block_size
        return fresh_batches(labelled, in_batch, scale, *sizes, run.device), in_batch

    def _warn_of_useless(self, run, labelled, result):
        """Warn of an embedding that is worse than a constant."""
        if result.validation_scores:
            warn_of_useless(max(result.validation_scores), "validation")
        elif labelled.members is None:
            rows = labelled.train[:MAX_VALIDATION_PAIRS]
            score = self._score(run, labelled, rows)
            warn_of_useless(score(run.module), "training")

    def _check_several(self, X, goes_on):
        """Check measures to train on; a fit from scratch remembers their kind."""
        if goes_on:
            warn_of_changes(self._made_with, self.get_params(deep=False))
            self._refuse_other_masses(X)
            return at_least_two(self._as_measures(X))
        measures = at_least_two(self._read(X))
        self._remember(X, measures)
        self._made_with = network_parameters(self.get_params(deep=False))
        return self._choose_unit(measures)

    def _seeds(self, goes_on, checkpoint=None):
        """Return seeds of the choice of pairs and of the training.

        A fit that goes on holds out the measures that the first one did, or it would be
        validated on what it was trained on; its training does not repeat itself.
        """
        if not goes_on:
            rng = fresh_random_state(self.random_state)
            seeds = [int(seed) for seed in rng.randint(2**31 - 1, size=2)]
            if checkpoint is not None:
                seeds = checkpoint.settle("seeds", seeds)
            self._first_seeds = _ranks.from_first(seeds)
        pair_seed, training_seed = self._first_seeds
        return pair_seed, training_seed + (self.n_iter_ if goes_on else 0)

    def _deadline(self, start, share=1.0):
        if self.max_time is None or start is None:
            return None
        return start + share * self.max_time

    def _options(self, batches, deadline, rate=None):
        """Return how to train on batches; on one epoch of any, if they are None."""
        parameters = self.get_params(deep=False)
        return training_options(parameters, batches, deadline, rate)

    def _module(self, measures, plan, labelled, generator):
        """Return the module to train, a copy: a fit that fails changes nothing."""
        if plan.goes_on:
            module = copy.deepcopy(self.module_)
            retune(module, self.decoder)
            return module
        module = self._build(plan.settings, generator).eval()
        module.scale.fill_(label_scale(labelled))
        # Of measures that are held out it knows nothing.
        held_out = np.unique(labelled.pairs[labelled.validation])
        known = np.setdiff1d(np.arange(len(measures)), held_out)
        few = labelled.train[:N_FORMULA_PAIRS]
        labels = np.searchsorted(known, labelled.pairs[few]), labelled.w[few]
        with self._threads():
            module.fit_to(measures[known], generator, self._regresses_squares, *labels)
        return module

    def _objective(self, run, labelled):
        """Return what is minimised."""
        with self._threads():
            data = run.module.data(run.measures, run.device, run.generator)
        weight = 0.0
        if labelled.probes is not None:
            toward = run.module.row_slopes(run.measures, labelled.probes, run.device)
            data, weight = replace(data, row_slopes=toward), run.plan.slope_weight
        return PairObjective(self._regresses_squares, data, weight)

    def _score(self, run, labelled, rows):
        """Return the score of some labelled pairs, or None where there are none."""
        if not len(rows):
            return None
        scale = float(run.module.scale)
        numbers, pairs, w = ends_and_labels(labelled, rows, scale, run.device)
        with self._threads():
            data = run.module.data(run.measures[numbers], run.device)
        return ValidationScore(data, len(numbers), pairs, w)
