"""What a GPU brings, beside the CPU of the same machine, in one run.

    python benchmarks/gpu.py --data DIR [--small] [--devices cpu cuda] [--tests]

`DIR` holds `mnist_train.npz`, `mnist_train_pairs.npz` and `modelnet.npz`. Printed are,
for each device: labels per second of Sinkhorn divergences on grids and between clouds,
with their relative error, beside exact labels on one core; steps of training per second
of each network, in steady state, with its floating point operations (counted by torch)
as a share of what a product of two large matrices reaches; measures embedded per
second; entries of all-pairs matrices per second, beside a bare product of rows; and
peak memory of the device. A model that was trained on the first CUDA device, if there
is one, is opened on the CPU. `--small` takes about a minute on two cores; `--tests`
runs the tests marked `gpu` first.
"""

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.measures import thin_clouds
from skwass.ot import SinkhornDivergence, pairwise_wasserstein, sample_pairs

IMAGES = {"grid_shape": (28, 28)}
NETWORKS = {
    "Deep, slices": (DeepWassersteinEmbedder, IMAGES, "images"),
    "Deep, paper": (
        DeepWassersteinEmbedder,
        IMAGES | {"architecture": "courty2018"},
        "images",
    ),
    "Kuratowski, curve": (KuratowskiEmbedder, IMAGES, "images"),
    "Wormhole, slices": (WormholeEmbedder, IMAGES, "images"),
    "Wormhole, clouds": (WormholeEmbedder, {}, "clouds"),
    "Wormhole, transformer": (
        WormholeEmbedder,
        {"architecture": "set_transformer"},
        "clouds",
    ),
}
N_EPOCHS = 6


class Stamps(io.TextIOBase):
    """Notes when each epoch ends, by the line that says so."""

    def __init__(self):
        self.times = []

    def write(self, text):
        """Note the time of a line on an epoch: its loss has been read by then."""
        if "epoch" in text:
            self.times.append(time.perf_counter())
        return len(text)


