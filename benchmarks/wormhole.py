"""Wormhole embeddings of images, shapes and cells: accuracy, time and memory.

    python benchmarks/wormhole.py --data DIR --dataset mnist --budget 600
    python benchmarks/wormhole.py --data DIR --dataset modelnet --gromov
    python benchmarks/wormhole.py --data DIR --dataset mnist --all-pairs 256 \
        --max-iter 6000
    python benchmarks/wormhole.py --data DIR --dataset mnist --peer ENV/bin/python

`DIR` holds `mnist_train.npz`, `mnist_test.npz`, `fashion_train.npz`, `fashion_test.npz`
(`X`, `y`), `modelnet.npz` (`points`, `y`, `is_test`), `cells.npz` (`pca`, `y`), and, if
there are any, `<dataset>_test_pairs.npz` (`i`, `j`, `w2_sq`: exact squared W2). All
labels for training are computed in `fit`, within the budget.

`--peer` names a Python that has the package `wassersteinwormhole` (pip install it in an
environment of its own): it is trained on the same clouds for the same time, after ours.
`--all-pairs N` trains on all pairs of the first N test images and says how far their
stress is from the certified optimum.
"""

import argparse
import contextlib
import io
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from dwe_mnist import timed
from scipy.stats import special_ortho_group
from sklearn.neighbors import KNeighborsClassifier
from wormhole_peer import encode_with_peer

from skwass import WormholeEmbedder
from skwass.architectures import CloudDecoder
from skwass.measures import PointClouds, as_measures, thin_clouds
from skwass.metrics import stress_certificate
from skwass.ot import GromovWasserstein, pairwise_wasserstein, sample_pairs

N_TEST_PAIRS = 2_000
N_GROMOV_POINTS = 128
# What the peer is trained on and judged by: it pads all clouds to the largest.
N_PEER_TRAIN, N_PEER_TEST = 20_000, 2_000


class Stamped(io.TextIOBase):
    """Prints lines with the seconds since the start in front."""

    def __init__(self, out):
        self.out, self.start = out, time.perf_counter()

    def write(self, text):
        """Write a line, or the end of one."""
        stamp = "" if text == "\n" else f"{time.perf_counter() - self.start:7.1f} s  "
        return self.out.write(stamp + text)


def load(folder, dataset):
    """Return training and test measures, their classes, and parameters of the data."""
    if dataset in ("mnist", "fashion"):
        parts = []
        for subset in ("train", "test"):
            with np.load(Path(folder) / f"{dataset}_{subset}.npz") as arrays:
                parts += [arrays["X"].reshape(len(arrays["X"]), -1), arrays["y"]]
        return parts[0], parts[2], parts[1], parts[3], {"grid_shape": (28, 28)}
    if dataset == "modelnet":
        with np.load(Path(folder) / "modelnet.npz") as arrays:
            points, y, is_test = arrays["points"], arrays["y"], arrays["is_test"]
        return points[~is_test], points[is_test], y[~is_test], y[is_test], {}
    with np.load(Path(folder) / "cells.npz") as arrays:
        cells, types = arrays["pca"], arrays["y"]
    rng = np.random.default_rng(0)
    train, y_train = make_patients(cells[::2], types[::2], 2_000, rng)
    test, y_test = make_patients(cells[1::2], types[1::2], 500, rng)
    return train, test, y_train, y_test, {}


def make_patients(cells, types, n_patients, rng):
    """Return clouds of 20 to 70 cells with proportions of one of three conditions."""
    profiles = np.random.default_rng(1).dirichlet(np.ones(types.max() + 1), size=3)
    y = rng.integers(3, size=n_patients)
    members = [np.flatnonzero(types == t) for t in range(types.max() + 1)]
    patients = []
    for condition in y:
        shares = rng.dirichlet(20 * profiles[condition] + 0.1)
        drawn = rng.choice(len(shares), size=rng.integers(20, 71), p=shares)
        patients.append(cells[[rng.choice(members[t]) for t in drawn]])
    return patients, y


def turned(points, seed):
    """Return shapes of few points, each turned at random."""
    clouds = thin_clouds(points, N_GROMOV_POINTS)
    turns = special_ortho_group.rvs(3, size=len(clouds), random_state=seed)
    moved = [x @ turn for x, turn in zip(clouds.points, turns, strict=True)]
    return PointClouds(moved, clouds.masses)


