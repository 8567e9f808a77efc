"""Any estimator on real and synthetic rows, by any sampler."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.generation.augmented import AugmentedClassifier, AugmentedRegressor
from mlmi_sklearn.generation.augmented_rows import balancing_rows, proportional_rows
from mlmi_sklearn.generation.augmented_weights import rows_with_weight

BOTH = [AugmentedClassifier, AugmentedRegressor]


def data(n=60):
    return make_classification(
        n, 4, n_informative=3, n_redundant=0, weights=[0.75], random_state=0
    )


class Recorder(ClassifierMixin, RegressorMixin, BaseEstimator):
    """Remembers what it was fitted on."""

    def fit(self, X, y, sample_weight=None, groups=None):
        self.seen_ = X, y
        self.weight_, self.groups_ = sample_weight, groups
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X))


class Unweighted(Recorder):
    """Takes no weights."""

    def fit(self, X, y):
        return super().fit(X, y)


class Echo(BaseEstimator):
    """A sampler that is asked for targets, and draws the row's number of them."""

    def __init__(self, shuffle=False, short=False):
        self.shuffle = shuffle
        self.short = short

    def fit(self, X, y, condition=None):
        self.n_, self.condition_, self.columns_ = len(y), condition, X.shape[1]
        return self

    def sample(self, n, y=None, condition=None):
        self.asked_ = np.asarray(y), condition
        order = np.arange(n)[::-1] if self.shuffle else np.arange(n)
        y = np.asarray(y)[order]
        X = np.full((n - self.short, self.columns_), 100.0)
        if np.asarray(y).dtype.kind in "if":
            X[:, 0] += y[: n - self.short].reshape(len(X), -1)[:, 0]
        return X, y


# -- which rows ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 7, 10, 23, 30])
def test_classes_keep_their_shares_to_within_one_row(n):
    y = np.array(["a"] * 5 + ["b"] * 2 + ["c"] * 3)
    rows = proportional_rows(y, n, np.random.default_rng(n))
    assert len(rows) == n
    for label in "abc":
        share = (y == label).mean() * n
        assert abs((y[rows] == label).sum() - share) < 1
    times = np.bincount(rows, minlength=10)
    assert times.max() - times.min() <= 1


def test_as_many_rows_as_there_are_means_each_of_them():
    y = np.random.default_rng(0).normal(size=(50, 2))
    rows = proportional_rows(y, 50, np.random.default_rng(1))
    assert_array_equal(np.sort(rows), np.arange(50))
    assert not np.array_equal(rows, np.arange(50))


@given(n_real=st.integers(1, 60), n=st.integers(1, 90), seed=st.integers(0, 99))
def test_quantities_keep_their_distribution(n_real, n, seed):
    y = np.random.default_rng(seed).exponential(size=n_real).round(1)
    drawn = y[proportional_rows(y, n, np.random.default_rng(seed))]
    below = [(np.mean(drawn <= t), np.mean(y <= t)) for t in y]
    assert max(abs(a - b) for a, b in below) < 1 / n + 1e-9


@pytest.mark.parametrize(("share", "added"), [(0, [0, 0]), (0.5, [4, 2]), (1, [8, 4])])
def test_smaller_classes_get_a_share_of_what_they_lack(share, added):
    y = np.array([2] * 10 + [0] * 2 + [1] * 6)
    rows = balancing_rows(y, share, np.random.default_rng(0))
    assert np.bincount(y[rows], minlength=3).tolist() == [*added, 0]


@pytest.mark.parametrize(("ratio", "n"), [(0, 0), (0.25, 15), (1, 60), (2.5, 150)])
@pytest.mark.parametrize("cls", BOTH)
def test_real_rows_first_then_synthetic_ones(cls, ratio, n):
    X, y = data()
    model = cls(Recorder(), Echo(), ratio, random_state=0).fit(X, y)
    seen, targets = model.estimator_.seen_
    assert_array_equal(seen[:60], X)
    assert_array_equal(targets[:60], y)
    assert model.n_synthetic_ == len(seen) - 60 == n
    assert (seen[60:, 1:] == 100).all()
    assert_array_equal(seen[60:, 0], 100 + targets[60:])


