"""What an embedder knows of data that it was not trained on.

    python benchmarks/transfer.py --data DIR
    python benchmarks/transfer.py --data DIR --show bags

`table`: table 1 of Courty, Flamary, Ducoffe (2018), rebuilt: mean squared error of W2^2
in pixels^4 on unseen pairs of each data set (rows) by a network trained on each
(columns), on random blobs among them. `bags`: figure 4 of Haviv et al. (2024): a
network that has seen all of Fashion-MNIST but bags.

`DIR` holds `mnist_*.npz` and `fashion_*.npz` as for `wormhole.py`, with their pairs,
and `dwe_cat.npz` (`X`), drawings of cats. Digits are those of scikit-learn, at 28 x 28.
"""

import argparse
from pathlib import Path

import numpy as np
from dwe_mnist import timed
from scipy.ndimage import gaussian_filter, zoom
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from wormhole import load

from skwass import DeepWassersteinEmbedder, WormholeEmbedder
from skwass.ot import pairwise_wasserstein, sample_pairs

GRID = {"grid_shape": (28, 28)}
N_LABELS, N_TEST_PAIRS, BAG = 20_000, 2_000, 8
# Of data without a file of labels.
N_OWN_LABELS = 10_000
# Rows: data; columns: networks.
PUBLISHED = {("cat", "cat"): 1.195, ("cat", "mnist"): 12.132}
PUBLISHED |= {("mnist", "cat"): 9.118, ("mnist", "mnist"): 0.405}


def random_blobs(n, rng):
    """Return sums of few smooth spots of random size, place, shape and weight."""
    images = np.zeros((n, 28, 28))
    axes = np.indices((28, 28))
    for image in images:
        for _ in range(rng.integers(1, 9)):
            center = rng.uniform(5, 23, size=(2, 1, 1))
            turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
            width = np.exp(rng.uniform(np.log(0.6), np.log(5), size=(2, 1, 1)))
            gaps = np.tensordot(turn, axes - center, axes=1) / width
            image += rng.uniform(0.2, 1) * np.exp(-np.square(gaps).sum(axis=0) / 2)
        image *= image > rng.uniform(0.1, 0.5) * image.max()
    return images.reshape(n, -1)


def big_digits():
    """Return the digits of scikit-learn at 28 x 28."""
    images = load_digits(return_X_y=True)[0].reshape(-1, 8, 8)
    big = gaussian_filter(zoom(images, (1, 3.5, 3.5), order=1), (0, 0.5, 0.5))
    big = big.reshape(len(big), -1)
    return np.where(big > 0.35 * big.max(axis=1, keepdims=True), big, 0)


def labelled(folder, subset):
    """Return pairs and W of a file."""
    with np.load(Path(folder) / f"{subset}_pairs.npz") as arrays:
        pairs = np.column_stack([arrays["i"], arrays["j"]])
        return pairs[:N_LABELS], np.sqrt(arrays["w2_sq"][:N_LABELS])


def test_pairs(X, n_jobs):
    """Return pairs and W, solved."""
    pairs = sample_pairs(len(X), N_TEST_PAIRS, np.random.RandomState(1))
    return pairs, pairwise_wasserstein(X, pairs=pairs, **GRID, n_jobs=n_jobs)


def read(folder, n_jobs):
    """Return training data, its labels if it has any, test data and theirs by name."""
    found = {}
    for name in ("mnist", "fashion"):
        train, test, *_ = load(folder, name)
        labels = labelled(folder, f"{name}_train")
        found[name] = train, labels, test, labelled(folder, f"{name}_test")
    with np.load(Path(folder) / "dwe_cat.npz") as arrays:
        cats = arrays["X"].reshape(-1, 784).astype(float)
    cats = cats[cats.sum(axis=1) > 0]
    digits = big_digits()
    blobs = random_blobs(20_000, np.random.default_rng(0))
    for name, X, n_test in (
        ("cat", cats, 1_000),
        ("digits", digits, 400),
        ("blobs", blobs, 1_000),
    ):
        train, test = X[:-n_test], X[-n_test:]
        found[name] = train, None, test, test_pairs(test, n_jobs)
    return found


def error_of(embedder, test, pairs, W):
    """Return the mean squared error of W2^2, and the correlation of W."""
    d = embedder._paired_distances(embedder.transform(test), pairs)
    return np.mean((d**2 - W**2) ** 2), np.corrcoef(d, W)[0, 1]