def test_labels(args, X, options):
    """Return pairs of test measures and W, from a file where there is one."""
    file = Path(args.data) / f"{args.dataset}_test_pairs.npz"
    if file.exists() and not args.gromov:
        with np.load(file) as arrays:
            pairs = np.column_stack([arrays["i"], arrays["j"]])
            return pairs, np.sqrt(arrays["w2_sq"])
    pairs = sample_pairs(len(X), N_TEST_PAIRS, np.random.RandomState(2))
    truth = options.get("ground_truth", "exact")
    grid = options.get("grid_shape")
    W = pairwise_wasserstein(
        X, pairs=pairs, ground_truth=truth, grid_shape=grid, n_jobs=args.n_jobs
    )
    return pairs, W


def predicted(Z, pairs):
    """Return the distances of some pairs of embeddings."""
    Z = np.asarray(Z, dtype=np.float64)
    return np.linalg.norm(Z[pairs[:, 0]] - Z[pairs[:, 1]], axis=1)


def report(rows):
    """Print names and numbers."""
    for name, value in rows:
        print(f"{name:44}{value:>24}", flush=True)


def run_peer(args, train, test, pairs, W, ours):
    """Train and judge the peer on the same clouds; print both."""
    sides = [as_clouds(train, args)[:N_PEER_TRAIN], as_clouds(test, args)[:N_PEER_TEST]]
    Z, (n_steps, ready, fit, encode) = encode_with_peer(args.peer, *sides, args.budget)
    kept = (pairs < N_PEER_TEST).all(axis=1)
    corr = np.corrcoef(predicted(Z, pairs[kept]), W[kept])[0, 1]
    own = np.corrcoef(ours["found"][kept], W[kept])[0, 1]
    speed = len(Z) / encode
    report(
        [
            (f"peer: steps in {fit:.0f} s ({ready:.0f} s set-up)", f"{n_steps:.0f}"),
            (f"peer: corr of W, {kept.sum()} unseen pairs", f"{corr:.5f}"),
            ("ours, the same pairs", f"{own:.5f}"),
            ("peer: encodes clouds/s", f"{speed:,.0f}"),
            ("ours, clouds/s, as lists of points", f"{ours['speed']:,.0f}"),
            ("ratio", f"{ours['speed'] / speed:.0f}"),
        ]
    )


def as_clouds(X, args):
    """Return measures as point clouds."""
    grid = (28, 28) if args.dataset in ("mnist", "fashion") else None
    return as_measures(X, grid_shape=grid).to_clouds()


