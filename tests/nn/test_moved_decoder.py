"""A decoder that moves what it decodes: on grids of any dimension."""

import pytest
import torch

from skwass.nn.initialization import build
from skwass.nn.mlp import MovedDecoder


def make(grid_shape):
    generator = torch.Generator().manual_seed(0)
    return build(lambda: MovedDecoder(3, (8,), grid_shape), generator)


@pytest.mark.parametrize("grid_shape", [(9,), (4, 7), (3, 4, 5)])
def test_whole_shifts_are_translations(grid_shape):
    decoder, z = make(grid_shape), torch.randn(2, 3)
    dim = len(grid_shape)
    centred = decoder.centred(z).exp().unflatten(1, grid_shape)
    for shift in ([0] * dim, [1] + [0] * (dim - 1), [-2] * dim):
        moved = decoder(z, torch.tensor([shift, shift]).float()).exp()
        expected = torch.zeros_like(centred)
        into = tuple(
            slice(max(0, s), size + min(0, s))
            for s, size in zip(shift, grid_shape, strict=True)
        )
        out_of = tuple(
            slice(max(0, -s), size + min(0, -s))
            for s, size in zip(shift, grid_shape, strict=True)
        )
        expected[(slice(None), *into)] = centred[(slice(None), *out_of)]
        expected = expected.flatten(1)
        expected /= expected.sum(dim=1, keepdim=True)
        torch.testing.assert_close(moved, expected, atol=1e-6, rtol=1e-5)


def test_fractions_are_split_between_two_bins():
    decoder, z = make((6,)), torch.randn(1, 3)
    q = decoder.centred(z).exp()[0]
    moved = decoder(z, torch.tensor([[0.25]])).exp()[0]
    expected = 0.75 * q
    expected[1:] += 0.25 * q[:-1]
    torch.testing.assert_close(moved, expected / expected.sum(), atol=1e-6, rtol=1e-5)


def test_nothing_on_the_grid_is_a_measure_still():
    for shift in (40.0, -1e9):
        log_q = make((6, 5))(torch.randn(2, 3), torch.full((2, 2), shift))
        assert log_q.isfinite().all()
        torch.testing.assert_close(log_q.exp().sum(dim=1), torch.ones(2))


def test_gradients_reach_the_centred_measure():
    decoder, z = make((4, 7)), torch.randn(2, 3, requires_grad=True)
    decoder(z, torch.tensor([[0.5, -1.2], [0.0, 3.0]])).sum().backward()
    assert z.grad.isfinite().all()
    assert z.grad.abs().max() > 0
