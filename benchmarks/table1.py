"""Table 1 of the Wormhole paper with all embedders: distances, classes, speed.

    python benchmarks/table1.py --data DIR
    python benchmarks/table1.py --data DIR --dataset modelnet --only linear

`DIR` as for `wormhole.py`; labels for training are those of `<dataset>_train_pairs.npz`
where there are any (20,000 at most) and computed otherwise, and the same for all
embedders that learn. Distances are judged on the test pairs of the file, or on 2,000.
Classes are those of the 5 nearest training measures by the embedder; for
DiffusionEMD, whose L1 distances have thousands of columns, of 10,000 training measures,
and for 2,000 test measures. Published figures stand beside.
"""

import argparse
from pathlib import Path

import numpy as np
from dwe_mnist import timed
from wormhole import load, test_labels

from skwass import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.embedders._training_free import TrainingFreeEmbedder
from skwass.measures import Histograms
from skwass.ot import pairwise_wasserstein, sample_pairs

N_LABELS, N_FEW_TRAIN, N_FEW_TEST, N_ASKED = 20_000, 10_000, 2_000, 500
DATASETS = ("mnist", "fashion", "modelnet", "cells")
# Correlation and accuracy in table 1 of the paper; for shapes on ModelNet40, which has
# 2,048 points per shape and 40 classes.
PUBLISHED = {
    "mnist": {
        "wormhole": (0.98, 0.98),
        "diffusion": (0.845, 0.84),
        "deep": (0.92, 0.97),
        "gaussian": (0.86, 0.49),
    },
    "fashion": {
        "wormhole": (0.99, 0.87),
        "diffusion": (0.97, 0.77),
        "deep": (0.98, 0.87),
        "gaussian": (0.99, 0.73),
    },
    "modelnet": {
        "wormhole": (0.99, 0.86),
        "diffusion": (0.85, 0.69),
        "deep": (0.97, 0.78),
        "gaussian": (0.95, 0.61),
    },
    "cells": {},
}


class Plain(TrainingFreeEmbedder):
    """Pixels as they are, or means of clouds: what optimal transport competes with."""

    def __init__(self, grid_shape=None):
        self.grid_shape, self.support = grid_shape, None
        self.random_state = None

    def _fit(self, measures, *details):
        return {"_n_features_out": self._embed(measures[:1]).shape[1]}

    def _embed(self, measures):
        if isinstance(measures, Histograms):
            return measures.masses.astype(np.float32)
        clouds = map(measures.measure, range(len(measures)))
        return np.array([a @ x for x, a in clouds], dtype=np.float32)


def make_embedders(options, n_jobs):
    """Return names, embedders, and whether they learn from labels."""
    common = {**options, "random_state": 0, "n_jobs": n_jobs}
    images = [
        ("deep", DeepWassersteinEmbedder(**common), True),
        ("kuratowski", KuratowskiEmbedder(**common), True),
    ]
    return [
        ("wormhole", WormholeEmbedder(**common), True),
        *(images if options else []),
        ("linear", LinearOTEmbedder(**common), False),
        ("linear, PCA 64", LinearOTEmbedder(64, **common), False),
        ("linear, corrected", LinearOTEmbedder(correction=True, **common), True),
        ("sliced", SlicedWassersteinEmbedder(**common), False),
        ("sliced, scaled", SlicedWassersteinEmbedder(scale=True, **common), False),
        ("gaussian", GaussianEmbedder(**common), False),
        ("diffusion", DiffusionEMDEmbedder(**common), False),
        ("plain", Plain(**options), False),
    ]


def train_labels(args, dataset, X, options):
    """Return pairs of training measures and W, from a file where there is one."""
    file = Path(args.data) / f"{dataset}_train_pairs.npz"
    if file.exists():
        with np.load(file) as arrays:
            pairs = np.column_stack([arrays["i"], arrays["j"]])[:N_LABELS]
            return pairs, np.sqrt(arrays["w2_sq"][:N_LABELS])
    pairs = sample_pairs(len(X), N_LABELS, np.random.RandomState(1))
    return pairs, pairwise_wasserstein(X, pairs=pairs, **options, n_jobs=args.n_jobs)


def accuracy_of(embedder, train, y_train, test, y_test):
    """Return the accuracy of 5 nearest neighbours by the distance of an embedder."""
    if isinstance(embedder, DiffusionEMDEmbedder):
        train, y_train = train[:N_FEW_TRAIN], y_train[:N_FEW_TRAIN]
        test, y_test = test[:N_FEW_TEST], y_test[:N_FEW_TEST]
    known, asked = (
        embedder._represent(embedder._as_measures(X)) for X in (train, test)
    )
    n_right = 0
    for k in range(0, len(asked), N_ASKED):
        D = embedder._all_distances(asked[k : k + N_ASKED], known, squared=False)
        votes = y_train[np.argpartition(D, 5, axis=1)[:, :5]]
        named = np.array([np.bincount(row).argmax() for row in votes])
        n_right += np.count_nonzero(named == y_test[k : k + N_ASKED])
    return n_right / len(asked)


def judge(embedder, given, data, pairs, W):
    """Fit, and return a row of the table."""
    train, y_train, test, y_test = data
    _, fit_time = timed(embedder.fit, train, **given)
    Z, seconds = timed(embedder.transform, test)
    r = embedder._represent(embedder._as_measures(test))
    d = embedder._paired_distances(r, pairs)
    return {
        "corr": np.corrcoef(d, W)[0, 1],
        "rel": np.mean(np.abs(d - W) / W),
        "MSE": np.mean((d**2 - W**2) ** 2),
        "min d/W": np.min(d / W),
        "5-NN": accuracy_of(embedder, train, y_train, test, y_test),
        "fit s": fit_time,
        "per s": len(test) / seconds,
        "columns": Z.shape[1],
    }


def run(args, dataset):
    """Print the table of a dataset."""
    train, test, y_train, y_test, options = load(args.data, dataset)
    args.dataset, args.gromov = dataset, False
    pairs, W = test_labels(args, test, options)
    labels = train_labels(args, dataset, train, options)
    print(f"\n{dataset}: {len(train):,} training measures, {len(labels[1]):,} labels")
    heads = ("corr", 9), ("rel", 8), ("MSE", 11), ("min d/W", 9), ("5-NN", 8)
    heads += ("fit s", 8), ("per s", 10), ("columns", 9)
    line = "".join(f"{head:>{width}}" for head, width in heads)
    print(f"{'':20}{line}   published corr, accuracy", flush=True)
    embedders = make_embedders(options, args.n_jobs)
    for name, embedder, learns in embedders:
        if args.only and args.only not in name:
            continue
        given = dict(zip(("pairs", "distances"), labels, strict=True)) if learns else {}
        data = train, y_train, test, y_test
        row = judge(embedder, given, data, pairs, W)
        print(
            f"{name:20}{row['corr']:9.5f}{row['rel']:8.4f}{row['MSE']:11.4g}"
            f"{row['min d/W']:9.3f}{row['5-NN']:8.4f}{row['fit s']:8.1f}"
            f"{row['per s']:10,.0f}{row['columns']:9,d}   "
            f"{PUBLISHED[dataset].get(name, '')}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--dataset", choices=DATASETS, nargs="+", default=DATASETS)
    parser.add_argument("--only", default="", help="embedders with this in their name")
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    for dataset in args.dataset:
        run(args, dataset)


if __name__ == "__main__":
    main()
