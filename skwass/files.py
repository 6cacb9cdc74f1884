"""One file for a fitted embedder: arrays, and JSON in the header. No code in it.

The format is safetensors. The header holds the name of the class, the parameters, what
`fit` left besides weights, and the settings that a network, if any, was built with;
reading builds it anew and fills in weights, so a file from a stranger runs nothing.
"""

import json
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.utils.validation import check_is_fitted

from . import architectures, labels, ot

FORMAT = 7
_WEIGHTS = "module"
_SECTIONS = ("parameters", "attributes", "network")


def _revived(attribute, value):
    """Undo what JSON does to a fitted attribute."""
    if attribute == "feature_names_in_":
        return np.array(value, dtype=object)
    is_list = isinstance(value, tuple) and attribute != "grid_shape_"
    return list(value) if is_list else value


class FileMixin:
    """Saves and loads an embedder.

    It names in `_saved` the fitted attributes to keep: numbers, strings, arrays and
    lists of them. If it has a `module_`, a class method `_build` makes another.
    """

    _saved: tuple[str, ...]
    module_: Any
    _build: ClassVar[Callable]
    get_params: Callable

    def save(self, path):
        """Write the fitted embedder into one safetensors file.

        Parameters
        ----------
        path : str or path
            File to write, e.g. `"digits.safetensors"`.

        Raises
        ------
        TypeError
            If a parameter is neither a number, a string nor an object of skwass.

        Notes
        -----
        `memory` is not kept, nor `set_output`, callbacks and the state of the
        optimizer. A pickle keeps them, and can run code when it is opened; this file
        cannot.
        """
        check_is_fitted(self)
        parameters = self.get_params(deep=False)
        if "memory" in parameters:
            parameters["memory"] = None
        kept = [name for name in self._saved if name in self.__dict__]
        attributes = {name: self.__dict__[name] for name in kept} | self._packed()
        network, weights = {}, {}
        if hasattr(self, "module_"):
            network, weights = self.module_.settings, self.module_.state_dict()
        name = type(self).__name__
        write(path, name, parameters, attributes, network, weights)

    @classmethod
    def load(cls, path):
        """Read a fitted embedder that `save` wrote.

        Parameters
        ----------
        path : str or path
            File to read. No code in it is run.

        Returns
        -------
        embedder : object
            Fitted estimator, on the CPU until it is used.

        Raises
        ------
        ValueError
            If the file holds no embedder of this class.
        """
        name, parameters, attributes, network, weights = read(path)
        if name != cls.__name__:
            raise ValueError(
                f"Got path={str(path)!r} of a {name}, expected a {cls.__name__}. Call "
                f"{name}.load(path)."
            )
        embedder = cls(**parameters)
        for attribute, value in attributes.items():
            setattr(embedder, attribute, _revived(attribute, value))
        if network:
            embedder.module_ = cls._build(network, torch.Generator()).eval()
            embedder.module_.load_state_dict(weights)
        embedder._reopen()
        return embedder

    def _packed(self):
        """Return what else is to be kept, by names of attributes, as arrays."""
        return {}

    def _reopen(self):
        """Make anew what is not in the file and follows from what is."""


def write(path, estimator, parameters, attributes, network, weights):
    """Write a fitted embedder.

    Parameters
    ----------
    path : str or path
        File to write.
    estimator : str
        Name of the class.
    parameters, attributes, network : dict
        Of the constructor; of the fitted estimator; of the factory of its network.
    weights : dict of Tensor
        State of the module.
    """
    tensors = {
        f"{_WEIGHTS}.{name}": weight.cpu().contiguous()
        for name, weight in weights.items()
    }
    header = {"format": FORMAT, "estimator": estimator}
    sections = (parameters, attributes, network)
    for section, values in zip(_SECTIONS, sections, strict=True):
        header[section] = {}
        for name, value in values.items():
            value = value.to_numpy() if hasattr(value, "to_numpy") else value
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
                # A copy: a parameter and what fit made of it may be one array.
                array = torch.from_numpy(np.array(value, order="C"))
                tensors[f"{section}.{name}"] = array
            else:
                header[section][name] = _to_json(name, value)
    try:
        save_file(tensors, path, metadata={"skwass": json.dumps(header)})
    except SafetensorError as error:
        raise OSError(
            f"Got path={str(path)!r}, expected one that can be written: {error}. Check "
            "that its folder is there."
        ) from error


def read(path):
    """Read what `write` wrote.

    Returns
    -------
    estimator : str
        Name of the class.
    parameters, attributes, network : dict
        As given to `write`; lists have become tuples.
    weights : dict of Tensor
        State of the module.

    Raises
    ------
    ValueError
        If `save` did not write the file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("skwass", "{}"))
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(
            f"Got path={str(path)!r}, expected a file that save(path) wrote: {error}. "
            "Open a pickle with pickle or joblib."
        ) from error
    if header.get("format") != FORMAT:
        raise ValueError(
            f"Got path={str(path)!r} in format {header.get('format')!r}, expected "
            f"format {FORMAT}. Write it with save(path) of this version."
        )
    sections = {
        section: {name: _from_json(value) for name, value in header[section].items()}
        for section in _SECTIONS
    }
    weights = {}
    for key, tensor in tensors.items():
        section, name = key.split(".", 1)
        if section == _WEIGHTS:
            weights[name] = tensor
        else:
            sections[section][name] = tensor.numpy()
    return header["estimator"], *sections.values(), weights


def _to_json(name, value):
    if type(value) in _known_classes().values():
        parameters = {
            part: _to_json(f"{name}.{part}", given)
            for part, given in value.get_params(deep=False).items()
        }
        return {"object": type(value).__name__, "parameters": parameters}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_to_json(name, part) for part in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"Got {name}={value!r}, expected a number, a string, None or an object of "
        "skwass to save: a file holds no code. Use pickle for others."
    )


def _from_json(value):
    if isinstance(value, dict):
        parameters = value["parameters"].items()
        return _known_classes()[value["object"]](
            **{name: _from_json(given) for name, given in parameters}
        )
    return tuple(_from_json(part) for part in value) if type(value) is list else value


def _known_classes():
    """Return the classes of objects that a file may ask for, by name."""
    named = {
        name: getattr(room, name)
        for room in (ot, architectures, labels)
        for name in room.__all__
    }
    return {
        name: thing for name, thing in named.items() if hasattr(thing, "get_params")
    }
