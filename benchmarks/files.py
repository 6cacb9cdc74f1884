"""Model files that were changed: none is read wrong, none takes memory or time.

    python benchmarks/files.py [--mutations 1000] [--only LinearOTEmbedder]

A file of each class is changed at random: bits, bytes, ends, blocks moved, arrays
swapped, dtypes and shapes of the header; and, with a hash that is right again, as a
stranger may: values of the header replaced by others. Each is opened in a process that
may take 1 GB more than it had, and 5 s of CPU. It is read wrong if embeddings differ
from those of the file before; a stranger's file may say what it likes, but is refused
in one sentence where it does not hang together.
"""

import argparse
import collections
import copy
import json
import multiprocessing
import random
import resource
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits

import skwass
from skwass import files
from skwass.architectures import Dense

SECONDS, BYTES = 5, 2**30
X = load_digits().data[:20]
SMALL = {
    "architecture": Dense(widths=(16,)),
    "grid_shape": (8, 8),
    "max_iter": 1,
    "n_pairs": 30,
    "random_state": 0,
}
CLASSES = {
    "WormholeEmbedder": SMALL,
    "DeepWassersteinEmbedder": SMALL,
    "KuratowskiEmbedder": SMALL,
    "LinearOTEmbedder": {"grid_shape": (8, 8), "random_state": 0},
    "SlicedWassersteinEmbedder": {"grid_shape": (8, 8), "random_state": 0},
    "SlicedRegressionEmbedder": {"grid_shape": (8, 8), "random_state": 0},
    "GaussianEmbedder": {"grid_shape": (8, 8)},
    "DiffusionEMDEmbedder": {"grid_shape": (8, 8), "random_state": 0},
    "PseudobulkEmbedder": {"grid_shape": (8, 8)},
    "WassersteinMDS": {"grid_shape": (8, 8), "ground_truth": "exact", "verbose": 0},
}
STRANGE = [None, True, -1, 0, 1e9, 10**7, 10**12, 1e400, "abc", "", [], [[]], {}]
STRANGE += [[30_000, 30_000], [4] * 100_000, {"object": "Slices", "parameters": {}}]


