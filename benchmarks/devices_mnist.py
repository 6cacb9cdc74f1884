"""The same fits on a GPU and on the CPU beside it: MNIST, labels given.

    python benchmarks/devices_mnist.py --data DIR

`DIR` as for `dwe_mnist.py`: images, and pairs of them that have been labelled.
"""

import argparse

import numpy as np
import torch
from dwe_mnist import N_TEST_PAIRS, labelled_pairs, timed
from wormhole import load

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder

CASES = {
    "Deep, slices": (DeepWassersteinEmbedder, {}),
    "Deep, dense": (DeepWassersteinEmbedder, {"architecture": "dense"}),
    "Deep, paper": (DeepWassersteinEmbedder, {"architecture": "courty2018"}),
    "Kuratowski, ode": (KuratowskiEmbedder, {}),
    "Wormhole, slices": (WormholeEmbedder, {}),
    "Wormhole, batches of 8,192": (WormholeEmbedder, {"batch_size": 8_192}),
}
COMMON = {"grid_shape": (28, 28), "decoder": None, "random_state": 0}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--max-iter", type=int, default=5)
    parser.add_argument("--labels", type=int, default=200_000)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--devices", nargs="+", default=["cuda", "cpu"])
    args = parser.parse_args()
    X, X_test, *_ = load(args.data, "mnist")
    pairs, W = labelled_pairs(args.data, "train", X, args.labels, 1, args.n_jobs)
    test = labelled_pairs(args.data, "test", X_test, N_TEST_PAIRS, 2, args.n_jobs)
    test_pairs, test_W = test
    if "cuda" in args.devices:
        print(torch.cuda.get_device_name(), f"and {torch.get_num_threads()} threads")
    print("| | device | fit, s | MSE of W2^2 | images/s | distances/s |")
    print("|---|---|---|---|---|---|")
    for name, (kind, parameters) in CASES.items():
        for device in args.devices:
            embedder = kind(
                **COMMON, **parameters, max_iter=args.max_iter, device=device
            )
            _, seconds = timed(embedder.fit, X, pairs=pairs, distances=W)
            embedder.transform(X_test[:100])  # libraries load on first use
            _, transform_seconds = timed(embedder.transform, X_test)
            d, pair_seconds = timed(embedder.pairwise_distances, X_test)
            d_sq = d[tuple(test_pairs.T)].astype(float) ** 2
            print(
                f"| {name} | {device} | {seconds:.1f} "
                f"| {np.mean((d_sq - test_W**2) ** 2):.4f} "
                f"| {len(X_test) / transform_seconds:,.0f} "
                f"| {d.size / pair_seconds:.2g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
