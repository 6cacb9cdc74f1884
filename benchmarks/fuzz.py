"""Inputs of any kind, tried on what is public: right, clear, foreign, wrong.

    python benchmarks/fuzz.py [--inputs 10000] [--only sliced]

Strategies and the rule are those of `tests/fuzz`. An input is right if what can be read
is answered as it should be, clear if it is refused in a ValueError or TypeError of at
most 400 characters. Everything else is shown, once per kind.
"""

import argparse
import collections
import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("SKWASS_FUZZ", "dev")

from skwass import (  # noqa: E402
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    WormholeEmbedder,
)
from tests.fuzz.measures import inputs  # noqa: E402
from tests.fuzz.rule import (  # noqa: E402
    Broken,
    check_distances,
    check_embedder,
    check_read,
)
from tests.fuzz.test_fuzz import EMBEDDERS  # noqa: E402


def read(X, layout):
    """Read measures."""
    return "clear" if check_read(layout(X)) is None else "right"


def distances(X, layout):
    """Compare distances with POT."""
    measures = check_read(layout(X))
    if measures is None:
        return "clear"
    check_distances(layout(X), measures)
    return "right"


def embedder(make):
    """Return a check of an embedder."""

    def check(X, layout):
        return check_embedder(make, layout(X), check_read(layout(X)))

    return check


TRAINED = {
    "wormhole": WormholeEmbedder,
    "deep": DeepWassersteinEmbedder,
    "kuratowski": KuratowskiEmbedder,
}


def trained(kind):
    """Return what makes a small embedder with a network."""
    small = {"n_pairs": 5, "max_iter": 1, "n_components": 2, "random_state": 0}
    return lambda: kind(**small)


CHECKS = (
    {"as_measures": read, "pairwise_wasserstein": distances}
    | {name: embedder(make) for name, make in EMBEDDERS.items()}
    | {name: embedder(trained(kind)) for name, kind in TRAINED.items()}
)


def tried(check, n_inputs):
    """Return how often each outcome occurred, and the first of each fault."""
    counts, faults = collections.Counter(), {}

    @settings(
        max_examples=n_inputs,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs())
    def look(made):
        name, layout, data = made
        try:
            counts[check(data, layout)] += 1
        except Broken as error:
            kind = str(error).split(":")[0].split()[0]
            counts[kind] += 1
            faults.setdefault((name, str(error)[:60]), str(error))
        except Exception as error:
            counts["crash"] += 1
            faults.setdefault((name, type(error).__name__), repr(error)[:200])

    look()
    return counts, faults


def main():
    """Print one row for each thing that is public."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", default=list(CHECKS))
    args = parser.parse_args()
    kinds = "right", "clear", "foreign", "wrong", "crash"
    print("| what | inputs |", " | ".join(kinds), "|\n|---|---|---|---|---|---|---|")
    for name in args.only:
        counts, faults = tried(CHECKS[name], args.inputs)
        row = [name, sum(counts.values()), *(counts[kind] for kind in kinds)]
        print("|", " | ".join(map(str, row)), "|", flush=True)
        for (where, _), message in faults.items():
            print(f"    {where}: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
