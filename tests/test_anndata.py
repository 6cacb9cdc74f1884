"""Clouds from AnnData, real and in files, and from what looks like it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix

from skwass import GaussianEmbedder, LinearOTEmbedder
from skwass.measures import (
    as_measures,
    clouds_from_anndata,
    clouds_from_groups,
    clouds_from_neighbors,
    niches_from_anndata,
)
from skwass.ot import pairwise_wasserstein

# AnnData 0.12 asks pandas 3 for options that are to go.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The '[a-z._]+' option is deprecated:DeprecationWarning"
)

RNG = np.random.default_rng(0)
N_CELLS, GENES = 24, ["CD3", "CD4", "CD8"]
COUNTS = RNG.poisson(2.0, (N_CELLS, 3)).astype(np.float32)
POSITIONS = RNG.normal(size=(N_CELLS, 2))
CELLS = [f"cell {i}" for i in range(N_CELLS)]
PATIENTS = np.array(["P3", "P1", "P2"] * 8)
SLICES = np.array(["left"] * 10 + ["right"] * 14)
LAYOUTS = {
    "dense": np.array,
    "csr_array": csr_array,
    "csr_matrix": csr_matrix,
    "csc_array": csc_array,
    "csc_matrix": csc_matrix,
}


def _index(names):
    """Return names as objects: AnnData does not write the strings of pandas 3."""
    return pd.Index(names, dtype=object)


def _category(values):
    return pd.Categorical(values, _index(np.unique(values)))


def contents(layout=np.array):
    """Return what AnnData is made of."""
    obs = {"patient": _category(PATIENTS), "slice": _category(SLICES)}
    return {
        "X": layout(COUNTS),
        "obs": pd.DataFrame(obs, _index(CELLS)),
        "var": pd.DataFrame(index=_index(GENES)),
        "obsm": {"spatial": POSITIONS, "X_pca": COUNTS[:, :2] / 2},
        "layers": {"logs": layout(np.log1p(COUNTS))},
    }


def cells(layout=np.array):
    """Return AnnData."""
    return pytest.importorskip("anndata").AnnData(**contents(layout))


def likeness(**changes):
    """Return something with the attributes of AnnData that are read."""
    made = contents()
    names = {"obs_names": made["obs"].index, "var_names": made.pop("var").index}
    return SimpleNamespace(**{**made, **names, **changes})


def assert_same_clouds(clouds, others):
    assert len(clouds) == len(others)
    for (x, a), (y, b) in zip(clouds, others, strict=True):
        assert x.tobytes() == y.tobytes()
        assert_array_equal(a, b)


@pytest.mark.parametrize("make", [cells, likeness])
def test_samples_and_genes_keep_their_names(make):
    clouds = clouds_from_anndata(make(), "patient")
    expected, names = clouds_from_groups(COUNTS, PATIENTS)
    assert_same_clouds(clouds, expected)
    assert clouds.names.tolist() == names.tolist() == ["P1", "P2", "P3"]
    assert clouds.feature_names.tolist() == GENES


@pytest.mark.parametrize("make", [cells, likeness])
def test_niches_are_in_the_order_of_cells(make):
    adata = make()
    niches = niches_from_anndata(adata, n_neighbors=4, batch_key="slice")
    expected = clouds_from_neighbors(COUNTS, POSITIONS, 4, SLICES)
    assert_same_clouds(niches, expected)
    assert niches.table is adata.X
    assert niches.names.tolist() == CELLS
    assert niches.feature_names.tolist() == GENES
    others = niches_from_anndata(adata, n_neighbors=4, include_self=False)
    expected = clouds_from_neighbors(COUNTS, POSITIONS, 4, include_self=False)
    assert_same_clouds(others, expected)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_what_is_sparse_stays_sparse(layout):
    for settings, points in ({}, COUNTS), ({"layer": "logs"}, np.log1p(COUNTS)):
        niches = niches_from_anndata(cells(layout), n_neighbors=4, **settings)
        assert_same_clouds(niches, clouds_from_neighbors(points, POSITIONS, 4))
        assert isinstance(niches.table, np.ndarray) == (layout is np.array)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_selection_of_cells_gives_their_clouds(layout):
    part = cells(layout)[SLICES == "right", ["CD8", "CD3"]]
    assert part.is_view
    clouds = clouds_from_anndata(part, "patient")
    expected = clouds_from_groups(
        COUNTS[SLICES == "right"][:, [2, 0]], PATIENTS[SLICES == "right"]
    )[0]
    assert_same_clouds(clouds, expected)
    assert clouds.feature_names.tolist() == ["CD8", "CD3"]
    # Not classes of AnnData, which hold on to the whole.
    for selected in (part, cells(layout)[SLICES == "right"]):
        kind = type(clouds_from_anndata(selected, "patient").table)
        assert kind.__module__.split(".")[0] in ("numpy", "scipy")


@pytest.mark.parametrize("layout", ["dense", "csr_matrix", "csc_matrix"])
@pytest.mark.parametrize("backed", [None, "r"])
def test_files_may_be_open_or_read(layout, backed, tmp_path):
    read_h5ad = pytest.importorskip("anndata").read_h5ad
    cells(LAYOUTS[layout]).write_h5ad(tmp_path / "cells.h5ad")
    adata = read_h5ad(tmp_path / "cells.h5ad", backed=backed)
    clouds = clouds_from_anndata(adata, "patient")
    niches = niches_from_anndata(adata, n_neighbors=4, batch_key="slice")
    if backed:
        adata.file.close()
    assert_same_clouds(clouds, clouds_from_groups(COUNTS, PATIENTS)[0])
    assert_same_clouds(niches, clouds_from_neighbors(COUNTS, POSITIONS, 4, SLICES))
    assert clouds.names.tolist() == ["P1", "P2", "P3"]
    assert niches.names.tolist() == CELLS
    assert niches.feature_names.tolist() == GENES


def test_answers_go_back_under_their_names():
    adata = cells()
    embedder = GaussianEmbedder()
    adata.obsm["X_skwass"] = embedder.fit_transform(
        niches_from_anndata(adata, n_neighbors=4)
    )
    assert adata.obsm["X_skwass"].shape == (
        N_CELLS,
        len(embedder.transform([COUNTS])[0]),
    )
    assert embedder.feature_names_in_.tolist() == GENES
    # Cell by cell, whatever is selected later.
    part = adata[["cell 7", "cell 2"]]
    niches = niches_from_anndata(adata, n_neighbors=4)
    assert_array_equal(part.obsm["X_skwass"], embedder.transform(niches[[7, 2]]))
    clouds = clouds_from_anndata(adata, "patient")
    frame = pd.DataFrame(
        embedder.transform(clouds),
        index=clouds.names,
        columns=embedder.get_feature_names_out(),
    )
    second = embedder.transform([COUNTS[PATIENTS == "P2"]])[0]
    assert_array_equal(frame.loc["P2"], second)


def test_an_embedder_refuses_genes_in_another_order():
    adata = cells()
    embedder = GaussianEmbedder().fit(clouds_from_anndata(adata, "patient"))
    turned = adata[:, GENES[::-1]]
    with pytest.raises(ValueError, match="feature 'CD8' in column 0, expected 'CD3'"):
        embedder.transform(clouds_from_anndata(turned, "patient"))
    again = turned[:, embedder.feature_names_in_]
    assert len(embedder.transform(clouds_from_anndata(again, "patient"))) == 3


def test_other_points_have_their_own_names_or_none():
    adata = likeness()
    reduced = clouds_from_anndata(adata, "patient", use_rep="X_pca")
    assert reduced.table is adata.obsm["X_pca"]
    assert reduced.feature_names is None
    adata.obsm["named"] = pd.DataFrame(COUNTS[:, :2], CELLS, columns=["u", "v"])
    named = niches_from_anndata(adata, n_neighbors=4, use_rep="named")
    assert named.feature_names.tolist() == ["u", "v"]
    assert named.names.tolist() == CELLS
    assert clouds_from_anndata(adata, "patient", use_rep="X").table is adata.X
    adata.obsm["image"] = pd.DataFrame(POSITIONS, CELLS)
    placed = niches_from_anndata(adata, "image", 4)
    assert_same_clouds(placed, niches_from_anndata(adata, n_neighbors=4))


@pytest.mark.parametrize(
    ("read", "error", "message"),
    [
        (
            lambda: clouds_from_anndata(likeness(), "sample"),
            KeyError,
            "Got groupby='sample', expected a key of adata.obs: 'patient', 'slice'. Ch",
        ),
        (
            lambda: clouds_from_anndata(likeness(), "patient", use_rep="X_umap"),
            KeyError,
            "Got use_rep='X_umap', expected a key of adata.obsm: 'spatial', 'X_pca'.",
        ),
        (
            lambda: clouds_from_anndata(likeness(layers={}), "patient", layer="raw"),
            KeyError,
            "Got layer='raw', expected a key of adata.layers: it has none",
        ),
        (
            lambda: niches_from_anndata(likeness(), "X_spatial"),
            KeyError,
            "Got spatial_key='X_spatial', expected a key of adata.obsm",
        ),
        (
            lambda: niches_from_anndata(likeness(), batch_key="batch"),
            KeyError,
            "Got batch_key='batch', expected a key of adata.obs",
        ),
        (
            lambda: clouds_from_anndata(
                likeness(), "patient", use_rep="X_pca", layer="logs"
            ),
            ValueError,
            "Got use_rep='X_pca' and layer='logs', expected one of the two",
        ),
        (
            lambda: clouds_from_anndata(likeness(X=None), "patient"),
            ValueError,
            "Got adata with X=None, expected points. Pass use_rep or layer",
        ),
        (
            lambda: clouds_from_anndata(
                likeness(obs={"patient": [*PATIENTS[:-1], None]}), "patient"
            ),
            ValueError,
            r"Got adata.obs\['patient'\]\[23\]=None, expected one name per row",
        ),
        (
            lambda: niches_from_anndata(likeness(), batch_key="slice"),
            ValueError,
            "10 rows in the group 'left', expected at least 12",
        ),
    ],
)
def test_what_is_missing_is_named(read, error, message):
    with pytest.raises(error, match=message):
        read()


def test_a_whole_table_is_no_measure():
    """Reading it row by row would take minutes."""
    adata = likeness()
    for call in (as_measures, LinearOTEmbedder().fit, pairwise_wasserstein):
        with pytest.raises(
            TypeError, match="niches_from_anndata or clouds_from_anndata"
        ):
            call(adata)


def test_columns_are_named_one_by_one():
    with pytest.raises(TypeError, match="Got groupby of type list.*Join columns first"):
        clouds_from_anndata(likeness(), ["patient", "slice"])


@pytest.mark.slow
def test_scanpy_finds_the_neighbours_of_rows():
    """Runs where scanpy is installed; it does not go with every pandas."""
    scanpy = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(rng.normal(size=(60, 4)).astype(np.float32))
    adata.obsm["spatial"] = rng.normal(size=(60, 2))
    niches = niches_from_anndata(adata, n_neighbors=5)
    embedder = LinearOTEmbedder(n_pairs=100, random_state=0)
    Z = adata.obsm["X_skwass"] = embedder.fit_transform(niches)
    scanpy.pp.neighbors(adata, n_neighbors=4, use_rep="X_skwass")
    own = np.linalg.norm(Z[:, None] - Z[None], axis=2)
    found = adata.obsp["distances"].toarray()
    for row, distances in zip(found, own, strict=True):
        expected = np.sort(distances)[1:4]
        np.testing.assert_allclose(np.sort(row[row > 0]), expected, rtol=1e-5)
