"""Error of W2 between MNIST test images that are moved by some pixels.

    python benchmarks/translates_mnist.py --data DIR

`DIR` as for `label_efficiency.py`. Each image of a test pair is moved by a random
number of pixels along either axis, up to the given one where it has room; their exact
distance follows from that of the images themselves and the means.
"""

import argparse

import numpy as np
from wormhole import load, test_labels

from skwass import DeepWassersteinEmbedder


def within_margins(X, shifts):
    """Return shifts cut so that nothing leaves the image."""
    occupied = X.reshape(-1, 28, 28) > 0
    lines = [occupied.any(axis=2), occupied.any(axis=1)]  # rows, columns
    before = np.stack([line.argmax(axis=1) for line in lines], axis=1)
    after = np.stack([line[:, ::-1].argmax(axis=1) for line in lines], axis=1)
    return np.clip(shifts, -before, after)


def moved(X, shifts):
    """Return images moved by whole pixels."""
    images = X.reshape(-1, 28, 28)
    rolled = [
        np.roll(x, shift, axis=(0, 1)) for x, shift in zip(images, shifts, strict=True)
    ]
    return np.stack(rolled).reshape(len(X), -1)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--pairs", type=int, default=5_000)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    train, test, _, _, options = load(args.data, "mnist")
    args.dataset, args.gromov = "mnist", False
    pairs, W = test_labels(args, test, options)
    masses = test / test.sum(axis=1, keepdims=True)
    means = masses @ np.indices((28, 28)).reshape(2, -1).T
    print(f"{'exact mean':12}" + "".join(f"{f'{s} px':>9}" for s in range(5)))
    for name, parameters in (
        ("yes", {}),
        ("no, slices", {"architecture": "slices", "exact_mean": False}),
        ("no, pixels", {"architecture": "dense"}),
    ):
        embedder = DeepWassersteinEmbedder(
            n_pairs=args.pairs,
            decoder=None,
            random_state=0,
            n_jobs=args.n_jobs,
            **parameters,
            **options,
        ).fit(train)
        errors = []
        for most in range(5):
            rng = np.random.default_rng(most)
            shifts = rng.integers(-most, most + 1, size=(len(test), 2))
            shifts = within_margins(test, shifts)
            gap, before = ((m[pairs[:, 0]] - m[pairs[:, 1]]) for m in (shifts, means))
            change = ((gap + before) ** 2 - before**2).sum(axis=1)
            exact = np.sqrt(W**2 + change)
            Z = embedder.transform(moved(test, shifts))
            found = embedder._paired_distances(Z, pairs)
            errors.append(np.mean(np.abs(found - exact) / exact))
        print(f"{name:12}" + "".join(f"{error:9.4f}" for error in errors), flush=True)


if __name__ == "__main__":
    main()
