"""scikit-learn's callbacks (1.9 and later) see epochs as tasks of the fit."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import MILClassifier, NetClassifier

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.8")

X, y = make_classification(n_samples=60, n_features=5, random_state=0)


class Recorder:
    """A callback that notes the tasks it is told about."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.events, self.fitted, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.events.append(("end", context.task_name))
        if context.task_name == "epoch":
            self.fitted.append(fitted_estimator)
            return len(self.fitted) == self.stop_after
        return False


def test_each_epoch_is_a_task():
    recorder = Recorder()
    NetClassifier(max_epochs=3).set_callbacks(recorder).fit(X, y)
    epochs = [("begin", "epoch"), ("end", "epoch")] * 3
    assert recorder.events == [
        ("setup", "fit"), ("begin", "fit"), *epochs, ("end", "fit"), ("teardown", "fit")
    ]  # fmt: skip


def test_the_copy_given_to_a_callback_is_the_model_of_that_epoch():
    recorder = Recorder()
    model = NetClassifier(max_epochs=3, random_state=0).set_callbacks(recorder)
    model.fit(X, y)
    last = recorder.fitted[-1].decision_function(X)
    np.testing.assert_array_equal(last, model.decision_function(X))
    one = NetClassifier(max_epochs=1, random_state=0).fit(X, y)
    first = recorder.fitted[0].decision_function(X)
    np.testing.assert_array_equal(first, one.decision_function(X))


def test_a_callback_can_stop_training():
    model = NetClassifier(max_epochs=50).set_callbacks(Recorder(stop_after=4))
    assert model.fit(X, y).n_iter_ == 4


def test_a_failing_callback_leaves_the_estimator_as_it_was():
    class Failing(Recorder):
        def on_fit_task_begin(self, estimator, context):
            raise RuntimeError("disk full")

    recorder = Failing()
    model = NetClassifier().set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="disk full"):
        model.fit(X, y)
    assert recorder.events[-1] == ("teardown", "fit")
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("cls", [NetClassifier, MILClassifier])
def test_scores_are_monitored_epoch_by_epoch(cls):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    cls(max_epochs=4, lr=1e-2).set_callbacks(monitor).fit(X, y)
    logs = monitor.get_logs()
    log = logs[0] if isinstance(logs, list) else logs
    rows = [row for row in log.data if row["task_name"] == "epoch"]
    assert len(rows) == 4
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


def test_progress_bars_nest_through_search_and_pipeline(capsys):
    bar = callback.ProgressBar()
    pipe = make_pipeline(StandardScaler(), NetClassifier(max_epochs=2))
    search = GridSearchCV(pipe, {"netclassifier__lr": [1e-3, 1e-2]}, cv=2)
    search.set_callbacks(bar).fit(X, y)
    assert search.best_estimator_[-1].n_iter_ == 2
