"""Several tasks on one backbone: whose head is used, and how tasks arrive."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import NetClassifier
from mlmi_sklearn.exceptions import TaskError
from mlmi_sklearn.meta_learning.multi_task import MultiTaskEstimator
from mlmi_sklearn.meta_learning.multi_task_net import MultiTaskModule, TaskBatch
from mlmi_sklearn.meta_learning.multi_task_outputs import combine_heads
from mlmi_sklearn.nn.backbones import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(180, 4))
SITE = np.array(["a", "b", "c"])[np.arange(180) % 3]
SIGN = np.array([1.0, -1.0, 2.0])[np.arange(180) % 3]
Y = SIGN * X[:, 0]
LABELS = (Y > 0).astype(int)
QUICK = {"max_epochs": 40, "lr": 1e-2, "random_state": 0}


def frame(sites=SITE):
    """Return X with the site as its second column."""
    table = pd.DataFrame(X, columns=list("pqrs"))
    table.insert(1, "site", sites)
    return table


@pytest.fixture(scope="module")
def regressor():
    return MultiTaskEstimator("regression", **QUICK).fit(X, Y, groups=SITE)


@pytest.fixture(scope="module")
def classifier():
    return MultiTaskEstimator(**QUICK).fit(X, LABELS, groups=SITE)


def test_each_task_has_its_own_head(regressor, classifier):
    assert regressor.tasks_.tolist() == ["a", "b", "c"]
    assert regressor.n_tasks_ == 3
    assert regressor.score(X, Y, groups=SITE) > 0.9
    assert classifier.score(X, LABELS, groups=SITE) > 0.9
    swapped = np.where(SITE == "a", "b", np.where(SITE == "b", "a", "c"))
    assert regressor.score(X, Y, groups=swapped) < 0.3
    assert classifier.score(X, LABELS, groups=swapped) < 0.6


def test_order_of_rows_and_subsets_of_tasks_do_not_matter(regressor):
    whole = regressor.predict(X, groups=SITE)
    rows = np.flatnonzero(SITE == "b")[::-1]
    assert_allclose(regressor.predict(X[rows], groups=SITE[rows]), whole[rows])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_tasks_probabilities_are_averaged(n_classes):
    y = (np.arange(180) // 3 + (X[:, 0] > 0)) % n_classes
    model = MultiTaskEstimator(max_epochs=3, random_state=0).fit(X, y, groups=SITE)
    each = [model.predict_proba(X, groups=[t] * 180) for t in "abc"]
    mean = np.mean(each, axis=0)
    assert_allclose(model.predict_proba(X), mean, atol=1e-6)
    assert_array_equal(model.predict(X), mean.argmax(axis=1))
    decision = model.decision_function(X)
    predicted = decision > 0 if n_classes == 2 else decision.argmax(axis=1)
    assert_array_equal(predicted, model.predict(X))


def test_without_tasks_numbers_are_averaged(regressor):
    each = [regressor.predict(X, groups=[t] * 180) for t in "abc"]
    assert_allclose(regressor.predict(X), np.mean(each, axis=0), atol=1e-6)


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "labels"])
def test_sure_heads_stay_finite(link):
    raw = np.array([[[900.0, -900.0, 0.0], [800.0, -700.0, -800.0]]])
    assert np.isfinite(combine_heads(raw, link)).all()
    assert np.isfinite(combine_heads(raw[..., :1], link)).all()


def test_no_groups_is_an_ordinary_net():
    one = MultiTaskEstimator(**QUICK).fit(X, LABELS)
    plain = NetClassifier(**QUICK).fit(X, LABELS)
    assert one.n_tasks_ == 1
    assert len(one.tasks_) == 0
    assert_allclose(one.predict_proba(X), plain.predict_proba(X), atol=1e-6)


def test_a_task_is_trained_by_its_own_rows_alone():
    """With the backbone given, no row of one task reaches the head of another."""
    module = MultiTaskModule(MLP((4,)), n_outputs=2, n_tasks=3)
    batch = TaskBatch(torch.randn(5, 4), torch.tensor([0, 2, 0, 2, 2]))
    module(batch).square().sum().backward()
    grad = module.heads.weight.grad.reshape(3, 2, -1)
    assert grad[0].abs().sum() > 0
    assert grad[2].abs().sum() > 0
    assert_array_equal(grad[1], 0)


def test_column_of_a_frame_is_the_same_as_groups(regressor):
    by_column = MultiTaskEstimator("regression", task="site", **QUICK).fit(frame(), Y)
    assert_allclose(
        by_column.predict(frame()), regressor.predict(X, groups=SITE), atol=1e-6
    )
    assert by_column.n_features_in_ == 4
    assert by_column.feature_names_in_.tolist() == list("pqrs")
    without = frame().drop(columns="site")
    assert_allclose(by_column.predict(without), regressor.predict(X), atol=1e-6)
    first = by_column.predict(frame(), groups=["a"] * 180)
    assert_allclose(first, regressor.predict(X, groups=["a"] * 180), atol=1e-6)


@pytest.mark.parametrize("place", [1, -4])
def test_column_of_an_array(regressor, place):
    codes = np.arange(180) % 3
    stacked = np.insert(X, 1, codes, axis=1)
    model = MultiTaskEstimator("regression", task=place, **QUICK).fit(stacked, Y)
    assert model.tasks_.tolist() == [0, 1, 2]
    assert_allclose(
        model.predict(stacked), regressor.predict(X, groups=SITE), atol=1e-6
    )


def test_errors_name_the_task(classifier):
    with pytest.raises(TaskError, match="'z'"):
        classifier.predict(X, groups=["z"] * 180)
    with pytest.raises(TaskError, match="'z'"):
        classifier.score(X, LABELS, groups=["z"] + ["a"] * 179)
    with pytest.raises(TaskError, match="180 rows"):
        classifier.predict(X, groups=["a"] * 3)
    with pytest.raises(TaskError, match="missing"):
        MultiTaskEstimator().fit(X, LABELS, groups=[None] + ["a"] * 179)
    with pytest.raises(TaskError, match="not a column"):
        MultiTaskEstimator(task="sites").fit(frame(), LABELS)
    with pytest.raises(TaskError, match="fitted without"):
        MultiTaskEstimator(max_epochs=1).fit(X, LABELS).predict(X, groups=SITE)
    with pytest.raises(ValueError, match="kind"):
        MultiTaskEstimator("ranking").fit(X, LABELS)


def test_failed_fit_leaves_the_model(classifier):
    model = clone(classifier).fit(X, LABELS, groups=SITE)
    expected = model.predict_proba(X)
    with pytest.raises(TaskError):
        model.fit(X, LABELS, groups=SITE[:5])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), LABELS, groups=np.arange(180))
    assert_array_equal(model.predict_proba(X), expected)
    assert model.tasks_.tolist() == ["a", "b", "c"]


def test_methods_follow_the_kind(classifier, regressor):
    assert is_classifier(classifier)
    assert not is_regressor(classifier)
    assert is_regressor(regressor)
    assert not is_classifier(regressor)
    for name in ("predict_proba", "predict_log_proba", "decision_function"):
        assert hasattr(classifier, name)
        assert not hasattr(regressor, name)
        assert hasattr(MultiTaskEstimator(), name)
    hinge = MultiTaskEstimator(loss="hinge")
    assert not hasattr(hinge, "predict_proba")
    assert not hasattr(regressor, "predict_quantiles")
    quantile = MultiTaskEstimator("regression", loss="quantile", max_epochs=2)
    quantile.set_params(loss__q=(0.1, 0.9)).fit(X, Y, groups=SITE)
    assert quantile.predict_quantiles(X, groups=SITE).shape == (180, 2)
    with pytest.raises(ValueError, match="not a classification loss"):
        MultiTaskEstimator(loss="mse").fit(X, LABELS)


def test_margins_of_heads_are_averaged_as_they_are():
    model = MultiTaskEstimator(loss="hinge", max_epochs=3, random_state=0)
    model.fit(X, LABELS, groups=SITE)
    each = [model.decision_function(X, groups=[t] * 180) for t in "abc"]
    assert_allclose(model.decision_function(X), np.mean(each, axis=0), atol=1e-6)


def test_pickle_early_stopping_and_partial_fit(classifier):
    again = pickle.loads(pickle.dumps(classifier))
    assert_allclose(again.predict_proba(X, SITE), classifier.predict_proba(X, SITE))
    stopped = MultiTaskEstimator(early_stopping=True, max_epochs=3, random_state=0)
    stopped.fit(X, LABELS, groups=SITE)
    assert stopped.history_["valid_score"].between(0, 1).all()
    model = MultiTaskEstimator(random_state=0)
    first = LABELS == 1
    model.partial_fit(X[first], LABELS[first], groups=SITE[first], classes=[0, 1])
    model.partial_fit(X, LABELS, groups=SITE)
    assert model.n_iter_ == 2
    with pytest.raises(TaskError, match="'z'"):
        model.partial_fit(X, LABELS, groups=["z"] * 180)


def test_weights_of_rows_count_as_repetitions():
    rows = np.r_[0:30, 0:10]
    twice = MultiTaskEstimator(max_epochs=5, random_state=0, batch_size=500)
    weighted = clone(twice)
    twice.fit(X[rows], LABELS[rows], groups=SITE[rows])
    weight = np.r_[np.full(10, 2.0), np.ones(20)]
    weighted.fit(X[:30], LABELS[:30], groups=SITE[:30], sample_weight=weight)
    assert_allclose(
        twice.predict_proba(X, SITE), weighted.predict_proba(X, SITE), atol=1e-6
    )


# -- adaptation ------------------------------------------------------------------------


def test_new_task_gets_a_head_on_shared_features(regressor):
    before = {k: v.clone() for k, v in regressor.net_.module_.state_dict().items()}
    torch.manual_seed(0)
    generator = torch.get_rng_state()
    adapted = regressor.adapt(X[:30], -3 * X[:30, 0])
    assert_array_equal(torch.get_rng_state(), generator)
    assert adapted.score(X, -3 * X[:, 0]) > 0.8
    after = regressor.net_.module_.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())
    backbone = adapted.net_.module_.backbone.state_dict()
    for name, value in backbone.items():
        assert torch.equal(value, before[f"backbone.{name}"])


def test_new_classes_in_a_new_task(classifier):
    names = np.array(["ill", "well"])[(X[:, 0] > 0).astype(int)]
    adapted = classifier.adapt(X[:40], names[:40], max_epochs=200)
    assert adapted.classes_.tolist() == ["ill", "well"]
    assert adapted.score(X, names) > 0.85
    refit = clone(adapted).fit(X[:40], names[:40])
    assert_allclose(refit.predict_proba(X), adapted.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="max_epoch"):
        classifier.adapt(X[:40], names[:40], max_epoch=3)


def test_adapts_with_and_without_the_column():
    model = MultiTaskEstimator("regression", task="site", **QUICK).fit(frame(), Y)
    new = frame(["z"] * 180)
    with_column = model.adapt(new[:30], Y[:30])
    without = model.adapt(new.drop(columns="site")[:30], Y[:30])
    rows = new.drop(columns="site")
    assert_array_equal(with_column.predict(rows), without.predict(rows))


# -- how tasks travel ------------------------------------------------------------------


def test_groups_reach_fit_and_score_with_routing_on():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MultiTaskEstimator("regression", **QUICK)
        pipe = make_pipeline(StandardScaler(), model)
        for estimator in (model, pipe):
            found = cross_validate(estimator, X, Y, cv=3, params={"groups": SITE})
            assert found["test_score"].mean() > 0.7
        search = GridSearchCV(model, {"lr": [1e-2, 1e-4]}, cv=3)
        search.fit(X, Y, groups=SITE)
        assert search.best_score_ > 0.7
        assert search.best_estimator_.n_tasks_ == 3


def test_unknown_group_in_a_fold_is_an_error_not_silence():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MultiTaskEstimator("regression", max_epochs=1)
        with pytest.raises(TaskError, match="adapt"):
            cross_validate(
                model,
                X,
                Y,
                cv=GroupKFold(3),
                params={"groups": SITE},
                error_score="raise",
            )


@pytest.mark.parametrize("routing", [False, True])
def test_column_travels_with_routing_on_and_off(routing):
    scale = make_column_transformer(
        (StandardScaler(), list("pqrs")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipe = make_pipeline(scale, MultiTaskEstimator("regression", task="site", **QUICK))
    with sklearn.config_context(enable_metadata_routing=routing):
        found = cross_validate(pipe, frame(), Y, cv=3)
    assert found["test_score"].mean() > 0.7