def test_without_synthetic_rows_it_is_the_bare_estimator():
    X, y = data()
    model = AugmentedClassifier(sampler=Echo(), ratio=0).fit(X, y)
    bare = LogisticRegression(max_iter=1000).fit(X, y)
    assert model.sampler_ is None
    assert_array_equal(model.predict_proba(X), bare.predict_proba(X))


def test_balance_brings_classes_to_one_size():
    X, y = data()
    model = AugmentedClassifier(Recorder(), Echo(), balance=True).fit(X, y)
    assert len(set(np.bincount(model.estimator_.seen_[1]))) == 1
    with pytest.raises(ValueError, match="at most 1 with balance=True"):
        AugmentedClassifier(sampler=Echo(), ratio=2, balance=True).fit(X, y)
    balanced = AugmentedClassifier(sampler=Echo(), balance=True)
    assert balanced.fit(X, np.arange(60) % 2).sampler_ is None


# -- which samplers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [np.asarray, lambda X: pd.DataFrame(X).add_prefix("f")]
)
@pytest.mark.parametrize("sampler", [GaussianMixture(1), KernelDensity(bandwidth=0.1)])
def test_samplers_without_targets_learn_each_class(sampler, form):
    rng = np.random.default_rng(0)
    y = np.array(["left"] * 30 + ["right"] * 20)
    X = np.where(y == "left", -5.0, 5.0)[:, None] + rng.normal(size=(50, 2))
    model = AugmentedClassifier(Recorder(), sampler, 2, random_state=0).fit(form(X), y)
    seen, targets = model.estimator_.seen_
    assert type(seen) is type(form(X))
    drawn = np.asarray(seen)[50:]
    assert_array_equal(drawn[:, 0] > 0, targets[50:] == "right")
    assert len(np.unique(drawn, axis=0)) == 100
    assert set(model.sampler_) == {"left", "right"}


def test_samplers_without_targets_learn_quantities_beside_X():
    x = np.linspace(0, 1, 200)
    sampler = KernelDensity(bandwidth=0.01)
    model = AugmentedRegressor(Recorder(), sampler, random_state=0).fit(
        x[:, None], 3 * x
    )
    seen, targets = model.estimator_.seen_
    assert np.abs(targets[200:] - 3 * seen[200:, 0]).max() < 0.2
    two = AugmentedRegressor(Recorder(), sampler, random_state=0)
    two.fit(x[:, None], np.column_stack([x, -x]))
    assert two.estimator_.seen_[1].shape == (400, 2)


def test_whole_numbers_are_rounded_not_cut_off():
    X = np.full((40, 1), 7, dtype=np.uint8)
    y = np.arange(40) % 2
    sampler = KernelDensity(bandwidth=0.1)
    for table in (X, pd.DataFrame(X, columns=["n"])):
        model = AugmentedClassifier(Recorder(), sampler, random_state=0).fit(table, y)
        seen = np.asarray(model.estimator_.seen_[0])
        assert seen.dtype == np.uint8
        assert (seen == 7).all()
    low = AugmentedClassifier(Recorder(), KernelDensity(bandwidth=2.0), random_state=0)
    assert low.fit(X * 0, y).estimator_.seen_[0].max() < 20


def test_numbers_only_samplers_say_so():
    X = pd.DataFrame({"s": list("abcd") * 5})
    model = AugmentedClassifier(Recorder(), KernelDensity())
    with pytest.raises(ValueError, match="draws numbers only"):
        model.fit(X, np.arange(20) % 2)
    with pytest.raises(ValueError, match="rows of a table"):
        model.fit(np.zeros((20, 1, 4, 4)), np.arange(20) % 2)


def test_labels_that_a_sampler_returns_count():
    X, y = data()
    model = AugmentedClassifier(Recorder(), Echo(shuffle=True)).fit(X, y)
    seen, targets = model.estimator_.seen_
    assert_array_equal(seen[60:, 0], 100 + targets[60:])


def test_a_sampler_that_returns_too_few_rows():
    X, y = data()
    with pytest.raises(ValueError, match="was asked for 60 rows and returned 59"):
        AugmentedClassifier(sampler=Echo(short=True)).fit(X, y)


