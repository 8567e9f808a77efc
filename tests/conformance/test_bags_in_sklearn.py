"""Unmodified scikit-learn works on bags: as Bags, and as a plain list of arrays.

Real bags (MUSK1) wherever a score is looked at; it must beat chance, about 0.51.
"""

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import resample, shuffle

from mlmi_sklearn import (
    AttentionPooling,
    Bags,
    InstanceWise,
    MaxPooling,
    MILClassifier,
    MLPBackbone,
)
from mlmi_sklearn.datasets import load_musk1

CV = StratifiedKFold(3, shuffle=True, random_state=0)
FORMS = ["Bags", "list"]
CHANCE = 0.65


@pytest.fixture(scope="module")
def musk():
    """MUSK1 in random order: some tools fit on the first bags of each class."""
    X, y = load_musk1(return_X_y=True)
    # Without names of features: lists have none, and mixing both deserves a warning.
    return shuffle(Bags(X.values, X.lengths), y, random_state=0)


@pytest.fixture(scope="module", params=FORMS)
def data(request, musk):
    X, y = musk
    return (X if request.param == "Bags" else X.to_list()), y


def classifier(**params):
    return MILClassifier(
        **{"max_epochs": 8, "lr": 3e-3, "random_state": 0, "pooling": "mean", **params}
    )


def model(**params):
    return make_pipeline(InstanceWise(StandardScaler()), classifier(**params))


def take(X, rows):
    return X[rows] if isinstance(X, Bags) else [X[i] for i in rows]


# -- splitting and scoring -----------------------------------------------------


def test_train_test_split(data):
    X, y = data
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    assert type(X_train) is type(X)
    assert len(X_train) == len(y_train) == 69
    assert model().fit(X_train, y_train).score(X_test, y_test) > CHANCE


def test_shuffle_and_resample(data):
    X, y = data
    X_mixed, y_mixed = shuffle(X, y, random_state=1)
    order = shuffle(np.arange(92), random_state=1)
    for position in (0, 50):
        assert_array_equal(X_mixed[position], X[order[position]])
    assert_array_equal(y_mixed, y[order])
    X_drawn, y_drawn = resample(X, y, n_samples=40, stratify=y, random_state=0)
    assert model().fit(X_drawn, y_drawn).score(X, y) > CHANCE


def test_cross_val_score_and_predict(data):
    X, y = data
    scores = cross_val_score(model(), X, y, cv=CV)
    assert scores.mean() > CHANCE
    proba = cross_val_predict(model(), X, y, cv=CV, method="predict_proba")
    assert proba.shape == (92, 2)
    raw = cross_val_predict(model(), X, y, cv=CV, method="decision_function")
    assert_array_equal(proba[:, 1] > 0.5, raw > 0)
    assert roc_auc_score(y, raw) > CHANCE
    by_hand = [
        model().fit(take(X, train), y[train]).score(take(X, test), y[test])
        for train, test in CV.split(y, y)
    ]
    assert_array_equal(scores, by_hand)


@pytest.mark.parametrize("pooling", ["max", "gated-attention"])
def test_scores_do_not_depend_on_the_container(musk, pooling):
    X, y = musk
    estimator = model(pooling=pooling, max_epochs=3)
    expected = cross_val_score(estimator, X, y, cv=CV, scoring="roc_auc")
    bags = X.to_list()
    index = np.arange(500, 592)
    for given in (
        bags,
        np.asarray(X),
        np.asarray(X)[:, 0],
        pd.Series(bags, index=index),
        pd.DataFrame({"bag": bags}, index=index),
        [torch.from_numpy(np.array(bag)) for bag in bags],
    ):
        found = cross_val_score(estimator, given, y, cv=CV, scoring="roc_auc")
        assert_array_equal(found, expected)


