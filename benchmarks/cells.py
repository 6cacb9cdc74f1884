"""Clouds of cells and of words: all embedders and baselines on what they never saw.

    python benchmarks/cells.py --data DIR [--dataset niches] [--seeds 0 1 2]
    python benchmarks/cells.py --data DIR --peer ENV/bin/python
    python benchmarks/cells.py --data DIR --scale 256058

`DIR` as for `private_axis.py`, and `docs_r8.npz` with `words_w2v300.npz`. Niches are
those of the right half of the tissue, learned from the left, of 11 cells or of 30; or,
as `random`, a third of all niches of 11, which share cells with those of training;
patients are held out. The distances that are judged, and recall, are those of
`private_axis.py`; labels are solved within the time of `fit`. Accuracy is that of the 5
nearest neighbours by `embedded_distances`, for the type of the cell in the middle, or
the class of a document.

`--peer` names a Python that has the package `wassersteinwormhole` (see
`wormhole_peer.py`), which alone is trained then, on the same measures, for `--budget`
seconds; its distances are multiplied by what fits the test pairs best, in its favour.

`--scale N` repeats the tissue until there are N niches of 11 cells, without copies,
and prints time and peak memory of labels, fit and transform.
"""

import argparse
import resource
from pathlib import Path

import numpy as np
from dwe_mnist import timed
from private_axis import NICHE_RADIUS, Truth, patients
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from wormhole_peer import encode_with_peer

