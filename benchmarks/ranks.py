"""One process beside two that fit together: losses, and time of a step.

    python benchmarks/ranks.py [--batches 128 1024 4096]

Digits of 8 x 8 pixels with labels that are given (random numbers: only time and
equality are looked at), a Wormhole network of slices, one thread in each process, two
processes that talk through gloo on this machine. The time of a step is the median over
epochs but for the first.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SCRIPT = """
import contextlib, json, sys, time
import numpy as np
import torch
from gpu import Stamps
from sklearn.datasets import load_digits
from skwass import WormholeEmbedder
from skwass.ot import sample_pairs
torch.set_num_threads(1)
rank, size, batch = (int(word) for word in sys.argv[1:4])
meeting = sys.argv[4]
if size > 1:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size
    )
X = load_digits().data
pairs = sample_pairs(len(X), 40_000, 0)
w = np.random.default_rng(0).uniform(1, 2, size=len(pairs))
embedder = WormholeEmbedder(
    grid_shape=(8, 8), max_iter=8, batch_size=batch, early_stopping=False,
    random_state=0, verbose=1,
)
with contextlib.redirect_stdout(Stamps()) as stamps:
    embedder.fit(X, pairs=pairs, distances=w)
if rank == 0:
    seconds = np.median(np.diff(stamps.times)) / -(-len(pairs) // batch)
    print(json.dumps([seconds, embedder.loss_curve_]))
"""


def run(size, batch):
    """Return seconds per step and the loss of each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        calls = [
            [sys.executable, "-W", "ignore", "-c", SCRIPT]
            + [str(rank), str(size), str(batch), meeting]
            for rank in range(size)
        ]
        here = Path(__file__).parent
        processes = [
            subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=here)
            for call in calls
        ]
        answers = [process.communicate()[0] for process in processes]
    return json.loads(answers[0].splitlines()[-1])


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 1024, 4096])
    args = parser.parse_args()
    print("| pairs per step | one, ms | two, ms | ratio | losses differ by |")
    print("|---|---|---|---|---|")
    for batch in args.batches:
        (alone, losses), (together, others) = run(1, batch), run(2, batch)
        gap = np.max(np.abs(np.array(others) / losses - 1))
        print(
            f"| {batch:,} | {1e3 * alone:.1f} | {1e3 * together:.1f} "
            f"| {together / alone:.2f} | {gap:.0e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
