"""What tells one ground truth from another: code and values, in any process."""

import importlib
import subprocess
import sys
import threading

import numpy as np
import pytest

from skwass.embedders import SlicedWassersteinEmbedder
from skwass.ot import ExactWasserstein, SinkhornDivergence, pairwise_wasserstein
from skwass.ot.fingerprint import fingerprint

MODULE = """
import numpy as np
from scipy.spatial.distance import cdist

FACTOR = 1.0


def distance(x, y):
    return FACTOR * cdist(x, y)


def metric(x, y):
    return distance(x, y)


class Line:
    power = 1

    def __init__(self, unit=1.0):
        self.unit = unit

    def solve(self, mu, nu):
        return self.length(mu[1] @ mu[0], nu[1] @ nu[0]), True

    @staticmethod
    def length(x, y):
        return float(metric(x[None], y[None])[0, 0])


class Longer(Line):
    pass
"""
EDITS = {
    "the function": ("return distance(x, y)", "return 10 * distance(x, y)"),
    "one that it calls": ("FACTOR * cdist", "FACTOR + cdist"),
    "a number that it names": ("FACTOR = 1.0", "FACTOR = 2.0"),
}
CLASS_EDITS = {
    "a method": ("nu[1] @ nu[0])", "2 * nu[1] @ nu[0])"),
    "a static method": ("return float(", "return 3 * float("),
    "a value of the class": ("power = 1", "power = 2"),
    "a function that it calls": EDITS["the function"],
}
NO_EDITS = {
    "a comment": ("FACTOR = 1.0", "# The unit.\n\nFACTOR = 1.0"),
    "another function": ("import numpy as np", "def other():\n    pass\n"),
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that writes a module, and imports it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(old="", new=""):
        assert old in MODULE
        (tmp_path / "rulers.py").write_text(
            MODULE.replace(old, new, 1) if old else MODULE
        )
        sys.modules.pop("rulers", None)
        importlib.invalidate_caches()
        return importlib.import_module("rulers")

    yield make
    sys.modules.pop("rulers", None)


def truths(module):
    """Return ground truths that all hang on the code of the module."""
    return [
        ExactWasserstein(ground_metric=module.metric),
        ExactWasserstein(ground_metric=lambda x, y: module.metric(x, y)),
        SinkhornDivergence(ground_metric=module.metric),
        module.Line(),
        module.Longer(),
    ]


@pytest.mark.parametrize("edit", [*EDITS.values()], ids=[*EDITS])
def test_edited_functions_are_others(module, edit):
    metric = module().metric
    before = fingerprint(ExactWasserstein(ground_metric=metric))
    assert fingerprint(ExactWasserstein(ground_metric=module().metric)) == before
    assert fingerprint(ExactWasserstein(ground_metric=module(*edit).metric)) != before


@pytest.mark.parametrize("edit", [*CLASS_EDITS.values()], ids=[*CLASS_EDITS])
@pytest.mark.parametrize("name", ["Line", "Longer"])
def test_edited_classes_are_others(module, edit, name):
    before = fingerprint(getattr(module(), name)())
    assert fingerprint(getattr(module(), name)(1.0)) == before
    assert fingerprint(getattr(module(), name)(2.0)) != before
    assert fingerprint(getattr(module(*edit), name)()) != before


@pytest.mark.parametrize("edit", [*NO_EDITS.values()], ids=[*NO_EDITS])
def test_what_a_ground_truth_does_not_use_may_change(module, edit):
    before = [fingerprint(truth) for truth in truths(module())]
    assert [fingerprint(truth) for truth in truths(module(*edit))] == before
    assert len(set(before)) == len(before)


@pytest.mark.slow
def test_they_are_the_same_in_each_process(module, tmp_path):
    code = (
        "import rulers; from skwass.ot import ExactWasserstein;"
        "from skwass.ot.fingerprint import fingerprint as of;"
        "print(of(ExactWasserstein(ground_metric=rulers.metric)), of(rulers.Longer()))"
    )
    here = module()
    expected = [
        fingerprint(ExactWasserstein(ground_metric=here.metric)),
        fingerprint(here.Longer()),
    ]
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        )
        assert run.stdout.split() == expected


@pytest.mark.parametrize("edit", [*EDITS.values()], ids=[*EDITS])
def test_memory_does_not_serve_labels_of_older_code(module, edit, tmp_path):
    X = np.random.default_rng(0).dirichlet(np.ones(5), 12)

    def fit(truth):
        return SlicedWassersteinEmbedder(
            scale=True,
            ground_truth=truth,
            memory=str(tmp_path / "kept"),
            random_state=0,
        ).fit(X)

    truth = ExactWasserstein(ground_metric=module().metric)
    first, again = fit(truth), fit(truth)
    assert (first.n_solves_, again.n_solves_) == (66, 0)
    edited = fit(ExactWasserstein(ground_metric=module(*edit).metric))
    assert edited.n_solves_ == 66
    assert edited.scale_ != first.scale_