def flip(content, rng):
    """Flip bits."""
    for _ in range(rng.choice([1, 1, 1, 5])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def flip_header(content, rng):
    """Flip a bit where sizes, names and values are."""
    size = int.from_bytes(content[:8], "little")
    content[rng.randrange(min(len(content), 8 + size))] ^= 1 << rng.randrange(8)


def overwrite(content, rng):
    """Write other bytes."""
    start, length = rng.randrange(len(content)), rng.choice([1, 4, 100])
    content[start : start + length] = rng.randbytes(length)


def cut(content, rng):
    """Cut off the end, or add to it."""
    if rng.random() < 0.8:
        del content[rng.randrange(len(content)) :]
    else:
        content += rng.randbytes(rng.randrange(1, 100))


def move(content, rng):
    """Swap two blocks."""
    length = rng.choice([4, 8, 64])
    a, b = (rng.randrange(len(content) - length) for _ in range(2))
    block = content[a : a + length]
    content[a : a + length] = content[b : b + length]
    content[b : b + length] = block


def name_other(content, rng):
    """Name another dtype of the same size, or another shape."""
    size = int.from_bytes(content[:8], "little")
    text = bytes(content[8 : 8 + size])
    old, new = rng.choice([(b"F32", b"I32"), (b"F64", b"I64"), (b"[1,", b"[2,")])
    content[8 : 8 + size] = text.replace(old, new, 1)


BYTEWISE = [flip, flip_header, overwrite, cut, move, name_other]


def places(value, path=()):
    """Yield where values are in nested dicts and lists."""
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def estrange(path, rng):
    """Replace or drop a value of the header, or an array; mend the hash."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["skwass"])
    tensors = load_file(path)
    if rng.random() < 0.8:
        *where, last = rng.choice(list(places(header)))
        inside = header
        for key in where:
            inside = inside[key]
        if rng.random() < 0.2:
            del inside[last]
        else:
            inside[last] = copy.deepcopy(rng.choice(STRANGE))
    else:
        name = rng.choice(sorted(tensors))
        if rng.random() < 0.5:
            del tensors[name]
        else:
            tensors[name] = tensors[name].flatten()[: rng.randrange(3)].clone()
    text = json.dumps(header)
    metadata = {"skwass": text, "sha256": files._digest(text, tensors)}
    save_file(tensors, path, metadata=metadata)


def outcome(kind, path, expected):
    """Return what a file does to who opens it, and the message."""
    start = time.process_time()
    try:
        rows = kind.load(path).transform(X)
    except (ValueError, OSError, TypeError) as error:
        text = str(error)
        if time.process_time() - start > SECONDS:
            return "beyond", text
        is_ours = isinstance(error, ValueError) and text.startswith("Got")
        return ("refused" if is_ours and len(text) <= 400 else "foreign"), text
    except MemoryError as error:
        return "beyond", repr(error)
    except Exception as error:
        return "foreign", repr(error)
    if time.process_time() - start > SECONDS:
        return "beyond", "slow"
    return ("same" if np.array_equal(rows, expected) else "other"), ""


def work(name, content, expected, numbers, queue):
    """Try mutations by their numbers, under the limit, and tell."""
    warnings.simplefilter("ignore")
    kind = getattr(skwass, name)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for number in numbers:
            rng = random.Random(number)
            path.write_bytes(content)
            is_strange = number % 3 == 0
            if is_strange:
                estrange(path, rng)
            else:
                changed = bytearray(content)
                rng.choice(BYTEWISE)(changed, rng)
                path.write_bytes(changed)
            queue.put((number, "begun", ""))
            signal.alarm(4 * SECONDS)
            found, text = outcome(kind, path, expected)
            signal.alarm(0)
            if found == "other" and not is_strange:
                found = "wrong"
            queue.put((number, found, text))


def tried(name, n_mutations):
    """Return outcomes of mutations; a process that ends is begun again."""
    kind = getattr(skwass, name)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "file"
        embedder = kind(**CLASSES[name]).fit(X)
        embedder.save(path)
        content = path.read_bytes()
        expected = kind.load(path).transform(X)
        if not np.array_equal(expected, embedder.transform(X)):
            raise RuntimeError(f"{name} is not what it was")
    counts, shown, left = collections.Counter(), {}, list(range(n_mutations))
    context = multiprocessing.get_context("spawn")  # threads of a fit survive no fork
    while left:
        queue = context.SimpleQueue()
        process = context.Process(
            target=work, args=(name, content, expected, left, queue)
        )
        process.start()
        begun = None
        while process.is_alive() or not queue.empty():
            if queue.empty():
                time.sleep(0.001)
                continue
            number, found, text = queue.get()
            begun = number if found == "begun" else None
            if found != "begun":
                left.remove(number)
                counts[found] += 1
                if found in ("foreign", "wrong", "beyond", "other"):
                    shown.setdefault((found, text[:50]), (number, text[:300]))
        process.join()
        if begun is not None:
            left.remove(begun)
            counts["crash"] += 1
            shown.setdefault(("crash", ""), (begun, f"exit {process.exitcode}"))
    return counts, shown


def main():
    """Print one row per class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", default=list(CLASSES))
    args = parser.parse_args()
    kinds = "refused", "same", "other", "foreign", "wrong", "beyond", "crash"
    print("| class | files |", " | ".join(kinds), "|\n" + "|---" * 9 + "|")
    for name in args.only:
        counts, shown = tried(name, args.mutations)
        row = [name, sum(counts.values()), *(counts[kind] for kind in kinds)]
        print("|", " | ".join(map(str, row)), "|", flush=True)
        for (found, _), (number, text) in shown.items():
            print(f"    {found}, {number}: {text}", flush=True)


if __name__ == "__main__":
    main()