def test_resamplers_are_told_how_many():
    imblearn = pytest.importorskip("imblearn.over_sampling")
    X, y = data()
    sizes = np.bincount(y)
    for container in (np.asarray, sparse.csr_matrix, pd.DataFrame):
        model = AugmentedClassifier(Recorder(), imblearn.SMOTE(), 0.5, random_state=0)
        seen, targets = model.fit(container(X), y).estimator_.seen_
        assert type(seen) is type(container(X))
        added = np.bincount(targets) - sizes
        assert added.sum() == model.n_synthetic_ == 30
        assert np.abs(added - sizes / 2).max() < 1
    balanced = AugmentedClassifier(Recorder(), imblearn.SMOTE(), balance=True)
    assert len(set(np.bincount(balanced.fit(X, y).estimator_.seen_[1]))) == 1


def test_resamplers_that_remove_rows_are_refused():
    X, y = data()

    class Cleaner(BaseEstimator):
        def fit_resample(self, X, y):
            return X[1:], y[1:]

    with pytest.raises(ValueError, match="removed or moved real rows"):
        AugmentedClassifier(sampler=Cleaner()).fit(X, y)
    with pytest.raises(ValueError, match="sampler"):
        AugmentedRegressor(sampler=Cleaner()).fit(X, y)


# -- weights and other parameters of fit ----------------------------------------------


@pytest.mark.parametrize("cls", BOTH)
def test_synthetic_rows_weigh_as_the_row_whose_target_they_have(cls):
    X, y = data()
    weight = 1.0 + y
    model = cls(Recorder(), Echo(), 2, synthetic_weight=0.5, random_state=0)
    recorder = model.fit(X, y, sample_weight=weight).estimator_
    assert_array_equal(recorder.weight_[:60], weight)
    assert_array_equal(recorder.weight_[60:], 0.5 * (1 + recorder.seen_[1][60:]))
    alone = model.fit(X, y).estimator_.weight_
    assert_array_equal(alone, np.repeat([1, 0.5], [60, 120]))
    assert cls(Recorder(), Echo()).fit(X, y).estimator_.weight_ is None


def test_rows_of_weight_zero_are_not_shown_to_the_sampler():
    X, y = data()
    weight = np.ones(60)
    weight[y == 1] = 0
    model = AugmentedClassifier(Recorder(), Echo(), random_state=0)
    model.fit(X, y, sample_weight=weight)
    assert model.sampler_.n_ == (y == 0).sum() == model.n_synthetic_
    assert not model.estimator_.seen_[1][60:].any()
    assert model.estimator_.weight_.min() == 0
    with pytest.raises(ValueError, match="0 for all rows"):
        model.fit(X, y, sample_weight=weight * 0)
    assert rows_with_weight({"clf__sample_weight": weight}, 60).tolist() == list(
        np.flatnonzero(y == 0)
    )


def test_weights_reach_the_last_step_of_a_pipeline():
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), Recorder())
    model = AugmentedClassifier(pipeline, Echo(), synthetic_weight=0.25).fit(X, y)
    assert model.estimator_[-1].weight_[-1] == 0.25
    model.fit(X, y, recorder__sample_weight=np.full(60, 2.0))
    assert model.estimator_[-1].weight_[-1] == 0.5


def test_an_estimator_without_weights_cannot_weigh():
    X, y = data()
    for estimator in (Unweighted(), make_pipeline(StandardScaler(), Unweighted())):
        model = AugmentedClassifier(estimator, Echo(), synthetic_weight=0.5)
        with pytest.raises(TypeError, match="takes no sample_weight"):
            model.fit(X, y)
        assert not hasattr(model, "estimator_")
    with pytest.raises(TypeError, match="sample_weight"):
        AugmentedClassifier(Unweighted(), Echo()).fit(X, y, sample_weight=np.ones(60))


def test_parameters_with_a_value_a_row_are_extended():
    X, y = data()
    groups = [f"g{label}" for label in y]
    model = AugmentedClassifier(Recorder(), Echo(), 0.5, random_state=0)
    recorder = model.fit(X, y, groups=groups).estimator_
    assert list(recorder.groups_) == [f"g{label}" for label in recorder.seen_[1]]


