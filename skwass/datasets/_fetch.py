"""Images that are too large to ship: read from a folder, or fetched from OpenML."""

from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

_SIDE = 28
# Both sets come in their official order: training images first.
_N_TRAIN = 60_000
_CONSTRAINTS = {
    "subset": [StrOptions({"train", "test", "all"})],
    "data_home": [str, Path, None],
    "return_X_y": ["boolean"],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def fetch_mnist(*, subset="train", data_home=None, return_X_y=False):
    """Load the MNIST digits: 70,000 images of 28 x 28 pixels in 10 classes.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or both.
    data_home : str or path, default=None
        Folder to read from and to cache in; scikit-learn's data home if None. Files
        `mnist_train.npz` and `mnist_test.npz` there, with arrays `X` of shape
        (n, 28, 28) and `y`, are read as they are. Otherwise OpenML is asked for data
        set `mnist_784`, and its copy is kept there.
    return_X_y : bool, default=False
        Whether to return only `(data, target)`.

    Returns
    -------
    images : Bunch
        `data`, uint8 of shape (n, 784), one image a row; `target`, int64 of shape (n,);
        `grid_shape`, (28, 28), for the embedder's parameter of that name; `DESCR`.

    Raises
    ------
    OSError
        If the files are not there and OpenML does not answer.

    See Also
    --------
    fetch_fashion_mnist : Clothes in the same format.
    """
    return _fetch("mnist", "mnist_784", subset, data_home, return_X_y)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def fetch_fashion_mnist(*, subset="train", data_home=None, return_X_y=False):
    """Load Fashion-MNIST: 70,000 images of 28 x 28 pixels in 10 classes of clothes.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 60,000 training images, the 10,000 test images, or both.
    data_home : str or path, default=None
        Folder to read from and to cache in; scikit-learn's data home if None. Files
        `fashion_train.npz` and `fashion_test.npz` there, with arrays `X` of shape
        (n, 28, 28) and `y`, are read as they are. Otherwise OpenML is asked for data
        set `Fashion-MNIST`, and its copy is kept there.
    return_X_y : bool, default=False
        Whether to return only `(data, target)`.

    Returns
    -------
    images : Bunch
        As :func:`fetch_mnist`.

    Raises
    ------
    OSError
        If the files are not there and OpenML does not answer.

    See Also
    --------
    fetch_mnist : Digits in the same format.
    """
    return _fetch("fashion", "Fashion-MNIST", subset, data_home, return_X_y)


def _fetch(stem, openml_name, subset, data_home, return_X_y):
    home = Path(get_data_home() if data_home is None else data_home).expanduser()
    parts = ("train", "test") if subset == "all" else (subset,)
    files = [home / f"{stem}_{part}.npz" for part in parts]
    if all(file.exists() for file in files):
        X, y = _read(files)
    else:
        X, y = _ask_openml(openml_name, subset, home)
    if return_X_y:
        return X, y
    description = f"{openml_name}, {subset}: {len(X)} images of 28 x 28 pixels"
    return Bunch(data=X, target=y, grid_shape=(_SIDE, _SIDE), DESCR=description)


def _read(files):
    images, targets = [], []
    for file in files:
        with np.load(file) as arrays:
            images.append(arrays["X"].reshape(-1, _SIDE * _SIDE))
            targets.append(arrays["y"].astype(np.int64))
    return np.concatenate(images), np.concatenate(targets)


def _ask_openml(name, subset, home):
    try:
        answer = fetch_openml(
            name, version=1, as_frame=False, parser="auto", data_home=str(home)
        )
    except OSError as error:
        raise OSError(
            f"Got no answer from OpenML for {name!r} ({error}), expected one, or npz "
            f"files in {str(home)!r}. Put them there, see data_home."
        ) from error
    rows = {
        "train": slice(_N_TRAIN),
        "test": slice(_N_TRAIN, None),
        "all": slice(None),
    }[subset]
    return answer.data[rows].astype(np.uint8), answer.target[rows].astype(np.int64)
