"""adapt_pipeline: preprocessing stays, the last step adapts, the original is left."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.model_selection import adapt_pipeline
from mlmi_sklearn.model_selection.task_pipeline import adapts, last_step


class Nearest(ClassifierMixin, BaseEstimator):
    """Adapt to a nearest neighbour classifier; remember the columns that came."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def adapt(self, X_support, y_support, n_neighbors=1):
        self.__dict__.setdefault("got_", [])
        found = KNeighborsClassifier(n_neighbors).fit(X_support, y_support)
        found.columns_ = getattr(X_support, "columns", None)
        return found

    def __sklearn_is_fitted__(self):
        return hasattr(self, "classes_")


RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * [1, 10, 100, 1000] + 7
Y = np.arange(60) % 4
NEW = RNG.normal(size=(6, 4)) * [1, 10, 100, 1000] + 9
LABELS = np.array(["in", "out"] * 3)


def fitted(*steps):
    return make_pipeline(*steps, Nearest()).fit(X, Y)


def test_it_is_the_preprocessing_and_then_what_was_learnt():
    many = fitted(StandardScaler(), PCA(2))
    new = adapt_pipeline(many, NEW, LABELS)
    reduced = many[:-1].transform(NEW)
    by_hand = KNeighborsClassifier(1).fit(reduced, LABELS)
    assert_array_equal(new.predict(X), by_hand.predict(many[:-1].transform(X)))
    assert new.score(NEW, LABELS) == 1
    assert new.classes_.tolist() == ["in", "out"]
    assert list(new.named_steps) == ["standardscaler", "pca", "nearest"]
    assert new.n_features_in_ == 4


def test_the_original_is_left_and_has_no_influence_later():
    many = fitted(StandardScaler())
    many[-1].got_ = []
    before = pickle.dumps(many)
    new = adapt_pipeline(many, NEW, LABELS)
    assert pickle.dumps(many) == before
    answers = new.predict(X)
    many.fit(X * 1000, Y)  # in place, as scikit-learn does it
    assert_array_equal(new.predict(X), answers)


def test_clones_keep_the_preprocessing():
    many = fitted(StandardScaler())
    new = clone(adapt_pipeline(many, NEW, LABELS)).fit(NEW[:4] * 3, LABELS[:4])
    scaler = new[0]
    assert isinstance(scaler, FrozenEstimator)
    assert_array_equal(scaler.mean_, many[0].mean_)
    scores = cross_val_score(adapt_pipeline(many, NEW, LABELS), NEW, LABELS, cv=3)
    assert len(scores) == 3
    again = pickle.loads(pickle.dumps(new))
    assert_array_equal(again.predict(X), new.predict(X))


def test_overrides_reach_adapt():
    new = adapt_pipeline(fitted(StandardScaler()), NEW, LABELS, n_neighbors=3)
    assert new[-1].n_neighbors == 3
    with pytest.raises(TypeError, match="n_neighbours"):
        adapt_pipeline(fitted(), NEW, LABELS, n_neighbours=3)


@pytest.mark.parametrize(
    "build",
    [
        lambda: fitted("passthrough"),
        lambda: fitted(None),
        lambda: fitted(),
        lambda: make_pipeline(StandardScaler(), make_pipeline(PCA(3), Nearest())),
        lambda: make_pipeline(make_pipeline(StandardScaler(), PCA(3)), Nearest()),
        lambda: make_pipeline("passthrough", make_pipeline(Nearest())),
    ],
)
def test_steps_that_pass_and_pipelines_within(build):
    many = build().fit(X, Y)
    new = adapt_pipeline(many, NEW, LABELS)
    assert new.predict(NEW).tolist() == LABELS.tolist()
    assert [name for name, _ in new.steps] == [name for name, _ in many.steps]
    model, rows = last_step(many, NEW)
    assert isinstance(model, Nearest)
    by_hand = model.adapt(rows, LABELS)
    assert_array_equal(by_hand.predict(last_step(many, X)[1]), new.predict(X))


def test_frames_stay_frames():
    frame = pd.DataFrame(X, columns=list("abcd"))
    steps = make_column_transformer(
        (StandardScaler(), ["a", "b"]), ("passthrough", ["d"])
    )
    many = make_pipeline(steps, Nearest())
    many[0].set_output(transform="pandas")
    many.fit(frame, Y)
    new = adapt_pipeline(many, pd.DataFrame(NEW, columns=list("abcd")), LABELS)
    assert list(new[-1].columns_) == [
        "standardscaler__a",
        "standardscaler__b",
        "passthrough__d",
    ]
    assert new.feature_names_in_.tolist() == list("abcd")
    assert len(new.predict(frame)) == 60


def test_errors():
    with pytest.raises(TypeError, match="must be a scikit-learn Pipeline"):
        adapt_pipeline(Nearest().fit(X, Y), NEW, LABELS)
    with pytest.raises(TypeError, match=r"LogisticRegression\(\), has no adapt"):
        adapt_pipeline(
            make_pipeline(LogisticRegression()).fit(X / 1000, Y), NEW, LABELS
        )
    with pytest.raises(TypeError, match="'passthrough', has no adapt"):
        adapt_pipeline(Pipeline([("a", "passthrough")]), NEW, LABELS)
    with pytest.raises(NotFittedError):
        adapt_pipeline(make_pipeline(StandardScaler(), Nearest()), NEW, LABELS)


def test_what_adapts():
    assert adapts(Nearest())
    assert adapts(make_pipeline(StandardScaler(), Nearest()))
    assert adapts(FrozenEstimator(Nearest().fit(X, Y)))
    assert not adapts(None)
    assert not adapts(make_pipeline(StandardScaler(), LogisticRegression()))
    scratch = make_pipeline(StandardScaler(), LogisticRegression())
    assert last_step(scratch, X)[0] is scratch
    assert last_step(scratch, X)[1] is X
