"""The regression of slopes: a network is right if its derivatives are."""

import pytest
import torch

from skwass.nn.data import MeasureData
from skwass.nn.encoders import Encoder
from skwass.nn.initialization import build
from skwass.nn.inputs import FixedInput
from skwass.nn.mlp import dense_stages
from skwass.nn.network import Network
from skwass.nn.objectives import PairObjective
from skwass.nn.pairs import PairBatch
from skwass.nn.slopes import LEAST_W, LinearSlopes, slope_regression


def make(blocks, n_exact=0, private_axis=False):
    generator = torch.Generator().manual_seed(0)
    free = sum(blocks) - n_exact

    def factory():
        stages = dense_stages([6, 8, free + private_axis])
        inputs, encoder = FixedInput(), Encoder(stages, free)
        inputs.n_exact = n_exact
        encoder.blocks = (*blocks[:-1], blocks[-1] - n_exact)
        return Network(inputs, None, encoder, None, private_axis)

    model = build(factory, generator).double()
    model.scale.fill_(1.0)
    rows = torch.randn(5, 6 + n_exact, generator=generator).double()
    probes = torch.randn(3, 6, generator=generator).double()
    left, right = torch.tensor([0, 1, 2]), torch.tensor([3, 4, 0])
    w = torch.tensor([0.5, 1.0, 0.1]).double()
    return model, rows, probes, (torch.arange(5), left, right, w, None)


def squares(model, rows, left, right):
    z = model.encode_rows(rows)
    readout, change = model.readout, z[left] - z[right]
    parts = change[:, : readout.n_common].split(readout.blocks, dim=1)
    common = sum(part.norm(dim=1) for part in parts).square()
    if not readout.has_private:
        return common
    shape, r, r_other = change[:, :-1], z[left, -1], z[right, -1]
    shape = shape[:, : readout.n_common - readout.n_exact]
    rho = torch.exp(-shape.square().sum(dim=1) / (2 * readout.reach**2))
    return common + r**2 + r_other**2 - 2 * r * r_other * rho


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("private_axis", [False, True])
@pytest.mark.parametrize(("blocks", "n_exact"), [((4,), 0), ((4, 3), 0), ((6,), 2)])
def test_it_compares_with_derivatives_of_squared_distances(
    blocks, n_exact, private_axis, squared
):
    model, rows, probes, parts = make(blocks, n_exact, private_axis)
    _, left, right, w, _ = parts
    share, slopes = 1e-6, torch.empty(3, 2, 3).double()
    start = squares(model, rows, left, right)
    for side, ends in enumerate((left, right)):
        for k, probe in enumerate(probes):
            for pair, end in enumerate(ends):
                moved = rows.clone()
                moved[end, :6] += share * (probe - rows[end, :6])
                change = squares(model, moved, left, right) - start
                slopes[pair, side, k] = change[pair] / share
    data = MeasureData(None, rows, row_slopes=LinearSlopes(probes))
    batch = PairBatch(*parts, slopes=slopes)
    assert slope_regression(model, data, batch, squared) < 1e-8
    off = batch._replace(slopes=slopes + 1)
    unit = 1.0 if squared else 2 * w.clamp_min(LEAST_W)
    expected = (1 / (unit * torch.ones(3))).square().mean()
    found = slope_regression(model, data, off, squared)
    assert found.item() == pytest.approx(float(expected), rel=1e-4)
    found.backward()
    assert all(p.grad.isfinite().all() for p in model.encoder.parameters())


def test_equal_measures_leave_gradients_finite():
    for blocks in ((4,), (4, 3)):
        model, rows, probes, parts = make(blocks)
        rows[3] = rows[0]
        data = MeasureData(None, rows, row_slopes=LinearSlopes(probes))
        slopes = torch.zeros(3, 2, 3).double()
        batch = PairBatch(*parts, slopes=slopes)
        PairObjective(False, data, 1.0)(model, batch, 0.0).backward()
        assert all(p.grad.isfinite().all() for p in model.encoder.parameters())


def test_the_weight_falls_to_nothing():
    model, rows, probes, parts = make((4,))
    data = MeasureData(None, rows, row_slopes=LinearSlopes(probes))
    batch = PairBatch(*parts, slopes=torch.ones(3, 2, 3).double())
    plain = PairObjective(False, data)(model, batch, 0.0).item()
    losses = [
        PairObjective(False, data, 2.0)(model, batch, t).item() for t in (0, 0.5, 1)
    ]
    full = losses[0] - plain
    assert full > 0
    assert losses[1] - plain == pytest.approx(full / 4, rel=1e-6)
    assert losses[2] == plain
