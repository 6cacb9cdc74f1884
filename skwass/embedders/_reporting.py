"""What `fit` tells the world while it runs: scikit-learn callbacks and prints."""

import warnings

from sklearn.exceptions import ConvergenceWarning

from .. import _ranks
from ..ot.engine import CHUNK_SIZE


class FitReporter:
    """Reports one fit: a task for the labels, a task for training.

    Parameters
    ----------
    estimator : TrainedEmbedder
        Its callbacks are called, its `verbose` decides about prints.
    X, y : array-like
        What `fit` was given, for callbacks that score.
    in_rounds : bool, default=False
        Whether labels and training may follow each other more than once.
    """

    # Callbacks are of one process: what they compute, it computes alone.
    @_ranks.alone()
    def __init__(self, estimator, X, y, in_rounds=False):
        self.estimator = estimator
        self.data = {"X": X, "y": y}
        self.root = estimator._init_callback_context(
            max_subtasks=None if in_rounds else 2
        )
        self.root.call_on_fit_task_begin(estimator=estimator, **self.data)
        self.tasks = []

    def tell(self, budget):
        """Print what a budget says."""
        decided = budget.summary(budget.expected_pairs)
        how = "with" if decided["with_derivatives"] else "without"
        self._print(
            f"{decided['pairs_per_second']:.3g} pairs and "
            f"{decided['steps_per_second']:.3g} steps per second: about "
            f"{decided['n_pairs']:,} pairs {how} derivatives, "
            f"{decided['n_epochs']} epochs"
        )

    def begin_labels(self, n_pairs):
        """Open the task of labelling and return what to call after each chunk."""
        self._print(f"labelling {n_pairs} pairs")
        self._open(self.root, "label", max_subtasks=-(-n_pairs // CHUNK_SIZE))
        return self._label_chunk

    def _label_chunk(self):
        self._open(self.tasks[-1], "chunk")
        self._close()

    def end_labels(self):
        """Close the task of labelling."""
        self._close()

    def begin_training(self, max_iter, module):
        """Open the task of training a module."""
        self.module = module
        if self.root.max_subtasks is None:  # who knows how many rounds there will be
            max_iter = None
        self._open(self.root, "train", max_subtasks=max_iter)

    def begin_epoch(self):
        """Open the task of one epoch."""
        self._open(self.tasks[-1], "epoch")

    def end_epoch(self, number, loss, score):
        """Close the task of one epoch; return whether a callback wants to stop."""
        validation = "" if score is None else f", validation R2 {score:.5f}"
        self._print(f"epoch {number + 1}: loss {loss:.3e}{validation}")
        return self._close(**self._usable())

    def end_training(self, stopped_by):
        """Close the task of training and the whole fit."""
        self._print(f"stopped by {stopped_by}")
        self._close(**self._usable())
        with _ranks.alone():
            self.root.call_on_fit_task_end(estimator=self.estimator, **self._usable())

    def _usable(self):
        """Return what lets a callback score the estimator as it stands."""
        attributes = {"module_": self.module}
        return {**self.data, "reconstruction_attributes": attributes}

    @_ranks.alone()
    def _open(self, parent, name, max_subtasks=0):
        task = parent.subcontext(name, max_subtasks=max_subtasks)
        task.call_on_fit_task_begin(estimator=self.estimator)
        self.tasks.append(task)

    @_ranks.alone()
    def _close(self, **details):
        task = self.tasks.pop()
        return task.call_on_fit_task_end(estimator=self.estimator, **details)

    def _print(self, message):
        if self.estimator.verbose and _ranks.rank() == 0:
            print(f"[{type(self.estimator).__name__}] {message}", flush=True)


def warn_of_one_round(scheme):
    """Warn where labels cannot come in rounds."""
    warnings.warn(
        f"Got labels={scheme} and too few measures to hold out, expected some to judge "
        "rounds by: labels stay those of the first. Raise validation_fraction.",
        UserWarning,
        stacklevel=5,
    )


def warn_of_little_time(max_time):
    """Warn where time was over before anything was learned."""
    warnings.warn(
        f"max_time={max_time:g} was over after one epoch: the network has hardly "
        "learned. Raise it, or take an embedder that does not train, such as "
        "LinearOTEmbedder.",
        ConvergenceWarning,
        stacklevel=5,
    )


def warn_of_useless(score, of):
    """Warn where a score is worse than that of a constant."""
    if not score >= 0:
        warnings.warn(
            f"The best {of} R2 is {score:.3g}: the mean of W would be nearer to true "
            "distances than the embedding is. Raise n_pairs or max_iter, or lower "
            "learning_rate.",
            ConvergenceWarning,
            stacklevel=5,
        )