def test_memory_takes_lambdas(tmp_path):
    X = np.random.default_rng(0).dirichlet(np.ones(5), 12)
    scales = []
    for factor in (1.0, 1.0, 3.0):
        truth = ExactWasserstein(ground_metric=lambda x, y, f=factor: f * abs(x - y.T))
        embedder = SlicedWassersteinEmbedder(
            scale=True, ground_truth=truth, memory=str(tmp_path), random_state=0
        ).fit(X)
        scales.append((embedder.scale_, embedder.n_solves_))
    assert scales[1] == (scales[0][0], 0)
    assert scales[2][1] == 66
    assert scales[2][0] > 2 * scales[0][0]


def test_a_file_is_not_gone_on_with_by_other_code(module, tmp_path):
    X, out = np.eye(4), tmp_path / "w.npy"
    pairwise_wasserstein(X, ground_truth=module().Line(), out=out)
    pairwise_wasserstein(X, ground_truth=module().Line(), out=out)
    with pytest.raises(ValueError, match="belongs to other ground_truth"):
        pairwise_wasserstein(
            X, ground_truth=module(*CLASS_EDITS["a method"]).Line(), out=out
        )


HELPERS = """
import functools
import numpy as np
from scipy.spatial.distance import cdist


def distance(x, y):
    return cdist(x, y)


class Ruler:
    unit = 1.0

    def __init__(self, power=1):
        self.power = power

    @functools.cached_property
    def factor(self):
        return self.unit**self.power

    def __call__(self, x, y):
        return self.factor * distance(x, y)


RULER = Ruler()
half = functools.partial(distance, np.zeros((1, 1)))
"""
BY_NAME = "def metric(x, y):\n    return {}"
USERS = {
    "a name": "from helpers import distance as metric",
    "a module": "import helpers\n" + BY_NAME.format("helpers.distance(x, y)"),
    "an object": "from helpers import RULER\n" + BY_NAME.format("RULER(x, y)"),
    "a bound method": "import helpers\nmetric = helpers.Ruler(2).__call__",
    "an object that is called": "import helpers\nmetric = helpers.Ruler(2)",
    "a partial function": "import helpers\n" + BY_NAME.format("helpers.half(y)"),
    "a cache": "import functools, helpers\nmetric = functools.cache(helpers.distance)",
    "vectorized": "import numpy, helpers\nmetric = numpy.vectorize(helpers.distance)",
}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_edits_are_seen_through_other_modules(user, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def fingerprint_of(helpers):
        for name, code in (("helpers", helpers), ("user", user)):
            (tmp_path / f"{name}.py").write_text(code)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        metric = importlib.import_module("user").metric
        return fingerprint(ExactWasserstein(ground_metric=metric))

    before = fingerprint_of(HELPERS)
    assert fingerprint_of(HELPERS + "\n\ndef other():\n    return 1\n") == before
    assert (
        fingerprint_of(HELPERS.replace("return cdist", "return 10 * cdist")) != before
    )
    for name in ("helpers", "user"):
        sys.modules.pop(name)


@pytest.mark.parametrize("edit", [("unit = 1.0", "unit = 2.0"), ("**self", "*self")])
def test_values_and_properties_of_classes_are_seen(edit):
    found = []
    for code in (HELPERS, HELPERS.replace(*edit)):
        names = {"__name__": "elsewhere"}
        exec(code, names)
        found.append(fingerprint(ExactWasserstein(ground_metric=names["RULER"])))
    assert found[0] != found[1]


class Locked:
    def __init__(self):
        self.lock = threading.Lock()

    def solve(self, mu, nu):
        return 1.0, True


def test_what_cannot_be_compared_is_refused(tmp_path):
    for options in ({"memory": str(tmp_path)}, {}):
        embedder = SlicedWassersteinEmbedder(
            scale=True, ground_truth=Locked(), random_state=0, **options
        )
        if options:
            with pytest.raises(ValueError, match="cannot be told from another one"):
                embedder.fit(np.eye(4))
        else:
            embedder.fit(np.eye(4))
    with pytest.raises(ValueError, match=r"keep files and locks out of it\.$"):
        pairwise_wasserstein(np.eye(4), ground_truth=Locked(), out=tmp_path / "w.npy")


def test_objects_may_hold_themselves():
    class Ring:
        def __init__(self):
            self.me = [self]

        def solve(self, mu, nu):
            return 0.0, self.me is None

    assert fingerprint(Ring()) == fingerprint(Ring())
