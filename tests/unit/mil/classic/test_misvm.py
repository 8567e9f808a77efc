"""MISVC: mi-SVM and MI-SVM over any margin classifier."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from mlmi_sklearn import MISVC, Bags, InstanceWise, SingleInstanceClassifier
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil.classic.alternation import (
    BinaryBags,
    alternate_labels,
    alternate_witnesses,
)

MODES = ["mi", "MI"]


def binary(known=None):
    """Return three bags of 3, 2 and 1 instances; the second is negative."""
    values = np.array([[3.0], [-1.0], [-2.0], [-3.0], [-2.5], [-0.5]])
    known = None if known is None else np.array(known)
    return BinaryBags(
        values, np.array([3, 2, 1]), np.array([True, False, True]), np.ones(3), known
    )


# -- the heuristics --------------------------------------------------------------------


def test_imputation_keeps_one_positive_and_negative_bags_negative():
    data = binary()
    found = data.impute(np.array([1.0, -1, 2, 5, 5, -9]))
    assert_array_equal(found, [1, 0, 1, 0, 0, 1])


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [(2, None, [1, 1, 0, 0, 0, 1]), (1, 1, [1, 0, 0, 0, 0, 1])],
)
def test_imputation_respects_counts(least, most, expected):
    scores = np.array([3.0, 2, 1, 0, 0, 0]) - (2.5 if least == 2 else 0.0)
    assert_array_equal(binary().impute(scores, least, most), expected)


def test_imputation_respects_known_labels():
    data = binary([0, 1, -1, 1, -1, 0])
    found = data.impute(np.array([9.0, -9, -1, -9, 9, 9]))
    assert_array_equal(found, [0, 1, 0, 1, 0, 0])
    # With the best known to be negative, another one has to be positive.
    assert_array_equal(binary([0] + [-1] * 5).impute(-np.arange(6.0))[:3], [0, 1, 0])


def test_witnesses_are_the_highest_that_may_be():
    scores = np.array([1.0, 3, 2, 9, 9, -5])
    assert_array_equal(binary().witnesses(scores), [1, 5])
    assert_array_equal(binary([-1, 0] + [-1] * 4).witnesses(scores), [2, 5])
    assert_array_equal(binary([1] + [-1] * 5).witnesses(scores), [0, 5])


def recorder(log):
    """Return fit and score of a classifier whose score is the first feature."""

    def fit(values, labels, weight):
        log.append((np.asarray(values)[:, 0].tolist(), labels.astype(int).tolist()))

    return fit, lambda model, values: np.asarray(values)[:, 0] + 0.75


def test_mi_begins_with_the_labels_of_bags_and_ends_when_nothing_changes():
    log = []
    outcome = alternate_labels(binary(), *recorder(log), max_iter=10)
    assert [labels for _, labels in log] == [[1, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 1]]
    assert (outcome.n_iter, outcome.settled) == (2, True)


def test_MI_begins_with_the_means_of_bags():
    log = []
    outcome = alternate_witnesses(binary(), *recorder(log), max_iter=10)
    assert_allclose(log[0], ([-3.0, -2.5, 0.0, -0.5], [0, 0, 1, 1]), atol=1e-12)
    assert log[1] == ([-3.0, -2.5, 3.0, -0.5], [0, 0, 1, 1])
    assert (outcome.n_iter, outcome.settled) == (2, True)


def test_MI_takes_known_negatives_to_the_negatives():
    log = []
    alternate_witnesses(binary([-1, 0, -1, -1, 1, -1]), *recorder(log), max_iter=10)
    assert log[1] == ([-1.0, -3.0, 3.0, -0.5], [0, 0, 1, 1])


def test_the_mean_of_csr_bags_is_that_of_dense_ones():
    dense, log = binary(), []
    fit, score = recorder(log)
    rows = BinaryBags(
        sparse.csr_array(dense.values), dense.lengths, dense.positive, dense.weight
    )
    alternate_witnesses(
        rows,
        lambda v, y, w: fit(v.toarray(), y, w),
        lambda m, v: score(m, v.toarray()),
        max_iter=10,
    )
    again = []
    alternate_witnesses(dense, *recorder(again), max_iter=10)
    assert log == again


def test_a_cycle_ends_the_alternation():
    turns = iter(range(100))

    def score(model, values):
        return np.array([1.0, -1, -1, 0, 0, 1]) * (-1) ** next(turns)

    outcome = alternate_labels(binary(), lambda *a: None, score, max_iter=50)
    assert outcome.settled
    assert outcome.n_iter < 6


# -- the estimator ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("inner", [None, LinearSVC(), LogisticRegression()])
def test_finds_witnesses(mode, inner, witness):
    X, y = witness(60)
    model = MISVC(mode, inner).fit(X, y)
    starts = np.cumsum(X.lengths) - X.lengths
    truth = np.zeros(X.n_instances, dtype=bool)
    truth[starts[y == 1]] = True
    assert model.score(X, y) > 0.9
    assert roc_auc_score(truth, model.instance_scores(X, flat=True)) > 0.95
    if mode == "MI":
        assert np.mean(model.witnesses_[y == 1] == 0) > 0.9
        assert_array_equal(model.witnesses_[y == 0], -1)
        assert not hasattr(model, "labels_")
    else:
        assert np.mean(model.labels_ == truth) > 0.9
        assert model.labels_.dtype == bool
        assert not hasattr(model, "witnesses_")


@pytest.mark.parametrize("mode", MODES)
def test_the_score_of_a_bag_is_its_maximum(mode, witness):
    X, y = witness(40)
    model = MISVC(mode).fit(X, y)
    scores = [s.max() for s in model.instance_scores(X)]
    assert_array_equal(model.decision_function(X), scores)
    assert_array_equal(model.predict(X), (model.decision_function(X) > 0).astype(int))


def test_one_fit_of_mi_is_single_instance_learning(witness):
    X, y = witness()
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        first = MISVC("mi", max_iter=1, threshold=0.0).fit(X, y)
    single = SingleInstanceClassifier(SVC(tol=1e-5), threshold=0.0).fit(X, y)
    assert_array_equal(first.decision_function(X), single.decision_function(X))
    assert first.n_iter_ == 1


@pytest.mark.parametrize("mode", MODES)
def test_bags_of_one_are_an_ordinary_problem(mode, witness):
    X, y = witness(40)
    rng = np.random.default_rng(0)  # all rows differ, or gamma would not be the same
    rows = X.values + 0.1 * rng.normal(size=X.values.shape)
    labels = np.repeat(y, X.lengths)
    model = MISVC(mode, SVC(tol=1e-8), threshold=0.0).fit(rows, labels)
    inner = SVC(tol=1e-8).fit(model.scaler_.transform(rows), labels)
    expected = inner.decision_function(model.scaler_.transform(rows))
    assert_allclose(model.decision_function(rows), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_three_classes(mode, witness):
    X, _ = witness(45)
    y = np.array(["none", "up", "down"])[np.arange(45) % 3]
    values = np.random.default_rng(3).normal(size=X.values.shape)
    starts = np.cumsum(X.lengths) - X.lengths
    values[starts] += np.array([0.0, 6.0, -6.0])[np.arange(45) % 3][:, None]
    X = Bags(values, X.lengths)
    model = MISVC(mode).fit(X, y)
    assert model.score(X, y) > 0.8
    assert len(model.estimators_) == 3
    assert model.decision_function(X).shape == (45, 3)
    belief = model.labels_ if mode == "mi" else model.witnesses_
    assert belief.shape == ((X.n_instances if mode == "mi" else 45), 3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [True, False])
def test_csr_is_like_dense(mode, scale, witness):
    X, y = witness(40)
    X = X.with_values(X.values + np.array([0, 0, 0, 0, 20.0]))
    rows = X.with_values(sparse.csr_matrix(X.values))
    dense = MISVC(mode, SVC(tol=1e-8), scale=scale).fit(X, y)
    found = MISVC(mode, SVC(tol=1e-8), scale=scale).fit(rows, y)
    assert_allclose(
        found.decision_function(rows), dense.decision_function(X), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("mode", MODES)
def test_weights_are_copies(mode, witness):
    X, y = witness()
    weight = np.random.default_rng(0).integers(0, 3, 24)
    copies = np.arange(24).repeat(weight)
    weighted = MISVC(mode).fit(X, y, sample_weight=weight)
    repeated = MISVC(mode).fit(X[copies], y[copies])
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-9
    )


def test_belief_covers_bags_of_weight_zero(witness):
    X, y = witness()
    weight = np.ones(24)
    weight[[3, 4]] = 0
    model = MISVC("MI").fit(X, y, sample_weight=weight)
    assert_array_equal(model.witnesses_[[3, 4]], -1)
    assert MISVC("mi").fit(X, y, sample_weight=weight).labels_.shape == (X.n_instances,)


def test_counts_are_kept(witness):
    X, y = witness(40)
    model = MISVC("mi", min_positive=2, max_positive=3).fit(X, y)
    starts = np.cumsum(X.lengths) - X.lengths
    counts = np.add.reduceat(model.labels_.astype(int), starts)[y == 1]
    assert (counts >= np.minimum(2, X.lengths[y == 1])).all()
    assert (counts <= 3).all()


@pytest.mark.parametrize("mode", MODES)
def test_nobodys_random_numbers_are_drawn(mode, witness):
    before = np.random.get_state()  # the global one is the point
    MISVC(mode).fit(*witness()).predict(witness()[0])
    after = np.random.get_state()
    assert_array_equal(before[1], after[1])
    assert before[2] == after[2]


@pytest.mark.parametrize("mode", MODES)
def test_known_labels_are_kept(mode, witness):
    X, y = witness(40)
    starts = np.cumsum(X.lengths) - X.lengths
    last = (starts + X.lengths - 1)[(y == 1) & (X.lengths > 1)]
    known = np.full(X.n_instances, -1)
    known[last] = 1  # deliberately not the witness
    told = Bags(X.values, X.lengths, y_instances=known)
    model = MISVC(mode, instance_labels="use").fit(told, y)
    if mode == "mi":
        assert model.labels_[last].all()
    else:
        positive = (y == 1) & (X.lengths > 1)
        assert_array_equal(model.witnesses_[positive], X.lengths[positive] - 1)
    deaf = MISVC(mode).fit(told, y)
    assert_array_equal(
        deaf.decision_function(X), MISVC(mode).fit(X, y).decision_function(X)
    )


def test_a_classifier_without_margin_or_weights_works(witness):
    X, y = witness(40)
    assert MISVC("mi", KNeighborsClassifier(3)).fit(X, y).score(X, y) > 0.8
    assert MISVC("mi", SGDClassifier(random_state=0)).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda X, y: (X, y * 0), ValueError),
        (lambda X, y: (X.with_values(X.values * np.inf), y), BagError),
        (lambda X, y: (X, y[:3]), ValueError),
    ],
    ids=["one class", "infinite", "too few labels"],
)
def test_bad_input_leaves_the_estimator_as_it_was(fitted, change, error, witness):
    X, y = witness()
    X = X.with_values(X.values + 0.5)
    model = MISVC("MI")
    before = dict(vars(model.fit(X, y))) if fitted else dict(vars(model))
    with pytest.raises(error):
        model.set_params(mode="mi").fit(*change(X, y))
    model.set_params(mode="MI")
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


def test_a_second_fit_in_the_other_mode_forgets_the_first(witness):
    X, y = witness()
    model = MISVC("MI").fit(X, y)
    model.set_params(mode="mi").fit(X, y)
    assert hasattr(model, "labels_")
    assert not hasattr(model, "witnesses_")


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"mode": "both"}, "mode"),
        ({"mode": "MI", "min_positive": 2}, "need mode='mi'"),
        ({"mode": "mi", "min_positive": 3, "max_positive": 2}, "below min_positive"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_bad_parameters_are_named(params, match, witness):
    with pytest.raises(ValueError, match=match):
        MISVC(**params).fit(*witness())


def test_search_clone_and_pickle(witness):
    X, y = witness(30)
    pipeline = make_pipeline(InstanceWise(), MISVC(estimator=SVC(), scale=False))
    grid = {"misvc__mode": MODES, "misvc__estimator__C": [0.5, 2.0]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    assert_array_equal(again.decision_function(X), search.decision_function(X))
    assert not hasattr(clone(search.best_estimator_)[-1], "classes_")
