"""Layers over measures: order, padding and points in two halves change nothing."""

import numpy as np
import pytest
import torch

from skwass.nn.initialization import build
from skwass.nn.transformer import (
    Attention,
    InducedAttentionLayer,
    PointLayer,
    PointMaker,
    SelfAttentionLayer,
    SetEncoder,
)

ARCHITECTURES = {
    "deep sets": lambda dropout: PointLayer(16, dropout),
    "transformer": lambda dropout: SelfAttentionLayer(16, 4, dropout),
    "inducing": lambda dropout: InducedAttentionLayer(16, 4, dropout, 5),
}


def make(architecture, dropout=0.0):
    def factory():
        layers = [ARCHITECTURES[architecture](dropout) for _ in range(2)]
        return SetEncoder(3, layers, 16)

    return build(factory, torch.Generator().manual_seed(0)).double()


@pytest.fixture
def cloud():
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(2, 6, 3, dtype=torch.float64, generator=generator)
    masses = torch.rand(2, 6, dtype=torch.float64, generator=generator) + 0.1
    return points, masses / masses.sum(dim=1, keepdim=True)


def same(found, expected):
    np.testing.assert_allclose(found.detach(), expected.detach(), atol=1e-12)


def test_attention_is_an_integral_against_the_measure(cloud):
    points, masses = cloud
    layer = build(lambda: Attention(8, 2, 0.0), torch.Generator().manual_seed(0))
    layer = layer.double()
    x = torch.nn.functional.pad(points, (0, 5))
    found = layer(x, x, masses.log())
    q = layer.query(layer.norm(x)).unflatten(-1, (2, 4))
    k, v = layer.key_value(layer.source_norm(x)).chunk(2, dim=-1)
    k, v = k.unflatten(-1, (2, 4)), v.unflatten(-1, (2, 4))
    weights = masses[:, None, :, None] * torch.exp(
        torch.einsum("bihc,bjhc->bijh", q, k) / 2
    )
    weights = weights / weights.sum(dim=2, keepdim=True)
    answer = torch.einsum("bijh,bjhc->bihc", weights, v).flatten(2)
    same(found, x + layer.out(answer))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_a_measure_is_written_as_changes_nothing(architecture, cloud):
    encoder, (points, masses) = make(architecture), cloud
    expected = encoder(points, masses)
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    same(encoder(points[:, order], masses[:, order]), expected)
    far = torch.full((2, 3, 3), 50.0, dtype=torch.float64)
    padded = torch.cat([points, far], dim=1)
    zeros = torch.zeros(2, 3, dtype=torch.float64)
    same(encoder(padded, torch.cat([masses, zeros], dim=1)), expected)
    halves = torch.cat([masses[:, :1] / 4, masses[:, 1:], 3 * masses[:, :1] / 4], dim=1)
    same(encoder(torch.cat([points, points[:, :1]], dim=1), halves), expected)
    same(encoder(points[1:], masses[1:]), expected[1:])


@pytest.mark.parametrize("architecture", ["transformer", "inducing"])
def test_points_see_each_other(architecture, cloud):
    """Not so in deep sets, where a mean of clouds has the mean of features."""
    encoder, (points, masses) = make(architecture), cloud
    both = encoder(points.reshape(1, 12, 3), masses.reshape(1, 12) / 2)
    assert not torch.allclose(both[0], encoder(points, masses).mean(dim=0), rtol=1e-4)
    encoder = make("deep sets")
    both = encoder(points.reshape(1, 12, 3), masses.reshape(1, 12) / 2)
    same(both[0], encoder(points, masses).mean(dim=0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_finite_with_padding(architecture, cloud):
    encoder, (points, masses) = make(architecture), cloud
    masses = torch.nn.functional.pad(masses, (0, 2))
    points = torch.nn.functional.pad(points, (0, 0, 0, 2)).requires_grad_()
    encoder(points, masses).square().sum().backward()
    assert torch.isfinite(points.grad).all()
    assert (points.grad[:, 6:] == 0).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())
    assert all(p.grad.abs().max() > 0 for p in encoder.parameters())


def test_derivatives_are_right(cloud):
    encoder, (points, masses) = make("transformer"), cloud
    function = lambda x: encoder(x, masses)  # noqa: E731
    assert torch.autograd.gradcheck(function, points.requires_grad_())


def test_dropout_is_for_training_alone(cloud):
    encoder, (points, masses) = make("transformer", 0.5), cloud
    encoder.eval()
    same(encoder(points, masses), encoder(points, masses))
    encoder.train()
    assert not torch.equal(encoder(points, masses), encoder(points, masses))


def test_decoded_points_are_in_the_box_and_differ():
    factory = lambda: PointMaker(4, 9, 2, 1, 8, 2, 0.0)  # noqa: E731
    decoder = build(factory, torch.Generator().manual_seed(0))
    low, high = torch.tensor([-1.0, 5.0]), torch.tensor([3.0, 6.0])
    decoder.fit(low, high)
    points = decoder(torch.randn(20, 4, generator=torch.Generator().manual_seed(1)))
    assert points.shape == (20, 9, 2)
    assert (points >= low).all()
    assert (points <= high).all()
    assert torch.pdist(points[0]).min() > 0
