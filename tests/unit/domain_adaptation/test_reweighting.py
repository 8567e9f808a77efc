"""A classifier trained on source rows as the target has them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mlmi_sklearn import ImportanceWeightedClassifier
from mlmi_sklearn.domain_adaptation import effective_sample_size, estimate_density_ratio
from mlmi_sklearn.exceptions import DomainWarning

METHODS = ["classifier", "kliep"]


def shifted(n=300, m=200, seed=0):
    """Return a truth that no line tells, seen around 0 and wanted on the right."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(0, 1.5, n), rng.normal(0, 1, n)])
    X_target = np.column_stack([rng.normal(1.5, 0.6, m), rng.normal(0, 1, m)])
    return X, truth(X), X_target, truth(X_target)


def truth(X):
    return ((X[:, 0] > -1.2) & (X[:, 0] < 1.2)).astype(int)


def stacked(**kwargs):
    X, y, X_target, y_target = shifted(**kwargs)
    domain = np.repeat([1, -2], [len(X), len(X_target)])
    return np.vstack([X, X_target]), np.concatenate([y, y_target]), domain


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_weights_help_a_model_that_is_too_simple(method, seed):
    X, y, X_target, y_target = shifted(seed=seed)
    plain = LogisticRegression().fit(X, y).score(X_target, y_target)
    model = ImportanceWeightedClassifier(method=method, random_state=0)
    model.fit(X, y, X_target=X_target)
    assert model.score(X_target, y_target) > plain + 0.15
    assert model.score(X_target, y_target) > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_all_ways_of_passing_are_one(method):
    X, y, X_target, _ = shifted(n=80, m=60)
    rows, labels, domain = stacked(n=80, m=60)
    model = ImportanceWeightedClassifier(method=method, random_state=0)
    expected = model.fit(X, y, X_target=X_target).decision_function(rows)
    for fitted in (
        clone(model).fit(rows, labels, sample_domain=domain),
        clone(model).fit(rows, np.where(domain > 0, labels.astype(float), np.nan)),
        clone(model).fit(rows, np.where(domain > 0, labels, -1)),
        clone(model)
        .set_params(target_domains=["B"])
        .fit(rows, labels, sample_domain=np.where(domain > 0, "A", "B")),
    ):
        assert np.array_equal(fitted.decision_function(rows), expected)
        assert (fitted.n_source_, fitted.n_target_) == (80, 60)
        assert len(fitted.domains_) == 2
        assert fitted.weights_.shape == (80,)


def test_rows_may_come_in_any_order_of_domains():
    rows, labels, domain = stacked(n=80, m=60)
    order = np.random.default_rng(0).permutation(len(rows))
    # One fold's worth of randomness aside, all weights are those of their rows.
    model = ImportanceWeightedClassifier(method="kliep", random_state=0)
    model.fit(rows[order], labels[order], sample_domain=domain[order])
    source = order[domain[order] > 0]
    by_row = dict(zip(source, model.weights_, strict=True))
    expected = estimate_density_ratio(
        rows[source], rows[order][domain[order] < 0], method="kliep", random_state=0
    )
    assert np.allclose([by_row[i] for i in source], expected)


def test_labels_of_the_target_do_not_leak():
    rows, labels, domain = stacked(n=80, m=60)
    model = ImportanceWeightedClassifier(random_state=0)
    a = model.fit(rows, labels, sample_domain=domain).decision_function(rows)
    others = np.where(domain < 0, 1 - labels, labels)
    before = others.copy()
    b = model.fit(rows, others, sample_domain=domain).decision_function(rows)
    assert np.array_equal(a, b)
    assert np.array_equal(others, before)
    X, y, X_target, y_target = shifted(n=80, m=60)
    c = clone(model).fit(X, y, X_target=X_target, y_target=y_target)
    assert np.array_equal(a, c.decision_function(rows))


