"""Histograms that know where their bins are: nobody puts them elsewhere unasked."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from toys import make_small

from skwass import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinMDS,
    WormholeEmbedder,
)
from skwass.architectures import ODEKENN
from skwass.geometry import barycenter
from skwass.measures import as_measures
from skwass.metrics import embedding_report, stress_certificate
from skwass.ot import ExactWasserstein, bounds, pairwise_wasserstein

HERE = np.arange(5.0)[:, None]
THERE = HERE + 100
MASSES = np.random.default_rng(0).dirichlet(np.ones(5), 24)
X, MOVED = as_measures(MASSES, support=HERE), as_measures(MASSES, support=THERE)
# As many pairs of shapes, on bins of another number and distance.
COARSE = as_measures(MASSES[:, :3], support=np.array([[0.0], [2.5], [4.0]]))

ANYWHERE = [
    GaussianEmbedder(),
    LinearOTEmbedder(n_reference=16, random_state=0),
    SlicedWassersteinEmbedder(scale=True, random_state=0),
    PseudobulkEmbedder(),
    SlicedRegressionEmbedder(random_state=0),
    WassersteinMDS(2, ground_truth="exact"),
    make_small(WormholeEmbedder, grid_shape=None),
    make_small(WormholeEmbedder, grid_shape=None, architecture="fourier"),
    make_small(DeepWassersteinEmbedder, grid_shape=None, decoder=None),
    make_small(KuratowskiEmbedder, grid_shape=None),
]
HERE_ALONE = [
    DiffusionEMDEmbedder(random_state=0),
    make_small(DeepWassersteinEmbedder, grid_shape=None, architecture="dense"),
    make_small(KuratowskiEmbedder, grid_shape=None, architecture=ODEKENN("dense")),
    make_small(WormholeEmbedder, grid_shape=None, architecture="dense"),
]


def named(estimators):
    return pytest.mark.parametrize(
        "embedder", estimators, ids=lambda one: type(one).__name__
    )


@named(ANYWHERE)
def test_embedders_that_can_embed_them_where_they_are(embedder):
    embedder.fit(X)
    found = embedder.pairwise_distances(X[:4], MOVED[:4])
    assert_allclose(np.diag(found), 100, rtol=3e-3)
    assert_allclose(embedder.pairwise_distances(MASSES[:4], MOVED[:4]), found)
    clouds = embedder.transform(COARSE)
    assert clouds.shape[0] == len(COARSE)
    # As the same clouds would be: a row depends on its own measure.
    assert_allclose(clouds[3:4], embedder.transform(COARSE[3:4]), atol=1e-4)


@named(ANYWHERE[1:3])
def test_they_are_scored_where_they_are(embedder):
    assert embedder.fit(X).score(COARSE) > 0.9


@named(HERE_ALONE)
def test_other_embedders_refuse_them(embedder):
    embedder.fit(X)
    assert_array_equal(embedder.transform(X), embedder.transform(MASSES))
    for other in (MOVED, COARSE, as_measures(MASSES[:, :4], grid_shape=(2, 2))):
        for use in (embedder.transform, embedder.score):
            with pytest.raises(ValueError, match="on bins other than those of fit"):
                use(other)
        with pytest.raises(ValueError, match=r"Got Y=.* on bins other than"):
            embedder.pairwise_distances(X, other)


@named([*ANYWHERE, *HERE_ALONE])
def test_bins_of_another_space_are_refused(embedder):
    plane = as_measures(MASSES[:, :4], grid_shape=(2, 2))
    with pytest.raises(ValueError, match=r"expected those \(5, in dimension 1\)"):
        embedder.fit(X).transform(plane)


def test_a_fit_elsewhere_than_its_parameters_say_is_refused():
    embedder = SlicedWassersteinEmbedder(support=HERE)
    with pytest.raises(ValueError, match="a support that puts them elsewhere"):
        embedder.fit(MOVED)
    embedder.fit(X)


DISTANCES = [
    pairwise_wasserstein,
    bounds.centroid_bound,
    bounds.gaussian_bound,
    bounds.projection_bound,
    bounds.lower_bound,
]


@pytest.mark.parametrize("distances", DISTANCES)
def test_positions_that_are_given_are_those_of_rows(distances):
    one = slice(0, 1)
    assert_allclose(distances(X[one], MOVED[one]), 100)
    assert_allclose(distances(MASSES[one], MOVED[one], support=HERE), 100)
    assert_allclose(distances(MOVED[one], MASSES[one], support=HERE), 100)
    clouds = MOVED[one].to_clouds()
    assert_allclose(distances(MASSES[one], clouds, support=HERE), 100)
    for known in ((MOVED,), (X, MOVED)):
        with pytest.raises(ValueError, match="a support that puts them elsewhere"):
            distances(*known, support=HERE)


def test_a_matrix_of_ground_distances_is_about_one_set_of_bins():
    truth = ExactWasserstein(ground_metric=np.abs(HERE - HERE.T))
    with pytest.raises(ValueError, match="X and Y on different bins"):
        pairwise_wasserstein(X, MOVED, ground_truth=truth)


def test_metrics_take_them_where_they_are():
    embedder = LinearOTEmbedder(n_reference=16, random_state=0).fit(X)
    mixed = as_measures(MASSES, support=THERE * 2)
    W = pairwise_wasserstein(mixed)
    assert stress_certificate(embedder, mixed).stress < 1e-3 * (W**4).sum()
    elsewhere = LinearOTEmbedder(n_reference=16, random_state=0).fit(mixed)
    with pytest.raises(ValueError, match="on different bins"):
        embedding_report([embedder, elsewhere], MASSES)


def test_means_of_embeddings_are_between_both_places():
    embedder = LinearOTEmbedder(n_reference=16, random_state=0).fit(X)
    here, there = embedder.transform(X[:1]), embedder.transform(MOVED[:1])
    middle = embedder.inverse_transform((here + there) / 2)[0]
    assert_allclose(middle.mean() - barycenter(embedder, X[:1]).mean(), 50, rtol=1e-3)
