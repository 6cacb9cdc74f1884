"""Weights from a given generator, without a trace in the global one."""

import math

import pytest
import torch
from torch import nn

from skwass.nn.initialization import build


def network():
    return nn.Sequential(
        nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(32, 64), nn.Linear(64, 1)
    )


def weights(seed):
    module = build(network, torch.Generator().manual_seed(seed))
    return nn.utils.parameters_to_vector(module.parameters())


def test_same_seed_same_bytes():
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_global_generator_neither_used_nor_advanced():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = weights(0)
        torch.manual_seed(2)
        before = torch.get_rng_state()
        second = weights(0)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("factory", "fan_in"),
    [(lambda: nn.Linear(30, 400), 30), (lambda: nn.Conv2d(3, 200, (5, 2)), 30)],
    ids=["linear", "conv"],
)
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_weights_fill_the_interval_of_the_fan_in(factory, fan_in, name):
    layer = build(factory, torch.Generator().manual_seed(0))
    values, bound = getattr(layer, name).detach(), 1 / math.sqrt(fan_in)
    assert values.device.type == "cpu"
    assert getattr(layer, name).requires_grad
    assert values.abs().max() <= bound
    assert values.min() < -0.9 * bound
    assert values.max() > 0.9 * bound
    assert abs(float(values.mean())) < 0.15 * bound


def test_layers_differ_from_each_other():
    def twins():
        return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    first, second = build(twins, torch.Generator().manual_seed(0))
    assert not torch.isclose(first.weight, second.weight).any()


class _Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(3))


def test_normalisations_start_as_such():
    def factory():
        return nn.Sequential(nn.LayerNorm(4), nn.BatchNorm1d(4))

    made = build(factory, torch.Generator().manual_seed(0)).eval()
    x = torch.tensor([[1.0, 2, 3, 4], [0, 0, 0, 8]])
    expected = (x - x.mean(dim=1, keepdim=True)) / x.std(
        dim=1, keepdim=True, correction=0
    )
    torch.testing.assert_close(made(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("factory", "name"),
    [
        (lambda: nn.PReLU(), "PReLU"),
        (lambda: nn.Conv1d(1, 2, 3), "Conv1d"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Embedding(2, 2)), "Embedding"),
        (_Scaled, "_Scaled"),
    ],
    ids=["activation", "conv1d", "nested", "bare parameter"],
)
def test_unknown_layers_are_refused_by_name(factory, name):
    with pytest.raises(NotImplementedError, match=f"layer of type {name}, expected"):
        build(factory, torch.Generator().manual_seed(0))