def test_several_sources_and_targets():
    rows, labels, domain = stacked(n=80, m=60)
    ids = np.where(domain > 0, np.arange(140) % 2, -1 - np.arange(140) % 3)
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(rows, labels, sample_domain=ids)
    assert sorted(model.domains_.tolist()) == [-3, -2, -1, 0, 1]
    assert (model.domains_[:2] >= 0).all()
    one = clone(model).fit(rows, labels, sample_domain=domain)
    assert np.array_equal(model.weights_, one.weights_)


def test_without_a_target_it_is_the_classifier_itself():
    X, y, _, _ = shifted()
    model = ImportanceWeightedClassifier(random_state=0).fit(X, y)
    alone = LogisticRegression(max_iter=1000).fit(X, y)
    assert np.array_equal(model.predict_proba(X), alone.predict_proba(X))
    assert (model.weights_ == 1).all()
    assert model.effective_sample_size_ == len(X)
    assert model.n_target_ == 0
    neighbours = ImportanceWeightedClassifier(KNeighborsClassifier()).fit(X, y)
    assert neighbours.score(X, y) > 0.9
    assert not hasattr(neighbours, "decision_function")


def test_source_alone_in_so_many_words_gives_a_warning():
    X, y, _, _ = shifted()
    model = ImportanceWeightedClassifier()
    with pytest.warns(DomainWarning, match="names no row of a target"):
        model.fit(X, y, sample_domain=0)
    assert model.n_target_ == 0


def test_weights_of_rows_multiply():
    X, y, X_target, _ = shifted(n=100)
    own = np.random.default_rng(0).uniform(0.1, 2, len(X))
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(X, y, sample_weight=own, X_target=X_target)
    expected = LogisticRegression(max_iter=1000).fit(
        X, y, sample_weight=own * model.weights_
    )
    assert np.allclose(model.estimator_.coef_, expected.coef_)
    size = effective_sample_size(own * model.weights_)
    assert np.isclose(model.effective_sample_size_, size)
    rows, labels, domain = stacked(n=100)
    both = np.concatenate([own, np.full(len(X_target), 7.0)])
    again = clone(model).fit(rows, labels, domain, both)
    assert np.array_equal(again.estimator_.coef_, model.estimator_.coef_)


def test_rows_of_weight_zero_are_absent():
    X, y, X_target, _ = shifted(n=100)
    own = (np.arange(100) < 70).astype(float)
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(X, y, sample_weight=own, X_target=X_target)
    less = clone(model).fit(X[:70], y[:70], X_target=X_target)
    assert np.allclose(model.estimator_.coef_, less.estimator_.coef_, atol=1e-4)
    assert np.array_equal(model.weights_[:70], less.weights_)
    assert (model.weights_[70:] == 0).all()


@pytest.mark.parametrize("kind", ["str", "object", "signs", "bool"])
def test_labels_of_any_kind(kind):
    rows, codes, domain = stacked(n=80, m=60)
    names = {
        "str": np.array(["ill", "well"]),
        "object": np.array(["ill", "well"], dtype=object),
        "signs": np.array([-1, 1]),
        "bool": np.array([False, True]),
    }[kind]
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(rows, names[codes], sample_domain=domain)
    assert model.classes_.tolist() == names.tolist()
    assert set(model.predict(rows)) <= set(names)
    plain = clone(model).fit(rows, codes, sample_domain=domain)
    assert np.array_equal(
        model.score(rows, names[codes], domain), plain.score(rows, codes, domain)
    )


def test_source_rows_without_a_label_shape_the_weights_only():
    rows, labels, domain = stacked(n=80, m=60)
    partly = labels.astype(float)
    partly[:10] = np.nan
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(rows, partly, sample_domain=domain)
    whole = clone(model).fit(rows, labels, sample_domain=domain)
    assert np.array_equal(model.weights_, whole.weights_)
    assert model.classes_.tolist() == [0.0, 1.0]
    assert not np.array_equal(model.estimator_.coef_, whole.estimator_.coef_)


