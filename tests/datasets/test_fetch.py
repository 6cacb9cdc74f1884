"""Fetched data: from files of a known layout, else from OpenML."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from skwass.datasets import _fetch, fetch_fashion_mnist, fetch_mnist

FETCHERS = [
    (fetch_mnist, "mnist", "mnist_784"),
    (fetch_fashion_mnist, "fashion", "Fashion-MNIST"),
]


@pytest.fixture
def home(tmp_path):
    """Return a folder with three training and two test images of each set."""
    rng = np.random.default_rng(0)
    for stem in ("mnist", "fashion"):
        for subset, n in (("train", 3), ("test", 2)):
            X = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
            np.savez(tmp_path / f"{stem}_{subset}.npz", X=X, y=np.arange(n))
    return tmp_path


@pytest.mark.parametrize(("fetch", "stem", "name"), FETCHERS)
def test_files_are_read_in_order(fetch, stem, name, home):
    with np.load(home / f"{stem}_train.npz") as arrays:
        X, y = arrays["X"], arrays["y"]
    images = fetch(data_home=home)
    np.testing.assert_array_equal(images.data, X.reshape(3, 784))
    np.testing.assert_array_equal(images.target, y)
    assert images.data.dtype == np.uint8
    assert images.target.dtype == np.int64
    assert images.grid_shape == (28, 28)
    assert name in images.DESCR
    both, _ = fetch(subset="all", data_home=home, return_X_y=True)
    np.testing.assert_array_equal(both[:3], images.data)
    test = fetch(subset="test", data_home=home)
    np.testing.assert_array_equal(both[3:], test.data)


@pytest.mark.parametrize(("fetch", "stem", "name"), FETCHERS)
def test_openml_is_asked_where_files_are_missing(
    fetch, stem, name, tmp_path, monkeypatch
):
    asked = []

    def answer(openml_name, **settings):
        asked.append((openml_name, settings["data_home"]))
        data = np.arange(5)[:, None] * np.ones((1, 784))
        return Bunch(data=data, target=np.array(list("01234")))

    monkeypatch.setattr(_fetch, "fetch_openml", answer)
    monkeypatch.setattr(_fetch, "_N_TRAIN", 3)
    X, y = fetch(subset="test", data_home=tmp_path, return_X_y=True)
    assert asked == [(name, str(tmp_path))]
    np.testing.assert_array_equal(y, [3, 4])
    np.testing.assert_array_equal(X[:, 0], [3, 4])
    assert X.dtype == np.uint8
    assert len(fetch(subset="train", data_home=tmp_path).data) == 3


def test_without_files_and_network_the_way_out_is_named(tmp_path, monkeypatch):
    def fail(*args, **settings):
        raise OSError("no route to host")

    monkeypatch.setattr(_fetch, "fetch_openml", fail)
    with pytest.raises(OSError, match="expected one, or npz files in"):
        fetch_mnist(data_home=tmp_path)


def test_an_unknown_subset_is_refused(home):
    with pytest.raises(ValueError, match="'subset' parameter"):
        fetch_mnist(subset="validation", data_home=home)
