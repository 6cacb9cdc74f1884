"""The package `wassersteinwormhole`, run beside ours on the same clouds."""

import subprocess
import tempfile

import numpy as np

__all__ = ["encode_with_peer"]

PEER = """
import sys, time
import numpy as np
folder, budget = sys.argv[1], float(sys.argv[2])
from importlib import import_module
peer = import_module("wassersteinwormhole.Wormhole")
start = time.monotonic()
with np.load(folder + "/clouds.npz", allow_pickle=True) as a:
    clouds, weights = list(a["clouds"]), list(a["weights"])
    test, test_weights = list(a["test"]), list(a["test_weights"])
class Timed:
    def __init__(self, n, **kwargs): self.n_done = 0
    def __iter__(self):
        while time.monotonic() - start - ready < budget:
            yield self.n_done
            self.n_done += 1
    def set_description(self, *args, **kwargs): pass
    def refresh(self, *args, **kwargs): pass
made = []
peer.trange = lambda n, **kwargs: made.append(Timed(n)) or made[-1]
model = peer.Wormhole(clouds, weights=weights)
ready = time.monotonic() - start
model.train()
fit = time.monotonic() - start
for n in (64, len(test) % 64 or 64):  # compile outside the clock
    model.encode(test[:n], test_weights[:n])
begin = time.monotonic()
Z = np.concatenate([model.encode(test[k:k + 64], test_weights[k:k + 64])
                    for k in range(0, len(test), 64)])
encode = time.monotonic() - begin
np.savez(folder + "/peer.npz", Z=Z, numbers=[made[0].n_done, ready, fit, encode])
"""


def encode_with_peer(python, train, test, budget):
    """Return what the peer makes of test clouds, trained on others for some seconds.

    Parameters
    ----------
    python : str
        A Python that has the peer: pip install it in an environment of its own.
    train, test : PointClouds
        Measures.
    budget : float
        Seconds of training. Its set-up, which on one busy core took more than ten
        minutes for 1,655 clouds of 11 points, is not counted.

    Returns
    -------
    Z : ndarray of shape (n_test, n_components)
        Embeddings, in units of its own.
    numbers : tuple of four float
        Steps, and seconds of set-up, of set-up and training, and of encoding.
    """
    arrays = {}
    for clouds, names in zip(
        (train, test), (("clouds", "weights"), ("test", "test_weights")), strict=True
    ):
        for name, parts in zip(names, (clouds.points, clouds.masses), strict=True):
            arrays[name] = np.empty(len(parts), dtype=object)
            arrays[name][:] = [np.asarray(part, dtype=np.float32) for part in parts]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(folder + "/clouds.npz", **arrays)
        command = [python, "-c", PEER, folder, str(budget)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with np.load(folder + "/peer.npz") as answer:
            return answer["Z"], tuple(answer["numbers"])