from skwass import (
    GaussianEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.measures import PointClouds, as_measures, clouds_from_neighbors

DATASETS = ("niches", "niches of 30", "random", "patients", "documents")
# Documents that are learned from, and judged.
N_DOCUMENTS = 2_000, 1_000
N_NEIGHBORS_VOTE = 5
# Those whose distances are not those of rows.
OF_PAIRS = "Gaussian", "sliced regression"


def embedders(seed, n_jobs, **options):
    """Return embedders by name."""
    how = {"random_state": seed, "n_jobs": n_jobs, **options}
    return {
        "means": PseudobulkEmbedder(scale=True, **how),
        "means, private axis": PseudobulkEmbedder(scale=True, private_axis=True, **how),
        "Gaussian": GaussianEmbedder(**how),
        "sliced": SlicedWassersteinEmbedder(scale=True, **how),
        "sliced regression": SlicedRegressionEmbedder(**how),
        "linear OT, 64": LinearOTEmbedder(64, **how),
        "linear OT, all": LinearOTEmbedder(**how),
        "Wormhole, 64": WormholeEmbedder(n_components=64, **how),
        "Wormhole, 256": WormholeEmbedder(n_components=256, **how),
        "Wormhole, Fourier": WormholeEmbedder(
            n_components=64, architecture="fourier", **how
        ),
    }


def tissue(folder):
    """Return genes of cells, scaled as in the papers on niches, places and types."""
    with np.load(Path(folder) / "niche_merfish.npz") as arrays:
        X, xy = arrays["X"].astype(np.float64), arrays["xy"].astype(np.float64)
        kinds = arrays["cell_type"]
    low, high = X.min(axis=0), X.max(axis=0)
    return (2 * (X - low) / (high - low) - 1) / np.sqrt(X.shape[1]), xy, kinds


def niches(folder, n_cells, at_random=False):
    """Return niches and the types of their middles, of training and test."""
    X, xy, kinds = tissue(folder)
    reach, near = cKDTree(xy).query(xy, n_cells + 1)
    radius = NICHE_RADIUS * max(1, (n_cells / 11) ** 0.5)
    if at_random:
        whole = np.flatnonzero(reach[:, -1] < radius)
        order = np.random.default_rng(0).permutation(whole)
        parts = order[len(order) // 3 :], order[: len(order) // 3]
    else:
        left = xy[:, 0] < np.median(xy[:, 0])
        parts = [
            np.flatnonzero(half & half[near].all(axis=1) & (reach[:, -1] < radius))
            for half in (left, ~left)
        ]
    return [(X[near[rows, 1:]], kinds[rows]) for rows in parts]


def documents(folder):
    """Return counts of words, sparse, with classes, of training and test; and words."""
    with np.load(Path(folder) / "docs_r8.npz") as arrays:
        columns, counts = arrays["indices"].astype(np.int32), arrays["counts"]
        indptr, classes, is_test = arrays["indptr"], arrays["y"], arrays["is_test"]
    with np.load(Path(folder) / "words_w2v300.npz") as arrays:
        (words,) = (
            arrays[name].astype(np.float64)
            for name in arrays.files
            if arrays[name].ndim == 2
        )
    X = csr_array((counts.astype(float), columns, indptr), (len(is_test), len(words)))
    rng, parts = np.random.default_rng(0), []
    for part, n in zip((~is_test, is_test), N_DOCUMENTS, strict=True):
        known = np.flatnonzero(part & (np.diff(indptr) > 0))
        rows = rng.permutation(known)[:n]
        parts.append((X[rows], classes[rows]))
    return parts, words


def data_of(folder, dataset):
    """Return measures and classes of training, and of test, and parameters."""
    if dataset == "documents":
        parts, words = documents(folder)
        return parts, {"support": words}
    if dataset == "patients":
        return [(samples, None) for samples in patients(folder)], {}
    if dataset == "niches of 30":
        return niches(folder, 30), {}
    return niches(folder, 11, at_random=dataset == "random"), {}


def vote(D, classes):
    """Return the classes that most of the nearest have: [n_queries, n_stored]."""
    nearest = classes[np.argsort(D, axis=1)[:, :N_NEIGHBORS_VOTE]]
    return np.array([np.bincount(row).argmax() for row in nearest])


def compare(folder, dataset, seeds, names, n_jobs):
    """Print the table of one data set."""
    ((train, known), (test, classes)), options = data_of(folder, dataset)
    truth = Truth(dataset, test, options, n_jobs)
    n_test = len(truth.measures)
    print(f"{dataset}: {n_test} unseen measures", flush=True)
    for name in names or embedders(0, n_jobs):
        rows = []
        for seed in seeds:
            embedder = embedders(seed, n_jobs, **options)[name]
            _, fit_time = timed(embedder.fit, train)
            embedder.transform(test[:2])
            Z, seconds = timed(embedder.transform, test)
            judge = judge_pairs if name in OF_PAIRS else Truth.judge
            row = judge(truth, embedder)
            accuracy = np.nan
            if classes is not None:
                D = embedder.embedded_distances(Z, embedder.transform(train))
                accuracy = np.mean(vote(D, known) == classes)
            rows.append(
                [
                    *(row[key] for key in ("corr", "R2", "recall", "of rows")),
                    accuracy,
                    fit_time,
                    n_test / seconds,
                ]
            )
        means, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        print(
            f"| {dataset} | {name} | {Z.shape[1]:,} | {means[0]:.4f} ({spread[0]:.1g}) "
            f"| {means[1]:.3f} ({spread[1]:.1g}) | {means[2]:.3f}, {means[3]:.3f} "
            f"| {means[4]:.3f} | {means[5]:.1f} | {means[6]:,.0f} |",
            flush=True,
        )


def compare_peer(folder, dataset, python, budget):
    """Print what the peer makes of one data set."""
    ((train, known), (test, classes)), options = data_of(folder, dataset)
    truth = Truth(dataset, test, options, 1)
    measures = as_measures(train, **options)
    both = [m.measure(i) for m in (truth.measures, measures) for i in range(len(m))]
    n_train, n_test = len(measures), len(truth.measures)
    clouds = PointClouds([points for points, _ in both], [w for _, w in both])
    rows, (n_steps, _, fit_time, seconds) = encode_with_peer(
        python, clouds[n_test:], clouds, budget
    )
    Z, Z_train = rows[:n_test], rows[n_test:]
    d = np.linalg.norm(Z[truth.pairs[:, 0]] - Z[truth.pairs[:, 1]], axis=1)
    row = truth.report(
        d * (d @ truth.w) / (d @ d), cdist(Z[truth.queries], Z[truth.stored]), Z
    )
    accuracy = np.nan
    if classes is not None:
        accuracy = np.mean(vote(cdist(Z, Z_train), known) == classes)
    print(
        f"| {dataset} | peer, {n_steps:.0f} steps of {n_train} clouds | {Z.shape[1]} "
        f"| {row['corr']:.4f} | {row['R2']:.3f} | {row['recall']:.3f} "
        f"| {accuracy:.3f} | {fit_time:.0f} | {len(rows) / seconds:,.0f} |",
        flush=True,
    )


def judge_pairs(truth, embedder):
    """Return what an estimator of distances says, rather than its rows."""
    measures, w = truth.measures, truth.w
    queries, stored = measures[truth.queries], measures[truth.stored]
    among = embedder.pairwise_distances(queries, stored)
    d = embedder._paired_distances(embedder._represent(measures), truth.pairs)
    error = np.sum((d - w) ** 2) / np.sum((w - w.mean()) ** 2)
    return {
        "corr": np.corrcoef(d, w)[0, 1],
        "R2": 1 - error,
        "recall": truth.recall(among),
        "of rows": np.nan,
    }


def at_scale(folder, n_niches, n_jobs):
    """Print time and peak memory for many niches, which are views of one table."""
    X, xy, _ = tissue(folder)
    rng = np.random.default_rng(0)
    n_copies = -(-n_niches // len(X))
    # Copies of the tissue far apart, each with noise of its own.
    table = np.empty((n_copies * len(X), X.shape[1]), dtype=np.float32)
    places = np.empty((len(table), 2))
    for k in range(n_copies):
        rows = slice(k * len(X), (k + 1) * len(X))
        noise = rng.normal(scale=0.1 * X.std(axis=0), size=X.shape)
        table[rows], places[rows] = X + noise, xy + [1e6 * k, 0]
    clouds, making = timed(clouds_from_neighbors, table, places)
    clouds = clouds[:n_niches]
    print(
        f"{len(clouds):,} niches, made in {making:.1f} s; {table.nbytes / 1e9:.2f} GB"
    )
    for name in ("means, private axis", "linear OT, 64", "Wormhole, 64"):
        embedder = embedders(0, n_jobs)[name]
        _, fit_time = timed(embedder.fit, clouds)
        _, seconds = timed(embedder.transform, clouds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"| {n_niches:,} | {name} | {fit_time:.0f} | {seconds:.0f} "
            f"| {n_niches / seconds:,.0f} | {peak:.2f} |",
            flush=True,
        )


def main():
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--dataset", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--embedder", nargs="+", choices=embedders(0, 1))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--scale", type=int, help="how many niches")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--peer", help="a Python that has the peer")
    parser.add_argument("--budget", type=float, default=600.0, help="its seconds")
    args = parser.parse_args()
    if args.scale:
        at_scale(args.data, args.scale, args.n_jobs)
        return
    print(
        "| data | embedder | columns | corr (deviation) | R2 | recall, of rows "
        "| accuracy | fit, s | transform, per s |"
    )
    for dataset in args.dataset:
        if args.peer:
            compare_peer(args.data, dataset, args.peer, args.budget)
            continue
        compare(args.data, dataset, args.seeds, args.embedder, args.n_jobs)


if __name__ == "__main__":
    main()
