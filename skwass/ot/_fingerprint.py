"""What a ground truth is, the same in each process: values and code, not names."""

from functools import partial
from inspect import isclass, ismodule, isroutine
from pickle import PicklingError
from types import CodeType, FunctionType, MethodType

import joblib
import numpy as np

_PLAIN = (bool, int, float, complex, str, bytes, np.ndarray, np.generic)
# What a class is made of, beside values; lists may be there to be written to.
_CODE = (FunctionType, type, property, staticmethod, classmethod, tuple)
# Packages whose code a version stands for, ours in each key.
_KNOWN = ("skwass", "sklearn", "numpy", "scipy", "torch", "ot", "joblib", "builtins")


def fingerprint(thing):
    """Hash a ground truth, such that another one has another hash.

    Functions and classes of the user are their code, with the values that they close
    over and the functions, classes and numbers of their own package that they name;
    what they import from elsewhere is a name. Where lines are does not matter.

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
            f"({error}), expected numbers, arrays and functions of these. Leave "
            "memory and out alone with it, or keep files and locks out of it."
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
        if isinstance(thing, partial):
            return "partial", self.of([thing.func, thing.args, thing.keywords])
        if isinstance(thing, MethodType):
            return "method", self.of([thing.__func__, thing.__self__])
        if isinstance(thing, staticmethod | classmethod):
            return type(thing).__name__, self.of(thing.__func__)
        if isinstance(thing, property):
            return "property", self.of([thing.fget, thing.fset])
        if isinstance(thing, FunctionType):
            return self._of_function(thing)
        if isclass(thing):
            return self._of_class(thing)
        if isroutine(thing):
            return getattr(thing, "__module__", None), thing.__qualname__
        return self._of_object(thing)

    def _of_function(self, function):
        if _is_known(function):
            return function.__module__, function.__qualname__
        closure = [cell.cell_contents for cell in function.__closure__ or ()]
        defaults = function.__defaults__, function.__kwdefaults__
        own = [
            (name, self.of(value))
            for name, value in _named_in(function)
            if _is_of_package(value, function.__module__)
        ]
        return "function", self.of([function.__code__, closure, defaults]), own

    def _of_class(self, thing):
        if _is_known(thing):
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
        if _is_known(type(thing)) or not hasattr(thing, "__dict__"):
            return kind, thing  # by its pickle
        return kind, self.of(vars(thing))


def _is_known(thing):
    """Whether a version stands for the code of a function or class."""
    return (thing.__module__ or "builtins").split(".")[0] in _KNOWN


def _named_in(function):
    """Return the global variables that a function names, those inside it too."""
    codes, names = [function.__code__], set()
    for code in codes:
        names.update(code.co_names)
        codes.extend(part for part in code.co_consts if isinstance(part, CodeType))
    known = function.__globals__
    return [(name, known[name]) for name in sorted(names) if name in known]


def _is_of_package(value, module):
    """Whether a global variable is code of the same package, or a plain value."""
    if not isinstance(value, FunctionType) and not isclass(value):
        return value is None or isinstance(value, (*_PLAIN, tuple))
    return (value.__module__ or "").split(".")[0] == (module or "").split(".")[0]
