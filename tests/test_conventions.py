"""The house rules that a machine can check."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import skwass
from skwass.embedders._parameters import _filled, _with_defaults

ROOT = Path(skwass.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TEST_FILES = sorted(Path(__file__).parent.rglob("*.py"))
FLOORS = {
    "_version": 0,
    "_clock": 0,
    "_ranks": 0,
    "_random": 0,
    "measures": 0,
    "ot": 1,
    "nn": 3,
    "formulas": 2,
    "architectures": 4,
    "labels": 3,
    "files": 5,
    "embedders": 6,
    "manifold": 6,
    "neighbors": 7,
    "geometry": 7,
    "metrics": 7,
    "inspection": 8,
    "datasets": 7,
    "streaming": 7,
}
# Third parties that a floor may not know.
STRANGERS = {
    "measures": {"torch", "ot"},
    "nn": {"sklearn", "ot"},
    "formulas": {"torch"},
    "architectures": {"ot"},
    "labels": {"torch"},
    "manifold": {"torch"},
}
# The order of numpydoc.
SECTIONS = [
    "Parameters",
    "Attributes",
    "Returns",
    "Raises",
    "Warns",
    "See Also",
    "Notes",
    "References",
    "Examples",
]
# What packages are called by those who write about them.
PACKAGES = {"scikit-learn": "sklearn", "POT": "ot", "torch": "torch"}


def _room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(path):
    """Absolute names of the modules that a file imports, at any depth of its code."""
    inside = path.is_relative_to(ROOT)
    package = ["skwass", *path.relative_to(ROOT).parts[:-1]] if inside else []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def test_contributing_describes_the_rooms():
    text = (ROOT.parent / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d) \| `(\w+)` \| .* \| (.*)\|$", text, re.M)
    floors = {room: int(floor) for floor, room, _ in rows}
    rooms = {_room(path) for path in FILES} - {"__init__", "_version"}
    assert floors == {room: FLOORS[room] for room in rooms}
    assert STRANGERS == {
        room: {PACKAGES[name] for name in without.strip().split(", ")}
        for _, room, without in rows
        if without.strip()
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_use_no_private_module_of_others(path):
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "skwass" and parts[1] != room and len(parts) > 3:
            assert not parts[2].startswith("_"), f"{room} <- {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_floors_below(path):
    if path.parent == ROOT and path.name == "__init__.py":
        return
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "skwass":
            other = parts[1]
            assert other == room or FLOORS[other] < FLOORS[room], f"{room} <- {name}"
        assert parts[0] not in STRANGERS.get(room, set()), f"{room} <- {name}"


def _n_docstring_lines(tree):
    """Lines of docstrings, which a file may have as many of as it needs."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef
    firsts = [node.body[0] for node in ast.walk(tree) if isinstance(node, kinds)]
    return sum(
        first.end_lineno - first.lineno + 1
        for first in firsts
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_exceptions_keep_the_rules(path):
    text = path.read_text()
    assert len(text.splitlines()) - _n_docstring_lines(ast.parse(text)) <= 330
    assert not re.search(r"/(work|tmp)/|\.\./shared", text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except, line {node.lineno}"
        assert not isinstance(node, ast.Assert), f"assert on input, line {node.lineno}"
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            assert len(node.exc.args) == 1, f"line {node.lineno}"
            assert not node.exc.keywords, f"line {node.lineno}"


def test_time_enters_only_through_the_clock():
    """Tests set it: none measures time, or waits for it to pass."""
    clocks = {"time", "timeit", "datetime", "sched"}
    for path in [*FILES, *TEST_FILES]:
        if path != ROOT / "_clock.py":
            modules = {name.split(".")[0] for name in _imports(path)}
            assert not modules & clocks, path


@pytest.mark.parametrize(
    ("code", "strangers"),
    [
        ("import skwass", {"numpy", "scipy", "sklearn", "torch", "ot"}),
        (
            "from skwass import WassersteinEmbedder",
            {
                "cvxpy",
                "matplotlib",
                "ot",
                "sklearn.cluster",
                "sklearn.datasets",
                "sklearn.decomposition",
                "sklearn.metrics",
            },
        ),
    ],
)
def test_imports_bring_only_what_is_needed(code, strangers):
    modules = _printed_by(f"{code}; import sys; print(*sys.modules)")
    assert not strangers & set(modules.split())


def test_what_is_imported_late_is_there():
    """In a process where nothing has imported it before."""
    code = "import skwass; print(*(repr(getattr(skwass, k)) for k in dir(skwass)))"
    printed = _printed_by(code)
    for name in (*skwass.__all__, "embedders", "nn"):
        assert name == "__version__" or re.search(rf"[.']{name}'", printed), name
    with pytest.raises(AttributeError, match="'skwass' has no attribute 'nonsense'"):
        skwass.nonsense  # noqa: B018


def _printed_by(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _public_objects():
    """Functions and classes that a package of skwass lists in `__all__`."""
    modules = [skwass]
    for info in pkgutil.walk_packages(skwass.__path__, "skwass."):
        module = import_module(info.name)
        if hasattr(module, "__all__"):
            modules.append(module)
    found = {}
    for module in modules:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found[f"{thing.__module__}.{name}"] = thing
    return found


@pytest.mark.parametrize("name", sorted(_public_objects()))
def test_docstrings_state_the_defaults_of_the_signature(name):
    thing = _public_objects()[name]
    documented = _documented_defaults(inspect.getdoc(thing))
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name in ("args", "kwargs"):
            continue
        assert parameter.name in documented, f"{parameter.name} is not documented"
        stated = documented[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            assert stated is None, parameter.name
        else:
            assert stated is not None, f"{parameter.name} states no default"
            assert ast.literal_eval(stated) == parameter.default, parameter.name


def test_the_guide_names_all_architectures():
    guide = (ROOT.parent / "doc" / "guide.rst").read_text()
    section = guide.split("Choosing a network\n")[1].split("Clouds of any size\n")[0]
    for kind in skwass.architectures.choice.ARCHITECTURES.values():
        assert f"``{kind.__name__}``" in section


def test_embedders_that_train_have_one_constructor_and_one_text():
    trained = (
        skwass.DeepWassersteinEmbedder,
        skwass.KuratowskiEmbedder,
        skwass.WormholeEmbedder,
    )
    names, texts = [], []
    for kind in trained:
        names.append(list(inspect.signature(kind).parameters))
        assert not re.search(r"\{\w+\}", inspect.getdoc(kind)), "left to fill in"
        section = inspect.getdoc(kind).split("Parameters\n----------\n")[1]
        section = section.split("\n\nAttributes\n")[0]
        # What differs are defaults.
        section = re.sub(r"default=\S+", "", section)
        texts.append(re.sub(r'elsewhere\s+`"\w+"`', "", section))
    assert names[0] == names[1] == names[2]
    assert texts[0] == texts[1] == texts[2]
    assert len(names[0]) <= 29


def test_docstrings_are_filled_whatever_their_indentation():
    """Since Python 3.13 compilers take it away."""
    for margin in ("", "    "):
        doc = f"Title.\n\n{margin}{{parameters}}\n\n{margin}Notes\n"
        filled = _filled(doc, "parameters", "\n    a : int\n        Text.\n")
        lines = filled.splitlines()
        assert lines[2:4] == [f"{margin}a : int", f"{margin}    Text."]
    with pytest.raises(TypeError, match="Got defaults of {'n_component'}"):
        _with_defaults(skwass.WormholeEmbedder.__init__, {"n_component": 3}, "A")


def _api():
    """Modules by the names that the API page lists."""
    found, module = {}, None
    for line in (ROOT.parent / "doc" / "api.rst").read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split(":: ")[1]
        elif re.fullmatch(r"   \w+", line):
            assert line.strip() not in found
            found[line.strip()] = module
    return found


def test_the_api_page_lists_what_is_public():
    # What other rooms need and users do not.
    inner = {"grid_support", "MeasureReaderMixin", "is_collection_of_clouds"}
    public = {name.split(".")[-1] for name in _public_objects()}
    assert public - inner <= _api().keys()


@pytest.mark.parametrize("name", _api())
def test_docstrings_see_also_what_there_is(name):
    modules = _api()
    docstring = inspect.getdoc(getattr(import_module(modules[name]), name))
    sections = re.findall(r"^(\w[\w ]*)\n-{3,}$", docstring, re.M)
    assert "See Also" in sections
    assert sections == [section for section in SECTIONS if section in sections]
    listed = docstring.split("See Also\n--------\n")[1].split("\n\n")[0]
    for line in listed.splitlines():
        *home, other = line.split(" : ")[0].split(".")
        assert other in modules
        assert other != name
        # Sphinx looks for short names in the module of the docstring alone.
        assert modules[other] == (".".join(home) or modules[name])


def _documented_defaults(docstring):
    """Map each entry of the section Parameters to the text after `default=`."""
    section = docstring.split("Parameters\n----------\n")[-1]
    section = re.split(r"\n\n?\w[\w ]*\n-{3,}\n", section)[0]
    documented = {}
    for line in section.splitlines():
        match = re.match(r"(\w[\w, ]*) : (.*)$", line)
        if match:
            default = re.search(r"default=(.*)$", match[2])
            for name in match[1].split(", "):
                documented[name] = default[1] if default else None
    return documented
