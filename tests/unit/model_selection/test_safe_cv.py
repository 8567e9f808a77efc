"""Cross-validation on the target, and each domain in turn as the target."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import get_config
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn.metrics import im_scorer
from mlmi_sklearn.model_selection import (
    DomainStratifiedKFold,
    LeaveOneDomainOut,
    iter_target_domains,
    safe_cv,
)


def test_scores_count_target_rows_alone(helpful):
    X, y, domain = helpful
    found = safe_cv(LogisticRegression(), X, y, domain, random_state=0)
    assert len(found["test_score"]) == 5
    alone = LogisticRegression().fit(X[domain >= 0], y[domain >= 0])
    on_target = alone.score(X[domain < 0], y[domain < 0])
    assert found["test_score"].mean() == pytest.approx(on_target, abs=0.05)
    assert get_config()["enable_metadata_routing"] is False


def test_an_estimator_without_domains_sees_the_source_only(helpful):
    X, y, domain = helpful
    X = X.copy()
    X[domain < 0] = np.nan
    found = safe_cv(
        LogisticRegression(), X, y, domain, cv=3, scoring="source", error_score="raise"
    )
    assert (found["test_score"] > 0.8).all()


def test_adapters_get_domains_also_in_a_pipeline(projector, helpful):
    X, y, domain = helpful
    plain = safe_cv(LogisticRegression(), X, y, domain, random_state=0)
    model = make_pipeline(StandardScaler(), projector())
    found = safe_cv(model, X, y, domain, random_state=0, return_estimator=True)
    assert found["test_score"].mean() > plain["test_score"].mean() + 0.2
    assert_array_equal(found["estimator"][0][-1].domains_, [-1, 0])


def test_several_scores(projector, helpful):
    recall = make_scorer(recall_score)
    found = safe_cv(projector(), *helpful, cv=2, scoring=["roc_auc", "im", "source"])
    assert {"test_roc_auc", "test_im", "test_source"} <= set(found)
    found = safe_cv(
        projector(), *helpful, cv=2, scoring={"a": recall, "b": im_scorer, "c": None}
    )
    assert all(np.isfinite(found[f"test_{key}"]).all() for key in "abc")


@pytest.mark.parametrize(
    ("cv", "n"),
    [
        (3, 3),
        (None, 5),
        (DomainStratifiedKFold(4, random_state=0), 4),
        (DomainStratifiedKFold(4, target="train"), 4),
        (StratifiedKFold(3, shuffle=True, random_state=0), 3),
        ([(np.arange(60, 180), np.r_[0:60, 180:240])], 1),
    ],
)
def test_all_kinds_of_folds(projector, helpful, cv, n):
    scores = safe_cv(projector(), *helpful, cv=cv)["test_score"]
    assert len(scores) == n
    assert (scores > 0.7).all()


def test_folds_without_target_rows_are_scored_on_the_source(helpful):
    X, y, domain = helpful
    hospital = np.where(domain < 0, -1, np.arange(240) % 3 // 2)
    found = safe_cv(LogisticRegression(), X, y, hospital, cv=LeaveOneDomainOut())
    assert len(found["test_score"]) == 2
    assert (found["test_score"] > 0.8).all()


def test_names_of_domains(projector, helpful):
    X, y, domain = helpful
    names = np.where(domain < 0, "new", "old")
    model = projector(target_domains=["new"])
    found = safe_cv(model, X, y, names, random_state=0)
    numbers = safe_cv(projector(), X, y, domain, random_state=0)
    assert_array_equal(found["test_score"], numbers["test_score"])
    cv = DomainStratifiedKFold(5, random_state=0, target_domains=["new"])
    found = safe_cv(LogisticRegression(), X, y, names, cv=cv)
    numbers = safe_cv(LogisticRegression(), X, y, domain, random_state=0)
    assert_array_equal(found["test_score"], numbers["test_score"])


def test_regression(helpful):
    X, _, domain = helpful
    found = safe_cv(Ridge(), X, X @ [1.0, 2.0], domain)
    assert found["test_score"].min() > 0.9


@pytest.mark.parametrize("kind", [int, str, float, "signs"])
def test_each_domain_in_turn_is_the_target_and_its_labels_stay_hidden(
    projector, helpful, kind
):
    X, y, _ = helpful
    labels = np.where(y == 1, 1, -1) if kind == "signs" else y.astype(kind)
    hospital = np.array(["x", "y", "z"])[np.arange(240) % 3]
    found = safe_cv(
        projector(), X, labels, hospital, cv="each-target", return_estimator=True
    )
    assert found["domain"].tolist() == ["x", "y", "z"]
    assert len(found["test_score"]) == 3
    assert (found["test_score"] > 0.4).all()
    for model in found["estimator"]:
        assert len(model.seen_) == 80
        hidden = {int: [-1], str: [None], float: [], "signs": [None]}[kind]
        values = [v for v in set(model.seen_.tolist()) if v == v]
        assert values == hidden
        assert_array_equal(model.classes_, np.unique(labels))
        assert_array_equal(model.domains_, [-1, 0, 1])


def test_each_target_returns_rows_and_takes_several_scores(helpful):
    X, y, domain = helpful
    found = safe_cv(
        LogisticRegression(),
        X,
        y,
        domain,
        cv="each-target",
        scoring=["accuracy", "im"],
        return_indices=True,
    )
    assert_array_equal(found["indices"]["test"][1], np.flatnonzero(domain < 0))
    assert found["test_im"].shape == found["test_accuracy"].shape == (2,)
    assert np.isfinite([found["test_im"], found["test_accuracy"]]).all()


def test_tasks_of_each_domain(helpful):
    X, y, _ = helpful
    hospital = np.repeat([3, -7, 5], 80)
    tasks = list(iter_target_domains(X, y, hospital))
    assert [task.name for task in tasks] == [3, -7, 5]
    for number, task in enumerate(tasks):
        rows = np.arange(80 * number, 80 * number + 80)
        assert task.X is X
        assert_array_equal(task.test, rows)
        assert_array_equal(task.y_test, y[rows])
        assert_array_equal(np.flatnonzero(task.sample_domain == -1), rows)
        assert_array_equal(np.unique(task.sample_domain), [-1, 0, 1])
        assert (task.y[rows] == -1).all()
        others = np.setdiff1d(np.arange(240), rows)
        assert_array_equal(task.y[others], y[others])
    assert_array_equal(y, helpful[1])


def test_some_labels_of_the_target_may_be_kept(helpful):
    X, y, _ = helpful
    hospital = np.repeat(["a", "b", "c"], 80)
    options = {"n_labelled": 5, "random_state": 0}
    tasks = {t.name: t for t in iter_target_domains(X, y, hospital, **options)}
    for task in tasks.values():
        kept = (task.sample_domain < 0) & (task.y != -1)
        assert_array_equal(np.bincount(task.y[kept]), [5, 5])
        assert not kept[task.test].any()
        assert len(task.test) == 70
    (again,) = iter_target_domains(X, y, hospital, targets=["b"], **options)
    assert_array_equal(again.y, tasks["b"].y)


def test_labels_unknown_from_the_start_are_neither_kept_nor_tested(helpful):
    X, y, _ = helpful
    y = np.where(np.arange(240) % 4 == 0, -1, y)
    tasks = iter_target_domains(X, y, np.repeat([0, 1], 120), n_labelled=1000)
    assert all(len(task.test) == 0 for task in tasks)
    for task in iter_target_domains(X, y, np.repeat([0, 1], 120)):
        assert len(task.test) == 90
        assert -1 not in task.y_test


@pytest.mark.parametrize(
    ("domain", "options", "message"),
    [
        (None, {}, "two different ids"),
        (np.zeros(240), {}, "two different ids"),
        (np.arange(240) % 2, {"targets": [5]}, "targets names 5"),
        (np.arange(100) % 2, {}, "shape"),
        (np.arange(240) % 2, {"n_labelled": -1}, "n_labelled"),
    ],
)
def test_bad_domains(helpful, domain, options, message):
    with pytest.raises(ValueError, match=message):
        iter_target_domains(helpful[0], helpful[1], domain, **options)


def test_bad_input(helpful):
    X, y, domain = helpful
    with pytest.raises(ValueError, match="each-target"):
        safe_cv(LogisticRegression(), X, y, domain, cv="each")
    with pytest.raises(ValueError, match="pass sample_domain"):
        safe_cv(LogisticRegression(), X, y)
    with pytest.raises(ValueError, match="y has 10"):
        iter_target_domains(X, y[:10], domain)
    y = np.where(domain < 0, -1, y)
    with pytest.raises(ValueError, match="has no label to score with"):
        safe_cv(LogisticRegression(), X, y, domain, cv="each-target")