def test_large_bags_reach_workers_as_memory_maps():
    rng = np.random.default_rng(0)
    lengths = np.full(60, 10)
    y = np.arange(60) % 2
    values = rng.normal(0.1 * np.repeat(y, lengths)[:, None], 1.0, (600, 300))
    X = Bags(values, lengths)[rng.permutation(60)]
    assert values.nbytes > 2**20  # joblib maps what is larger
    for estimator in (classifier(max_epochs=2), model(max_epochs=2)):
        alone = cross_val_score(estimator, X, y, cv=4, scoring="neg_log_loss")
        found = cross_val_score(estimator, X, y, cv=4, scoring="neg_log_loss", n_jobs=2)
        assert_array_equal(found, alone)


def test_many_metrics_at_once(data):
    X, y = data
    names = ["roc_auc", "average_precision", "balanced_accuracy", "neg_log_loss", "f1"]
    result = cross_validate(
        model(), X, y, cv=CV, scoring=names, return_estimator=True, return_indices=True
    )
    assert all(np.isfinite(result[f"test_{name}"]).all() for name in names)
    for fold, fitted in enumerate(result["estimator"]):
        rows = result["indices"]["test"][fold]
        assert result["test_roc_auc"][fold] == roc_auc_score(
            y[rows], fitted.decision_function(take(X, rows))
        )


def test_learning_and_validation_curves(data):
    X, y = data
    sizes, _, scores = learning_curve(model(), X, y, cv=CV, train_sizes=[0.4, 1.0])
    assert sizes.tolist() == [24, 61]
    assert scores[-1].mean() > CHANCE
    train, _ = validation_curve(
        model(), X, y, cv=CV, param_name="milclassifier__max_epochs",
        param_range=[1, 12],
    )  # fmt: skip
    assert train[1].mean() > train[0].mean()


def test_permutation_test(musk):
    score, permuted, p = permutation_test_score(
        model(max_epochs=4), *musk, cv=CV, n_permutations=9, random_state=0
    )
    assert score > permuted.max()
    assert p == 0.1


def test_names_of_features_go_through(recwarn):
    X, y = load_musk1(return_X_y=True)
    X, y = shuffle(X, y, random_state=0)
    assert X.feature_names is not None
    scores = cross_val_score(model(), X, y, cv=CV)
    assert scores.mean() > CHANCE
    fitted = CalibratedClassifierCV(model(), cv=3).fit(X, y)
    fitted.predict(X)
    inner = fitted.calibrated_classifiers_[0].estimator[-1]
    assert inner.feature_names_in_.tolist() == list(X.feature_names)
    assert not [str(w.message) for w in recwarn if "feature names" in str(w.message)]


# -- groups --------------------------------------------------------------------


