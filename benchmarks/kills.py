"""Fits that are killed at random moments of labelling, maps and training, and go on.

    python benchmarks/kills.py [--kills 10]

Processes fit 300 digits of 8 x 8 pixels with a checkpoint. Each is killed (SIGKILL) at
a random moment of one of the three stages, and started again until it ends; what it
then saves is compared with what a fit without a checkpoint saves, byte by byte.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = """
import sys
from sklearn.datasets import load_digits
from skwass import WormholeEmbedder
from skwass.embedders import _trained
learn = _trained.learn_maps
def learn_and_tell(*values):
    print("maps", flush=True)
    return learn(*values)
_trained.learn_maps = learn_and_tell
embedder = WormholeEmbedder(
    grid_shape=(8, 8), n_pairs=1_000, n_maps=200, max_iter=3, random_state=0, verbose=1
)
path = sys.argv[2] if len(sys.argv) > 2 else None
embedder.fit(load_digits().data[:300], checkpoint=path).save(sys.argv[1])
"""
STAGES = {"labelling": "labelling", "maps": "maps", "training": "epoch 1:"}


def begin(*arguments):
    """Start a fit in a process of its own."""
    call = [sys.executable, "-W", "ignore", "-c", SCRIPT, *map(str, arguments)]
    return subprocess.Popen(call, stdout=subprocess.PIPE, text=True)


def wait_for(process, start):
    """Return whether a process prints a line with this in it, when it does."""
    return any(start in line for line in process.stdout)


def lengths(folder):
    """Return how many seconds each stage takes."""
    process, times = begin(Path(folder) / "timed"), []
    for start in STAGES.values():
        wait_for(process, start)
        times.append(time.perf_counter())
    process.wait()
    times.append(time.perf_counter())
    return [b - a for a, b in zip(times, times[1:], strict=False)]


def main():
    """Print how many kills there were, and how many fits ended with other bytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="of each stage")
    args = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        seconds = lengths(folder)
        expected = (Path(folder) / "timed").read_bytes()
        print("| stage | seconds | kills | other bytes |\n|---|---|---|---|")
        for (stage, start), length in zip(STAGES.items(), seconds, strict=True):
            n_killed = n_other = 0
            for number in range(args.kills):
                model = Path(folder) / f"{stage}{number}"
                checkpoint = f"{model}.checkpoint"
                process = begin(model, checkpoint)
                wait_for(process, start)
                time.sleep(rng.uniform(0, length))
                process.send_signal(signal.SIGKILL)
                n_killed += process.wait() == -signal.SIGKILL
                begin(model, checkpoint).communicate()
                n_other += model.read_bytes() != expected
            print(f"| {stage} | {length:.1f} | {n_killed} | {n_other} |", flush=True)


if __name__ == "__main__":
    main()
