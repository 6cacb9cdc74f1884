"""The training loop: what it keeps, when it stops, and its schedule."""

import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from skwass.nn.initialization import build
from skwass.nn.train import (
    WARM_UP,
    TrainingOptions,
    _BestWeights,
    _Schedule,
    _State,
    make_optimizer,
    one_cycle,
    train,
    train_epoch,
)
from skwass.nn.train import seeded as seeded_dropout

OPTIONS = TrainingOptions(
    max_iter=6,
    learning_rate=0.1,
    weight_decay=0.0,
    max_grad_norm=10.0,
    n_iter_no_change=100,
    tol=0.0,
)


class Problem:
    """Rows x with targets x @ [1, -2, 3] + 1, shuffled into batches of 8."""

    def __init__(self, n_batches=5):
        self.x = torch.randn(8 * n_batches, 3, generator=seeded(0))
        self.y = self.x @ torch.tensor([[1.0], [-2.0], [3.0]]) + 1

    def __len__(self):
        return len(self.x) // 8

    def epoch(self, generator):
        for rows in torch.randperm(len(self.x), generator=generator).split(8):
            yield self.x[rows], self.y[rows]


class Reporter:
    """Keeps what it is told; asks to stop after epoch `last`."""

    def __init__(self, last=None):
        self.last, self.n_begun, self.epochs = last, 0, []

    def begin_epoch(self):
        self.n_begun += 1

    def end_epoch(self, *news):
        self.epochs.append(news)
        return news[0] == self.last


class Scores(list):
    """Gives scripted scores and keeps the weights that got them."""

    def __call__(self, model):
        assert not model.training
        self.weights = [*getattr(self, "weights", []), flat(model)]
        return self[len(self.weights) - 1]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def flat(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def new_model():
    return build(lambda: nn.Linear(3, 1), seeded(1))


def mean_square(model, batch, progress):
    assert model.training
    x, y = batch
    return (model(x) - y).square().mean()


def run(validate=None, reporter=None, loss=mean_square, seed=2, **changes):
    model, reporter = new_model(), reporter or Reporter()
    options = TrainingOptions(**{**vars(OPTIONS), **changes})
    result = train(model, Problem(), loss, validate, options, seeded(seed), reporter)
    return model, result


@pytest.fixture
def rates(monkeypatch):
    """Learning rates of all steps, of any optimizer made by `train`."""
    rates, step = [], torch.optim.AdamW.step

    def recorded_step(self):
        rates.append(self.param_groups[0]["lr"])
        return step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded_step)
    return rates


def test_loss_falls_to_the_solution():
    reporter = Reporter()
    model, result = run(reporter=reporter, max_iter=40)
    losses = result.loss_curve
    assert (result.stopped_by, result.validation_scores) == ("max_iter", [])
    assert losses[-1] < 1e-3 * losses[0]
    expected = torch.tensor([1.0, -2, 3, 1])
    assert (flat(model) - expected).norm() < 0.05 * (
        flat(new_model()) - expected
    ).norm()
    assert reporter.epochs == [(k, losses[k], None) for k in range(40)]
    assert reporter.n_begun == 40


@pytest.mark.parametrize(
    ("scores", "best"), [((1, 5, 3, 2), 1), ((1, 2, 3, 4), 3), ((4, 4, 4, 4), 0)]
)
def test_weights_that_scored_best_are_kept(scores, best):
    validate, reporter = Scores(scores), Reporter()
    model, result = run(validate, reporter, max_iter=4)
    assert result.validation_scores == list(scores)
    assert [score for _, _, score in reporter.epochs] == list(scores)
    kept = [torch.equal(weights, flat(model)) for weights in validate.weights]
    assert kept == [epoch == best for epoch in range(4)]


@pytest.mark.parametrize(
    ("scores", "patience", "tol", "n_epochs", "best"),
    [
        ((5, 4, 3, 2, 1, 0), 1, 0.0, 4, 0),
        ((5, 4, 3, 2, 1, 0), 3, 0.0, 4, 0),
        ((5, 4, 6, 2, 7, 0), 2, 0.0, 6, 4),
        # Rises of 0.1 are below tol, but the third is 0.3 above what counted last.
        ((0, 0.1, 0.2, 0.3, 0.4, 0.5), 3, 0.25, 6, 5),
        ((0, 0.1, 0.2, 0.2, 0.2, 0.2), 2, 0.25, 4, 2),
        # What stands still in the first half of the schedule may rise in the second.
        ((5, 4, 3, 6, 7, 8), 1, 0.0, 6, 5),
        ((0, 0.1, 0.2, 0.3, 0.4, 0.5), 1, 0.0, 6, 5),
    ],
)
def test_early_stopping(scores, patience, tol, n_epochs, best):
    validate = Scores(scores)
    model, result = run(validate, n_iter_no_change=patience, tol=tol)
    assert len(result.loss_curve) == n_epochs
    assert result.stopped_by == ("max_iter" if n_epochs == 6 else "early_stopping")
    assert torch.equal(flat(model), validate.weights[best])


