"""A grid search over architectures on MNIST, and KMeans on embeddings.

    python benchmarks/grid_search_mnist.py --data DIR

Shows that with `memory` the labels of a fold are computed once: the search records
`n_solves_` of every fit. Labels are shared between processes through the cache.
"""

import argparse
import tempfile
import time

from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from skwass import DeepWassersteinEmbedder
from skwass.datasets import fetch_mnist


def score(pipeline, X, y):
    """Return the accuracy of the pipeline and what its embedder cost."""
    return {
        "accuracy": pipeline.score(X, y),
        "n_solves": pipeline["embed"].n_solves_,
    }


def main():
    """Print one row a candidate, then the clustering."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--labels", type=int, default=10_000)
    args = parser.parse_args()
    X, y = fetch_mnist(data_home=args.data, return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", data_home=args.data, return_X_y=True)
    X, y = X[: args.images], y[: args.images]

    with tempfile.TemporaryDirectory() as cache:
        embedder = DeepWassersteinEmbedder(
            grid_shape=(28, 28),
            n_pairs=args.labels,
            max_iter=20,
            memory=cache,
            random_state=0,
        )
        pipeline = Pipeline([("embed", embedder), ("knn", KNeighborsClassifier(5))])
        grid = {
            "embed__architecture": ["dense", "convolutional"],
            "embed__n_components": [10, 50],
        }
        start = time.perf_counter()
        search = GridSearchCV(
            pipeline, grid, cv=2, n_jobs=2, scoring=score, refit="accuracy"
        ).fit(X, y)
        total = time.perf_counter() - start

    results = search.cv_results_
    print(f"{'architecture':14}{'k':>4}{'accuracy':>10}{'exact solves per fold':>24}")
    for k, parameters in enumerate(results["params"]):
        solves = [int(results[f"split{fold}_test_n_solves"][k]) for fold in range(2)]
        print(
            f"{parameters['embed__architecture']:14}"
            f"{parameters['embed__n_components']:4}"
            f"{results['mean_test_accuracy'][k]:10.4f}{solves!s:>24}"
        )
    print(f"search of {len(results['params'])} candidates, s: {total:.0f}")
    print(f"accuracy of the best on 10,000 images: {search.score(X_test, y_test):.4f}")

    Z = search.best_estimator_["embed"].transform(X_test)
    pixels = X_test / X_test.sum(axis=1, keepdims=True)
    for name, data in (("embeddings", Z), ("pixels", pixels)):
        clusters = KMeans(10, n_init=3, random_state=0).fit_predict(data)
        rand = adjusted_rand_score(y_test, clusters)
        print(f"KMeans on {name}: adjusted Rand index {rand:.3f}")


if __name__ == "__main__":
    main()
