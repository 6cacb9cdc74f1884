"""What runs on the CPU runs on a GPU, and gives the same."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from toys import LEARNING, clouds_of, make_small

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.architectures import (
    ODEKENN,
    CloudDecoder,
    Convolutional,
    DeepKENN,
    DeepSets,
    Fourier,
    HistogramDecoder,
    SetTransformer,
)
from skwass.labels import Blocks, InBatch
from skwass.ot import SinkhornDivergence, pairwise_wasserstein, sinkhorn_divergence

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]

DECODED = {"decoder": HistogramDecoder(0.05)}
HISTOGRAMS = {
    "deep": (DeepWassersteinEmbedder, DECODED),
    "deep-dense": (DeepWassersteinEmbedder, {"architecture": "dense"}),
    "deep-conv": (
        DeepWassersteinEmbedder,
        {"architecture": Convolutional((4, 8), (32,))},
    ),
    "deep-courty2018": (DeepWassersteinEmbedder, {"architecture": "courty2018"}),
    "kuratowski-last": (KuratowskiEmbedder, {"architecture": DeepKENN(layers="last")}),
    "kuratowski-cnn": (KuratowskiEmbedder, {"architecture": "deep_kenn", **DECODED}),
    "kuratowski-ode": (KuratowskiEmbedder, {"architecture": ODEKENN(velocity=True)}),
    "kuratowski-adjoint": (KuratowskiEmbedder, {"architecture": ODEKENN(adjoint=True)}),
    "wormhole": (WormholeEmbedder, {}),
    "wormhole-maps": (WormholeEmbedder, {"n_maps": 30}),
}
CLOUDS = {
    "slices": {"decoder": CloudDecoder(n_points=10, n_layers=1)},
    "fourier": {"architecture": Fourier((32,), n_frequencies=32)},
    "deep sets": {"architecture": DeepSets(n_layers=1)},
    "deep kenn": {"architecture": "deep_kenn"},
    "transformer": {"architecture": SetTransformer(point_width=16, dropout=0.1)},
    "inducing": {
        "architecture": SetTransformer(n_inducing=16, max_points=12),
        "exact_mean": False,
    },
    "gromov": {"ground_truth": "gromov"},
    "blocks": {"labels": Blocks(8)},
    "in batch": {"labels": InBatch(8)},
    "sinkhorn in batch": {
        "labels": InBatch(8),
        "ground_truth": SinkhornDivergence(reg=0.1, device="cuda"),
    },
}


def assert_moves_between_devices(embedder, X, tmp_path):
    """It embeds on the GPU, and from a pickle and a file on the CPU, the same."""
    assert next(embedder.module_.parameters()).is_cuda
    Z = embedder.transform(X)
    atol = 1e-5 * np.abs(Z).max()
    alone = np.concatenate([embedder.transform(X[k : k + 1]) for k in range(9)])
    assert_allclose(alone, Z[:9], atol=atol)
    W = embedder.pairwise_distances(X)
    embedder.save(tmp_path / "embedder")
    for again in (
        pickle.loads(pickle.dumps(embedder)),
        type(embedder).load(tmp_path / "embedder"),
    ):
        assert not next(again.module_.parameters()).is_cuda
        again.set_params(device="cpu")
        assert_allclose(again.transform(X), Z, atol=atol)
        assert_allclose(again.pairwise_distances(X), W, atol=1e-4 * W.max())
        if hasattr(embedder, "inverse_transform"):
            made = embedder.inverse_transform(Z[:5])
            expected = again.inverse_transform(Z[:5])
            assert_allclose(made, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_histograms(name, digits, tmp_path):
    kind, parameters = HISTOGRAMS[name]
    embedder = make_small(kind, device="cuda", **parameters).fit(digits[0])
    assert_moves_between_devices(embedder, digits[1], tmp_path)
    embedder.partial_fit(digits[0])
    again = pickle.loads(pickle.dumps(embedder)).partial_fit(digits[0])
    Z = embedder.partial_fit(digits[0]).transform(digits[1])
    # Sums on a GPU are in no fixed order, and Adam makes much of small gradients.
    assert_allclose(again.transform(digits[1]), Z, atol=1e-2 * np.abs(Z).max())


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds(name, tmp_path):
    clouds = clouds_of(np.random.default_rng(0).integers(5, 25, size=60), dim=3)
    small = {"grid_shape": None, "device": "cuda"}
    embedder = make_small(WormholeEmbedder, **small, **CLOUDS[name]).fit(clouds)
    assert_moves_between_devices(embedder, clouds, tmp_path)


@pytest.mark.parametrize(
    "kind", [DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder]
)
def test_the_same_is_learned(kind, digits):
    on_gpu, on_cpu = (
        make_small(kind, device=device, **LEARNING).fit(digits[0])
        for device in ("cuda", "cpu")
    )
    assert on_gpu.score(digits[1]) > 0.5
    assert on_gpu.score(digits[1]) == pytest.approx(on_cpu.score(digits[1]), abs=0.05)


def test_generators_of_the_gpu_are_untouched(digits):
    state = torch.cuda.get_rng_state()
    make_small(KuratowskiEmbedder, device="cuda").fit(digits[0]).transform(digits[1])
    assert torch.equal(torch.cuda.get_rng_state(), state)


def test_a_sinkhorn_divergence_and_its_gradients():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 4, 30, 3, generator=generator, dtype=torch.float64)
    a, b = torch.rand(2, 4, 30, generator=generator, dtype=torch.float64)
    a, b = (mass / mass.sum(dim=1, keepdim=True) for mass in (a, b))
    answers = []
    for device in ("cpu", "cuda"):
        moved = [tensor.to(device).requires_grad_() for tensor in (x, a, y, b)]
        value, converged = sinkhorn_divergence(*moved, reg=0.05)
        assert converged.all()
        slopes = torch.autograd.grad(value.sum(), moved)
        answers.append([tensor.detach().cpu() for tensor in (value, *slopes)])
    for one, other in zip(*answers, strict=True):
        assert_allclose(one, other, rtol=1e-6, atol=1e-8)


def test_pairs_by_the_gpu(digits):
    answers = [
        pairwise_wasserstein(
            digits[1][:30],
            grid_shape=(8, 8),
            ground_truth=SinkhornDivergence(reg=0.05, device=device),
        )
        for device in ("cpu", "cuda")
    ]
    assert_allclose(*answers, rtol=1e-6, atol=1e-8)
