"""What a fit tells while it runs: callbacks, and one line per epoch."""

import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from toys import LEARNING

from skwass.ot.engine import CHUNK_SIZE


class _StopAtThird:
    """Counts tasks and asks to stop at the end of the third epoch."""

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)
        return self.ended.count("epoch") == 3


def test_callbacks_see_labels_and_epochs_and_may_stop(small, digits):
    callback = _StopAtThird()
    embedder = small(max_iter=5).set_callbacks(callback).fit(digits[0])
    assert embedder.n_iter_ == 3
    assert embedder.stopped_by_ == "callback"
    assert callback.ended.count("chunk") == -(-embedder.n_pairs_ // CHUNK_SIZE)
    assert callback.ended[-2:] == ["train", "fit"]


def test_callbacks_of_scikit_learn(small, digits, capsys):
    scoring = {"score": lambda embedder, X, y: embedder.score(X)}
    monitor = ScoringMonitor(scoring=scoring)
    parameters = {**LEARNING, "max_iter": 3, "n_score_pairs": 50}
    embedder = small(early_stopping=False, **parameters)
    # The monitor of scikit-learn 1.9 scores only where there is a y.
    embedder.set_callbacks(ProgressBar(), monitor).fit(digits[0], digits[2])
    assert type(embedder).__name__ in capsys.readouterr().out
    log = monitor.get_logs(select="most_recent").data
    scores = [row["score"] for row in log if row["task_name"] == "epoch"]
    assert scores[-1] == pytest.approx(embedder.score(digits[0]))
    assert scores[-1] > scores[0]


def test_verbose_prints_an_epoch_a_line(small, digits, capsys):
    small(max_iter=2, verbose=1).fit(digits[0])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [
        "labelling",
        "epoch",
        "epoch",
        "stopped",
    ]
