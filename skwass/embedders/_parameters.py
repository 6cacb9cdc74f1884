"""The constructor of all embedders that train a network."""

import re
from inspect import signature
from numbers import Integral, Real
from textwrap import dedent, indent
from types import FunctionType

from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from ..architectures.choice import ARCHITECTURE_CONSTRAINT, DECODER_CONSTRAINT
from ..labels.schemes import LABELS_CONSTRAINT
from ..ot.ground_truths import GROUND_TRUTH_CONSTRAINT
from ._stages import LEAST_EPOCHS, LEAST_STEPS, N_PAIRS
from ._texts import ATTRIBUTES, PARAMETERS

_AUTO = StrOptions({"auto"})


class TrainedParameters:
    """Mixin with the parameters of embedders that train a network."""

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "architecture": ARCHITECTURE_CONSTRAINT,
        "decoder": DECODER_CONSTRAINT,
        "exact_mean": ["boolean", _AUTO],
        "private_axis": ["boolean", _AUTO],
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "ground_truth": GROUND_TRUTH_CONSTRAINT,
        "labels": LABELS_CONSTRAINT,
        "n_pairs": [Interval(Integral, 1, None, closed="left"), _AUTO],
        "n_maps": [Interval(Integral, 2, None, closed="left"), Options(Integral, {0})],
        "gradient_weight": [Interval(Real, 0, None, closed="left"), _AUTO],
        "max_iter": [Interval(Integral, 1, None, closed="left"), _AUTO],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), _AUTO],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), _AUTO],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "n_score_pairs": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "device": [str],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=64,
        *,
        architecture="auto",
        decoder=None,
        exact_mean="auto",
        private_axis="auto",
        grid_shape=None,
        support=None,
        ground_truth="exact",
        labels="auto",
        n_pairs="auto",
        n_maps=0,
        gradient_weight="auto",
        max_iter="auto",
        max_time=None,
        batch_size="auto",
        learning_rate=1e-3,
        weight_decay=0.01,
        max_grad_norm=1.0,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change="auto",
        tol=0.0,
        warm_start=False,
        n_score_pairs=1_000,
        memory=None,
        device="cpu",
        n_jobs=None,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.architecture = architecture
        self.decoder = decoder
        self.exact_mean = exact_mean
        self.private_axis = private_axis
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.labels = labels
        self.n_pairs = n_pairs
        self.n_maps = n_maps
        self.gradient_weight = gradient_weight
        self.max_iter = max_iter
        self.max_time = max_time
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state


def trained(**defaults):
    """Give a class the common constructor and documentation, with its own defaults.

    The docstring of the class has `{parameters}` and `{attributes}` where they belong.

    Parameters
    ----------
    **defaults : object
        Of constructor parameters, where they differ from those of the base class.
    """

    def decorate(cls):
        cls.__init__ = _with_defaults(cls.__init__, defaults, cls.__qualname__)
        if cls.__doc__ is not None:  # python -OO leaves none
            known = signature(cls.__init__).parameters
            values = {name: part.default for name, part in known.items()}
            values["otherwise"] = cls._otherwise
            for name, value in values.items():
                values[name] = f'"{value}"' if isinstance(value, str) else value
            values |= {"least_steps": LEAST_STEPS, "least_epochs": LEAST_EPOCHS}
            values["most_pairs"] = N_PAIRS
            doc = _filled(cls.__doc__, "parameters", PARAMETERS.format(**values))
            cls.__doc__ = _filled(doc, "attributes", ATTRIBUTES)
        return cls

    return decorate


def _filled(doc, name, text):
    """Return a docstring with a text in place of {name}, indented as that is."""
    text = dedent(text).strip("\n")
    # Compilers since Python 3.13 leave no indentation.
    return re.sub(rf"^( *)\{{{name}\}}$", lambda m: indent(text, m[1]), doc, flags=re.M)


def _with_defaults(function, defaults, owner):
    """Return a copy of a method, of another class, with other defaults."""
    name = f"{owner}.{function.__name__}"
    copy = FunctionType(
        function.__code__.replace(co_qualname=name),  # for messages
        function.__globals__,
        function.__name__,
        closure=function.__closure__,
    )
    copy.__qualname__, copy.__doc__ = name, function.__doc__
    own = signature(function).parameters.values()
    unknown = defaults.keys() - {part.name for part in own}
    if unknown:
        raise TypeError(f"Got defaults of {unknown}, expected those of parameters.")
    values = {part.name: defaults.get(part.name, part.default) for part in own}
    first = [part.name for part in own if part.kind is part.POSITIONAL_OR_KEYWORD]
    copy.__defaults__ = tuple(values[name] for name in first if name != "self")
    copy.__kwdefaults__ = {
        part.name: values[part.name] for part in own if part.kind is part.KEYWORD_ONLY
    }
    return copy
