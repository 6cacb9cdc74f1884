"""How a fit of limited time spends it: on labels, and on steps of training.

The error falls slowly with the number of labels, about as its power -0.3, and a
schedule that is cut short spoils it. So labels are solved for as long as there will be
time to train on them, on the schedule that they would have had without a limit.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from .. import _clock
from ..labels.pairs import LabelledPairs
from ..labels.probes import as_probes, choose_probes
from ..measures.subsets import evenly
from ..nn.pairs import PairBatches
from ..nn.train import make_optimizer, seeded, train_epoch
from ..ot import sample_pairs
from ..ot.engine import CHUNK_SIZE
from ._plan import FitRun
from ._stages import n_epochs, pairs_per_step

# Pairs at most, and how many times as many are drawn as there seems to be time for.
_MOST_PAIRS, _ROOM = 1_000_000, 4
# What takes less than this takes no time.
_INSTANT = 1e-9
# Share of the limit that is kept back: predictions are never quite right.
_RESERVE = 0.06
# By how much the number of labels is raised to see if more are better; how many are
# tried beforehand; and the power of the share of the schedule that there is time for:
# half the steps cost as much as half the labels, fewer more.
_STEP, _N_TRIED, _CUT_POWER = 1.05, 400, 1.5
# A label with derivatives is worth this many without: on MNIST the error of 20,000 is a
# tenth lower with them, that of 2,000 a fifth.
_SLOPE_WORTH = 1.5
# Measures and pairs that speeds are measured on, the latter one to warm up, few, and
# then more if there is time; sizes of batches, and steps and rounds of each.
_N_TRIAL_MEASURES, _N_TRIAL_PAIRS = 2_048, (1, 4, 32)
_TRIAL_SIZES, _N_STEPS, _N_ROUNDS = (128, 512), 4, 3
# Share of the limit that may go into this.
TRIAL_SHARE = 0.03


class Speeds(NamedTuple):
    """What a machine takes, in seconds."""

    solve: float  # of a pair, by one worker
    row: float  # of a measure, as the network sees it
    step: tuple[float, float]  # of training: fixed, and per pair
    slope_step: tuple[float, float] | None  # with derivatives, if there are any
    n_solves: int = 0  # of the pairs that were solved last to measure this


@dataclass(frozen=True)
class Budget:
    """What was decided for a fit of limited time.

    Parameters
    ----------
    start, ready, seconds : float
        When the fit began, when labelling does, and how long all may take.
    n_measures : int
        Measures, those that will be held out too.
    speeds : Speeds
        What the machine takes.
    with_slopes : bool
        Whether to learn derivatives.
    batch_size, max_iter : int or "auto"
        As the user gave them.
    expected_pairs : int
        How many pairs to label, as far as one can tell.
    expected_worth : float
        What they will be worth.
    """

    start: float
    ready: float
    seconds: float
    n_measures: int
    speeds: Speeds
    with_slopes: bool
    batch_size: int | str
    max_iter: int | str
    expected_pairs: int = 0
    expected_worth: float = 0.0

    @property
    def n_drawn(self):
        """How many pairs to draw: more than expected, which may be wrong."""
        return math.ceil(_ROOM * self.expected_pairs)

    def followed_by(self, plan):
        """Return a plan that does as was decided."""
        return plan if self.with_slopes else replace(plan, slope_weight=0.0)

    def summary(self, n_pairs):
        """Return what a user may want to know, for this number of pairs."""
        return {
            "pairs_per_second": 1 / max(self.speeds.solve, _INSTANT),
            "steps_per_second": 1 / max(self.step_seconds(n_pairs), _INSTANT),
            "n_pairs": n_pairs,
            "n_epochs": self.epochs(n_pairs),
            "with_derivatives": self.with_slopes,
        }

    def batches(self, n_pairs):
        """Return how many batches an epoch has."""
        size = self.batch_size
        return -(-n_pairs // (pairs_per_step(n_pairs) if size == "auto" else size))

    def epochs(self, n_pairs):
        """Return how many epochs to find time for: more are a limit, not a need."""
        needed = n_epochs(self.batches(n_pairs))
        return needed if self.max_iter == "auto" else min(needed, self.max_iter)

    def step_seconds(self, n_pairs):
        """Return what a step takes."""
        slope_step = self.speeds.slope_step if self.with_slopes else None
        fixed, per_pair = slope_step or self.speeds.step
        return fixed + per_pair * n_pairs / self.batches(n_pairs)

    def training_seconds(self, n_pairs):
        """Return what it takes to train on this number of labelled pairs."""
        n_steps = self.epochs(n_pairs) * self.batches(n_pairs)
        rows = self.speeds.row * self.n_measures
        return rows + n_steps * self.step_seconds(n_pairs)

    def worth(self, n_pairs, left):
        """Return what labels are worth, given the seconds left to train on them.

        That is their number, times what derivatives make of it, and less where the
        schedule has to be cut.
        """
        cut = min(1.0, max(left, 0.0) / max(self.training_seconds(n_pairs), _INSTANT))
        return (_SLOPE_WORTH if self.with_slopes else 1.0) * n_pairs * cut**_CUT_POWER

    def is_enough(self, n_labelled):
        """Return whether more labels would be worth less, for want of time to train."""
        now = _clock.now()
        left = self.start + (1 - _RESERVE) * self.seconds - now
        more = (_STEP - 1) * (now - self.ready)
        worth = self.worth(n_labelled, left)
        return self.worth(_STEP * n_labelled, left - more) <= worth

    def expecting(self, n_workers):
        """Return the budget with the best number of pairs for a number of workers."""
        left = self.start + (1 - _RESERVE) * self.seconds - self.ready
        solve = self.speeds.solve / n_workers
        most = min(self.n_measures * (self.n_measures - 1) // 2, _MOST_PAIRS)
        numbers = np.unique(np.geomspace(1, most, _N_TRIED).astype(int)).tolist()
        worth = [self.worth(n, left - n * solve) for n in numbers]
        best = int(np.argmax(worth))
        expected = min(max(numbers[best], CHUNK_SIZE), most)
        return replace(self, expected_pairs=expected, expected_worth=worth[best])


def plans_time(parameters, scheme, given):
    """Return whether time is limited, and how to spend it left open.

    Parameters
    ----------
    parameters : dict
        Of an embedder.
    scheme : LabelScheme
        What chooses pairs.
    given : tuple or None
        Labels of the user.
    """
    is_limited = parameters["max_time"] is not None
    is_open = parameters["n_pairs"] == "auto" and not parameters["n_maps"]
    is_listed = not (scheme.in_batch or scheme.in_rounds)
    return is_limited and is_open and is_listed and given is None


def choose_budget(budget, n_workers, slopes_are_open):
    """Return the budget with derivatives or without, whichever is worth more.

    Parameters
    ----------
    budget : Budget
        With derivatives, if they are wanted and known.
    n_workers : int
        That solve.
    slopes_are_open : bool
        Whether derivatives may be left out.
    """
    budget = budget.expecting(n_workers)
    if not (budget.with_slopes and slopes_are_open):
        return budget
    without = replace(budget, with_slopes=False).expecting(n_workers)
    return max(budget, without, key=lambda one: one.expected_worth)


def measure_speeds(
    labeller, measures, plan, make_module, make_objective, options, device, deadline
):
    """Return what solver and training take, measured on few measures.

    Parameters
    ----------
    labeller : Labeller
        Solves.
    measures : Histograms or PointClouds
        Training data.
    plan : Plan
        What was decided.
    make_module : callable
        `make_module(measures, plan, labelled, generator)` gives a network.
    make_objective : callable
        `make_objective(run, labelled)` gives what it minimises.
    options : TrainingOptions
        How to train.
    device : torch.device
        Where.
    deadline : float
        After which no step begins, but one of each kind.

    Returns
    -------
    speeds : Speeds
    """
    some = measures[evenly(len(measures), _N_TRIAL_MEASURES)]
    labeller = replace(labeller, memory=None)  # what is remembered takes no time
    rng, nobody = np.random.RandomState(0), np.zeros(len(some), dtype=bool)
    pairs, probes = sample_pairs(len(some), _N_TRIAL_PAIRS[-1], rng), None
    if plan.toward is not None:
        probes = choose_probes(some, nobody, rng, centred=plan.exact_mean)
    gradients = as_probes(probes, centred=plan.exact_mean)
    for n_solves in _N_TRIAL_PAIRS:
        begin = _clock.now()
        w, slopes, _ = labeller.label(some, pairs[:n_solves], gradients=gradients)
        solve = (_clock.now() - begin) / len(w)
        is_warm = n_solves > 1
        if is_warm and _clock.now() + _N_TRIAL_PAIRS[-1] * solve > deadline:
            break
    known = {"slopes": slopes, "probes": probes}
    labelled = LabelledPairs.split(pairs[: len(w)], w, nobody, len(w), **known)
    generator = torch.Generator().manual_seed(0)
    module = make_module(some, plan, labelled, generator).to(device)
    run = FitRun(module, some, plan, device, generator, None, None)
    begin = _clock.now()
    objective = make_objective(run, labelled)
    row = (_clock.now() - begin) / len(some)
    plain = replace(objective, slope_weight=0.0)
    slope_step = None
    with seeded(generator, device):
        step = _time_steps(run, plain, options, 0, deadline)
        if probes is not None:
            slope_step = _time_steps(run, objective, options, len(probes), deadline)
    return Speeds(solve, row, step, slope_step, len(w))


def _time_steps(run, objective, options, n_probes, deadline):
    """Return what a step of training takes: fixed, and per pair."""
    optimizer, seconds = make_optimizer(run.module, options), []
    rng, sizes = np.random.RandomState(0), []
    for size in _TRIAL_SIZES:
        n_pairs = _N_STEPS * size
        pairs, _, groups = run.plan.scheme.draw(len(run.measures), n_pairs, 0.0, rng)
        # What labels are does not matter.
        labels = torch.ones(len(pairs))
        slopes = torch.zeros(len(pairs), 2, n_probes) if n_probes else None
        if groups is not None:
            groups = torch.from_numpy(groups)
        how = size, run.device, groups, slopes
        batches = PairBatches(torch.from_numpy(pairs), labels, *how)
        parts = run.module, batches, objective, optimizer, options, run.generator
        sizes.append(len(pairs) / len(batches))
        taken: list[float] = []
        while not taken or (len(taken) < _N_ROUNDS and _clock.now() < deadline):
            begin = _clock.now()
            train_epoch(*parts)
            taken.append((_clock.now() - begin) / len(batches))
        seconds.append(min(taken))  # the first of all is slow
    (few, many), (small, large) = seconds, sizes
    per_pair = max(many - few, 0.0) / max(large - small, 1.0)
    return max(few - per_pair * small, 0.0), per_pair
