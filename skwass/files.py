"""One file for a fitted embedder: arrays, and JSON in the header. No code in it.

The format is safetensors. The header holds the name of the class, the parameters, what
`fit` left besides weights, and the settings that a network, if any, was built with;
reading builds it anew and fills in weights, so a file from a stranger runs nothing. A
hash of header and arrays tells a file that was damaged from one that was not.
"""

import hashlib
import json
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.utils.validation import check_is_fitted
from torch.nn.modules.module import register_module_parameter_registration_hook

from . import architectures, labels, ot
from .architectures.network import check_network
from .measures import Histograms, PointClouds
from .measures.layout import shown

FORMAT = 8
# The one before had no hash.
_READABLE = (7, FORMAT)
_WEIGHTS = "module"
_SECTIONS = ("parameters", "attributes", "network")
# Arrays that are parameters of objects.
_INSIDE = "inside"
# What goes wrong where a header asks for what there is not.
_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)


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
    # How names in `_packed` begin.
    _packs: tuple[str, ...] = ()
    module_: Any
    n_features_in_: int
    support_: Any
    grid_shape_: Any
    _as_measures: Callable
    _embed: Callable
    _rescaled: Callable
    _validate_params: Callable
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
            If a parameter, or one of its own, is neither a number, an array, a string
            nor an object of skwass: functions are code, which a file does not hold.

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
            If the file holds no embedder of this class, or was changed since.

        Notes
        -----
        `memory` is None, whatever the file says: what is kept there are pickles.
        """
        with _refused(path):
            name, parameters, attributes, network, weights = read(path)
            name = shown(name).strip("'")
        if name != cls.__name__:
            raise ValueError(
                f"Got path={str(path)!r} of a {name}, expected a {cls.__name__}. Call "
                f"{name}.load(path)."
            )
        with _refused(path):
            return cls._of_parts(parameters, attributes, network, weights)

    @classmethod
    def _of_parts(cls, parameters, attributes, network, weights):
        """Return an embedder of what is in a file."""
        if "memory" in parameters:
            parameters["memory"] = None
        embedder = cls(**parameters)
        embedder._validate_params()
        for attribute, value in attributes.items():
            # No more than `save` writes: a parameter would be one of a stranger.
            if not (attribute in cls._saved or attribute.startswith(cls._packs)):
                raise ValueError(f"it holds {shown(attribute)}")
            setattr(embedder, attribute, _revived(attribute, value))
        if network:
            _refuse_other_sizes(network, weights)
            embedder.module_ = cls._build(network, torch.Generator()).eval()
            embedder.module_.load_state_dict(weights)
        embedder._reopen()
        check_is_fitted(embedder)
        embedder._try_out()
        return embedder

    def _try_out(self):
        """Embed one measure: parts that are not of one fit fail now, and not later."""
        with warnings.catch_warnings():  # an atom has no names of features
            warnings.simplefilter("ignore")
            measures = self._as_measures(self._atom())
        if hasattr(self, "module_"):
            with torch.no_grad():
                rows = self.module_.embed(measures, torch.device("cpu")).numpy()
        else:
            rows = self._embed(measures)
        self._rescaled(rows)

    def _packed(self):
        """Return what else is to be kept, by names of attributes, as arrays."""
        return {}

    def _reopen(self):
        """Make anew what is not in the file and follows from what is."""

    def _atom(self):
        """Return the simplest measures that were fitted to: all mass at one point."""
        if getattr(self, "support_", None) is None:
            points = np.zeros((1, self.n_features_in_))
            return PointClouds([points], [np.ones(1)])
        if len(self.support_) != self.n_features_in_:
            raise ValueError("its features are not its bins")
        first = np.zeros((1, self.n_features_in_))
        first[0, 0] = 1
        return Histograms(first, self.support_, self.grid_shape_)


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
    header = {"format": FORMAT, "estimator": estimator, "columns_first": []}
    sections = (parameters, attributes, network)
    for section, values in zip(_SECTIONS, sections, strict=True):
        header[section] = {}
        for name, value in values.items():
            value = value.to_numpy() if hasattr(value, "to_numpy") else value
            key = f"{section}.{name}"
            if _is_numeric(value):
                tensors[key] = _to_tensor(value)
                if value.flags.f_contiguous and not value.flags.c_contiguous:
                    header["columns_first"].append(key)
            else:
                header[section][name] = _to_json(name, value, key, tensors)
    text = json.dumps(header)
    metadata = {"skwass": text, "sha256": _digest(text, tensors)}
    try:
        save_file(tensors, path, metadata=metadata)
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
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    text = metadata.get("skwass", "{}")
    header = json.loads(text)
    if header.get("format") not in _READABLE:
        raise ValueError(
            f"Got path={str(path)!r} in format {shown(header.get('format'))}, expected "
            f"format {FORMAT}. Write it with save(path) of this version."
        )
    has_hash = header["format"] > 7 or "sha256" in metadata
    if has_hash and metadata.get("sha256") != _digest(text, tensors):
        raise ValueError("its content is not what was written")
    sections = {
        section: {
            name: _from_json(value, tensors) for name, value in header[section].items()
        }
        for section in _SECTIONS
    }
    columns_first = header.get("columns_first", ())
    weights = {}
    for key, tensor in tensors.items():
        section, name = key.split(".", 1)
        if section == _WEIGHTS:
            weights[name] = tensor
        elif section in _SECTIONS:
            array = tensor.numpy()
            is_turned = key in columns_first
            sections[section][name] = np.asfortranarray(array) if is_turned else array
    return header["estimator"], *sections.values(), weights


@contextmanager
def _refused(path):
    """Say of any fault in a file what the file should be."""
    if Path(path).is_dir():
        raise ValueError(
            f"Got path={str(path)!r}, a folder, expected a file that save(path) wrote. "
            "Name the file in it."
        )
    try:
        yield
    except _FAULTS as error:
        if str(error).startswith("Got path="):
            raise
        raise ValueError(
            f"Got path={str(path)!r}, expected a file that save(path) wrote, as it "
            f"wrote it: {shown(error)}. Save the embedder again. Open a pickle with "
            "pickle or joblib."
        ) from error


def _digest(text, tensors):
    """Return a hash of a header and of all that is in arrays."""
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy())
        found.update(f"{name} {array.dtype} {tensors[name].shape}".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _refuse_other_sizes(network, weights):
    """Raise unless weights are those of a network, before any memory is taken."""

    def count(*_):
        counted.append(1)
        if len(counted) > len(weights):
            raise ValueError("its network has more weights than it holds")

    counted = []
    hook = register_module_parameter_registration_hook(count)
    try:
        expected = check_network(network).state_dict()
    finally:
        hook.remove()
    if {name: weight.shape for name, weight in weights.items()} != {
        name: weight.shape for name, weight in expected.items()
    }:
        raise ValueError("its weights are not those of its network")


def _is_numeric(value):
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def _to_tensor(array):
    """Return a copy: a parameter and what fit made of it may be one array."""
    dtype = array.dtype.newbyteorder("=")
    dtype = np.float64 if dtype == np.longdouble else dtype
    return torch.from_numpy(np.array(array, dtype=dtype, order="C"))


def _to_json(name, value, key, tensors):
    """Return what JSON can hold; arrays inside objects go to `tensors`."""
    if type(value) in _known_classes().values():
        parameters = {
            part: _to_json(f"{name}.{part}", given, f"{key}.{part}", tensors)
            for part, given in value.get_params(deep=False).items()
        }
        return {"object": type(value).__name__, "parameters": parameters}
    if _is_numeric(value):
        tensors[f"{_INSIDE}.{key}"] = _to_tensor(value)
        return {"array": f"{_INSIDE}.{key}"}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [
            _to_json(name, part, f"{key}.{number}", tensors)
            for number, part in enumerate(value)
        ]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"Got {name}={shown(value)}, expected a number, an array, a string, None or an "
        "object of skwass to save: a file holds no code. Use pickle for others."
    )


def _from_json(value, tensors):
    if isinstance(value, dict) and "array" in value:
        return tensors[value["array"]].numpy()
    if isinstance(value, dict):
        parameters = value["parameters"].items()
        made = _known_classes()[value["object"]](
            **{name: _from_json(given, tensors) for name, given in parameters}
        )
        made._validate_params()
        return made
    if type(value) is list:
        return tuple(_from_json(part, tensors) for part in value)
    return value


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
