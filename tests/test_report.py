"""The table of embedders."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from skwass import (
    GaussianEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinMDS,
)
from skwass.datasets import make_gaussian_clouds
from skwass.inspection import EmbeddingReportDisplay
from skwass.metrics import embedding_report, stress_certificate


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(6, 2)) * rng.uniform(1, 3) for _ in range(60)]


@pytest.fixture(scope="module")
def report(clouds):
    embedders = {
        "gauss": GaussianEmbedder().fit(clouds[20:]),
        "maps": LinearOTEmbedder(n_reference=10, random_state=0),
        "lines": SlicedWassersteinEmbedder(random_state=0),
        "mds": WassersteinMDS(ground_truth="exact"),
    }
    return embedding_report(embedders, clouds[:20], X_train=clouds[20:])


def test_every_number_is_what_it_says(report, clouds):
    fitted = LinearOTEmbedder(n_reference=10, random_state=0).fit(clouds[20:])
    W = WassersteinMDS(ground_truth="exact").fit(clouds[:20]).dissimilarity_matrix_
    i, j = np.triu_indices(20, k=1)
    d, w = fitted.pairwise_distances(clouds[:20])[i, j].astype(float), W[i, j]
    row = {name: column[1] for name, column in report.table.items()}
    assert row["correlation"] == pytest.approx(np.corrcoef(d, w)[0, 1])
    assert row["r2"] == pytest.approx(r2_score(w, d))
    assert row["recall_at_10"] == pytest.approx(recall(W, fitted, clouds[:20]))
    assert row["relative_error"] == pytest.approx(np.mean(np.abs(d - w) / w))
    assert row["mse"] == pytest.approx(np.mean((d**2 - w**2) ** 2))
    assert row["distortion"] == pytest.approx((d / w).max() / (d / w).min())
    certificate = stress_certificate(fitted, clouds[:20], distances=W)
    assert row["stress_ratio"] == pytest.approx(certificate.ratio)
    assert row["n_solves"] == fitted.n_solves_
    assert row["n_columns"] == 22
    assert row["fit_time"] > 0
    assert row["transform_rate"] > 0
    assert row["pair_rate"] > 0
    assert_allclose(report.ratios[1], d / w)
    assert report.n_measures == 20


def recall(W, embedder, clouds):
    D, shares = embedder.pairwise_distances(clouds), []
    for i in range(len(W)):
        others = [j for j in range(len(W)) if j != i]
        by_w, by_d = (sorted(others, key=lambda j: M[i, j])[:10] for M in (W, D))
        shares.append(len(set(by_w) & set(by_d)) / 10)
    return np.mean(shares)


def test_baselines_stand_beside_the_embedders(clouds):
    embedder = LinearOTEmbedder(n_reference=10, random_state=0)
    report = embedding_report(
        [embedder], clouds[:20], X_train=clouds[20:], baselines=True
    )
    assert report.names == [
        "LinearOTEmbedder",
        "baseline: pseudobulk",
        "baseline: sliced regression",
    ]
    maps, means, lines = report.table["r2"]
    assert means < lines
    assert means < maps
    assert (report.table["n_pairs"][1:] == 500).all()
    # As the first embedder sees them: on its bins, by its distance.
    X = np.random.default_rng(0).dirichlet(np.ones(16), 40)
    embedder = GaussianEmbedder(grid_shape=(4, 4), ground_truth="sinkhorn")
    report = embedding_report([embedder], X[:20], X_train=X[20:], baselines=True)
    assert report.n_measures == 20
    with pytest.raises(ValueError, match="Got baseline: pseudobulk not fitted and X_t"):
        embedding_report([embedder.fit(X)], X, baselines=True)


def test_a_correlation_is_not_enough(clouds):
    """Distances in another unit correlate as well, and explain less than nothing."""
    embedder = LinearOTEmbedder(n_reference=10, random_state=0).fit(clouds)
    D = 3 * embedder.pairwise_distances(clouds[:20]).astype(float)
    table = embedding_report([embedder], clouds[:20], distances=D).table
    assert table["correlation"][0] > 0.9999
    assert table["recall_at_10"][0] == 1
    assert table["r2"][0] < 0


def test_what_was_fitted_is_not_fitted_again(report):
    assert np.isnan(report.table["fit_time"][0])
    assert (report.table["n_solves"][[0, 2]] == 0).all()


def test_it_is_a_table(report):
    assert report.names == ["gauss", "maps", "lines", "mds"]
    lines = repr(report).splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("maps ")
    frame = pd.DataFrame(report.table, index=report.names)
    assert frame.loc["mds", "correlation"] > frame.loc["lines", "correlation"]


def test_names_samples_and_given_distances(clouds):
    embedders = [
        GaussianEmbedder().fit(clouds[:5]),
        GaussianEmbedder().fit(clouds[5:]),
        LinearOTEmbedder(random_state=0).fit(clouds),
    ]
    small = embedding_report(embedders, clouds, n_measures=7)
    assert small.names == [
        "GaussianEmbedder 1",
        "GaussianEmbedder 2",
        "LinearOTEmbedder",
    ]
    assert small.n_measures == 7
    assert len(small.ratios[0]) == 21
    gaussians, W = make_gaussian_clouds(10, random_state=0)
    exact = embedding_report(
        [GaussianEmbedder()], gaussians, X_train=gaussians, distances=W
    )
    assert exact.table["correlation"][0] > 0.99


def test_bad_input(clouds):
    with pytest.raises(ValueError, match="Got GaussianEmbedder not fitted and X_train"):
        embedding_report([GaussianEmbedder()], clouds)
    with pytest.raises(ValueError, match="Got embedders without any"):
        embedding_report([], clouds)
    with pytest.raises(TypeError, match="Got int of type int, which has no"):
        embedding_report([3], clouds)
    with pytest.raises(ValueError, match="Got embedders of different distances"):
        embedding_report(
            [
                GaussianEmbedder().fit(clouds),
                GaussianEmbedder(ground_truth="sinkhorn").fit(clouds),
            ],
            clouds,
        )
    with pytest.raises(ValueError, match="Got X whose measures are all equal"):
        embedding_report([GaussianEmbedder().fit(clouds)], clouds[:1] * 4)
    with pytest.raises(ValueError, match=r"Got distances of shape \(3, 3\) for 60"):
        embedding_report(
            [GaussianEmbedder().fit(clouds)],
            clouds,
            distances=np.ones((3, 3)) - np.eye(3),
        )


def test_display(report):
    display = EmbeddingReportDisplay.from_report(report)
    assert len(display.axes_) == 2
    shown = [text.get_text() for text in display.axes_[1].get_yticklabels()]
    assert shown == report.names
    with pytest.raises(ValueError, match="Got axes of length 1, expected 2"):
        display.plot([display.axes_[0]])
