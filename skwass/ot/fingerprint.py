"""What a ground truth is, the same in each process: values and code, not names."""

import sys
import sysconfig
from functools import cached_property, partial, partialmethod
from inspect import isclass, ismodule, isroutine
from pathlib import Path
from pickle import PicklingError
from types import CodeType, FunctionType, MethodType

import joblib
import numpy as np

_PLAIN = (bool, int, float, complex, str, bytes, np.ndarray, np.generic)
# What a class is made of, beside values. Lists and dicts may be there to be changed.
_CODE = (
    FunctionType,
    type,
    property,
    cached_property,
    staticmethod,
    classmethod,
    partial,
    partialmethod,
    tuple,
)
# Attributes that hold what a wrapper calls: `functools.lru_cache`, `np.vectorize`.
_INSIDE = ("__wrapped__", "pyfunc")
# Where packages are whose code a version stands for. Ours is in each key.
_INSTALLED = [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib")]


def fingerprint(thing):
    """Hash a ground truth, such that another one has another hash.

    Functions and classes of the user are their code, with the values that they close
    over and the functions, classes, objects and numbers that they name, in any module
    that is not installed; installed packages are names. Where lines are does not
    matter, nor what is in lists and dicts of a module or a class.

    Parameters
    ----------
    thing : object
        A ground truth.

    Returns
    -------
    digest : str

    Raises
    ------
    ValueError
        If something in it has no value that could be compared.
    """
    try:
        return joblib.hash(_Description().of(thing))
    except (PicklingError, TypeError, AttributeError) as error:
        raise ValueError(
            f"Got ground_truth={thing}, which cannot be told from another one "
            f"({error}), expected numbers, arrays and functions of these. Use it "
            "without memory, out and checkpoint, or keep files and locks out of it."
        ) from error


class _Description:
    """Nested tuples of what can be hashed."""

    def __init__(self):
        self.numbers = {}  # of functions and classes, which are described once
        self.begun = []  # what holds the part at hand, lest it hold itself

    def of(self, thing):
        if thing is None or isinstance(thing, _PLAIN):
            return thing
        if ismodule(thing):
            return thing.__name__
        if isinstance(thing, FunctionType) or isclass(thing):
            if thing in self.numbers:
                return "number", self.numbers[thing]
            self.numbers[thing] = len(self.numbers)
        holders = [id(holder) for holder in self.begun]
        if id(thing) in holders:
            return "holder", holders.index(id(thing))
        self.begun.append(thing)
        parts = self._of_parts(thing)
        self.begun.pop()
        return parts

    def _of_parts(self, thing):
        if isinstance(thing, dict):
            return "dict", [(self.of(key), self.of(thing[key])) for key in thing]
        if isinstance(thing, list | tuple):
            return type(thing).__name__, [self.of(part) for part in thing]
        if isinstance(thing, set | frozenset):
            return "set", set(thing)  # joblib hashes elements in one order
        if isinstance(thing, CodeType):
            return thing.co_code, thing.co_names, self.of(thing.co_consts)
        if isinstance(thing, partial | partialmethod):
            return "partial", self.of([thing.func, thing.args, thing.keywords])
        if isinstance(thing, MethodType):
            return "method", self.of([thing.__func__, thing.__self__])
        if isinstance(thing, staticmethod | classmethod):
            return type(thing).__name__, self.of(thing.__func__)
        if isinstance(thing, cached_property):
            return "property", self.of(thing.func)
        if isinstance(thing, property):
            return "property", self.of([thing.fget, thing.fset])
        if isinstance(thing, FunctionType):
            return self._of_function(thing)
        if isclass(thing):
            return self._of_class(thing)
        for name in _INSIDE:
            if hasattr(thing, name):
                return type(thing).__qualname__, self.of(getattr(thing, name))
        if isroutine(thing):
            return getattr(thing, "__module__", None), thing.__qualname__
        return self._of_object(thing)

    def _of_function(self, function):
        if _is_installed(function):
            return function.__module__, function.__qualname__
        closure = [_content(cell) for cell in function.__closure__ or ()]
        defaults = function.__defaults__, function.__kwdefaults__
        own = [(name, self.of(value)) for name, value in _named_in(function)]
        return "function", self.of([function.__code__, closure, defaults]), own

    def _of_class(self, thing):
        if _is_installed(thing):
            return thing.__module__, thing.__qualname__
        own = [
            (name, self.of(value))
            for name, value in vars(thing).items()
            if name not in ("__module__", "__doc__", "__firstlineno__")
            and (value is None or isinstance(value, (*_PLAIN, *_CODE)))
        ]
        return thing.__qualname__, self.of(list(thing.__bases__)), own

    def _of_object(self, thing):
        kind = self.of(type(thing))
        if hasattr(thing, "get_params"):
            return kind, self.of(thing.get_params(deep=False))
        if _is_installed(type(thing)) or not hasattr(thing, "__dict__"):
            return kind, thing  # by its pickle
        return kind, self.of(vars(thing))


def _is_installed(thing):
    """Whether a version stands for the code of a function or class, or module."""
    name = thing.__name__ if ismodule(thing) else thing.__module__ or "builtins"
    root = name.split(".")[0]
    if root in sys.stdlib_module_names and root != "__main__" or root == "skwass":
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and any(
        Path(file).is_relative_to(folder) for folder in _INSTALLED
    )


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return "empty"


def _named_in(function):
    """Return what a function names of its module, and of modules that it names."""
    codes, names = [function.__code__], set()
    for code in codes:
        names.update(code.co_names)
        codes.extend(part for part in code.co_consts if isinstance(part, CodeType))
    known, found = function.__globals__, []
    for name in sorted(names):
        value = known.get(name)
        if ismodule(value) and not _is_installed(value):
            inside = sorted(names & vars(value).keys())
            found += [(f"{name}.{part}", getattr(value, part)) for part in inside]
        elif name in known:
            found.append((name, value))
    return [(name, value) for name, value in found if _is_part(value)]


def _is_part(value):
    """Whether a global variable is code, a plain value or an object of the user."""
    if value is None or isinstance(value, (*_PLAIN, *_CODE)):
        return True
    if any(hasattr(value, name) for name in _INSIDE):
        return True
    return not (ismodule(value) or isroutine(value) or _is_installed(type(value)))
