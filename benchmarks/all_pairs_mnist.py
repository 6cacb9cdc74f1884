"""From raw images to all 1.8 billion W2 distances of MNIST, on one clock.

    python benchmarks/all_pairs_mnist.py --data DIR

`DIR` holds `mnist_train.npz` and `mnist_test.npz` (`X`, `y`). Timed are `fit`, labels
and maps included, `transform` of the 60,000 training images, and their distances, which
are reduced block by block to each image's 100 nearest neighbours. Then the result is
judged by exact distances: of random pairs, and of 40 images to 2,000.
"""

import argparse

import numpy as np
from dwe_mnist import timed
from sklearn.neighbors import NearestNeighbors
from wormhole import load

from skwass import LinearOTEmbedder, WormholeEmbedder
from skwass.ot import pairwise_wasserstein, sample_pairs

N_PAIRS, N_QUERIES, N_OTHERS, N_NEAREST = 10_000, 40, 2_000, 10


def accuracy(embedder, Z, images, n_jobs):
    """Return correlation and MSE on random pairs, against exact distances."""
    pairs = sample_pairs(len(images), N_PAIRS, np.random.RandomState(7))
    settings = {"grid_shape": (28, 28), "n_jobs": n_jobs}
    W, seconds = timed(pairwise_wasserstein, images, pairs=pairs, **settings)
    d = embedder._paired_distances(Z, pairs)
    mse = np.mean((d**2 - W**2) ** 2)
    return np.corrcoef(d, W)[0, 1], mse, N_PAIRS / seconds


def recall(found, exact):
    """Return recall of the 10 nearest, and how far one must look for all of them.

    Parameters
    ----------
    found, exact : ndarray of shape (n_queries, n_others)
        Distances.
    """
    order, nearest = np.argsort(found, axis=1), np.argsort(exact, axis=1)[:, :N_NEAREST]
    share = [
        len(np.intersect1d(row[:N_NEAREST], true)) / N_NEAREST
        for row, true in zip(order, nearest, strict=True)
    ]
    rank = np.argsort(order, axis=1)  # of each image, for each query
    last = np.take_along_axis(rank, nearest, axis=1).max(axis=1) + 1
    return np.mean(share), np.median(last), last.max()


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--maps", type=int, default=20_000)
    parser.add_argument("--neighbors", type=int, default=100)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    X, test, _, _, options = load(args.data, "mnist")
    common = {**options, "n_jobs": args.n_jobs, "random_state": 0}
    embedder = WormholeEmbedder(n_pairs=args.pairs, n_maps=args.maps, **common)
    _, fit = timed(embedder.fit, X)
    Z, transform = timed(embedder.transform, X)
    # Queries with 0 on the private axis rank by the learned distance; scikit-learn goes
    # block by block through all pairs and keeps the nearest.
    neighbors = NearestNeighbors(
        n_neighbors=args.neighbors, algorithm="brute", n_jobs=args.n_jobs
    ).fit(Z)
    asked = Z.copy()
    asked[:, -1] = 0
    _, search = timed(neighbors.kneighbors, asked)
    rows = [
        ("fit, s", f"{fit:.0f}"),
        ("  exact solves", f"{embedder.n_solves_:,}"),
        ("transform, s", f"{transform:.1f}"),
        (f"all pairs, to {args.neighbors} neighbours, s", f"{search:.0f}"),
        ("from images to neighbours, s", f"{fit + transform + search:.0f}"),
    ]
    for name, images in (("training", X), ("unseen", test)):
        Z_images = Z if images is X else embedder.transform(images)
        corr, mse, speed = accuracy(embedder, Z_images, images, args.n_jobs)
        rows += [
            (f"correlation of W, {name} images", f"{corr:.5f}"),
            (f"MSE of W2^2, {name} images", f"{mse:.4f}"),
        ]
    n_pairs = len(X) * (len(X) - 1) / 2
    rows += [("exact solving, days", f"{n_pairs / speed / 86_400:.0f}")]
    linear = LinearOTEmbedder(**common).fit(X)
    queries, others = test[:N_QUERIES], test[N_QUERIES : N_QUERIES + N_OTHERS]
    exact = pairwise_wasserstein(queries, others, n_jobs=args.n_jobs, **options)
    for name, one in (("learned", embedder), ("linear OT", linear)):
        share, median, worst = recall(one.pairwise_distances(queries, others), exact)
        rows += [
            (f"recall of the exact 10 nearest, {name}", f"{share:.3f}"),
            ("  all ten among the first, median and worst", f"{median:.0f}, {worst}"),
        ]
    _, seconds = timed(linear.transform, test[:N_OTHERS])
    ratio = len(X) / transform * seconds / N_OTHERS
    rows += [("transform, times as fast as linear OT", f"{ratio:.0f}")]
    for name, value in rows:
        print(f"{name:48}{value:>12}")


if __name__ == "__main__":
    main()
