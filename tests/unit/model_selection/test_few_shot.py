"""few_shot_score: what episodes are, who learns how, and what the numbers mean."""

import pickle
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.model_selection import FewShotScore, adapt_pipeline, few_shot_score


class Nearest(ClassifierMixin, BaseEstimator):
    """Nearest neighbour in principal components of the rows of many classes."""

    __metadata_request__fit: ClassVar = {"groups": True}

    def __init__(self, n_components=2, task=None, episodes="auto"):
        self.n_components = n_components
        self.task = task
        self.episodes = episodes

    def fit(self, X, y, groups=None):
        self.pca_ = PCA(self.n_components).fit(X)
        self.classes_ = np.unique(y)
        return self

    def adapt(self, X_support, y_support):
        found = make_pipeline(FrozenEstimator(self.pca_), KNeighborsClassifier(1))
        return found.fit(X_support, y_support)


class Level(RegressorMixin, BaseEstimator):
    """The slope that all tasks share, and the level of the task at hand."""

    def __init__(self, slope=None):
        self.slope = slope

    def fit(self, X, y):
        self.slope_ = LinearRegression().fit(X, y).coef_[0]
        return self

    def adapt(self, X_support, y_support):
        level = np.mean(y_support - self.slope_ * np.ravel(X_support))
        return Level(self.slope_).at(level)

    def at(self, level):
        self.level_ = level
        return self

    def predict(self, X):
        return self.slope * np.ravel(X) + self.level_


class Spy(ClassifierMixin, BaseEstimator):
    """Write down what it learns from and is asked about; X holds numbers of rows."""

    def __init__(self):
        self.seen_ = []

    def adapt(self, X_support, y_support):
        self.seen_.append({"support": np.ravel(X_support), "y": np.asarray(y_support)})
        return self

    def fit(self, X, y):
        raise AssertionError("a fitted estimator is not to be trained again")

    def score(self, X, y):
        self.seen_[-1] |= {"query": np.ravel(X), "y_query": np.asarray(y)}
        return 0.5


def clusters(n_classes=12, n=20, seed=0, n_features=12):
    rng = np.random.default_rng(seed)
    y = np.arange(n_classes).repeat(n)
    X = rng.normal(size=(len(y), n_features))
    X[:, :2] += rng.normal(scale=8, size=(n_classes, 2))[y]
    return X, y


