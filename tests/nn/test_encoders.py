"""Encoders and decoders: shapes, the layers of the paper, one sample at a time."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skwass.nn.conv import PaperDecoder, paper_stages, strided_stages
from skwass.nn.initialization import build
from skwass.nn.mlp import DenseDecoder, dense_stages


def strided(grid, channels, dense):
    return nn.Sequential(*strided_stages(grid, channels, dense)[0])


GRIDS = [(28, 28), (9, 7), (1, 12), (5, 1)]
ENCODERS = {
    "paper": lambda grid, k: nn.Sequential(*paper_stages(grid, k)[0]),
    "strided": lambda grid, k: strided(grid, (4, 6), [16, k]),
    "no_convolution": lambda grid, k: strided(grid, (), [16, k]),
    "dense": lambda grid, k: nn.Sequential(*dense_stages([math.prod(grid), 16, 8, k])),
    "linear": lambda grid, k: nn.Sequential(*dense_stages([math.prod(grid), k])),
}
DECODERS = {
    "paper": PaperDecoder,
    "dense": lambda k, grid: DenseDecoder(k, (8, 16), grid[0] * grid[1]),
}


def make(factory):
    return build(factory, torch.Generator().manual_seed(0))


def random_masses(n_bins, n_measures=6):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n_measures, n_bins, generator=generator)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_encoders_give_a_row_a_measure_whatever_the_batch(kind, grid):
    encoder = make(lambda: ENCODERS[kind](grid, 3))
    x = random_masses(grid[0] * grid[1])
    z = encoder(x)
    assert z.shape == (6, 3)
    assert z.std(dim=0).min() > 1e-5  # measures are told apart
    torch.testing.assert_close(encoder(x[2:3])[0], z[2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("kind", DECODERS)
@torch.no_grad()
def test_decoders_give_log_probabilities_whatever_the_batch(kind, grid):
    n_bins = grid[0] * grid[1]
    decoder = make(lambda: DECODERS[kind](3, grid))
    z = 10 * random_masses(3)
    log_q = decoder(z)
    assert log_q.shape == (6, n_bins)
    torch.testing.assert_close(log_q.exp().sum(dim=1), torch.ones(6))
    assert log_q.std(dim=0).min() > 1e-5
    torch.testing.assert_close(decoder(z[2:3])[0], log_q[2], rtol=0, atol=1e-6)


def n_weights(module):
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def test_paper_encoder_is_the_one_of_the_paper():
    encoder = make(lambda: nn.Sequential(*paper_stages((28, 28), 50)[0]))
    conv_20, conv_5 = 20 * (3 * 3 * 1 + 1), 5 * (5 * 5 * 20 + 1)
    dense_100, dense_50 = 100 * (5 * 28 * 28 + 1), 50 * (100 + 1)
    assert n_weights(encoder) == conv_20 + conv_5 + dense_100 + dense_50 == 399_855
    w1, b1, w2, b2, w3, b3, w4, b4 = encoder.parameters()
    x = random_masses(784)
    h = F.conv2d(x.reshape(6, 1, 28, 28), w1, b1, padding=1).relu()
    h = F.conv2d(h, w2, b2, padding=2).relu()
    h = F.linear(h.reshape(6, -1), w3, b3)  # linear: no ReLU in the embedding part
    torch.testing.assert_close(encoder(x), F.linear(h, w4, b4), rtol=0, atol=1e-6)


@torch.no_grad()
def test_paper_decoder_is_the_one_of_the_paper():
    decoder = make(lambda: PaperDecoder(50, (28, 28)))
    dense_100, dense_3920 = 100 * (50 + 1), 3920 * (100 + 1)
    conv_20, conv_1 = 20 * (5 * 5 * 5 + 1), 1 * (3 * 3 * 20 + 1)
    assert n_weights(decoder) == dense_100 + dense_3920 + conv_20 + conv_1 == 403_721
    w1, b1, w2, b2, w3, b3, w4, b4 = decoder.parameters()
    z = random_masses(50)
    h = F.linear(F.linear(z, w1, b1).relu(), w2, b2).relu()
    h = F.conv2d(h.reshape(6, 5, 28, 28), w3, b3, padding=2).relu()
    h = F.conv2d(h, w4, b4, padding=1).reshape(6, 784)
    expected = h.log_softmax(dim=1)
    torch.testing.assert_close(decoder(z), expected, rtol=1e-6, atol=1e-6)


@torch.no_grad()
def test_strided_encoder_halves_odd_grids_upwards():
    encoder = make(lambda: strided((9, 7), (4, 6), [16, 3]))
    w1, b1, w2, b2, w3, b3, w4, b4 = encoder.parameters()
    x = random_masses(63)
    h = F.silu(F.conv2d(x.reshape(6, 1, 9, 7), w1, b1, stride=2, padding=1))
    assert h.shape == (6, 4, 5, 4)
    h = F.silu(F.conv2d(h, w2, b2, stride=2, padding=1))
    assert h.shape == (6, 6, 3, 2)
    h = F.silu(F.linear(h.reshape(6, -1), w3, b3))
    torch.testing.assert_close(encoder(x), F.linear(h, w4, b4), rtol=0, atol=1e-6)


@torch.no_grad()
def test_dense_stages_have_silu_between_layers_only():
    stack = make(lambda: nn.Sequential(*dense_stages([5, 8, 7, 2])))
    w1, b1, w2, b2, w3, b3 = stack.parameters()
    x = random_masses(5)
    h = F.silu(F.linear(F.silu(F.linear(x, w1, b1)), w2, b2))
    expected = F.linear(h, w3, b3)
    assert expected.min() < 0
    torch.testing.assert_close(stack(x), expected)