@pytest.mark.parametrize("routing", [False, True])
def test_a_condition_goes_to_the_sampler(routing):
    X, y = data()
    condition = np.column_stack([y * 10, np.arange(60)])
    sampler = Echo()
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            sampler.set_fit_request(condition=True)
        model = AugmentedClassifier(Recorder(), sampler, 0.5, random_state=0)
        model.fit(X, y, condition=condition)
    assert_array_equal(model.sampler_.condition_, condition)
    asked, beside = model.sampler_.asked_
    assert_array_equal(beside[:, 0], 10 * asked)
    with pytest.raises(TypeError, match="condition"):
        AugmentedClassifier(Recorder(), KernelDensity()).fit(X, y, condition=condition)


def test_routing_sends_what_is_requested():
    X, y = data()
    weight = np.where(y == 1, 3.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        inner = LogisticRegression().set_fit_request(sample_weight=True)
        inner.set_score_request(sample_weight=True)
        model = AugmentedClassifier(inner, Echo(), 0.5, random_state=0)
        fitted = clone(model).fit(X, y, sample_weight=weight)
        assert not np.allclose(
            fitted.estimator_.coef_, model.fit(X, y).estimator_.coef_
        )
        found = fitted.score(X, y, sample_weight=weight)
        assert found == pytest.approx(
            fitted.estimator_.score(X, y, sample_weight=weight)
        )
        search = GridSearchCV(model, {"ratio": [0, 1]}, cv=2, error_score="raise")
        search.fit(X, y, sample_weight=weight)
        silent = AugmentedClassifier(LogisticRegression(), Echo())
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            silent.fit(X, y, sample_weight=weight)


# -- what it delegates ----------------------------------------------------------------


def test_methods_are_those_of_the_estimator():
    X, y = data()
    model = AugmentedClassifier(LinearSVC(), Echo(), random_state=0)
    for when in ("before", "after"):
        assert hasattr(model, "decision_function"), when
        assert not hasattr(model, "predict_proba"), when
        assert not hasattr(model, "predict_log_proba"), when
        model.fit(X, y)
    inner = model.estimator_
    assert_array_equal(model.decision_function(X), inner.decision_function(X))
    assert_array_equal(model.predict(X), inner.predict(X))
    assert_array_equal(model.classes_, inner.classes_)
    assert model.score(X, y) == inner.score(X, y)
    assert hasattr(AugmentedClassifier(), "predict_log_proba")
    assert not hasattr(AugmentedClassifier(), "classes_")


def test_tags_are_those_that_both_parts_fulfil():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.utils import get_tags

    tree = HistGradientBoostingClassifier()
    assert get_tags(AugmentedClassifier(tree)).input_tags.allow_nan
    assert not get_tags(AugmentedClassifier()).input_tags.allow_nan
    assert not get_tags(
        AugmentedClassifier(tree, GaussianMixture())
    ).input_tags.allow_nan
    assert not get_tags(AugmentedClassifier()).input_tags.sparse
    assert (
        get_tags(AugmentedRegressor(KNeighborsRegressor())).regressor_tags is not None
    )


# -- with CGANSampler -----------------------------------------------------------------


def mixed(n=40):
    rng = np.random.default_rng(0)
    y = np.array(["no", "yes"])[(np.arange(n) % 4 == 0).astype(int)]
    table = pd.DataFrame(
        {
            "age": rng.integers(20, 80, n),
            "dose": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "sex": pd.Categorical(rng.choice(["f", "m"], n)),
        }
    )
    return table, y


def test_mixed_tables_reach_a_pipeline_in_their_types():
    X, y = mixed()
    encode = make_column_transformer(
        (OneHotEncoder(), ["sex"]), ("passthrough", ["age"]), remainder="drop"
    )
    pipeline = make_pipeline(encode, LogisticRegression(max_iter=1000))
    recorder = AugmentedClassifier(
        Recorder(), CGANSampler(max_iter=5), balance=True, random_state=0
    ).fit(X, y)
    seen = recorder.estimator_.seen_[0]
    assert_array_equal(seen.dtypes, X.dtypes)
    assert len(seen) == 60
    model = AugmentedClassifier(pipeline, CGANSampler(max_iter=5)).fit(X, y)
    assert model.feature_names_in_.tolist() == ["age", "dose", "sex"]
    assert set(model.predict(X)) <= {"no", "yes"}


def test_images():
    X = np.random.default_rng(0).integers(0, 255, (16, 1, 8, 6)).astype(np.uint8)
    model = AugmentedClassifier(Recorder(), CGANSampler(max_iter=2)).fit(
        X, np.arange(16) % 2
    )
    seen = model.estimator_.seen_[0]
    assert seen.shape == (32, 1, 8, 6)
    assert seen.dtype == np.uint8


@pytest.mark.parametrize("cls", BOTH)
def test_one_seed_gives_the_same_model_and_touches_no_global_generator(cls):
    X, y = data()
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    models = [
        cls(sampler=CGANSampler(max_iter=5), random_state=seed).fit(X, y)
        for seed in (0, 0, 1)
    ]
    assert_array_equal(np.random.get_state()[1], before)
    first, again, other = (m.estimator_.coef_ for m in models)
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    copied = pickle.loads(pickle.dumps(models[0]))
    assert_array_equal(copied.predict(X), models[0].predict(X))


def test_a_seed_of_the_sampler_is_its_own():
    X, y = data()
    models = [
        AugmentedClassifier(
            sampler=CGANSampler(max_iter=3, random_state=9),
            ratio=0.1,
            random_state=seed,
        ).fit(X, y)
        for seed in (0, 1)
    ]
    drawn = [m.sampler_.sample(3, random_state=0)[0] for m in models]
    assert_array_equal(*drawn)


def test_parameters_of_both_parts_in_a_search():
    X, y = data(40)
    sampler = CGANSampler(max_iter=3)
    model = make_pipeline(
        StandardScaler(), AugmentedClassifier(LogisticRegression(), sampler)
    )
    name = "augmentedclassifier"
    grid = {
        f"{name}__estimator__C": [0.1],
        f"{name}__sampler__lr": [1e-3],
        f"{name}__ratio": [0, 0.5],
        f"{name}__balance": [True],
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_estimator_[-1].estimator_.C == 0.1
    assert sampler.get_params()["random_state"] is None


def test_cross_validation_draws_from_training_rows_alone():
    X, y = data(40)
    sizes = []

    class Watching(Echo):
        def fit(self, X, y, condition=None):
            sizes.append(len(y))
            return super().fit(X, y)

    cross_val_score(AugmentedClassifier(sampler=Watching()), X, y, cv=4)
    assert sizes == [30] * 4


def test_regression_loses_little():
    X, y = load_diabetes(return_X_y=True)
    bare = Ridge(0.1).fit(X[:300], y[:300]).score(X[300:], y[300:])
    sampler = KernelDensity(bandwidth=0.02)
    model = AugmentedRegressor(Ridge(0.1), sampler, random_state=0)
    assert model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > bare - 0.05


# -- what is refused ------------------------------------------------------------------


def test_a_failed_fit_leaves_the_model_as_it_was():
    X, y = data()
    model = AugmentedClassifier(sampler=Echo(), random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((60, 7), np.nan), y)
    assert model.n_features_in_ == 4
    assert_array_equal(model.predict_proba(X), expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": -1}, "ratio"),
        ({"synthetic_weight": 0}, "synthetic_weight"),
        ({"sampler": "gan"}, "sampler"),
        ({"estimator": 3}, "estimator"),
    ],
)
@pytest.mark.parametrize("cls", BOTH)
def test_bad_parameters(cls, params, message):
    X, y = data()
    with pytest.raises(ValueError, match=f"'{message}' parameter"):
        cls(**params).fit(X, y)


def test_targets_of_another_kind():
    X, y = data()
    with pytest.raises(ValueError, match="Unknown label type"):
        AugmentedClassifier(sampler=Echo()).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="could not convert"):
        AugmentedRegressor(sampler=Echo()).fit(X, np.array(["a", "b"])[y])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        AugmentedClassifier(sampler=Echo()).fit(X, y[:-1])
    with pytest.raises(ValueError, match="one class for each row"):
        AugmentedClassifier(KNeighborsClassifier(), Echo(), balance=True).fit(
            X, np.column_stack([y, y])
        )


def test_predictions_that_are_no_numbers_are_refused():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))
    model = AugmentedRegressor(Ridge(0.1), CGANSampler(max_iter=2, random_state=0))
    model.fit(X, 2 * X[:, 0])
    far = np.full((1, 2), np.finfo(float).max)
    with pytest.raises(ValueError, match="X holds rows on which the outputs"):
        model.predict(far)
