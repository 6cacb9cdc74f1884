"""DWE on MNIST: labels, fit, accuracy and speed in one table.

    python benchmarks/dwe_mnist.py --data DIR --labels 200000 --architecture dense

`DIR` holds `mnist_train.npz` and `mnist_test.npz` (`X`, `y`) and, if there are any,
`mnist_train_pairs.npz` and `mnist_test_pairs.npz` (`i`, `j`, `w2_sq`: exact squared W2
in pixels). Pairs that are not there are drawn and labelled. Labels per second are timed
beside the loop of the authors of DWE, `ot.emd2` on full histograms, in the same run.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import ot
import torch

from skwass import DeepWassersteinEmbedder
from skwass.datasets import fetch_mnist
from skwass.measures import as_measures
from skwass.ot import pairwise_wasserstein, sample_pairs

GRID = (28, 28)
N_TEST_PAIRS = 20_000


def timed(function, *args, **kwargs):
    """Return what a call gives and the seconds that it took."""
    start = time.perf_counter()
    answer = function(*args, **kwargs)
    return answer, time.perf_counter() - start


def labelled_pairs(folder, subset, X, n_pairs, seed, n_jobs):
    """Return pairs and W, from a file where there is one."""
    file = Path(folder) / f"mnist_{subset}_pairs.npz"
    if file.exists():
        with np.load(file) as arrays:
            pairs = np.column_stack([arrays["i"], arrays["j"]])[:n_pairs]
            return pairs, np.sqrt(arrays["w2_sq"][:n_pairs])
    pairs = sample_pairs(len(X), n_pairs, np.random.RandomState(seed))
    W = pairwise_wasserstein(X, pairs=pairs, grid_shape=GRID, n_jobs=n_jobs)
    return pairs, W


def label_speeds(X, n_jobs, n_pairs=2_000, n_plain=200):
    """Return labels per second of a plain loop and of skwass, and the largest gap."""
    measures = as_measures(X, grid_shape=GRID)
    pairs = sample_pairs(len(X), n_pairs, np.random.RandomState(0))
    M = ot.dist(measures.support)
    masses = measures.masses
    plain, plain_time = timed(
        lambda: [ot.emd2(masses[i], masses[j], M) for i, j in pairs[:n_plain]]
    )
    W, time_taken = timed(
        pairwise_wasserstein, X, pairs=pairs, grid_shape=GRID, n_jobs=n_jobs
    )
    gap = np.abs(W[:n_plain] ** 2 - plain).max()
    return n_plain / plain_time, n_pairs / time_taken, gap


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--labels", type=int, default=200_000)
    parser.add_argument("--architecture", default="dense")
    parser.add_argument("--max-iter", type=int, default=None)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    X, _ = fetch_mnist(data_home=args.data, return_X_y=True)
    X_test, _ = fetch_mnist(subset="test", data_home=args.data, return_X_y=True)
    plain_speed, speed, gap = label_speeds(X_test, args.n_jobs)
    train = labelled_pairs(args.data, "train", X, args.labels, 1, args.n_jobs)
    test = labelled_pairs(args.data, "test", X_test, N_TEST_PAIRS, 2, args.n_jobs)

    embedder = DeepWassersteinEmbedder(
        architecture=args.architecture,
        grid_shape=GRID,
        device=args.device,
        random_state=args.seed,
    )
    if args.max_iter is not None:
        embedder.set_params(max_iter=args.max_iter)
    _, fit_time = timed(embedder.fit, X, pairs=train[0], distances=train[1])
    Z, transform_time = timed(embedder.transform, X_test)
    D, pairwise_time = timed(embedder.pairwise_distances, X_test)
    both, pairwise_time = pairwise_time, pairwise_time - transform_time

    i, j = test[0].T
    w2_sq = test[1] ** 2
    predicted = D[i, j].astype(np.float64) ** 2
    error = predicted - w2_sq
    n_pairs = len(D) * (len(D) - 1) / 2
    rows = [
        ("architecture", args.architecture),
        ("weights", f"{sum(p.numel() for p in embedder.module_.parameters()):,}"),
        ("threads of torch", f"{torch.get_num_threads()}"),
        ("labels/s, plain loop ot.emd2", f"{plain_speed:,.0f}"),
        (f"labels/s, skwass, n_jobs={args.n_jobs}", f"{speed:,.0f}"),
        ("  ratio", f"{speed / plain_speed:.2f}"),
        ("  largest gap of W2^2", f"{gap:.1e}"),
        ("labelled pairs", f"{embedder.n_pairs_:,}"),
        ("fit, s", f"{fit_time:.0f}"),
        ("epochs", f"{embedder.n_iter_}, {embedder.stopped_by_}"),
        ("test MSE of W2^2, pixels^4", f"{np.mean(error**2):.4f}"),
        ("relative MSE of W2^2", f"{np.mean((error / w2_sq) ** 2):.2e}"),
        ("correlation of W2^2", f"{np.corrcoef(predicted, w2_sq)[0, 1]:.5f}"),
        ("correlation of W2", f"{np.corrcoef(predicted**0.5, test[1])[0, 1]:.5f}"),
        ("transform, images/s", f"{len(Z) / transform_time:,.0f}"),
        ("all pairs, matrix entries/s", f"{D.size / pairwise_time:,.0f}"),
        ("exact / embedding, from images", f"{n_pairs / speed / both:,.0f}"),
    ]
    for name, value in rows:
        print(f"{name:36}{value:>18}")


if __name__ == "__main__":
    main()
