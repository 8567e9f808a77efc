"""Inside scikit-learn's tools, with metadata routing off and on."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.exceptions import DomainWarning

SEEN: list[tuple] = []


class Spy(DANNClassifier):
    """Notes what reaches fit and score."""

    def fit(self, X, y, sample_domain=None, sample_weight=None, *, X_target=None,
            y_target=None):  # fmt: skip
        SEEN.append(("fit", None if sample_domain is None else tuple(sample_domain)))
        return super().fit(
            X, y, sample_domain, sample_weight, X_target=X_target, y_target=y_target
        )

    def score(self, X, y, sample_domain=None, sample_weight=None):
        SEEN.append(("score", None if sample_domain is None else tuple(sample_domain)))
        return super().score(X, y, sample_domain, sample_weight)


@pytest.fixture
def spy():
    SEEN.clear()
    return Spy(max_epochs=1, batch_size=16, random_state=0, diagnostics=False)


@pytest.fixture(params=[False, True], ids=["off", "on"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield request.param


def test_pipeline(toy, dann, routing):
    X, y, ids = toy
    pipe = Pipeline([("scale", StandardScaler()), ("est", dann())])
    given = {"sample_domain": ids} if routing else {"est__sample_domain": ids}
    pipe.fit(X, y, **given)
    Z = StandardScaler().fit_transform(X)
    expected = dann().fit(Z, y, ids)
    assert pipe[-1].n_target_ == 30
    np.testing.assert_array_equal(pipe.predict_proba(X), expected.predict_proba(Z))
    assert len(pipe.predict(X)) == len(X)
    if routing:
        score = pipe.score(X, y, sample_domain=ids)
        assert score == expected.score(Z, y, ids)
        assert score != expected.score(Z, y)


def test_marker_in_a_pipeline(toy, dann, routing):
    X, y, ids = toy
    pipe = make_pipeline(StandardScaler(), dann())
    pipe.fit(X, np.where(ids < 0, -1, y))
    assert (pipe[-1].n_source_, pipe[-1].n_target_) == (40, 30)
    assert pipe[-1].classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("search", [True, False], ids=["search", "validate"])
def test_ids_are_cut_with_the_rows(toy, spy, routing, search):
    X, y, ids = toy
    cv = StratifiedKFold(2)
    folds = list(cv.split(X, y))
    if search:
        model = GridSearchCV(spy, {"lambda_": [0.3]}, cv=cv, error_score="raise")
        model.fit(X, y, sample_domain=ids)
        assert model.best_estimator_.n_target_ == 30
    else:
        cross_validate(
            spy, X, y, cv=cv, params={"sample_domain": ids}, error_score="raise"
        )
    fits = [d for what, d in SEEN if what == "fit"]
    scores = [d for what, d in SEEN if what == "score"]
    assert fits[:2] == [tuple(ids[train]) for train, _ in folds]
    expected = [tuple(ids[test]) for _, test in folds] if routing else [None, None]
    assert scores == expected


def test_the_score_in_a_search_is_that_of_target_rows(toy, dann):
    X, y, ids = toy
    cv = StratifiedKFold(2)
    with config_context(enable_metadata_routing=True):
        found = cross_val_score(dann(), X, y, cv=cv, params={"sample_domain": ids})
    expected = []
    for train, test in cv.split(X, y):
        model = dann().fit(X[train], y[train], ids[train])
        rows = test[ids[test] < 0]
        expected.append(np.mean(model.predict(X[rows]) == y[rows]))
    np.testing.assert_allclose(found, expected)


def test_marker_in_cross_validation(toy, spy, routing):
    X, y, ids = toy
    masked = np.where(ids < 0, -1, y)
    scores = cross_val_score(spy, X, masked, cv=3, error_score="raise")
    expected = []
    for train, test in StratifiedKFold(3).split(X, masked):
        model = clone(spy).fit(X[train], masked[train])
        rows = test[masked[test] >= 0]
        expected.append(np.mean(model.predict(X[rows]) == y[rows]))
    np.testing.assert_allclose(scores, expected)


def test_nested_search(toy, dann):
    X, y, ids = toy
    pipe = make_pipeline(StandardScaler(), dann(max_epochs=1))
    search = GridSearchCV(pipe, {"dannclassifier__lambda_": [0.0, 0.3]}, cv=2)
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            search, X, y, cv=2, params={"sample_domain": ids}, error_score="raise",
            return_estimator=True,
        )  # fmt: skip
    assert np.isfinite(found["test_score"]).all()
    for model in found["estimator"]:
        assert model.best_estimator_[-1].n_target_ == 15


def test_n_jobs(toy, dann):
    X, y, ids = toy
    grid = {"lambda_": [0.0, 0.3]}
    one, two = (
        GridSearchCV(dann(), grid, cv=2, n_jobs=n, error_score="raise")
        .fit(X, y, sample_domain=ids)
        .cv_results_["mean_test_score"]
        for n in (1, 2)
    )
    assert one.tolist() == two.tolist()


def test_bagging_and_voting(toy, dann):
    X, y, ids = toy
    with config_context(enable_metadata_routing=True):
        bag = BaggingClassifier(dann(), n_estimators=2, random_state=0)
        bag.fit(X, y, sample_domain=ids)
        for member in bag.estimators_:
            assert member.n_target_ > 0
            assert member.n_source_ > 0
        assert len(bag.predict(X)) == len(X)
        # Labels of the target play no part behind the encoding of bagging either.
        wrong = np.where(ids < 0, 2 - y, y)
        other = clone(bag).fit(X, wrong, sample_domain=ids)
        np.testing.assert_array_equal(bag.predict_proba(X), other.predict_proba(X))
        vote = VotingClassifier([("a", dann()), ("b", dann(lambda_=0))], voting="soft")
        vote.fit(X, y, sample_domain=ids)
        assert vote.estimators_[0].n_target_ == 30
        both = [m.predict_proba(X) for m in vote.estimators_]
        np.testing.assert_allclose(vote.predict_proba(X), np.mean(both, axis=0))


def test_x_target_is_scaled_in_a_pipeline_that_transforms_it(toy, dann):
    X, y, ids = toy
    s = ids > 0
    scaler = StandardScaler().fit(X[s])
    expected = dann().fit(
        scaler.transform(X[s]), y[s], X_target=scaler.transform(X[~s])
    )
    with config_context(enable_metadata_routing=True):
        pipe = Pipeline(
            [
                ("scale", StandardScaler()),
                ("est", dann().set_fit_request(X_target=True, y_target=True)),
            ],
            transform_input=["X_target"],
        )
        pipe.fit(X[s], y[s], X_target=X[~s])
        found = pipe.predict_proba(X)
    np.testing.assert_array_equal(found, expected.predict_proba(scaler.transform(X)))


def test_x_target_needs_a_request(toy, dann):
    """Or a Pipeline would hand it on as it is, at another scale than X."""
    X, y, _ = toy
    with config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler(), dann())
        with pytest.raises(ValueError, match=r"X_target.*set_fit_request"):
            pipe.fit(X, y, X_target=X)


def test_folds_of_one_domain_say_what_is_wrong(domains, dann, routing):
    """An integer cv in the order of stacked rows cuts the domains apart."""
    X, y, ids = domains(n=30, m=30)
    order = np.argsort(-ids, kind="stable")

    def validate(rows):
        return cross_validate(
            dann(), X[rows], y[rows], cv=KFold(2), error_score="raise",
            params={"sample_domain": ids[rows]},
        )  # fmt: skip

    with pytest.raises(ValueError, match=r"only rows of target.*DomainStratifiedKFold"):
        validate(order)
    with (
        pytest.warns(DomainWarning, match=r"no row of a target.*DomainStratifiedKFold"),
        pytest.raises(ValueError, match=r"only rows of target.*DomainStratifiedKFold"),
    ):
        validate(order[::-1])


def test_nothing_is_asked_of_users(dann, mme, regressor):
    for model in (dann(), mme(), regressor()):
        requests = model.get_metadata_routing()
        for method in ("fit", "partial_fit", "score"):
            assert getattr(requests, method).requests["sample_domain"] is True
