"""The one training loop. It knows batches, a loss and a validation score."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .. import _clock

WARM_UP = 0.1  # share of the schedule during which the learning rate rises
# Share of it before which a validation score that stands still says little: the rate is
# high, weights are restless, and most of the gain comes as it falls.
SETTLED = 0.5


class Batches(Protocol):
    """What the loop needs of training data."""

    def __len__(self) -> int: ...

    def epoch(self, generator: torch.Generator) -> Iterator: ...


class Reporter(Protocol):
    """What the loop tells of its progress."""

    def begin_epoch(self) -> None: ...

    def end_epoch(self, number: int, loss: float, score: float | None) -> bool: ...


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    max_iter : int
        Epochs.
    learning_rate : float
        Peak of the one-cycle schedule.
    weight_decay : float
        Of AdamW.
    max_grad_norm : float
        Gradients are clipped to this norm.
    n_iter_no_change : int
        Epochs without a better validation score before training stops, in the second
        half of the schedule.
    tol : float
        By how much a score must be better to count.
    deadline : float or None
        Value of `_clock.now()` to finish by. The schedule is compressed so that it
        ends there.
    """

    max_iter: int
    learning_rate: float
    weight_decay: float
    max_grad_norm: float
    n_iter_no_change: int
    tol: float
    deadline: float | None = None


class TrainingResult(NamedTuple):
    """What training leaves besides the weights of the model."""

    loss_curve: list[float]  # mean training loss of each epoch
    validation_scores: list[float]  # empty without validation
    stopped_by: str  # "max_iter", "max_time", "early_stopping", "callback", "formula"


def one_cycle(progress: float) -> float:
    """Learning rate over its peak: a linear rise, then half a cosine to zero."""
    if progress < WARM_UP:
        return 0.04 + 0.96 * progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


@contextmanager
def seeded(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Let dropout, which knows only torch's global generators, follow a given one.

    They are as before afterwards.
    """
    is_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if is_cuda else []):
        torch.default_generator.manual_seed(generator.initial_seed())
        if is_cuda:
            torch.cuda.manual_seed(generator.initial_seed())
        yield


def make_optimizer(model: nn.Module, options: TrainingOptions) -> torch.optim.AdamW:
    """Return AdamW over the weights of a model."""
    return torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )


def train(
    model: nn.Module,
    batches: Batches,
    loss: Callable[[Any, Any, float], Tensor],
    validate: Callable[[Any], float] | None,
    options: TrainingOptions,
    generator: torch.Generator,
    reporter: Reporter,
) -> TrainingResult:
    """Train a model in place on the one-cycle schedule and keep its best weights.

    Parameters
    ----------
    model : nn.Module
        Trained in place. With `validate`, ends with the weights that scored best.
    batches : Batches
        Has a length and `epoch(generator)`, an iterator over batches.
    loss : callable
        `loss(model, batch, progress)` gives the scalar to minimise; progress is that of
        the schedule, from 0 to 1.
    validate : callable or None
        `validate(model)` gives a score, higher is better.
    options : TrainingOptions
        How.
    generator : torch.Generator
        Shuffles.
    reporter : Reporter
        Told of each epoch; may answer that training shall stop.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    optimizer = make_optimizer(model, options)
    schedule = _Schedule(options.max_iter * len(batches), options.deadline)
    best = _BestWeights(model, options)
    if validate is not None and getattr(model, "has_formula", False):
        # What is known before anything is learned is not to get lost.
        model.eval()
        best.update(validate(model))
    losses, scores = [], []
    stopped_by = "max_iter"
    for number in range(options.max_iter):
        reporter.begin_epoch()
        losses.append(
            train_epoch(model, batches, loss, optimizer, options, generator, schedule)
        )
        if validate is not None:
            scores.append(validate(model))
            best.update(scores[-1])
        if reporter.end_epoch(number, losses[-1], scores[-1] if scores else None):
            stopped_by = "callback"
        elif best.is_stale and schedule.progress > SETTLED:
            stopped_by = "early_stopping"
        elif schedule.is_over:
            stopped_by = "max_time"
        if stopped_by != "max_iter":
            break
    best.restore()
    return TrainingResult(losses, scores, stopped_by)


def train_epoch(
    model: nn.Module,
    batches: Batches,
    loss: Callable[[Any, Any, float], Tensor],
    optimizer: torch.optim.Optimizer,
    options: TrainingOptions,
    generator: torch.Generator,
    schedule: "_Schedule | None" = None,
) -> float:
    """Pass once over the batches and return the mean loss.

    Without a schedule the learning rate stays at `options.learning_rate`. With one, the
    epoch ends early when time is up.
    """
    model.train()
    total, n_steps = torch.zeros((), device=next(model.parameters()).device), 0
    for batch in batches.epoch(generator):
        progress = 0.0 if schedule is None else schedule.tick()
        rate = 1.0 if schedule is None else one_cycle(progress)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * rate
        optimizer.zero_grad()
        value = loss(model, batch, progress)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm)
        optimizer.step()
        total += value.detach()
        n_steps += 1
        if schedule is not None and schedule.is_over:
            break
    model.eval()
    mean = float(total / n_steps)
    if not math.isfinite(mean):
        raise ValueError(
            f"Got a training loss of {mean}, expected a finite one: training diverged. "
            "Lower learning_rate or max_grad_norm."
        )
    return mean


class _Schedule:
    """Progress of the schedule in [0, 1], by steps or by time, whichever is ahead."""

    def __init__(self, n_steps: int, deadline: float | None) -> None:
        self.n_steps = n_steps
        self.step = 0
        self.start = _clock.now()
        self.deadline = deadline
        self.is_over = False
        self.progress = 0.0

    def tick(self) -> float:
        progress = self.step / self.n_steps
        self.step += 1
        if self.deadline is not None:
            now = _clock.now()
            self.is_over = now >= self.deadline
            if self.is_over:
                progress = 1.0
            else:
                spent = (now - self.start) / (self.deadline - self.start)
                progress = max(progress, spent)
        self.progress = progress
        return progress


class _BestWeights:
    """The weights with the best score so far, and how old they are."""

    def __init__(self, model: nn.Module, options: TrainingOptions) -> None:
        self.model = model
        self.options = options
        self.score = -math.inf
        self.weights: dict[str, Tensor] | None = None
        self.mark = -math.inf  # last score that counted as an improvement
        self.age = 0

    def update(self, score: float) -> None:
        self.age = 0 if score > self.mark + self.options.tol else self.age + 1
        if self.age == 0:
            self.mark = score
        if score > self.score:
            self.score = score
            self.weights = copy.deepcopy(self.model.state_dict())

    @property
    def is_stale(self) -> bool:
        return self.age >= self.options.n_iter_no_change

    def restore(self) -> None:
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