@pytest.mark.parametrize("splitter", [StratifiedGroupKFold(3), LeaveOneGroupOut()])
def test_groups_of_bags(musk, splitter):
    X, y = musk
    grouped = Bags(X.values, X.lengths, groups=np.arange(92) // 23)
    seen = []
    for train, test in splitter.split(grouped, y, grouped.groups):
        assert not set(grouped[train].groups) & set(grouped[test].groups)
        seen.extend(test)
    assert sorted(seen) == list(range(92))
    scores = cross_val_score(model(), grouped, y, cv=splitter, groups=grouped.groups)
    assert scores.mean() > CHANCE
    search = GridSearchCV(model(), {"milclassifier__lr": [1e-3, 3e-3]}, cv=splitter)
    assert search.fit(grouped, y, groups=grouped.groups).best_score_ > CHANCE


# -- searches ------------------------------------------------------------------

GRID = [
    {
        "instancewise__transformer__with_mean": [True, False],
        "milclassifier__pooling": ["max", "attention"],
        "milclassifier__backbone__hidden": [(8,), (16, 8)],
    },
    {
        "milclassifier__backbone": ["mlp", "auto", MLPBackbone(hidden=(4,))],
        "milclassifier__loss__label_smoothing": [0.1],
        "milclassifier__pooling": ["gated-attention"],
        "milclassifier__pooling__heads": [2],
    },
    {
        "instancewise__transformer": [PCA(20), SelectKBest(k=30), None],
        "milclassifier__level": ["embedding"],
        "milclassifier__pooling": [AttentionPooling(hidden=8), MaxPooling()],
    },
]


@pytest.fixture(scope="module")
def serial_search(musk):
    return GridSearchCV(model(max_epochs=4), GRID, cv=CV, scoring="roc_auc").fit(*musk)


def columns(search):
    results = search.cv_results_
    return {k: v for k, v in results.items() if "time" not in k and k != "params"}


def assert_same_search(found, expected):
    assert repr(found.best_params_) == repr(expected.best_params_)
    for name, values in columns(expected).items():
        if name.startswith(("split", "mean", "std", "rank")):
            assert_array_equal(columns(found)[name], values, err_msg=name)


def test_grid_search_finds_something(serial_search, musk):
    assert len(serial_search.cv_results_["params"]) == 17
    assert serial_search.best_score_ > 0.75
    assert np.isfinite(serial_search.cv_results_["mean_test_score"]).all()
    assert serial_search.score(*musk) > 0.75
    clone(serial_search)


@pytest.mark.parametrize("form", FORMS)
def test_grid_search_in_two_processes(serial_search, musk, form):
    X, y = musk
    given = X if form == "Bags" else X.to_list()
    search = clone(serial_search).set_params(n_jobs=2).fit(given, y)
    assert_same_search(search, serial_search)


def test_grid_search_in_threads(serial_search, musk):
    with joblib.parallel_backend("threading", n_jobs=2):
        search = clone(serial_search).set_params(n_jobs=2).fit(*musk)
    assert_same_search(search, serial_search)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_scores_do_not_depend_on_where_they_are_computed(musk, dropout):
    estimator = model().set_params(milclassifier__backbone__dropout=dropout)
    options = {"cv": CV, "scoring": "neg_log_loss"}
    alone = cross_val_score(estimator, *musk, **options)
    for backend in ("threading", "loky"):
        with joblib.parallel_backend(backend):
            found = cross_val_score(estimator, *musk, n_jobs=2, **options)
        assert_array_equal(found, alone, err_msg=backend)
    if dropout:
        estimator.set_params(milclassifier__backbone__dropout=0.0)
        assert (cross_val_score(estimator, *musk, **options) != alone).all()


def test_other_searches(data):
    X, y = data
    space = {
        "milclassifier__lr": [1e-4, 1e-3, 3e-3],
        "milclassifier__backbone__hidden": [(8,), (16,)],
    }
    random = RandomizedSearchCV(model(), space, n_iter=3, cv=CV, random_state=0)
    assert random.fit(X, y).best_score_ > CHANCE
    halving = HalvingGridSearchCV(
        model(), space, cv=CV, random_state=0, resource="milclassifier__max_epochs",
        min_resources=2, max_resources=8,
    )  # fmt: skip
    assert halving.fit(X, y).best_score_ > CHANCE
    assert halving.best_params_["milclassifier__max_epochs"] >= 4


def test_nested_search(musk):
    search = GridSearchCV(model(), {"milclassifier__pooling": ["max", "mean"]}, cv=2)
    assert cross_val_score(search, *musk, cv=CV).mean() > CHANCE


def test_steps_can_be_cached(musk, tmp_path):
    cached = Pipeline(
        [("scale", InstanceWise()), ("mil", classifier())], memory=str(tmp_path)
    )
    expected = clone(cached).set_params(memory=None).fit(*musk)
    for _ in range(2):
        cached.fit(*musk)
        assert_array_equal(
            cached.decision_function(musk[0]), expected.decision_function(musk[0])
        )


def test_instances_of_a_pipeline(musk):
    X, y = musk
    fitted = model().fit(X, y)
    scores = fitted[-1].instance_scores(fitted[:-1].transform(X))
    assert [len(s) for s in scores] == X.lengths.tolist()


# -- estimators of estimators --------------------------------------------------

TOOLS = {
    "pipeline": lambda m: make_pipeline("passthrough", m),
    "calibrated": lambda m: CalibratedClassifierCV(m, cv=3),
    "calibrated, one model": lambda m: CalibratedClassifierCV(m, cv=3, ensemble=False),
    "isotonic": lambda m: CalibratedClassifierCV(m, method="isotonic", cv=3),
    "voting, soft": lambda m: VotingClassifier([("a", m), ("b", m)], voting="soft"),
    "voting, hard": lambda m: VotingClassifier([("a", m), ("b", clone(m))]),
    "stacking": lambda m: StackingClassifier([("a", m), ("b", clone(m))], cv=3),
    "one-vs-rest": lambda m: OneVsRestClassifier(m),
    "threshold": lambda m: TunedThresholdClassifierCV(m, cv=3),
    "fixed threshold": lambda m: FixedThresholdClassifier(m, threshold=0.4),
}


@pytest.mark.parametrize("name", TOOLS)
def test_tools_train_on_bags(name, data, musk):
    X, y = data
    tool = TOOLS[name](model()).fit(X, y)
    assert tool.score(X, y) > 0.75
    assert_array_equal(tool.predict(X), tool.predict(musk[0]))
    if name in ("calibrated", "stacking", "voting, soft", "one-vs-rest"):
        assert cross_val_score(tool, X, y, cv=CV).mean() > CHANCE


@pytest.mark.parametrize("name", TOOLS)
def test_tools_take_a_grid(name, musk):
    tool = TOOLS[name](model(max_epochs=2))
    key = next(k for k in sorted(tool.get_params()) if k.endswith("__max_epochs"))
    search = GridSearchCV(tool, {key: [1, 2]}, cv=2, error_score="raise").fit(*musk)
    assert search.best_params_[key] in (1, 2)


@pytest.mark.parametrize("options", [{}, {"max_samples": 0.5}, {"bootstrap": False}])
def test_bagging_trains_on_bags(options, musk):
    X, y = musk
    bagging = BaggingClassifier(model(), n_estimators=3, random_state=0, **options)
    assert bagging.fit(X, y).score(X, y) > 0.75
    assert bagging.n_features_in_ == 1
    assert bagging.predict_proba(X).shape == (92, 2)
    jobs = clone(bagging).set_params(n_jobs=2).fit(X, y)
    assert_allclose(jobs.predict_proba(X), bagging.predict_proba(X), atol=1e-12)


def test_bagging_of_a_list_says_that_it_wants_a_table(musk):
    """The one tool that needs Bags: it makes an array of X, and a list is ragged."""
    X, y = musk
    bagging = BaggingClassifier(model(), n_estimators=2, random_state=0)
    with pytest.raises(ValueError, match="inhomogeneous shape"):
        bagging.fit(X.to_list(), y)
    column = np.asarray(X)
    expected = clone(bagging).fit(X, y).predict_proba(X)
    assert_array_equal(bagging.fit(column, y).predict_proba(column), expected)


def test_out_of_bag_score(musk):
    bagging = BaggingClassifier(
        model(), n_estimators=15, oob_score=True, random_state=0
    ).fit(*musk)
    assert bagging.oob_score_ > CHANCE


def test_calibrating_a_fitted_model(data):
    X, y = data
    fitted = model().fit(take(X, range(60)), y[:60])
    rest = take(X, range(60, 92))
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(rest, y[60:])
    assert_allclose(calibrated.predict_proba(rest).sum(axis=1), 1)


def test_three_classes_through_binary_problems(musk):
    X, y = musk
    three = y + (X.lengths > 5)
    for tool in (OneVsRestClassifier(model()), model()):
        assert tool.fit(X, three).score(X, three) > 0.6
        assert tool.predict_proba(X).shape == (92, 3)
    # One-vs-one keeps to numeric tables: it checks X, where one-vs-rest does not.
    with pytest.raises((ValueError, TypeError)):
        OneVsOneClassifier(model()).fit(X, three)


def test_labels_through_one_vs_rest(musk):
    X, y = musk
    labels = np.column_stack([y, X.lengths > 4])
    tool = OneVsRestClassifier(model()).fit(X, labels)
    assert tool.predict(X).shape == (92, 2)
    assert (tool.predict(X)[:, 0] == y).mean() > 0.75


# -- metadata ------------------------------------------------------------------


@pytest.fixture
def weight(musk):
    return np.where(musk[1] == 1, 5.0, 0.5)


def test_weights_reach_the_last_step(musk, weight):
    X, y = musk
    scaled = InstanceWise(StandardScaler()).fit_transform(X)
    expected = classifier().fit(scaled, y, sample_weight=weight)
    expected = expected.decision_function(scaled)
    named = model().fit(X, y, milclassifier__sample_weight=weight)
    assert_array_equal(named.decision_function(X), expected)
    assert (model().fit(X, y).decision_function(X) != expected).all()
    with config_context(enable_metadata_routing=True):
        routed = model()
        routed[-1].set_fit_request(sample_weight=True)
        routed.fit(X, y, sample_weight=weight)
        assert_array_equal(routed.decision_function(X), expected)


def weighted_by_hand(X, y, weight, *, score_too):
    scores = []
    for train, test in CV.split(y, y):
        fitted = model().fit(
            X[train], y[train], milclassifier__sample_weight=weight[train]
        )
        used = weight[test] if score_too else None
        scores.append(fitted.score(X[test], y[test], sample_weight=used))
    return scores


def test_weights_in_cross_validation_without_routing(musk, weight):
    X, y = musk
    params = {"milclassifier__sample_weight": weight}
    found = cross_validate(model(), X, y, cv=CV, params=params)["test_score"]
    assert_array_equal(found, weighted_by_hand(X, y, weight, score_too=False))
    search = GridSearchCV(model(), {"milclassifier__lr": [3e-3]}, cv=CV)
    search.fit(X, y, milclassifier__sample_weight=weight)
    assert search.best_score_ == pytest.approx(np.mean(found))


def test_weights_in_cross_validation_with_routing(musk, weight):
    X, y = musk
    expected = weighted_by_hand(X, y, weight, score_too=True)
    with config_context(enable_metadata_routing=True):
        estimator = model()
        estimator[-1].set_fit_request(sample_weight=True)
        estimator[-1].set_score_request(sample_weight=True)
        params = {"sample_weight": weight}
        found = cross_validate(estimator, X, y, cv=CV, params=params)["test_score"]
        assert_array_equal(found, expected)
        search = GridSearchCV(estimator, {"milclassifier__lr": [3e-3]}, cv=CV)
        search.fit(X, y, sample_weight=weight)
        assert search.best_score_ == pytest.approx(np.mean(expected))


def test_routing_asks_what_to_do_with_weights(musk, weight):
    X, y = musk
    with config_context(enable_metadata_routing=True):
        with pytest.raises(ValueError, match=r"sample_weight.*not explicitly set"):
            model().fit(X, y, sample_weight=weight)
        ignoring = model()
        ignoring[-1].set_fit_request(sample_weight=False)
        with pytest.raises(TypeError, match="sample_weight"):
            ignoring.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("routing", [False, True])
def test_tools_pass_weights_on(musk, weight, routing):
    X, y = musk
    with config_context(enable_metadata_routing=routing):
        base = classifier(max_epochs=3)
        if routing:
            base.set_fit_request(sample_weight=True)
        for tool in (
            CalibratedClassifierCV(clone(base), cv=2),
            VotingClassifier([("a", clone(base))], voting="soft"),
            BaggingClassifier(clone(base), n_estimators=2, random_state=0),
        ):
            plain = clone(tool).fit(X, y).predict_proba(X)
            weighted = clone(tool).fit(X, y, sample_weight=weight).predict_proba(X)
            assert (weighted[:, 1].mean() > plain[:, 1].mean()) or isinstance(
                tool, CalibratedClassifierCV
            )
            assert (weighted != plain).any()