def test_score_counts_labelled_rows_of_the_target():
    rows, labels, domain = stacked(n=80, m=60)
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(rows, labels, sample_domain=domain)
    hits = model.predict(rows) == labels
    assert model.score(rows, labels) == hits.mean()
    assert model.score(rows, labels, sample_domain=domain) == hits[domain < 0].mean()
    some = np.where(np.arange(140) % 2, labels, -1)
    counted = (domain < 0) & (some >= 0)
    assert model.score(rows, some, domain) == hits[counted].mean()
    weight = np.arange(140.0)
    assert np.isclose(
        model.score(rows, labels, domain, weight),
        np.average(hits[domain < 0], weights=weight[domain < 0]),
    )


@pytest.mark.parametrize(
    "inner",
    [
        SVC(),
        RandomForestClassifier(10, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
    ],
    ids=lambda m: type(m).__name__,
)
@pytest.mark.parametrize("routing", [True, False])
def test_any_classifier_that_takes_weights(inner, routing):
    X, y, X_target, y_target = shifted()
    with sklearn.config_context(enable_metadata_routing=routing):
        model = ImportanceWeightedClassifier(inner, random_state=0)
        model.fit(X, y, X_target=X_target)
        unweighted = clone(inner).fit(X, y)
        assert model.score(X_target, y_target) >= unweighted.score(X_target, y_target)
        assert hasattr(model, "predict_proba") == hasattr(inner, "predict_proba")
    assert not np.array_equal(model.predict(X), unweighted.predict(X))
    assert not hasattr(inner, "classes_")


def test_a_classifier_without_weights_is_refused():
    X, y, X_target, _ = shifted(n=50)
    model = ImportanceWeightedClassifier(KNeighborsClassifier()).fit(X, y)
    before = dict(vars(model))
    with pytest.raises(TypeError, match="takes no sample_weight"):
        model.fit(X, y, X_target=X_target)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("bad", "kind"), [([[1.0], [1.0, 2.0]], ValueError), (dict, TypeError)]
)
def test_rows_that_are_no_array_are_named(bad, kind):
    X, y, _, _ = shifted(n=30)
    model = ImportanceWeightedClassifier().fit(X, y)
    with pytest.raises(kind, match=r"^X: "):
        model.predict(bad)
    with pytest.raises(kind, match=r"^X: "):
        model.fit(bad, y)


def test_a_column_of_labels_is_taken_with_a_warning():
    rows, labels, domain = stacked(n=60, m=30)
    model = ImportanceWeightedClassifier(random_state=0)
    flat = model.fit(rows, labels, domain).predict_proba(rows)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        model.fit(rows, labels[:, None], domain)
    np.testing.assert_array_equal(model.predict_proba(rows), flat)
    with pytest.raises(ValueError, match="y should be a 1d array"):
        model.fit(rows, np.c_[labels, labels], domain)


@pytest.mark.parametrize(
    ("inner", "has"),
    [
        (None, {"predict_proba", "decision_function"}),
        (SVC(), {"decision_function"}),
        (RandomForestClassifier(), {"predict_proba"}),
    ],
)
def test_methods_are_those_of_the_classifier_before_and_after_a_fit(inner, has):
    X, y, _, _ = shifted(n=50)
    model = ImportanceWeightedClassifier(inner)
    for fitted in (model, clone(model).fit(X, y)):
        for method in ("predict_proba", "decision_function"):
            assert hasattr(fitted, method) == (method in has)
    # What was fitted counts, not what the next fit would take.
    changed = clone(model).fit(X, y).set_params(estimator=KNeighborsClassifier())
    assert hasattr(changed, "decision_function") == ("decision_function" in has)


class Fragile(LogisticRegression):
    """Fails in words that do not say what they are about."""

    def fit(self, X, y, sample_weight=None):
        raise ValueError("not positive definite")

    def predict(self, X):
        raise ValueError("not positive definite")