def table(folder, n_jobs, seed):
    """Print errors of all networks on all data."""
    data = read(folder, n_jobs)
    columns = {}
    print(f"mean pixels: {', '.join(_sizes(data))}", flush=True)
    for name, (train, labels, *_) in data.items():
        embedder = DeepWassersteinEmbedder(
            **GRID,
            decoder=None,
            n_pairs=N_OWN_LABELS,
            gradient_weight=0.0,
            random_state=seed,
            n_jobs=n_jobs,
        )
        known = {} if labels is None else {"pairs": labels[0], "distances": labels[1]}
        _, seconds = timed(embedder.fit, train, **known)
        columns[name] = [
            error_of(embedder, test, *known) for _, _, test, known in data.values()
        ]
        errors = ", ".join(f"{error:.3f}" for error, _ in columns[name])
        print(
            f"trained on {name}: {len(train):,} images, {embedder.n_pairs_:,} pairs, "
            f"{seconds:.0f} s: {errors}",
            flush=True,
        )
    print(f"{'MSE of W2^2':12}{'mean W2^2':>10}{'variance':>10}" + _heads(columns))
    for k, (name, (*_, (_, W))) in enumerate(data.items()):
        cells = ""
        for network, column in columns.items():
            theirs = PUBLISHED.get((name, network))
            note = "" if theirs is None else f" ({theirs:.3g})"
            cells += f"{f'{column[k][0]:.3f}{note}':>16}"
        print(f"{name:12}{np.mean(W**2):10.2f}{np.var(W**2):10.1f}{cells}")
    print(f"{'corr. of W':32}" + _heads(columns))
    for k, name in enumerate(data):
        cells = "".join(f"{column[k][1]:16.5f}" for column in columns.values())
        print(f"{name:32}{cells}")


def _sizes(data):
    return [
        f"{k} {(test > 0).sum(axis=1).mean():.0f}" for k, (*_, test, _) in data.items()
    ]


def _heads(columns):
    return "".join(f"{name:>16}" for name in columns)


def bags(folder, n_jobs, seed):
    """Print how well a network that never saw a bag knows bags."""
    train, test, y, y_test, _ = load(folder, "fashion")
    pairs, W = labelled(folder, "fashion_train")
    kept = (y[pairs] != BAG).all(axis=1)
    test_pairs, test_W = labelled(folder, "fashion_test")
    has_bag = (y_test[test_pairs] == BAG).any(axis=1)
    for name, own in (("without bags", kept), ("with bags", np.full(len(W), True))):
        embedder = WormholeEmbedder(**GRID, gradient_weight=0.0, random_state=seed)
        rows = np.unique(pairs[own])
        numbers = np.searchsorted(rows, pairs[own])
        fit = {"pairs": numbers, "distances": W[own]}
        _, seconds = timed(embedder.fit, train[rows], **fit)
        Z = embedder.transform(test)
        d = embedder._paired_distances(Z, test_pairs)
        errors = np.square(d**2 - test_W**2)
        linear = np.square(d - test_W)
        classes = KNeighborsClassifier(5).fit(embedder.transform(train[::6]), y[::6])
        right = classes.predict(Z) == y_test
        print(
            f"trained {name}: {own.sum():,} pairs, {seconds:.0f} s\n"
            f"  corr. of W with a bag    {_corr(d, test_W, has_bag):10.5f}\n"
            f"  corr. of W without       {_corr(d, test_W, ~has_bag):10.5f}\n"
            f"  MSE of W2^2, ratio       {_ratio(errors, has_bag):10.3f}\n"
            f"  MSE of W, ratio          {_ratio(linear, has_bag):10.3f}\n"
            f"  accuracy, bags           {right[y_test == BAG].mean():10.4f}\n"
            f"  accuracy, all            {right.mean():10.4f}\n"
            f"  pairs with a bag         {has_bag.sum():10,}",
            flush=True,
        )


def _corr(d, W, rows):
    return np.corrcoef(d[rows], W[rows])[0, 1]


def _ratio(errors, rows):
    return errors[rows].mean() / errors[~rows].mean()


def main():
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    shows = {"table": table, "bags": bags}
    parser.add_argument("--show", choices=shows, nargs="+", default=list(shows))
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for show in args.show:
        shows[show](args.data, args.n_jobs, args.seed)


if __name__ == "__main__":
    main()