def test_a_reporter_may_stop():
    validate = Scores([1, 3, 2])
    model, result = run(validate, Reporter(last=2))
    assert (result.stopped_by, len(result.loss_curve)) == ("callback", 3)
    assert torch.equal(flat(model), validate.weights[1])


def test_schedule_rises_then_falls_without_a_jump():
    assert one_cycle(0) == pytest.approx(0.04)
    assert one_cycle(WARM_UP) == pytest.approx(1)
    assert one_cycle(1) == pytest.approx(0, abs=1e-12)
    quarter = one_cycle(WARM_UP + (1 - WARM_UP) / 4)
    assert quarter == pytest.approx((1 + math.sqrt(0.5)) / 2)
    steps = [k / 1000 for k in range(1001)]
    rates = [one_cycle(step) for step in steps]
    for step, rate, following in zip(steps, rates, rates[1:], strict=False):
        assert (following > rate) == (step < WARM_UP)
        assert abs(following - rate) < 2 * 0.96 / WARM_UP / 1000


def test_rates_follow_the_schedule_over_all_epochs(rates):
    run(max_iter=6)
    assert rates == pytest.approx([0.1 * one_cycle(k / 30) for k in range(30)])


def test_rate_is_constant_without_a_clock(rates):
    model, problem = new_model(), Problem()
    optimizer = torch.optim.AdamW(model.parameters(), lr=77.0)
    train_epoch(model, problem, mean_square, optimizer, OPTIONS, seeded(0))
    assert rates == [0.1] * 5
    assert not model.training


def test_loss_of_an_epoch_is_the_mean_over_its_batches():
    problem = Problem()
    _, result = run(max_iter=1, learning_rate=0.0)
    expected = mean_square(new_model(), (problem.x, problem.y), 0.0).item()
    assert result.loss_curve == pytest.approx([expected])


def test_a_past_deadline_leaves_one_step(rates, clock):
    _, result = run(deadline=clock.now() - 1)
    assert (result.stopped_by, len(result.loss_curve)) == ("max_time", 1)
    assert len(rates) == 1


def test_schedule_is_compressed_to_end_at_the_deadline(rates, clock):
    """Each step takes a second; 30 are asked, there is time for 11.5."""

    def slow_loss(model, batch, progress):
        clock.seconds += 1
        return mean_square(model, batch, progress)

    clock.seconds = 100.0

    _, result = run(loss=slow_loss, deadline=111.5)
    assert (result.stopped_by, len(result.loss_curve)) == ("max_time", 3)
    assert rates == pytest.approx(
        [0.1 * one_cycle(min(k / 11.5, 1)) for k in range(13)]
    )
    rates.clear()
    _, result = run(loss=slow_loss, deadline=clock.now() + 1e6)
    assert result.stopped_by == "max_iter"
    assert rates == pytest.approx([0.1 * one_cycle(k / 30) for k in range(30)])


def test_same_seeds_same_bytes():
    first, again, other = run()[0], run()[0], run(seed=3)[0]
    assert torch.equal(flat(first), flat(again))
    assert not torch.equal(flat(first), flat(other))


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e6])
def test_gradients_are_clipped(factor):
    def loss(model, batch, progress=0.0):
        return factor * mean_square(model, batch, progress)

    # A step of plain descent at rate 0.1 moves the weights by 0.1 clipped gradient.
    model, problem = new_model(), Problem(n_batches=1)
    before, optimizer = flat(model), torch.optim.SGD(model.parameters())
    loss(model, (problem.x, problem.y)).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    options = TrainingOptions(**{**vars(OPTIONS), "max_grad_norm": 0.5})
    train_epoch(model, problem, loss, optimizer, options, seeded(0))
    expected = 0.1 * gradient * min(1, 0.5 / float(gradient.norm()))
    assert math.isclose(float(expected.norm()), 0.05, rel_tol=1e-4) == (factor >= 1)
    torch.testing.assert_close(before - flat(model), expected, rtol=1e-3, atol=1e-6)


def test_dropout_on_a_second_gpu_has_the_seed_there(monkeypatch):
    current, seeds, fork = ["cuda:0"], {}, torch.random.fork_rng

    @contextmanager
    def on(device):
        current.append(str(device))
        yield
        current.pop()

    def manual_seed(seed):
        seeds[current[-1]] = seed

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "manual_seed", manual_seed)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: fork(devices=[]))
    with seeded_dropout(seeded(7), torch.device("cuda:1")):
        assert seeds == {"cuda:1": 7}


def test_a_state_that_was_noted_without_a_gpu_is_taken_up_with_one():
    model, own, on_gpu = new_model(), seeded(0), seeded(5)
    parts = model, make_optimizer(model, OPTIONS), nn.Identity(), _Schedule(9, None)
    state = _State(*parts, _BestWeights(model, OPTIONS), own)
    noted, expected = state.dump(), own.get_state().clone()
    own.manual_seed(3)
    state.generators["cuda"] = on_gpu
    state.load(noted)
    assert own.get_state().equal(expected)
    assert on_gpu.initial_seed() == 5
