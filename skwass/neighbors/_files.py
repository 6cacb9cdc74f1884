"""One file for fitted neighbours, their embedder included. No code in it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .. import embedders
from ..files import read, write
from ._targets import Targets

_EMBEDDER = "embedder_file"
_SAVED = (
    "embedding_",
    "expected_recall_",
    "n_features_in_",
    "feature_names_in_",
    "grid_shape_",
    "support_",
    "_seed",
    "_unit",
)


class NeighborsFileMixin:
    """Saves and loads fitted neighbours."""

    embedder: Any
    embedder_: Any
    get_params: Any
    _targets: Targets
    _reopen: Any

    def save(self, path):
        """Write the fitted estimator, its embedder too, into one safetensors file.

        Parameters
        ----------
        path : str or path
            File to write, e.g. `"neighbors.safetensors"`.

        Raises
        ------
        TypeError
            If the embedder cannot be saved, or a parameter is neither a number, a
            string nor an object of skwass.

        Notes
        -----
        What bounds distances, and the index of embeddings, are made anew by `load`.
        """
        check_is_fitted(self)
        embedder: Any = getattr(self.embedder_, "estimator", self.embedder_)
        if not hasattr(embedder, "save"):
            raise TypeError(
                f"Got embedder={embedder!r} without save, expected an embedder of "
                "skwass. Use pickle for others."
            )
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "embedder"
            embedder.save(file)
            content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        parameters = {**self.get_params(deep=False), "embedder": None}
        kept = {name: vars(self)[name] for name in _SAVED if name in vars(self)}
        masses = self._targets.masses
        kept |= {
            _EMBEDDER: content,
            "embedder_class": type(embedder).__name__,
            "masses": masses.data,
            "columns": masses.indices,
            "ends": masses.indptr,
            "points": self._targets.points,
        }
        write(path, type(self).__name__, parameters, kept, {}, {})

    @classmethod
    def load(cls, path):
        """Read a fitted estimator that `save` wrote.

        Parameters
        ----------
        path : str or path
            File to read. No code in it is run.

        Returns
        -------
        neighbors : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the file holds no estimator of this class.
        """
        name, parameters, kept, _, _ = read(path)
        if name != cls.__name__:
            raise ValueError(
                f"Got path={str(path)!r} of a {name}, expected a {cls.__name__}. Call "
                f"{name}.load(path)."
            )
        loaded = cls(**parameters)
        embedder = _read_embedder(kept.pop("embedder_class"), kept.pop(_EMBEDDER))
        loaded.embedder_, loaded.embedder = embedder, clone(embedder)
        entries = kept.pop("masses"), kept.pop("columns"), kept.pop("ends")
        points = kept.pop("points")
        shape = len(entries[2]) - 1, len(points)
        targets = Targets(csr_array(entries, shape), points)
        for attribute, value in kept.items():
            if attribute == "feature_names_in_":
                value = np.array(value, dtype=object)
            setattr(loaded, attribute, value)
        loaded._reopen(targets)
        return loaded


def _read_embedder(name, content):
    kind: Any = getattr(embedders, name, None)
    if name not in embedders.__all__ or not hasattr(kind, "load"):
        raise ValueError(
            f"Got a file with an embedder of class {name!r}, expected one of skwass. "
            "Write it with save(path) of this version."
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embedder"
        file.write_bytes(content.tobytes())
        return kind.load(file)