def seconds_of(function, device, n_rounds=3):
    """Return the least time of a call, after one that warms up."""
    function()
    times = []
    for _ in range(n_rounds):
        wait(device)
        start = time.perf_counter()
        function()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def wait(device):
    """Wait for what a GPU was told to do."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def matmul_peak(device, n):
    """Return operations per second of a product of two square matrices, float32."""
    a = torch.randn(n, n, device=device)
    return 2 * n**3 / seconds_of(lambda: a @ a, device)


def labels(data, device, small):
    """Print labels per second of what can run on the device."""
    images, clouds = data["images"][0][:500], data["clouds"][0][:200]
    cases = {"28 x 28": (images, IMAGES), "clouds of 256": (clouds, {})}
    n_pairs = 64 if small else 1_024
    for name, (X, space) in cases.items():
        pairs = sample_pairs(len(X), n_pairs, 0)
        few = pairs[:: max(1, n_pairs // 128)]
        start = time.perf_counter()
        w = pairwise_wasserstein(X, pairs=few, **space)
        rate = len(few) / (time.perf_counter() - start)
        print(f"| labels, {name}, exact | cpu, one core | {rate:,.0f} per s | |")
        for reg in (0.01, 0.001):
            truth = SinkhornDivergence(reg=reg, device=device)
            start = time.perf_counter()
            found = pairwise_wasserstein(X, pairs=pairs, ground_truth=truth, **space)
            rate = n_pairs / (time.perf_counter() - start)
            error = np.mean(np.abs(found[:: max(1, n_pairs // 128)] / w - 1))
            print(
                f"| labels, {name}, Sinkhorn {reg} | {device} | {rate:,.0f} per s "
                f"| error {100 * error:.2f} % |",
                flush=True,
            )


def networks(data, device, small, peak):
    """Print steps per second, share of the peak, and measures per second."""
    for name, (kind, space, which) in NETWORKS.items():
        X, pairs, w = data[which]
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats()
        settings = {"device": device, "early_stopping": False, "random_state": 0}
        embedder = kind(
            **space, **settings, max_iter=N_EPOCHS, n_components=64, verbose=1
        )
        with contextlib.redirect_stdout(Stamps()) as stamps:
            embedder.fit(X, pairs=pairs, distances=w)
        n_steps = -(-len(pairs) // batch_of(len(pairs)))
        rate = n_steps / np.median(np.diff(stamps.times))
        with FlopCounterMode(display=False) as counter:
            kind(**space, **settings, max_iter=1, n_components=64).fit(
                X, pairs=pairs, distances=w
            )
        flops = counter.get_total_flops() / n_steps
        few = X[: 256 if small else 4_096]
        speed = len(few) / seconds_of(lambda e=embedder, X=few: e.transform(X), device)
        memory = ""
        if device.startswith("cuda"):
            memory = f", {torch.cuda.max_memory_allocated() / 2**30:.2f} GB"
        print(
            f"| {name} | {device} | {rate:,.0f} steps per s, {flops:.2g} operations "
            f"each, {100 * rate * flops / peak:.0f} % of the peak{memory} "
            f"| transform {speed:,.0f} per s |",
            flush=True,
        )


def batch_of(n_pairs):
    """Return the pairs of a step by default."""
    return int(np.clip(n_pairs // 400, 128, 1024))


def all_pairs(data, device, small):
    """Print entries of a matrix of distances per second, beside a bare product."""
    X, pairs, w = data["images"]
    embedder = DeepWassersteinEmbedder(
        **IMAGES, max_iter=1, early_stopping=False, device=device, random_state=0
    ).fit(X, pairs=pairs, distances=w)
    Z = embedder.transform(X[: 1_000 if small else 20_000])
    rows = torch.from_numpy(Z)
    bare = seconds_of(lambda: rows @ rows.T, "cpu")
    ours = seconds_of(lambda: embedder.embedded_distances(Z), "cpu")
    print(
        f"| all pairs of {len(Z):,} rows | cpu | {len(Z) ** 2 / ours:.2g} entries per "
        f"s | {ours / bare:.1f} times a bare product |",
        flush=True,
    )
    if not device.startswith("cuda"):
        return
    with tempfile.TemporaryDirectory() as folder:
        embedder.save(Path(folder) / "model")
        opened = DeepWassersteinEmbedder.load(Path(folder) / "model")
    opened.set_params(device="cpu")
    error = np.abs(opened.transform(X[:1_000]) - embedder.transform(X[:1_000])).max()
    print(f"| opened on the CPU | | largest difference of rows {error:.1e} | |")


def load(folder, small):
    """Return measures, pairs and labels of images and of clouds."""
    n_images, n_pairs = (2_000, 4_000) if small else (60_000, 100_000)
    with np.load(Path(folder) / "mnist_train.npz") as arrays:
        images = arrays["X"].reshape(len(arrays["X"]), -1)[:n_images]
    with np.load(Path(folder) / "modelnet.npz") as arrays:
        shapes = arrays["points"][: 200 if small else 2_000]
    clouds = thin_clouds(shapes, 256)
    # To be timed, labels need not be right.
    data, rng = {}, np.random.default_rng(0)
    for name, X, n in (("images", images, n_pairs), ("clouds", clouds, n_pairs // 2)):
        pairs = sample_pairs(len(X), n, 0)
        data[name] = X, pairs, rng.uniform(5, 6, size=len(pairs))
    return data


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--tests", action="store_true")
    has_gpu = torch.cuda.is_available()
    known = ["cpu", "cuda"] if has_gpu else ["cpu"]
    parser.add_argument("--devices", nargs="+", default=known)
    args = parser.parse_args()
    if args.tests:
        call = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
        subprocess.run(call, check=False)
    print(torch.cuda.get_device_name() if has_gpu else "no CUDA device is at hand")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    data = load(args.data, args.small)
    print("| what | device | speed | |\n|---|---|---|---|")
    for device in args.devices:
        peak = matmul_peak(device, 1_024 if device == "cpu" else 8_192)
        print(f"| product of matrices | {device} | {peak / 1e12:.3g} TFLOP/s | |")
        labels(data, device, args.small)
        networks(data, device, args.small, peak)
        all_pairs(data, device, args.small)


if __name__ == "__main__":
    main()
