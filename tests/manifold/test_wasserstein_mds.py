"""WassersteinMDS: the contract of an embedder, units, and what is said of bad input."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from matrices import ZOO, euclidean, noisy
from numpy.testing import assert_array_equal
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skwass import WassersteinMDS
from skwass.datasets import make_gaussian_clouds
from skwass.manifold import _wasserstein_mds, descent, nearest_edm
from skwass.ot import ExactWasserstein, pairwise_wasserstein

GRID = (8, 8)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    W = pairwise_wasserstein(X[:160], grid_shape=GRID)
    return X[:160], y[:160], W


@pytest.fixture(scope="module")
def fitted(digits):
    return WassersteinMDS().fit(digits[2][:110, :110])


def test_it_stores_the_optimum_and_its_certificate(fitted, digits):
    W = digits[2][:110, :110]
    best = nearest_edm(W**2)
    Z = fitted.embedding_
    np.testing.assert_array_equal(fitted.dissimilarity_matrix_, W)
    np.testing.assert_allclose(fitted.distance_matrix_, cdist(Z, Z), atol=1e-6)
    assert fitted.stress_ == fitted.optimal_stress_ == best.stress
    stress = np.square(cdist(Z, Z, "sqeuclidean") - W**2).sum()
    assert fitted.stress_ == pytest.approx(stress, rel=1e-8)
    assert fitted.duality_gap_ <= 1e-8 * fitted.stress_
    assert fitted.lower_bound_ < fitted.stress_ < fitted.upper_bound_
    assert fitted.lower_bound_ == best.bounds.lower
    assert fitted.upper_bound_ == best.bounds.scaled_cmds
    negative = fitted.eigenvalues_[fitted.eigenvalues_ < 0]
    assert fitted.lower_bound_ == pytest.approx(np.square(negative).sum())
    share = -negative.sum() / np.abs(fitted.eigenvalues_).sum()
    assert fitted.negative_mass_ == pytest.approx(share)
    assert 2 <= fitted.n_iter_ <= 10


def test_measures_and_their_distances_give_the_same(digits, fitted):
    X = digits[0]
    mds = WassersteinMDS(ground_truth="exact", grid_shape=GRID).fit(X[:110])
    np.testing.assert_allclose(mds.embedding_, fitted.embedding_, atol=1e-6)
    Z = mds.transform(X[110:])
    np.testing.assert_allclose(
        Z, fitted.transform(digits[2][110:, :110]), atol=1e-5 * np.abs(Z).max()
    )


def test_ground_truth_objects_and_supports(digits):
    X = digits[0][:12]
    support = np.indices(GRID).reshape(2, -1).T / 2
    truth = ExactWasserstein(p=1, ground_metric="cityblock")
    mds = WassersteinMDS(ground_truth=truth, support=support).fit(X)
    W = pairwise_wasserstein(X, support=support, ground_truth=truth)
    np.testing.assert_allclose(mds.dissimilarity_matrix_, W)
    np.testing.assert_allclose(mds.transform(X), mds.embedding_, atol=1e-4)


def test_distances_known_in_closed_form_are_kept():
    clouds, W = make_gaussian_clouds(30, 40, dim=3, random_state=0)
    mds = WassersteinMDS(ground_truth="exact").fit(clouds)
    np.testing.assert_allclose(mds.distance_matrix_, W, atol=1e-8 * W.max())
    assert mds.stress_ < 1e-20
    assert mds.embedding_.shape == (30, 6)


def test_planted_points_are_recovered_out_of_sample():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(80, 7)) * [9, 5, 3, 1, 1, 0.1, 0.01]
    W = cdist(points, points)
    mds = WassersteinMDS().fit(W[:50, :50])
    Z = np.vstack([mds.embedding_, mds.transform(W[50:, :50])])
    np.testing.assert_allclose(cdist(Z, Z), W, atol=1e-8)
    assert mds.score(W[50:, :50]) == pytest.approx(1, abs=1e-12)


def test_transform_of_training_distances_is_the_embedding(fitted, digits):
    """At the optimum each point is where its distances to the others put it."""
    Z = fitted.transform(digits[2][:110, :110])
    scale = np.abs(Z).max()
    np.testing.assert_allclose(Z, fitted.embedding_, atol=1e-4 * scale)
    few = WassersteinMDS(3).fit(digits[2][:110, :110])
    again = few.transform(digits[2][:110, :110])
    np.testing.assert_allclose(again, few.embedding_, atol=1e-3 * scale)


def test_transform_is_sample_wise(fitted, digits):
    rows = digits[2][110:, :110]
    together = fitted.transform(rows)
    alone = np.vstack([fitted.transform(row[None]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-6 * np.abs(together).max())


def test_new_measures_are_placed_well(digits):
    """Unseen digits: distances to training ones nearly as good as those among them."""
    W = digits[2]
    mds = WassersteinMDS().fit(W[:110, :110])
    baseline = np.square(W[110:, :110] - W[110:, :110].mean()).mean()
    Z = mds.transform(W[110:, :110])
    error = np.square(cdist(Z, mds.embedding_) - W[110:, :110]).mean()
    assert error < 0.05 * baseline
    assert mds.score(W[110:, :110]) == pytest.approx(1 - error / baseline)
    among_new = np.square(cdist(Z, Z) - W[110:, 110:]).mean()
    assert among_new < 0.05 * baseline


def test_fewer_components(digits):
    W = digits[2][:110, :110]
    optimum = WassersteinMDS().fit(W)
    stresses = []
    for k in (1, 2, 10):
        mds = WassersteinMDS(k, private_axis=False).fit(W)
        assert mds.embedding_.shape == (110, k)
        assert mds.optimal_stress_ == optimum.stress_
        Z = mds.embedding_
        np.testing.assert_allclose(mds.distance_matrix_, cdist(Z, Z), atol=1e-6)
        stress = np.square(cdist(Z, Z, "sqeuclidean") - W**2).sum()
        assert mds.stress_ == pytest.approx(stress, rel=1e-8)
        stresses.append(mds.stress_)
        np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-10)
    assert stresses[0] > stresses[1] > stresses[2] > optimum.stress_


def test_more_components_than_the_optimum_has():
    W = np.sqrt(euclidean(20, dim=3))
    mds = WassersteinMDS(8).fit(W)
    assert mds.embedding_.shape == (20, 9)
    assert WassersteinMDS(8, private_axis=False).fit_transform(W).shape == (20, 8)
    assert (mds.embedding_[:, 3:] == 0).all()
    np.testing.assert_allclose(mds.distance_matrix_, W, atol=1e-8)
    np.testing.assert_allclose(mds.transform(W), mds.embedding_, atol=1e-8)


class TestPrivateAxis:
    """Low rank plus diagonal: what each measure has alone."""

    @pytest.fixture
    def W(self, digits):
        return digits[2][:110, :110]

    def test_stress_falls_and_is_that_of_the_formula(self, W):
        optimum = WassersteinMDS().fit(W).stress_
        for k in (1, 2, 10):
            plain = WassersteinMDS(k, private_axis=False).fit(W)
            mds = WassersteinMDS(k).fit(W)
            assert optimum < mds.stress_ < 0.8 * plain.stress_
            z, s = mds.embedding_[:, :k], mds.embedding_[:, k] ** 2
            expected = cdist(z, z, "sqeuclidean") + s[:, None] + s
            np.fill_diagonal(expected, 0)
            stress = np.square(expected - W**2).sum()
            assert mds.stress_ == pytest.approx(stress, rel=1e-8)
            found = mds.pairwise_distances(W, squared=True)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
            stored = mds.embedded_distances(mds.embedding_[:5], mds.embedding_)
            np.testing.assert_allclose(stored, mds.distance_matrix_[:5], rtol=1e-9)
            # Rows of neighbours and clusters: a lower estimate.
            rows = cdist(mds.embedding_, mds.embedding_)
            assert (rows <= mds.distance_matrix_ + 1e-9).all()

    # A stress that falls to 0 never stops falling.
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_it_finds_a_planted_model(self):
        rng = np.random.default_rng(0)
        z, s = rng.normal(size=(40, 3)), rng.uniform(0, 4, size=40)
        D = cdist(z, z, "sqeuclidean") + s[:, None] + s
        np.fill_diagonal(D, 0)
        mds = WassersteinMDS(3, tol=1e-10).fit(np.sqrt(D))
        assert mds.stress_ < 1e-6 * np.square(D).sum()
        np.testing.assert_allclose(mds.embedding_[:, 3] ** 2, s, atol=0.02)
        new, own = rng.normal(size=(5, 3)), rng.uniform(0, 4, size=5)
        d = np.sqrt(cdist(new, z, "sqeuclidean") + own[:, None] + s)
        Z = mds.transform(d)
        np.testing.assert_allclose(Z[:, 3] ** 2, own, atol=0.05)
        among = cdist(new, new, "sqeuclidean") + own[:, None] + own
        np.fill_diagonal(among, 0)
        np.testing.assert_allclose(mds.embedded_distances(Z) ** 2, among, atol=0.3)

    def test_no_descent_places_better(self, W, digits):
        mds = WassersteinMDS(2).fit(W)
        d = digits[2][110:120, :110]
        landmarks, s = mds.embedding_[:, :2], mds.embedding_[:, 2] ** 2

        def stress(v, row):
            gaps = np.square(v[:2] - landmarks).sum(axis=1) + v[2] ** 2 + s
            return np.square(gaps - row**2).sum()

        rng = np.random.default_rng(0)
        for z, row in zip(mds.transform(d), d, strict=True):
            starts = rng.normal(size=(10, 3))
            best = min(minimize(stress, start, args=(row,)).fun for start in starts)
            assert stress(z, row) <= best * (1 + 1e-6)

    def test_equal_measures_are_at_zero(self, W):
        mds = WassersteinMDS(2).fit(W)
        np.testing.assert_array_equal(mds.transform(W), mds.embedding_)
        twice = np.vstack([W[:3] + 0.5, W[:3] + 0.5])
        d = mds.pairwise_distances(twice)
        np.testing.assert_array_equal(np.diag(d, 3), 0)
        assert d[0, 1] > 0.1
        rng = np.random.default_rng(0)
        detour = (d[:, :, None] + d[None]).min(axis=1)
        assert (d <= detour + 1e-9).all()
        order = rng.permutation(6)
        again = mds.pairwise_distances(twice[order])
        np.testing.assert_allclose(again, d[np.ix_(order, order)], atol=1e-9)

    def test_copies_in_training_are_one_measure(self, W):
        order = np.r_[:30, :3]
        twice = W[np.ix_(order, order)]
        for noise in (0, 1e-8):  # what a Sinkhorn divergence leaves of 0
            mds = WassersteinMDS(2).fit(twice + noise * (1 - np.eye(33)))
            np.testing.assert_array_equal(mds.embedding_[30:], mds.embedding_[:3])
            d = mds.pairwise_distances(twice)
            np.testing.assert_allclose(d, mds.distance_matrix_, atol=1e-9)
            stress = np.square(d**2 - twice**2).sum()
            assert mds.stress_ == pytest.approx(stress, rel=1e-5)

    def test_a_simplex_stays_one(self):
        """Columns say nothing of equal distances: all is private."""
        W = 1 - np.eye(6)
        mds = WassersteinMDS(1).fit(W)
        assert mds.stress_ < 1e-12
        np.testing.assert_allclose(mds.pairwise_distances(W), W, atol=1e-6)

    def test_a_file_keeps_it(self, W, tmp_path):
        mds = WassersteinMDS(2).fit(W)
        mds.save(tmp_path / "file")
        again = WassersteinMDS.load(tmp_path / "file")
        np.testing.assert_array_equal(again.distance_matrix_, mds.distance_matrix_)
        np.testing.assert_array_equal(again.transform(W[:4]), mds.transform(W[:4]))

    def test_bad_rows_are_named(self, W):
        mds = WassersteinMDS(2).fit(W)
        with pytest.raises(ValueError, match="Got Z with 2 columns, expected 3"):
            mds.embedded_distances(mds.embedding_[:, :2])


def test_equal_measures():
    mds = WassersteinMDS().fit(np.zeros((4, 4)))
    np.testing.assert_array_equal(mds.embedding_, np.zeros((4, 1)))
    np.testing.assert_array_equal(mds.transform(np.ones((2, 4))), np.zeros((2, 1)))
    assert mds.negative_mass_ == mds.stress_ == mds.duality_gap_ == 0


@pytest.mark.parametrize("unit", [1e-75, 1e-40, 1e40, 1e74])
def test_units(unit):
    """Distances in another unit: everything scales, nothing else changes."""
    W = np.sqrt(noisy(20) / noisy(20).max())
    plain, scaled = (WassersteinMDS(4).fit(u * W) for u in (1.0, unit))
    np.testing.assert_allclose(scaled.embedding_, unit * plain.embedding_, rtol=1e-6)
    assert scaled.stress_ / unit**2 / unit**2 == pytest.approx(plain.stress_)
    np.testing.assert_allclose(
        scaled.transform(unit * W[:3]), unit * plain.transform(W[:3]), rtol=1e-6
    )


@pytest.mark.parametrize("solver", ["pgd", "sdp"])
def test_solvers_agree(solver, digits):
    W = digits[2][-60:, -60:] ** 1.5
    newton = WassersteinMDS().fit(W)
    other = WassersteinMDS(solver=solver, tol=1e-7).fit(W)
    assert newton.stress_ == pytest.approx(other.stress_, rel=1e-6)


def test_frames_names_and_output(digits):
    W = pd.DataFrame(digits[2][:20, :20], columns=[f"d{i}" for i in range(20)])
    mds = WassersteinMDS(2).set_output(transform="pandas").fit(W)
    Z = mds.transform(W)
    expected = ["wassersteinmds0", "wassersteinmds1", "wassersteinmds_private"]
    assert list(Z.columns) == expected
    plain = WassersteinMDS(2, private_axis=False).fit(W)
    assert list(plain.get_feature_names_out()) == expected[:2]
    assert list(mds.feature_names_in_) == list(W.columns)
    assert list(mds.fit_transform(W).columns) == list(Z.columns)
    with pytest.raises(ValueError, match="feature names"):
        mds.transform(W.rename(columns={"d0": "d"}))
    tensor = torch.from_numpy(digits[2][:20, :20])
    again = WassersteinMDS(2).fit(tensor)
    np.testing.assert_array_equal(again.embedding_, mds.embedding_)


def test_pipelines_and_searches(digits):
    X, y, W = digits
    knn = make_pipeline(WassersteinMDS(8), KNeighborsClassifier(3))
    assert knn.fit(W[:110, :110], y[:110]).score(W[110:, :110], y[110:]) > 0.8
    search = GridSearchCV(
        WassersteinMDS(), {"n_components": [2, 20]}, cv=3, error_score="raise"
    ).fit(W)
    assert search.best_params_ == {"n_components": 20}
    search = GridSearchCV(
        make_pipeline(WassersteinMDS(ground_truth="exact", grid_shape=GRID), KMeans(5)),
        {"wassersteinmds__n_components": [2, 5], "kmeans__random_state": [0]},
        cv=2,
        error_score="raise",
    ).fit(X[:40])
    assert search.best_estimator_[0].embedding_.shape[0] == 40


def test_pickle_and_bytes(fitted, digits):
    rows = digits[2][110:, :110]
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(rows), fitted.transform(rows))
    twice = [WassersteinMDS(3).fit(digits[2]).embedding_.tobytes() for _ in range(2)]
    assert twice[0] == twice[1]


def test_pairwise_distances(fitted, digits):
    W = digits[2]
    Z = fitted.transform(W[110:, :110])
    D = fitted.pairwise_distances(W[110:, :110])
    np.testing.assert_array_equal(D, D.T)
    assert (np.diag(D) == 0).all()
    np.testing.assert_allclose(D, cdist(Z, Z))
    squared = fitted.pairwise_distances(W[110:, :110], W[:7, :110], squared=True)
    expected = cdist(Z, fitted.transform(W[:7, :110]), "sqeuclidean")
    np.testing.assert_allclose(squared, expected)


@pytest.mark.parametrize(
    "where", ["nearest_edm", "in_dimension", "pairwise_wasserstein"]
)
def test_a_fit_that_is_interrupted_changes_nothing(where, monkeypatch):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 8, 5, 2)), rng.normal(size=(9, 6, 3))
    mds = WassersteinMDS(ground_truth="exact").fit(first[0])
    W, state = mds.transform(first[1]), dict(vars(mds))

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_wasserstein_mds, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        mds.fit(second)
    monkeypatch.undo()
    assert vars(mds) == state
    np.testing.assert_array_equal(mds.transform(first[1]), W)


def test_what_is_wrong_with_training_distances():
    W = np.sqrt(euclidean(5))
    lopsided = W.copy()
    lopsided[0, 1] *= 2
    for bad, message in [
        (lopsided, "expected a symmetric matrix"),
        (W + 1, r"X\[0, 0\]=1, expected a zero diagonal"),
        (-W, "Negative values in data"),
        (W[:3], "if they are measures, WassersteinMDS needs ground_truth='exact'"),
        (W * np.nan, "Input X contains NaN"),
        (1e76 * W / W.max(), "expected them between 1e-75 and 1e.75"),
        (1e-76 * W / W.max(), "expected them between 1e-75 and 1e.75"),
        (W[:1, :1], "minimum of 2 is required"),
        ([np.zeros((3, 2)), np.zeros((4, 2))], "Got X=a collection of point clouds"),
    ]:
        with pytest.raises(ValueError, match=message):
            WassersteinMDS().fit(bad)


def test_what_is_wrong_with_new_distances(fitted):
    rows = fitted.dissimilarity_matrix_[:3]
    for bad, message in [
        (rows[:, :50], "X has 50 features, but WassersteinMDS is expecting 110"),
        (-rows, "Negative values in data"),
        (1e80 * rows, "Measure in another unit"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.transform(bad)
    with pytest.raises(NotFittedError):
        WassersteinMDS().transform(rows)


def test_what_is_wrong_with_measures(digits):
    X = digits[0]
    mds = WassersteinMDS(ground_truth="exact", grid_shape=GRID)
    with pytest.raises(ValueError, match="n_samples=1, expected at least two"):
        mds.fit(X[:1])
    mds.fit(X[:5])
    with pytest.raises(ValueError, match="Got X=point clouds, expected histograms"):
        mds.transform([np.zeros((3, 2))])
    with pytest.raises(ValueError, match="X has 32 features"):
        mds.transform(X[:2, :32])
    with pytest.raises(ValueError, match="'ground_truth' parameter"):
        WassersteinMDS(ground_truth="euclidean").fit(X)


def test_distances_taken_for_histograms_are_warned_of():
    W = np.sqrt(euclidean(6))
    with pytest.warns(UserWarning, match="Pass ground_truth='precomputed' if they"):
        WassersteinMDS(ground_truth="exact").fit(W)


def test_descent_that_is_cut_short_is_said(monkeypatch):
    monkeypatch.setattr(descent, "MAX_ITER", 2)
    with pytest.warns(ConvergenceWarning, match="n_components=3 dimensions stopped"):
        WassersteinMDS(3).fit(np.sqrt(ZOO["digits"]))


def test_a_solver_that_is_cut_short_is_said():
    with pytest.warns(ConvergenceWarning, match="relative duality gap"):
        WassersteinMDS(max_iter=1).fit(np.sqrt(ZOO["squares"]))


def test_what_fit_saw_decides_what_comes_after(digits):
    """A metric set later waits for the next fit, which leaves nothing behind."""
    X, _, W = digits
    mds = WassersteinMDS(2, ground_truth="exact", grid_shape=GRID).fit(X[:20])
    Z = mds.transform(X[20:23])
    np.testing.assert_array_equal(
        mds.set_params(ground_truth="precomputed").transform(X[20:23]), Z
    )
    mds.fit(W[:20, :20])
    assert mds.measures_ is None
    np.testing.assert_allclose(mds.transform(W[20:23, :20]), Z, atol=1e-3)


@pytest.mark.parametrize("kind", ["distances", "histograms", "clouds"])
def test_files_keep_everything(kind, tmp_path):
    """In one file without code, measures to place others among too."""
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(n, 2)) for n in (3, 5, 4, 6, 3, 7, 4, 5)]
    X = {
        "distances": pairwise_wasserstein(clouds),
        "histograms": rng.dirichlet(np.ones(4), 8),
        "clouds": clouds,
    }[kind]
    settings = {"ground_truth": "precomputed"}
    if kind != "distances":
        settings = {"ground_truth": ExactWasserstein(p=2)}
    if kind == "histograms":
        settings["support"] = rng.normal(size=(4, 3))
    mds = WassersteinMDS(3, **settings).fit(X)
    mds.save(tmp_path / "file")
    again = WassersteinMDS.load(tmp_path / "file")
    assert repr(again) == repr(mds)
    for name, value in vars(mds).items():
        if name.endswith("_") and name != "measures_":
            assert_array_equal(getattr(again, name), value, err_msg=name)
    assert again.bounds_ == mds.bounds_
    assert_array_equal(again.transform(X[:3]), mds.transform(X[:3]))
    assert again.score(X) == mds.score(X)
    assert (again.measures_ is None) == (kind == "distances")
