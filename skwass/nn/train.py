"""The one training loop. It knows batches, a loss and a validation score."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .. import _clock, _ranks

WARM_UP = 0.1  # share of the schedule during which the learning rate rises
# Share of it before which a validation score that stands still says little: the rate is
# high, weights are restless, and most of the gain comes as it falls.
SETTLED = 0.5


class Batches(Protocol):
    """What the loop needs of training data."""

    def __len__(self) -> int: ...

    def epoch(self, generator: torch.Generator) -> Iterator: ...

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> None: ...


class Journal(Protocol):
    """Where the loop notes its state, so that it can go on from there."""

    def read(self) -> dict | None: ...

    def offer(self, make_state: Callable[[], dict], is_over: bool) -> None: ...


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
            with torch.cuda.device(device):
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
    journal: Journal | None = None,
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
    journal : Journal or None
        Noted in after epochs; training goes on from what it holds, the same in each
        bit as if it had not been stopped.

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
    state = _State(model, optimizer, batches, schedule, best, generator)
    noted = _ranks.from_first(None if journal is None else journal.read())
    if noted is not None:
        state.load(noted)
    elif validate is not None and getattr(model, "has_formula", False):
        # What is known before anything is learned is not to get lost.
        model.eval()
        best.update(_ranks.from_first(validate(model)))
    losses, scores, stopped_by = state.losses, state.scores, state.stopped_by
    while not stopped_by:
        number = len(losses)
        reporter.begin_epoch()
        losses.append(
            train_epoch(model, batches, loss, optimizer, options, generator, schedule)
        )
        if validate is not None:
            scores.append(_ranks.from_first(validate(model)))
            best.update(scores[-1])
        if reporter.end_epoch(number, losses[-1], scores[-1] if scores else None):
            stopped_by = "callback"
        elif best.is_stale and schedule.progress > SETTLED:
            stopped_by = "early_stopping"
        elif schedule.is_over:
            stopped_by = "max_time"
        elif len(losses) == options.max_iter:
            stopped_by = "max_iter"
        stopped_by = state.stopped_by = _ranks.from_first(stopped_by)
        if journal is not None:
            journal.offer(state.dump, bool(stopped_by))
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
        if _ranks.n_ranks() > 1:
            batch = batch.part(_ranks.rank(), _ranks.n_ranks())
        value = loss(model, batch, progress)
        value.backward()
        _share_gradients(model)
        nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm)
        optimizer.step()
        total += value.detach()
        n_steps += 1
        if schedule is not None and schedule.is_over:
            break
    model.eval()
    total /= n_steps
    _ranks.average([total])
    mean = float(total)
    if not math.isfinite(mean):
        raise ValueError(
            f"Got a training loss of {mean}, expected a finite one: training diverged. "
            "Lower learning_rate or max_grad_norm."
        )
    return mean


def _share_gradients(model: nn.Module) -> None:
    """Average the gradients of all processes; a weight without any counts as 0."""
    if _ranks.n_ranks() == 1:
        return
    for weight in model.parameters():
        if weight.requires_grad and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    _ranks.average([w.grad for w in model.parameters() if w.grad is not None])


class _State:
    """All that changes while training, to be noted and taken up again."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        batches: Batches,
        schedule: "_Schedule",
        best: "_BestWeights",
        generator: torch.Generator,
    ) -> None:
        self.parts: dict[str, Any] = {
            "model": model,
            "optimizer": optimizer,
            "batches": batches,
        }
        self.records: dict[str, Any] = {"schedule": schedule, "best": best}
        # The global one is that of dropout, see `seeded`.
        self.generators = {"own": generator, "dropout": torch.default_generator}
        device = next(model.parameters()).device
        if device.type == "cuda":
            self.generators["cuda"] = torch.cuda.default_generators[device.index]
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.stopped_by = ""  # nothing yet

    def dump(self) -> dict:
        """Return tensors and numbers that `load` takes."""
        return {
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "records": {name: part.record() for name, part in self.records.items()},
            "generators": {
                name: generator.get_state()
                for name, generator in self.generators.items()
            },
            "losses": self.losses,
            "scores": self.scores,
            "stopped_by": self.stopped_by,
        }

    def load(self, state: dict) -> None:
        """Take up what `dump` gave."""
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        for name, record in self.records.items():
            vars(record).update(state["records"][name])
        # One that was noted without a GPU has no state of its generator.
        for name in self.generators.keys() & state["generators"].keys():
            self.generators[name].set_state(state["generators"][name].cpu())
        self.losses.extend(state["losses"])
        self.scores.extend(state["scores"])
        self.stopped_by = state["stopped_by"]


class _Schedule:
    """Progress of the schedule in [0, 1], by steps or by time, whichever is ahead."""

    def __init__(self, n_steps: int, deadline: float | None) -> None:
        self.n_steps = n_steps
        self.step = 0
        self.start = _clock.now()
        self.deadline = deadline
        self.is_over = False
        self.progress = 0.0

    def record(self) -> dict:
        return {"step": self.step, "progress": self.progress}

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

    def record(self) -> dict:
        names = "score", "weights", "mark", "age"
        return {name: getattr(self, name) for name in names}

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