def lines(n_tasks=10, n=12, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.arange(n_tasks).repeat(n)
    X = rng.normal(size=(len(groups), 1))
    return X, 3 * X[:, 0] + rng.normal(scale=5, size=n_tasks)[groups], groups


def rows(y, groups=None, **options):
    """Return what a spy has seen."""
    spy = Spy()
    X = np.arange(len(y))[:, None]
    score = few_shot_score(spy, X, y, groups, random_state=0, **options)
    return spy.seen_, score


X, Y = clusters()


def test_episodes_have_the_asked_for_rows():
    y = np.array(list("abcdefgh"))[np.arange(160) % 8]
    seen, score = rows(y, n_way=3, n_shot=2, n_query=4, n_episodes=50)
    assert len(seen) == 50
    for episode, (_, line) in zip(seen, score.frame.iterrows(), strict=True):
        assert len(set(episode["support"]) | set(episode["query"])) == 18
        assert_array_equal(episode["y"], y[episode["support"]])
        assert_array_equal(episode["y_query"], y[episode["query"]])
        labels, counts = np.unique(episode["y"], return_counts=True)
        assert tuple(labels) == line["classes"]
        assert counts.tolist() == [2, 2, 2]
        assert np.unique(episode["y_query"], return_counts=True)[1].tolist() == [4] * 3
    used = {
        row for episode in seen for key in ("support", "query") for row in episode[key]
    }
    assert score.n_rows == len(used)
    assert score.frame["n_support"].unique() == 6
    assert score.frame["n_query"].unique() == 12
    assert len({label for line in score.frame["classes"] for label in line}) == 8


def test_mean_and_interval_are_those_of_the_frame():
    score = few_shot_score(GaussianNB(), X, Y, n_shot=2, n_episodes=40, random_state=1)
    scores = score.frame["score"].to_numpy()
    assert score.mean == pytest.approx(scores.mean(), abs=1e-15)
    assert score.ci95 == pytest.approx(1.96 * scores.std(ddof=1) / np.sqrt(40))
    assert float(score) == score.mean
    assert str(score) == (
        f"{score.mean:.3f} ± {score.ci95:.3f} (40 episodes, 5-way 2-shot)"
    )
    assert str(score) in repr(score)
    assert score.frame.columns.tolist() == [
        "episode",
        "task",
        "score",
        "n_support",
        "n_query",
        "classes",
    ]
    assert score.frame["episode"].tolist() == list(range(40))
    with pytest.raises(AttributeError):
        score.mean = 1.0


def test_one_episode_has_no_interval():
    score = few_shot_score(GaussianNB(), X, Y, n_shot=2, n_episodes=1)
    assert np.isnan(score.ci95)
    assert "(1 episode, " in str(score)


@pytest.mark.parametrize("n_way", [2, 5])
def test_chance_is_one_in_n_way(n_way):
    noise = np.random.default_rng(0).normal(size=(200, 3))
    score = few_shot_score(
        KNeighborsClassifier(1),
        noise,
        np.arange(200) % 10,
        n_way=n_way,
        n_episodes=300,
        random_state=0,
    )
    assert abs(score.mean - 1 / n_way) < 3 * score.ci95
    assert 0 < score.ci95 < 0.03


def test_what_was_learnt_before_helps_and_stays_as_it_was():
    train, test = Y < 6, Y >= 6
    meta = Nearest().fit(X[train], Y[train])
    before = pickle.dumps(meta)
    options = {"n_episodes": 100, "random_state": 0}
    adapted = few_shot_score(meta, X[test], Y[test], **options)
    assert pickle.dumps(meta) == before
    scratch = KNeighborsClassifier(1)
    alone = few_shot_score(scratch, X[test], Y[test], **options)
    assert not hasattr(scratch, "classes_")
    assert adapted.mean - adapted.ci95 > alone.mean + alone.ci95
    # The same episodes, or the comparison would be blurred.
    assert adapted.frame["classes"].tolist() == alone.frame["classes"].tolist()


def test_an_unfitted_estimator_that_adapts_is_refused():
    with pytest.raises(NotFittedError):
        few_shot_score(Nearest(), X, Y, n_episodes=2)
    with pytest.raises(NotFittedError):
        few_shot_score(make_pipeline(StandardScaler(), Nearest()), X, Y, n_episodes=2)


def test_an_episode_keeps_to_one_group_and_groups_take_turns():
    y = np.arange(240) % 6
    groups = np.array(["x", "y", "z", "w"])[np.arange(240) // 60]
    seen, score = rows(y, groups, n_way=3, n_episodes=42)
    for episode, task in zip(seen, score.frame["task"], strict=True):
        assert set(groups[np.r_[episode["support"], episode["query"]]]) == {task}
    counts = score.frame["task"].value_counts()
    assert sorted(counts.index) == ["w", "x", "y", "z"]
    assert counts.max() - counts.min() <= 1


def test_groups_take_part_with_the_classes_they_have():
    y = np.r_[np.arange(30) % 2, np.arange(30) % 3, np.zeros(10), np.arange(9)]
    y[29] = 7  # a class of one row
    groups = np.repeat([0, 1, 2, 3], [30, 30, 10, 9])
    with pytest.warns(UserWarning, match=r"2 of 4 groups are left out: .* two classes"):
        seen, score = rows(y, groups, n_episodes=20)
    assert set(score.frame["task"]) == {0, 1}
    assert {len(set(episode["y"])) for episode in seen} == {2, 3}
    assert all(29 not in np.r_[e["support"], e["query"]] for e in seen)
    assert "2- to 3-way 1-shot" in str(score)
    for n_way, ways in ((None, {2, 3}), (2, {2})):
        with pytest.warns(UserWarning, match="left out"):
            score = rows(y, groups, n_way=n_way, n_episodes=20)[1]
        assert set(score.frame["classes"].map(len)) == ways


def test_the_query_is_what_is_left_of_small_classes():
    y = np.repeat([0, 1, 2], [3, 4, 50])
    seen, _ = rows(y, n_way=3, n_shot=2, n_query=10, n_episodes=20)
    for episode in seen:
        assert np.bincount(episode["y"]).tolist() == [2, 2, 2]
        assert np.bincount(episode["y_query"]).tolist() == [1, 2, 10]
    with pytest.raises(TaskError, match=r"at least n_shot \+ 1 = 4 rows, but y has 2"):
        rows(y, n_way=3, n_shot=3)


def test_all_classes():
    _, score = rows(np.arange(60) % 4, n_way=None, n_episodes=3)
    assert score.frame["classes"].tolist() == [(0, 1, 2, 3)] * 3


def test_regression_learns_a_new_task_from_one_row():
    X, y, groups = lines()
    meta = Level().fit(X, y)
    meta.slope_ = 3.0
    score = few_shot_score(meta, X, y, groups, n_episodes=30, random_state=0)
    assert score.mean == pytest.approx(1.0, abs=1e-9)
    assert str(score).endswith("(30 episodes, 1-shot)")
    assert score.frame["n_support"].unique() == 1
    assert score.frame["n_query"].unique() == 11
    assert set(score.frame["classes"]) == {()}
    assert score.frame["task"].value_counts().tolist() == [3] * 10
    alone = few_shot_score(
        LinearRegression(),
        X,
        y,
        groups,
        n_episodes=30,
        random_state=0,
        scoring="neg_mean_squared_error",
    )
    assert alone.mean < -1
    wide = np.c_[y, 2 * y]
    both = few_shot_score(LinearRegression(), X, wide, groups, n_shot=3, n_episodes=5)
    assert both.mean == pytest.approx(1.0)


def test_regression_leaves_out_small_tasks():
    X, y, groups = lines(n_tasks=5)
    groups[groups == 4] = np.arange(12) + 100
    with pytest.warns(UserWarning, match="12 of 16 groups are left out"):
        score = few_shot_score(LinearRegression(), X, y, groups, n_episodes=8)
    assert set(score.frame["task"]) == {0, 1, 2, 3}


@pytest.mark.parametrize("model", [Level().fit([[0], [1]], [0, 1]), LinearRegression()])
def test_regression_without_groups_says_how_to_pass_them(model):
    X, y, _ = lines()
    with pytest.raises(TaskError, match="enable_metadata_routing=True"):
        few_shot_score(model, X, y)


def test_scorers():
    options = {"n_way": 2, "n_shot": 5, "n_episodes": 20, "random_state": 0}
    auc = few_shot_score(LogisticRegression(), X, Y, scoring="roc_auc", **options)
    loss = few_shot_score(LogisticRegression(), X, Y, scoring="neg_log_loss", **options)
    assert 0.9 < auc.mean <= 1
    assert loss.mean < 0

    def wrong(estimator, X, y):
        return np.float32(1 - accuracy_score(y, estimator.predict(X)))

    own = few_shot_score(LogisticRegression(), X, Y, **options)
    other = few_shot_score(LogisticRegression(), X, Y, scoring=wrong, **options)
    assert other.mean == pytest.approx(1 - own.mean)


@pytest.mark.parametrize(
    ("scoring", "error", "message"),
    [
        (["accuracy"], TypeError, "scoring must be one name"),
        ({"a": "accuracy"}, TypeError, "scoring must be one name"),
        ("acuracy", ValueError, "acuracy"),
        (lambda *_: {"a": 1}, TypeError, "must return one number"),
        (lambda *_: [0.5], TypeError, "must return one number"),
        (lambda *_: None, TypeError, "must return one number"),
        (lambda *_: np.nan, ValueError, "score of episode 0, which has 75 rows"),
        (lambda *_: -np.inf, ValueError, "diverged"),
    ],
)
def test_bad_scores(scoring, error, message):
    with pytest.raises(error, match=message):
        few_shot_score(GaussianNB(), X, Y, scoring=scoring, n_shot=2, n_episodes=2)


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_a_score_that_needs_more_rows_is_no_score():
    X, y, groups = lines()
    with pytest.raises(ValueError, match="which has 1 rows"):
        few_shot_score(LinearRegression(), X, y, groups, n_query=1, n_episodes=2)


def test_the_seed_decides_and_the_number_of_jobs_does_not():
    def scores(seed, **options):
        found = few_shot_score(
            GaussianNB(), X, Y, n_shot=2, n_episodes=13, random_state=seed, **options
        )
        return found.frame["score"].tolist()

    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    assert scores(0) == scores(0) == scores(0, n_jobs=2) != scores(1)
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    "wrap",
    [
        pd.DataFrame,
        lambda X: X.tolist(),
        sparse.csr_array,
        lambda X: X.astype(np.float32),
        lambda X: np.asfortranarray(X),
    ],
)
def test_rows_of_any_kind(wrap):
    options = {"n_episodes": 5, "n_shot": 3, "random_state": 0}
    plain = few_shot_score(KNeighborsClassifier(1), X, Y, **options)
    other = few_shot_score(KNeighborsClassifier(1), wrap(X), Y, **options)
    assert other.frame["score"].tolist() == plain.frame["score"].tolist()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
        lambda y: y.tolist(),
        lambda y: np.array(list("abcdefghijkl"))[y],
        lambda y: np.array(list("abcdefghijkl"), dtype=object)[y],
        lambda y: pd.Series(np.array(list("abcdefghijkl"))[y], dtype="category"),
        lambda y: y[:, None],
        lambda y: y - 1,
        lambda y: y.astype(float),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_labels_and_groups_of_any_kind(wrap):
    options = {"n_way": 2, "n_episodes": 5, "n_shot": 3, "random_state": 0}
    groups = Y % 2
    names = np.array(["odd", "even"])[groups]
    plain = few_shot_score(KNeighborsClassifier(1), X, Y, groups, **options)
    for task in (groups, pd.Series(groups, index=groups), (-groups)[:, None][::1]):
        other = few_shot_score(KNeighborsClassifier(1), X, wrap(Y), task, **options)
        assert len(other.frame) == len(plain.frame)
        assert other.mean > 0.5
    named = few_shot_score(KNeighborsClassifier(1), X, wrap(Y), names, **options)
    assert set(named.frame["task"]) == {"odd", "even"}


def test_images_and_torch_tensors():
    torch = pytest.importorskip("torch")
    images = X.reshape(len(X), 1, 3, 4)
    seen = []

    class Flat(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(tuple(X.shape))
            return super().fit(np.asarray(X).reshape(len(X), -1), y)

        def predict(self, X):
            return super().predict(np.asarray(X).reshape(len(X), -1))

    options = {"n_episodes": 3, "random_state": 0}
    model = Flat(1)
    one = few_shot_score(model, images, Y, **options)
    two = few_shot_score(model, torch.tensor(images), torch.tensor(Y), **options)
    assert one.frame["score"].tolist() == two.frame["score"].tolist()
    assert set(seen) == {(5, 1, 3, 4)}


def test_the_task_may_be_a_column():
    site = Y % 2
    frame = pd.DataFrame(X, columns=[f"f{k}" for k in range(12)])
    frame.insert(0, "site", site)
    options = {"n_way": 3, "n_episodes": 6, "random_state": 0}
    by_name = few_shot_score(Nearest(task="site").fit(frame, Y), frame, Y, **options)
    array = frame.to_numpy()
    by_place = few_shot_score(Nearest(task=0).fit(array, Y), array, Y, **options)
    by_groups = few_shot_score(Nearest().fit(array, Y), array, Y, site, **options)
    for score in (by_name, by_place, by_groups):
        assert all(
            {label % 2 for label in line["classes"]} == {line["task"]}
            for _, line in score.frame.iterrows()
        )
    alphabet = np.array(["a", "b"])[Y // 6]
    other = few_shot_score(
        Nearest(task="site").fit(frame, Y), frame, Y, alphabet, **options
    )
    assert set(other.frame["task"]) == {"a", "b"}
    of_classes = Nearest(task="site", episodes="classes").fit(frame, Y)
    assert set(few_shot_score(of_classes, frame, Y, **options).frame["task"]) == {0}


@pytest.mark.parametrize(
    ("task", "message"),
    [("ward", "no column task='ward'"), (99, "no column task=99")],
)
def test_columns_that_are_not_there(task, message):
    frame = pd.DataFrame(X)
    with pytest.raises(TaskError, match=message):
        few_shot_score(Nearest(task=task).fit(frame, Y), frame, Y)


def test_a_name_needs_a_frame():
    with pytest.raises(TaskError, match="X has no names of columns"):
        few_shot_score(Nearest(task="ward").fit(X, Y), X, Y)


def test_pipelines_and_searches_that_end_in_something_that_adapts():
    train, test = Y < 6, Y >= 6
    pipeline = make_pipeline(StandardScaler(), Nearest()).fit(X[train], Y[train])
    options = {"n_episodes": 10, "random_state": 0}
    score = few_shot_score(pipeline, X[test], Y[test], **options)
    nested = make_pipeline("passthrough", pipeline)
    search = GridSearchCV(pipeline, {}, scoring=lambda *_: 0.0, cv=2)
    search.fit(X[train], Y[train])
    for other in (nested, search):
        same = few_shot_score(other, X[test], Y[test], **options)
        assert same.frame["score"].tolist() == score.frame["score"].tolist()

    class Slow(BaseEstimator):
        """One pipeline for each episode, from raw rows."""

        def __sklearn_is_fitted__(self):
            return True

        def fit(self, X, y):
            return self

        def adapt(self, X, y):
            return adapt_pipeline(pipeline, X, y)

    slow = few_shot_score(Slow(), X[test], Y[test], **options)
    assert slow.frame["score"].tolist() == score.frame["score"].tolist()


def test_a_frozen_model_is_scored_as_it_is():
    frozen = FrozenEstimator(DummyClassifier(strategy="constant", constant=3).fit(X, Y))
    score = few_shot_score(frozen, X, Y, n_way=12, n_episodes=4)
    assert score.mean == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_way": 1}, ValueError, "n_way"),
        ({"n_way": 2.0}, TypeError, "n_way"),
        ({"n_way": 13}, TaskError, "n_way=13 classes .* y has 12 of them"),
        ({"n_shot": 0}, ValueError, "n_shot"),
        ({"n_query": 0}, ValueError, "n_query"),
        ({"n_episodes": 0}, ValueError, "n_episodes"),
        ({"n_shot": 20}, TaskError, "y has 0 of them, and 12 classes in all"),
        ({"groups": Y[:-1]}, TaskError, "groups must have one value for each of 240"),
        ({"groups": "site"}, TaskError, "groups must have one value .* got one value"),
        ({"groups": np.where(Y < 3, np.nan, 1)}, TaskError, "missing"),
        ({"groups": np.arange(240)}, TaskError, "none of the 240 groups"),
        ({"y": Y[:-1]}, TaskError, "X has 240 rows, but y has 239"),
        ({"y": np.where(Y < 3, np.nan, Y)}, TaskError, "y must not have missing"),
        ({"y": np.where(Y < 3, None, Y)}, TaskError, "y must not have missing"),
        ({"y": np.c_[Y, Y]}, TaskError, "y must hold one label"),
        ({"y": Y + 0.5}, ValueError, "continuous"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        few_shot_score(GaussianNB(), X, **{"y": Y, **options})


def test_it_can_be_pickled():
    score = few_shot_score(GaussianNB(), X, Y, n_shot=2, n_episodes=3)
    again = pickle.loads(pickle.dumps(score))
    assert isinstance(again, FewShotScore)
    assert str(again) == str(score)


def test_groups_of_mixed_types():
    groups = np.array([1, "a", (2, 3)], dtype=object)[np.arange(240) % 3]
    _, score = rows(Y, groups, n_way=2, n_episodes=3)
    assert set(score.frame["task"]) == {1, "a", (2, 3)}
