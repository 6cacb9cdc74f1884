"""A million images into a file: speed, memory, a kill on the way, and dask.

    python benchmarks/streaming.py --data DIR [--images 1000000] [--n-jobs 2]

`DIR` holds `mnist_train.npz` and `mnist_train_pairs.npz`. The images are those of
training, shifted by up to two pixels and rolled around the border, made chunk by chunk
by a generator, and once written to a `.npy` file which workers read. A process is
killed (SIGKILL) when a third of the rows is there, and the call made again.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from dwe_mnist import timed

from skwass import WormholeEmbedder
from skwass.streaming import transform_chunks

CHUNK_SIZE = 10_000


def train(folder, n_pairs):
    """Return an embedder fitted to given labels."""
    with np.load(Path(folder) / "mnist_train.npz") as arrays:
        X = arrays["X"].reshape(len(arrays["X"]), -1)
    with np.load(Path(folder) / "mnist_train_pairs.npz") as arrays:
        pairs = np.column_stack([arrays["i"], arrays["j"]])[:n_pairs]
        w = np.sqrt(arrays["w2_sq"][:n_pairs])
    embedder = WormholeEmbedder(grid_shape=(28, 28), max_iter=10, random_state=0)
    return embedder.fit(X, pairs=pairs, distances=w), X


def chunks(X, n_images):
    """Yield images, chunk by chunk, always the same."""
    for number in range(-(-n_images // CHUNK_SIZE)):
        rng = np.random.default_rng(number)
        size = min(CHUNK_SIZE, n_images - number * CHUNK_SIZE)
        images = X[rng.integers(len(X), size=size)].reshape(-1, 28, 28)
        shift = tuple(rng.integers(-2, 3, size=2))
        yield np.roll(images, shift, axis=(1, 2)).reshape(size, -1)


def write_images(X, n_images, path):
    """Write all images to a file."""
    shape = n_images, X.shape[1]
    table = np.lib.format.open_memmap(path, "w+", X.dtype, shape)
    for number, images in enumerate(chunks(X, n_images)):
        start = number * CHUNK_SIZE
        table[start : start + len(images)] = images
    table.flush()


def digest(path):
    """Return a hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def run(folder, model, source, out, n_jobs):
    """Embed the file of images in a process; return it."""
    script = (
        "import re, sys\n"
        "from skwass import WormholeEmbedder\n"
        "from skwass.streaming import transform_chunks\n"
        "model, source, out, n_jobs = sys.argv[1:]\n"
        "embedder = WormholeEmbedder.load(model)\n"
        # Of this process alone: its rusage would count what began it.
        "def peak():\n"
        "    text = open('/proc/self/status').read()\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', text)[1]) / 2**20\n"
        "start = peak()\n"
        "transform_chunks(embedder, source, out, n_jobs=int(n_jobs))\n"
        "print(f'peak {peak():.2f} GB, {start:.2f} GB before', flush=True)\n"
    )
    call = [sys.executable, "-c", script, model, source, out, str(n_jobs)]
    return subprocess.Popen(call)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5_000)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--dask", action="store_true", help="two worker processes too")
    args = parser.parse_args()
    embedder, X = train(args.data, args.pairs)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        model, source = (str(Path(folder) / name) for name in ("model", "X.npy"))
        embedder.save(model)
        out = str(Path(folder) / "generated.npy")
        made = chunks(X, args.images)
        Z, seconds = timed(transform_chunks, embedder, made, out, n_jobs=args.n_jobs)
        print(
            f"generator, {args.n_jobs} threads: {len(Z):,} images in {seconds:.0f} s, "
            f"{len(Z) / seconds:,.0f} per s",
            flush=True,
        )
        _, seconds = timed(write_images, X, args.images, source)
        print(f"made and written to a file in {seconds:.0f} s", flush=True)
        out = str(Path(folder) / "killed.npy")
        process = run(folder, model, source, out, args.n_jobs)
        third = 4 * Z.shape[1] * len(Z) // 3
        while not Path(out).exists() or os.stat(out).st_size < third:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, seconds = timed(run(folder, model, source, out, args.n_jobs).wait)
        print(
            f"killed at a third, the rest in {seconds:.0f} s; same bytes: "
            f"{digest(out) == digest(Path(folder) / 'generated.npy')}",
            flush=True,
        )
        if args.dask:
            by_dask(embedder, source, folder)


def by_dask(embedder, source, folder):
    """Embed the file on a cluster of two workers of this machine."""
    from dask.distributed import Client

    out = str(Path(folder) / "dask.npy")
    client = Client(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with client, joblib.parallel_config(backend="dask"):
        Z, seconds = timed(transform_chunks, embedder, source, out)
    print(
        f"two workers of dask: {len(Z) / seconds:,.0f} per s; same bytes: "
        f"{digest(out) == digest(Path(folder) / 'generated.npy')}",
        flush=True,
    )


if __name__ == "__main__":
    main()
