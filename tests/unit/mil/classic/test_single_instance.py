"""SingleInstanceClassifier: any classifier of instances, pooled over bags."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from mlmi_sklearn import Bags, InstanceWise, SingleInstanceClassifier
from mlmi_sklearn.exceptions import BagError

POOLINGS = ["max", "mean", "noisy-or", "log-sum-exp", "count"]


@pytest.fixture
def three_classes(witness):
    """Bags of three classes: none shifted, one shifted up, one shifted down."""
    X, _ = witness(45)
    y = np.arange(45) % 3
    rng = np.random.default_rng(3)
    values = rng.normal(size=X.values.shape)
    starts = np.cumsum(X.lengths) - X.lengths
    values[starts] += np.array([0.0, 6.0, -6.0])[y][:, None]
    return Bags(values, X.lengths), np.array(["none", "up", "down"])[y]


# -- what it computes ------------------------------------------------------------------


def test_is_the_classifier_on_instances(witness):
    X, y = witness()
    inner = LogisticRegression(max_iter=1000, tol=1e-9)
    model = SingleInstanceClassifier(inner, scale=False, threshold=0.0).fit(X, y)
    inner.fit(X.values, np.repeat(y, X.lengths))
    expected = [inner.decision_function(bag).max() for bag in X]
    assert_allclose(model.decision_function(X), expected, rtol=1e-4, atol=1e-5)
    assert model.threshold_ == 0.0


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("threshold", ["cv", 0.3])
def test_outputs_agree_with_each_other(witness, pooling, threshold):
    X, y = witness()
    model = SingleInstanceClassifier(pooling=pooling, threshold=threshold).fit(X, y)
    decision, p = model.decision_function(X), model.predict_proba(X)
    assert_array_equal(model.predict(X), (decision > 0).astype(int))
    assert_allclose(p[:, 1], expit(decision))
    assert_allclose(p.sum(axis=1), 1)
    flat = model.instance_scores(X, flat=True)
    assert_array_equal(np.concatenate(model.instance_scores(X)), flat)
    assert_array_equal(model.predict_instances(X, flat=True), (flat > 0).astype(int))
    assert_allclose(model.predict_instances_proba(X, flat=True)[:, 1], expit(flat))
    assert [len(s) for s in model.predict_instances_proba(X)] == X.lengths.tolist()
    assert model.score(X, y) == np.mean(model.predict(X) == y)


def test_the_maximum_of_instances_is_the_bag_exactly(witness):
    X, y = witness(40, dtype=np.float32)
    model = SingleInstanceClassifier().fit(X, y)
    scores = model.instance_scores(X)
    assert_array_equal(model.decision_function(X), [s.max() for s in scores])


@pytest.mark.parametrize(("least", "most"), [(2, None), (1, 2), (2, 3)])
def test_counts_decide(witness, least, most):
    X, y = witness(60)
    model = SingleInstanceClassifier(
        pooling="count", min_positive=least, max_positive=most
    ).fit(X, y)
    counts = np.array([s.sum() for s in model.predict_instances(X)])
    limit = np.inf if most is None else most
    expected = (counts >= np.minimum(least, X.lengths)) & (counts <= limit)
    assert_array_equal(model.predict(X), expected.astype(int))


def test_a_count_in_the_middle_can_be_learned():
    rng = np.random.default_rng(0)
    counts = np.tile([0, 1, 2, 3, 4, 5], 20)
    y = (counts >= 2) & (counts <= 3)
    values = rng.normal(size=(120, 6, 2))
    values[np.arange(6)[None] < counts[:, None]] += 8
    # The bags say too little about instances, so some are labelled.
    known = np.where(rng.random((120, 6)) < 0.2, np.arange(6) < counts[:, None], -1)
    X = Bags(values.reshape(-1, 2), [6] * 120, y_instances=known.astype(int).ravel())
    model = SingleInstanceClassifier(
        pooling="count", min_positive=2, max_positive=3, instance_labels="use"
    )
    assert model.fit(X, y).score(X, y) > 0.95


def test_a_callable_pools(witness):
    X, y = witness()
    named = SingleInstanceClassifier(pooling="mean").fit(X, y)
    own = SingleInstanceClassifier(pooling=lambda s: s.mean(axis=0)).fit(X, y)
    assert_allclose(own.decision_function(X), named.decision_function(X))


def test_three_classes_and_names(three_classes):
    X, y = three_classes
    model = SingleInstanceClassifier(SVC()).fit(X, y)
    assert_array_equal(model.classes_, ["down", "none", "up"])
    assert model.decision_function(X).shape == (45, 3)
    assert model.predict_proba(X).shape == (45, 3)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert_array_equal(
        model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X)
    )
    assert model.threshold_.shape == (3,)
    assert model.instance_scores(X)[0].shape == (X.lengths[0], 3)
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize(
    "inner",
    [SVC(), GaussianNB(), RandomForestClassifier(10, random_state=0)],
    ids=lambda e: type(e).__name__,
)
def test_any_classifier(inner, witness):
    X, y = witness(40)
    model = SingleInstanceClassifier(inner, "log-sum-exp").fit(X, y)
    assert model.score(X, y) > 0.85
    assert not hasattr(inner, "classes_")
    assert type(model.estimator_) is type(inner)


def test_a_classifier_without_weights_works_until_they_are_needed(witness):
    X, y = witness()
    model = SingleInstanceClassifier(KNeighborsClassifier()).fit(X, y)
    before = model.decision_function(X)
    for change in ({"balance_bags": True}, {"class_weight": {0: 1, 1: 2}}):
        with pytest.raises(TypeError, match="takes no sample_weight"):
            clone(model).set_params(**change).fit(X, y)
    with pytest.raises(TypeError, match="takes no sample_weight"):
        model.fit(X, y, sample_weight=np.arange(24))
    assert_array_equal(model.decision_function(X), before)


# -- thresholds ------------------------------------------------------------------------


def test_an_imbalanced_set_does_not_collapse():
    rng = np.random.default_rng(0)
    y = (np.arange(100) % 5 == 0).astype(int)
    lengths = rng.integers(20, 40, 100)
    values = rng.normal(size=(lengths.sum(), 10))
    values[(np.cumsum(lengths) - lengths)[y == 1]] += 2.5
    X = Bags(values, lengths)
    train, test = np.arange(60), np.arange(60, 100)
    inner = LogisticRegression(class_weight="balanced")
    plain = SingleInstanceClassifier(inner, threshold=0.0).fit(X[train], y[train])
    chosen = SingleInstanceClassifier(inner).fit(X[train], y[train])
    assert roc_auc_score(y[test], plain.decision_function(X[test])) > 0.9
    assert plain.score(X[test], y[test]) < 0.4  # all positive: the trap
    assert chosen.score(X[test], y[test]) > 0.85


def test_balanced_classes_weigh_in_the_threshold():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 5)), (np.arange(100) % 5 == 0).astype(int)
    X[y == 1] += 0.3
    plain = SingleInstanceClassifier().fit(X, y).predict(X)
    balanced = SingleInstanceClassifier(class_weight="balanced").fit(X, y).predict(X)
    assert plain.mean() < 0.1  # the rare class is seldom worth an error
    assert balanced[y == 1].mean() > 0.4


def test_a_number_is_the_threshold_on_pooled_scores(witness):
    X, y = witness()
    zero = SingleInstanceClassifier(threshold=0.0).fit(X, y)
    one = SingleInstanceClassifier(threshold=1.0).fit(X, y)
    assert_allclose(zero.decision_function(X) - 1, one.decision_function(X))


@pytest.mark.parametrize(
    "cv", [2, 100, StratifiedKFold(3), PredefinedSplit([0, 1] * 12)]
)
def test_folds_of_all_kinds(cv, witness):
    X, y = witness()
    y = np.roll(np.repeat(y[:12], 2), 1)  # both classes in both halves
    model = SingleInstanceClassifier(cv=cv).fit(X, y)
    assert np.isfinite(model.threshold_)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_change_nothing(n_jobs, witness):
    X, y = witness()
    one = SingleInstanceClassifier().fit(X, y)
    many = SingleInstanceClassifier(n_jobs=n_jobs).fit(X, y)
    assert_array_equal(one.decision_function(X), many.decision_function(X))


def test_a_class_of_one_bag_is_cut_on_training_scores(witness):
    X, y = witness()
    only = [*np.flatnonzero(y == 0).tolist(), 1]
    model = SingleInstanceClassifier().fit(X[only], y[only])
    assert_array_equal(model.predict(X[only]), y[only])


def test_two_bags_are_enough(witness):
    X, y = witness()
    assert_array_equal(
        SingleInstanceClassifier().fit(X[:2], y[:2]).predict(X[:2]), y[:2]
    )


def test_groups_are_not_torn_apart(witness):
    X, _ = witness(40)
    # Each patient has one kind of bag, so that two folds are all there can be.
    patients, y = np.repeat([0, 1, 2, 3], 10), np.repeat([0, 1, 0, 1], 10)
    grouped = Bags(X.values, X.lengths, groups=patients)
    as_groups = SingleInstanceClassifier().fit(grouped, y)
    splits = list(StratifiedGroupKFold(2).split(X, y, patients))
    by_hand = SingleInstanceClassifier(cv=splits).fit(X, y)
    assert as_groups.threshold_ == by_hand.threshold_
    assert as_groups.threshold_ != SingleInstanceClassifier().fit(X, y).threshold_


# -- weights and labels ----------------------------------------------------------------


@pytest.mark.parametrize("inner", [None, SVC()])
@pytest.mark.parametrize("cv", [5, "splits"])
def test_weights_are_copies(inner, cv, witness):
    X, y = witness()
    weight = np.random.default_rng(0).integers(0, 3, 24)
    weight[:4] = 1
    copies = np.arange(24).repeat(weight)
    fold = np.arange(24) // 2 % 3
    cvs = (
        (cv, cv) if cv == 5 else (PredefinedSplit(fold), PredefinedSplit(fold[copies]))
    )
    weighted = SingleInstanceClassifier(
        inner, cv=list(cvs[0].split()) if cv != 5 else 5
    )
    repeated = SingleInstanceClassifier(inner, cv=cvs[1])
    weighted.fit(X, y, sample_weight=weight)
    repeated.fit(X[copies], y[copies])
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-9
    )


def test_weights_of_the_user_are_not_written_to(witness):
    X, y = witness()
    weight = np.arange(24.0)
    SingleInstanceClassifier(class_weight={0: 1, 1: 3}).fit(X, y, sample_weight=weight)
    assert_array_equal(weight, np.arange(24.0))


def test_weights_of_classes_are_weights_of_their_bags(witness):
    X, y = witness()
    weight = np.arange(1.0, 25)
    by_class = SingleInstanceClassifier(class_weight={0: 1, 1: 3})
    by_class.fit(X, y, sample_weight=weight)
    by_bag = SingleInstanceClassifier().fit(X, y, sample_weight=weight * (1 + 2 * y))
    assert_array_equal(by_class.decision_function(X), by_bag.decision_function(X))


def test_balanced_bags_let_large_bags_count_no_more(witness):
    X, y = witness()
    large = np.argmax(X.lengths)
    values = np.concatenate([X.values, np.repeat(X[large], 50, axis=0)])
    grown = Bags.from_list(
        [np.repeat(b, 51, 0) if i == large else b for i, b in enumerate(X)]
    )
    assert len(values) == grown.n_instances
    models = [
        SingleInstanceClassifier(
            LogisticRegression(C=1e6, max_iter=1000, tol=1e-9),
            balance_bags=True,
            threshold=0.0,
        ).fit(bags, y)
        for bags in (X, grown)
    ]
    ours, theirs = (m.decision_function(X) for m in models)
    assert_allclose(ours, theirs, rtol=0.02, atol=0.02)


def test_known_labels_of_instances_replace_those_of_bags(witness):
    X, y = witness(40)
    starts = np.cumsum(X.lengths) - X.lengths
    truth = np.zeros(X.n_instances, dtype=int)
    truth[starts[y == 1]] = 1
    known = Bags(X.values, X.lengths, y_instances=truth)
    told = SingleInstanceClassifier(instance_labels="use").fit(known, y)
    untold = SingleInstanceClassifier().fit(known, y)
    assert roc_auc_score(truth, told.instance_scores(X, flat=True)) > 0.99
    assert_array_equal(
        untold.decision_function(X),
        SingleInstanceClassifier().fit(X, y).decision_function(X),
    )
    assert not np.allclose(told.decision_function(X), untold.decision_function(X))


def test_unknown_labels_of_instances_change_nothing(witness):
    X, y = witness()
    unknown = Bags(X.values, X.lengths, y_instances=np.full(X.n_instances, -1))
    told = SingleInstanceClassifier(instance_labels="use").fit(unknown, y)
    untold = SingleInstanceClassifier().fit(X, y)
    assert_allclose(told.decision_function(X), untold.decision_function(X), rtol=1e-3)


@pytest.mark.parametrize(
    ("labels", "n_classes", "match"),
    [
        (2, 2, r"y_instances holds \[2\]"),
        (1, 3, "needs two classes of bags"),
    ],
)
def test_labels_of_instances_that_mean_nothing_are_refused(
    witness, labels, n_classes, match
):
    X, _ = witness()
    X = Bags(X.values, X.lengths, y_instances=np.full(X.n_instances, labels))
    model = SingleInstanceClassifier(instance_labels="use")
    with pytest.raises(ValueError, match=match):
        model.fit(X, np.arange(24) % n_classes)


def test_labels_of_instances_that_are_not_there_are_asked_for(witness):
    X, y = witness()
    for data in (X, X.to_list()):
        with pytest.raises(BagError, match="y_instances"):
            SingleInstanceClassifier(instance_labels="use").fit(data, y)
    with pytest.raises(ValueError, match="instance_labels"):
        SingleInstanceClassifier(instance_labels=True).fit(X, y)


def test_minus_one_and_one_are_two_classes(witness):
    X, y = witness()
    model = SingleInstanceClassifier().fit(X, 2 * y - 1)
    assert_array_equal(model.classes_, [-1, 1])
    assert_array_equal(
        model.predict(X), 2 * SingleInstanceClassifier().fit(X, y).predict(X) - 1
    )


# -- inputs ----------------------------------------------------------------------------


def test_all_forms_of_bags_are_alike(witness, in_all_forms):
    X, y = witness()
    model = SingleInstanceClassifier(scale=False).fit(X, y)
    for name, form in in_all_forms(X).items():
        again = SingleInstanceClassifier(scale=False).fit(form, y)
        for fitted, bags in ((model, form), (again, X)):
            assert_allclose(
                fitted.decision_function(bags),
                model.decision_function(X),
                rtol=1e-3,
                atol=1e-3,
                err_msg=name,
            )


def test_rows_of_csr_are_bags_of_one(witness):
    X, y = witness()
    rows, labels = sparse.csr_array(X.values), np.repeat(y, X.lengths)
    model = SingleInstanceClassifier().fit(rows, labels)
    assert model.predict(rows).shape == (len(labels),)
    assert sparse.issparse(rows)


@pytest.mark.parametrize("scale", [True, False])
def test_csr_is_like_dense(scale, witness):
    X, y = witness(40)
    X = X.with_values(X.values + np.array([0, 0, 0, 0, 2.0]))
    rows = X.with_values(sparse.csr_matrix(X.values))
    inner = LogisticRegression(tol=1e-10)
    dense = SingleInstanceClassifier(inner, scale=scale).fit(X, y)
    found = SingleInstanceClassifier(inner, scale=scale).fit(rows, y)
    expected = dense.decision_function(X)
    assert_allclose(found.decision_function(rows), expected, rtol=1e-4, atol=1e-5)
    assert_allclose(dense.decision_function(rows), expected, rtol=1e-9)


def test_a_table_after_bags_is_warned_about(witness):
    X, y = witness()
    model = SingleInstanceClassifier().fit(X, y)
    with pytest.warns(UserWarning, match="read as a bag of one instance"):
        model.predict(X[0])


def test_names_of_features_are_kept_and_checked(witness):
    X, y = witness()
    names = list("abcde")
    frame = pd.DataFrame(X.values, columns=names)
    model = SingleInstanceClassifier().fit(
        X.with_values(X.values, feature_names=names), y
    )
    assert_array_equal(model.feature_names_in_, names)
    other = X.with_values(frame.values, feature_names=names[::-1])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(other)


BAD = {
    "one class": (lambda X, y: (X, y * 0), ValueError, "one class only"),
    "labels of instances": (
        lambda X, y: (X, np.repeat(y, X.lengths)),
        ValueError,
        "one label for each bag",
    ),
    "NaN": (lambda X, y: (X.with_values(X.values * np.nan), y), BagError, "NaN"),
    "images": (lambda X, y: (Bags(np.zeros((24, 2, 2)), [1] * 24), y), BagError, None),
    "no y": (
        lambda X, y: (X, None),
        ValueError,
        "SingleInstanceClassifier estimator requires y",
    ),
    "numbers": (lambda X, y: (X, y + 0.5 * np.arange(24)), ValueError, "continuous"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("fitted", [False, True])
def test_bad_input_leaves_the_estimator_as_it_was(case, fitted, witness):
    X, y = witness()
    change, error, match = BAD[case]
    model = SingleInstanceClassifier()
    before = model.fit(X, y).decision_function(X) if fitted else None
    with pytest.raises(error, match=match):
        model.fit(*change(X, y))
    if fitted:
        assert_array_equal(model.decision_function(X), before)
    else:
        assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"pooling": "median"}, "pooling"),
        ({"min_positive": 2}, "need pooling='count'"),
        ({"pooling": "count", "min_positive": 3, "max_positive": 2}, "below"),
        ({"threshold": "auto"}, "threshold"),
        ({"threshold": np.inf}, "threshold"),
        ({"class_weight": {0: 1, 7: 2}}, "class_weight names classes"),
        ({"class_weight": {0: 0, 1: 1}}, "must be positive"),
    ],
)
def test_bad_parameters_are_named(params, match, witness):
    with pytest.raises(ValueError, match=match):
        SingleInstanceClassifier(**params).fit(*witness())


# -- in scikit-learn -------------------------------------------------------------------


def test_grid_search_in_a_pipeline(witness):
    X, y = witness(40)
    pipeline = make_pipeline(
        InstanceWise(), SingleInstanceClassifier(LogisticRegression(), scale=False)
    )
    grid = {
        "singleinstanceclassifier__estimator__C": [0.1, 1.0],
        "singleinstanceclassifier__pooling": ["max", "log-sum-exp"],
    }
    search = GridSearchCV(pipeline, grid, cv=3, scoring="roc_auc").fit(X, y)
    assert search.best_score_ > 0.8
    assert cross_val_score(search.best_estimator_, X, y, cv=3).shape == (3,)


def test_weights_are_routed(witness):
    X, y = witness()
    weight = np.arange(24.0)
    plain = make_pipeline(InstanceWise(), SingleInstanceClassifier())
    plain.fit(X, y, singleinstanceclassifier__sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        step = SingleInstanceClassifier().set_fit_request(sample_weight=True)
        routed = make_pipeline(InstanceWise(), step).fit(X, y, sample_weight=weight)
    assert_allclose(routed.decision_function(X), plain.decision_function(X))


def test_pickle_and_clone(witness):
    X, y = witness()
    model = SingleInstanceClassifier(SVC()).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.decision_function(X), model.decision_function(X))
    assert not hasattr(clone(model), "classes_")


def test_no_warnings_on_ordinary_data(witness):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SingleInstanceClassifier().fit(*witness())


def test_weights_too_small_for_the_type_of_x_are_refused(witness):
    X, y = witness()
    single = X.with_values(X.values.astype(np.float32))  # where 1e-300 is zero
    with pytest.raises(ValueError, match="sample_weight is 0 in float32, the type"):
        SingleInstanceClassifier().fit(single, y, sample_weight=np.full(24, 1e-300))
    SingleInstanceClassifier().fit(X, y, sample_weight=np.full(24, 1e-300))


class Picky(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        raise ValueError("what a weight!")


def test_errors_of_the_classifier_say_what_they_may_be_about(witness):
    X, y = witness()
    with pytest.raises(ValueError, match=r"^X or y or sample_weight: what a"):
        SingleInstanceClassifier(Picky()).fit(X, y)