def test_errors_of_the_classifier_say_which_arguments_they_may_be_about():
    X, y, X_target, _ = shifted(n=50)
    model = ImportanceWeightedClassifier(Fragile())
    with pytest.raises(ValueError, match=r"^X or y or sample_weight: not positive def"):
        model.fit(X, y, X_target=X_target)
    model = ImportanceWeightedClassifier().fit(X, y)
    model.estimator_ = Fragile()
    with pytest.raises(ValueError, match=r"^X: not positive definite"):
        model.predict(X)


@pytest.mark.parametrize(
    ("n", "size", "warned"),
    [(300, 14.9, True), (300, 15.1, False), (100, 9.9, True), (100, 10.1, False),
     (16, 7.9, True), (16, 8.1, False)],
)  # fmt: skip
def test_few_rows_are_fewer_than_ten_or_one_in_twenty(n, size, warned, monkeypatch):
    """Of few rows, fewer than half."""
    rng = np.random.default_rng(0)
    X, X_target = rng.normal(size=(n, 1)), rng.normal(size=(9, 1))
    place = "mlmi_sklearn.domain_adaptation.reweighting.effective_sample_size"
    monkeypatch.setattr(place, lambda weight: size)
    model = ImportanceWeightedClassifier(clip=7.5, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, X[:, 0] > 0, X_target=X_target)
    texts = [str(w.message) for w in caught if w.category is DomainWarning]
    assert len(texts) == warned
    for text in texts:
        assert f"{n} weighted rows are worth {size:.1f} of equal weight" in text
        assert "Lower clip=7.5" in text


def test_few_rows_like_the_target_give_advice():
    rng = np.random.default_rng(0)
    X, X_target = rng.normal(size=(300, 1)), rng.normal(4, 0.3, size=(100, 1))
    model = ImportanceWeightedClassifier(clip=None, random_state=0)
    with pytest.warns(DomainWarning, match="Few source rows are like"):
        model.fit(X, X[:, 0] > 0, X_target=X_target)
    assert model.effective_sample_size_ < 15
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, X[:, 0] > 0, X_target=X_target / 8)


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_rows(container):
    X, y, X_target, _ = shifted(n=80)
    X[np.abs(X) < 0.3] = 0
    model = ImportanceWeightedClassifier(random_state=0)
    model.fit(container(X), y, X_target=container(X_target))
    assert np.array_equal(model.predict(container(X)), model.predict(X))


def test_frames_keep_their_names():
    X, y, X_target, _ = shifted(n=80)
    names = ["a", "b"]
    model = ImportanceWeightedClassifier(random_state=0)
    frame = pd.DataFrame(X, columns=names)
    model.fit(frame, y, X_target=pd.DataFrame(X_target, columns=names))
    assert model.feature_names_in_.tolist() == names
    plain = clone(model).fit(X, y, X_target=X_target)
    # Columns of a frame lie one after the other, and BLAS sums them in another order.
    np.testing.assert_allclose(model.predict_proba(frame), plain.predict_proba(X), 1e-6)
    with pytest.raises(ValueError, match="has columns"):
        model.fit(frame, y, X_target=pd.DataFrame(X_target, columns=["b", "a"]))


def test_a_search_over_both_kinds_of_parameters():
    rows, labels, domain = stacked(n=40, m=30)
    grid = [{"clip": [2.0]}, {"estimator__C": [0.1]}]
    model = ImportanceWeightedClassifier(LogisticRegression(), random_state=0)
    search = GridSearchCV(model, grid, cv=StratifiedKFold(2, shuffle=True))
    for routing in (False, True):
        with sklearn.config_context(enable_metadata_routing=routing):
            search.fit(rows, labels, sample_domain=domain)
    assert search.best_estimator_.n_target_ == 30