def all_pairs(args, X, options):
    """Train on all pairs of some images; print stress over the certified optimum."""
    X = X[: args.all_pairs]
    W = pairwise_wasserstein(X, grid_shape=options["grid_shape"], n_jobs=args.n_jobs)
    # Each step embeds all images and takes all pairs: what is asked is how near an
    # embedding can come, not how it generalises.
    embedder = WormholeEmbedder(
        **options,
        batch_size=len(X) * (len(X) - 1) // 2,
        max_iter=args.max_iter,
        learning_rate=3e-3,
        weight_decay=0.0,
        early_stopping=False,
        random_state=args.seed,
    )
    _, fit = timed(embedder.fit, X, distances=W)
    certificate = stress_certificate(embedder, X, distances=W)
    i, j = np.triu_indices(len(X), k=1)
    corr = np.corrcoef(embedder.pairwise_distances(X)[i, j], W[i, j])[0, 1]
    report(
        [
            ("images, all pairs", f"{len(X)}"),
            ("fit, s", f"{fit:.0f}"),
            ("corr of W", f"{corr:.5f}"),
            ("stress", f"{certificate.stress:.1f}"),
            ("certified optimum", f"{certificate.optimum:.1f}"),
            ("ratio", f"{certificate.ratio:.3f}"),
        ]
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    names = ["mnist", "fashion", "modelnet", "cells"]
    parser.add_argument("--dataset", required=True, choices=names)
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of fit")
    parser.add_argument("--labels", type=int, default=20_000)
    parser.add_argument("--max-iter", type=int, default=40)
    parser.add_argument("--architecture", default="fourier")
    parser.add_argument("--decoder", type=float, default=0.0, help="its weight")
    parser.add_argument("--gromov", action="store_true", help="turned shapes")
    parser.add_argument("--all-pairs", type=int, default=None)
    parser.add_argument("--peer", default=None, help="a Python that has the peer")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    train, test, y_train, y_test, options = load(args.data, args.dataset)
    options = {
        **options,
        "architecture": args.architecture,
    }
    if args.all_pairs:
        all_pairs(args, test, options)
        return
    if args.gromov:
        train, test = turned(train, 0), turned(test, 1)
        options["ground_truth"] = GromovWasserstein(tol=1e-6)
    pairs, W = test_labels(args, test, options)
    decoder = None
    if args.decoder:
        decoder = CloudDecoder(args.decoder, n_points=128, max_points=256)
    embedder = WormholeEmbedder(
        **options,
        decoder=decoder,
        n_pairs=args.labels,
        max_iter=args.max_iter,
        max_time=args.budget,
        n_jobs=args.n_jobs,
        random_state=args.seed,
        verbose=1,
    )
    with contextlib.redirect_stdout(Stamped(sys.stdout)):
        _, fit = timed(embedder.fit, train)
    Z, encode = timed(embedder.transform, test)
    found = embedder._paired_distances(Z, pairs)
    Z_train = embedder.transform(train)
    accuracy = KNeighborsClassifier(5).fit(Z_train, y_train).score(Z, y_test)
    speed = len(test) / encode
    rows = [
        ("labels, computed in fit", f"{embedder.n_solves_:,}"),
        ("fit, s, labels included", f"{fit:.0f}"),
        ("epochs", f"{embedder.n_iter_}, {embedder.stopped_by_}"),
        ("padding, share of points", f"{embedder.padded_share_:.3f}"),
        (f"corr of W, {len(W):,} unseen pairs", f"{np.corrcoef(found, W)[0, 1]:.5f}"),
        ("relative error of W", f"{np.mean(np.abs(found - W) / W):.4f}"),
        ("MSE of W^2", f"{np.mean((found**2 - W**2) ** 2):.4g}"),
        ("5-NN accuracy on embeddings", f"{accuracy:.4f}"),
        ("encodes measures/s", f"{speed:,.0f}"),
    ]
    ours = {"found": found, "speed": speed}
    if "grid_shape" in options:
        # The same network on lists of points, as for clouds that share no grid.
        clouds = as_clouds(test[:N_PEER_TEST], args)
        module, device = embedder.module_, embedder._device()
        with torch.inference_mode():
            _, encode = timed(module.embed, clouds, device)
        ours["speed"] = len(clouds) / encode
        rows.append(("encodes clouds/s, as lists of points", f"{ours['speed']:,.0f}"))
    n_exact = embedder.module_.n_exact
    if n_exact:
        # Classes do not depend on where a measure is.
        shape = slice(embedder.module_.readout.n_common - n_exact)
        centred = KNeighborsClassifier(5).fit(Z_train[:, shape], y_train)
        accuracy = centred.score(Z[:, shape], y_test)
        rows.append(("5-NN accuracy without the mean", f"{accuracy:.4f}"))
    if args.gromov:
        other = embedder.transform(turned(thin_clouds(test, N_GROMOV_POINTS), 7))
        moved = np.linalg.norm(other - Z, axis=1).max() / np.mean(W)
        rows.append(("a turn moves an embedding by, over mean W", f"{moved:.1e}"))
    if args.decoder:
        made = embedder.inverse_transform(Z[:200]).astype(np.float64)
        own = np.column_stack([np.arange(200)] * 2)
        for truth in ("sinkhorn", "exact"):
            errors = pairwise_wasserstein(
                as_clouds(test[:200], args), made, pairs=own, ground_truth=truth
            )
            rows.append((f"decoded clouds, mean {truth} W", f"{errors.mean():.4f}"))
        rows.append(("mean W of pairs", f"{W.mean():.4f}"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows.append(("peak memory, GB", f"{peak:.2f}"))
    report(rows)
    if args.peer:
        run_peer(args, train, test, pairs, W, ours)


if __name__ == "__main__":
    main()
