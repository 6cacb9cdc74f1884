"""Whatever comes in: right or refused. `make fuzz` looks for an hour."""

import os

import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402

from skwass import (  # noqa: E402
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
)
from tests.fuzz.measures import inputs  # noqa: E402
from tests.fuzz.rule import check_distances, check_embedder, check_read  # noqa: E402

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile(
    "dev", max_examples=60, derandomize=True, database=None, **COMMON
)
settings.register_profile("nightly", max_examples=20_000, **COMMON)
settings.load_profile(os.environ.get("SKWASS_FUZZ", "dev"))

EMBEDDERS = {
    "sliced": lambda: SlicedWassersteinEmbedder(n_projections=5, random_state=0),
    "linear": lambda: LinearOTEmbedder(n_reference=4, random_state=0),
    "gaussian": lambda: GaussianEmbedder(),
    "diffusion": lambda: DiffusionEMDEmbedder(n_nodes=10, random_state=0),
    "pseudobulk": lambda: PseudobulkEmbedder(),
    "regression": lambda: SlicedRegressionEmbedder(n_projections=5, random_state=0),
}


@given(inputs())
def test_reading(made):
    _, layout, data = made
    check_read(layout(data))


@given(inputs())
def test_distances(made):
    _, layout, data = made
    measures = check_read(layout(data))
    if measures is not None:
        check_distances(layout(data), measures)


@pytest.mark.parametrize("name", EMBEDDERS)
@given(made=inputs())
def test_embedders(name, made):
    _, layout, data = made
    measures = check_read(layout(data))
    check_embedder(EMBEDDERS[name], layout(data), measures)