def test_routing_reaches_fit_and_score_through_a_pipeline():
    rows, labels, domain = stacked()
    pipe = make_pipeline(StandardScaler(), ImportanceWeightedClassifier(random_state=0))
    with sklearn.config_context(enable_metadata_routing=True):
        pipe.fit(rows, labels, sample_domain=domain)
        scores = cross_validate(
            pipe,
            rows,
            labels,
            params={"sample_domain": domain},
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
        )["test_score"]
        bagged = BaggingClassifier(pipe[-1], 2, random_state=0)
        bagged.fit(rows, labels, sample_domain=domain)
    on_target = pipe[-1].score(pipe[:-1].transform(rows), labels, sample_domain=domain)
    # The share of hits among all rows is far lower: scores count target rows.
    assert np.allclose(scores.mean(), on_target, atol=0.05)
    assert scores.mean() > pipe.score(rows, labels) + 0.1
    assert all(e.n_target_ > 0 for e in bagged.estimators_)
    old = make_pipeline(StandardScaler(), ImportanceWeightedClassifier(random_state=0))
    old.fit(rows, labels, importanceweightedclassifier__sample_domain=domain)
    assert np.array_equal(old.predict(rows), pipe.predict(rows))


@pytest.mark.parametrize("method", METHODS)
def test_pickle_and_seeds(method):
    rows, labels, domain = stacked(n=80, m=60)
    model = ImportanceWeightedClassifier(method=method, random_state=0)
    model.fit(rows, labels, sample_domain=domain)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict_proba(rows), model.predict_proba(rows))
    again = clone(model).fit(rows, labels, sample_domain=domain)
    assert np.array_equal(again.weights_, model.weights_)


@pytest.mark.parametrize("method", METHODS)
def test_one_row_of_target(method):
    X, y, X_target, _ = shifted(n=40)
    model = ImportanceWeightedClassifier(method=method, random_state=0)
    model.fit(X, y, X_target=X_target[:1])
    assert (model.weights_ == 1).all()
    assert model.n_target_ == 1


def test_float32_is_taken():
    X, y, X_target, _ = shifted(n=80)
    model = ImportanceWeightedClassifier(random_state=0)
    wide = model.fit(X, y, X_target=X_target).predict_proba(X)
    narrow = model.fit(
        X.astype(np.float32), y, X_target=X_target.astype(np.float32)
    ).predict_proba(X.astype(np.float32))
    assert np.allclose(wide, narrow, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_domain": np.ones(50), "X_target": np.ones((2, 2))}, "not both"),
        ({"sample_domain": -np.ones(50)}, "No row of a source"),
        ({"sample_domain": np.ones(3)}, "sample_domain has shape"),
        ({"y_target": np.ones(2)}, "y_target needs X_target"),
        ({"X_target": np.ones((4, 3))}, "X_target has"),
        ({"X_target": np.full((4, 2), np.nan)}, "contains NaN"),
        ({"sample_weight": np.ones(3), "X_target": np.ones((4, 2))}, "sample_weight"),
        ({"sample_weight": np.ones(3)}, "sample_weight"),
        ({"sample_domain": ["A"] * 25 + ["B"] * 25}, "target_domains"),
    ],
)
def test_bad_input_changes_nothing(arguments, message):
    X, y, _, _ = shifted(n=50)
    model = ImportanceWeightedClassifier().fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **arguments)
    assert vars(model) == before


def test_sources_without_labels_are_refused():
    rows, _, domain = stacked(n=20, m=10)
    with pytest.raises(ValueError, match="No row of a source has a label"):
        ImportanceWeightedClassifier().fit(rows, np.full(30, np.nan), domain)


@pytest.mark.parametrize("clip", [1.0, 0.5, "no"])
def test_bad_limits(clip):
    X, y, _, _ = shifted(n=20)
    with pytest.raises(ValueError, match="'clip' parameter"):
        ImportanceWeightedClassifier(clip=clip).fit(X, y)
