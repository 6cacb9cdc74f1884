"""How long to train: error on unseen MNIST pairs by labels and steps.

    python benchmarks/schedule_mnist.py --data DIR
    python benchmarks/schedule_mnist.py --data DIR --pairs 200000 --given --device cuda

`DIR` as for `label_efficiency.py`. `--given` takes labels from `mnist_train_pairs.npz`,
which have no derivatives. The rule of `max_iter="auto"` is read off this table.
"""

import argparse
from itertools import product
from tempfile import TemporaryDirectory

import numpy as np
from dwe_mnist import labelled_pairs, timed
from wormhole import load, test_labels

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.embedders._stages import pairs_per_step

EMBEDDERS = {
    "deep": DeepWassersteinEmbedder,
    "kuratowski": KuratowskiEmbedder,
    "wormhole": WormholeEmbedder,
}


def steps_per_epoch(n_pairs):
    """Return how many batches there are by default."""
    return -(-n_pairs // pairs_per_step(n_pairs))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--embedder", choices=EMBEDDERS, nargs="+", default=EMBEDDERS)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000, 5_000, 20_000])
    parser.add_argument("--steps", type=int, nargs="+", default=[1_500, 3_000, 6_000])
    parser.add_argument("--given", action="store_true", help="labels from a file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    train, test, _, _, options = load(args.data, "mnist")
    args.dataset, args.gromov = "mnist", False
    pairs, W = test_labels(args, test, options)
    print(
        f"{'':12}{'pairs':>9}{'steps':>8}{'epochs':>8}{'fit, s':>8}{'MSE of W2^2':>13}"
    )
    with TemporaryDirectory() as cache:
        for name, n_pairs, steps in product(args.embedder, args.pairs, args.steps):
            labels = {}
            if args.given:
                given = labelled_pairs(
                    args.data, "train", train, n_pairs, 1, args.n_jobs
                )
                labels = dict(zip(("pairs", "distances"), given, strict=True))
            embedder = EMBEDDERS[name](
                n_pairs=n_pairs,
                decoder=None,
                max_iter=max(1, round(steps / steps_per_epoch(n_pairs))),
                memory=cache,
                device=args.device,
                n_jobs=args.n_jobs,
                random_state=args.seed,
                **options,
            )
            _, fit = timed(embedder.fit, train, **labels)
            d = embedder._paired_distances(embedder.transform(test), pairs)
            print(
                f"{name:12}{n_pairs:9,}{steps:8,}{embedder.n_iter_:8}{fit:8.0f}"
                f"{np.mean((d**2 - W**2) ** 2):13.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
