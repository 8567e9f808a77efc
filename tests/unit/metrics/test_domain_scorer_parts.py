"""What scores without target labels are made of, each against a definition."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlmi_sklearn.metrics import make_domain_scorer, target_scorer
from mlmi_sklearn.metrics.domain_scorers._domains import (
    domain_ids,
    domain_rows,
    labelled_target,
    plain_labels,
    without_label,
)
from mlmi_sklearn.metrics.domain_scorers._fitting import (
    domain_fit_params,
    fit_clone,
    with_marker,
)
from mlmi_sklearn.metrics.domain_scorers._mixing import (
    _partners,
    _strangers,
    mix_rows,
)
from mlmi_sklearn.metrics.domain_scorers._outputs import features, probabilities
from mlmi_sklearn.metrics.domain_scorers._reverse import _split
from mlmi_sklearn.metrics.domain_scorers._weighting import density_ratio


class Says(ClassifierMixin, BaseEstimator):
    """Has just those methods that it is given, and an estimator may look for."""

    def __init__(self, target_domains=None, **methods):
        self.target_domains = target_domains
        for name, method in methods.items():
            setattr(self, name, method)

    def fit(self, X, y, sample_domain=None):
        self.seen_ = X, y, sample_domain
        return self


class Blind(BaseEstimator):
    """Knows nothing of domains."""

    def fit(self, X, y):
        self.seen_ = X, y
        return self


def rng(seed=0):
    return np.random.RandomState(seed)


# -- which rows


@pytest.mark.parametrize(
    ("ids", "named", "expected"),
    [
        ([3, 3, 0, -2], None, [0, 0, 1, -1]),
        ([-7, 5, -1, -7], None, [-1, 0, -2, -1]),
        (["a", "b", "c", "b"], ["b"], [0, -1, 1, -1]),
        ([1, 2, 1, 2], [1], [-1, 0, -1, 0]),
        (-4, None, [-1] * 4),
        (4, None, [0] * 4),
    ],
)
def test_sources_are_numbered_from_0_and_targets_from_minus_1(ids, named, expected):
    found = domain_ids(ids, 4, named)
    assert found.tolist() == expected
    assert found.dtype == np.int64


def test_rows_are_sorted_into_source_target_and_labelled():
    X = np.arange(12.0).reshape(6, 2)
    y = np.array([5, -1, 6, 7, -1, 5])
    rows = domain_rows(X, y, [0, 2, -1, 0, -3, 2])
    assert rows.source.tolist() == [0, 1, 3, 5]
    assert rows.target.tolist() == [2, 4]
    assert rows.labelled.tolist() == [0, 3, 5]
    assert rows.labels.tolist() == [5, 7, 5]
    assert rows.labels_of(np.array([5, 3])).tolist() == [5, 7]
    np.testing.assert_array_equal(rows.take(rows.target), X[[2, 4]])
    positions, labels = labelled_target(rows, y, fitted_on(np.array([5, 6, 7])))
    assert (positions.tolist(), labels.tolist()) == ([2], [6])
    bare = domain_rows(X, None, [0, 2, -1, 0, -3, 2])
    assert bare.labelled.tolist() == bare.source.tolist()
    with pytest.raises(ValueError, match="y is None; labels of the source rows are"):
        _ = bare.labels


def test_markers_tell_the_target_where_ids_do_not():
    X = np.zeros((4, 1))
    for y in ([0, 1, -1, -1], [0.0, 1, np.nan, np.nan], ["a", "b", None, None]):
        rows = domain_rows(X, y, None)
        assert rows.ids.tolist() == [0, 0, -1, -1]
        assert rows.ids.dtype == np.int64
        assert rows.labels.tolist() == y[:2]
    # Of several labels a row all have to be missing.
    y = np.array([[0.0, 1], [1, 1], [np.nan, 0], [np.nan, np.nan]])
    assert domain_rows(X, y, None).ids.tolist() == [0, 0, 0, -1]
    assert domain_rows(X, y, None).labelled.tolist() == [0, 1]


def test_the_estimator_is_asked_for_names_of_targets_unless_they_are_given():
    X, ids = np.zeros((3, 1)), ["a", "b", "a"]
    model = make_pipeline(StandardScaler(), Says(target_domains=["b"]))
    assert domain_rows(X, None, ids, model).target.tolist() == [1]
    found = domain_rows(X, None, ids, model, target_domains=["a"])
    assert found.target.tolist() == [0, 2]
    with pytest.raises(ValueError, match="Name the targets"):
        domain_rows(X, None, ids, Blind())
    with pytest.raises(ValueError, match="Name the targets"):
        domain_rows(X, None, ids, object())


def fitted_on(classes):
    model = Says()
    model.classes_ = classes
    return model


@pytest.mark.parametrize(
    ("y", "estimator", "expected"),
    [
        ([0, 1, -1], None, [False, False, True]),
        ([0, 0, -1], None, [False] * 3),  # -1 beside one value is a class
        ([0, 0, -1], fitted_on(np.array([0, 1])), [False, False, True]),
        ([0, 1, -1], fitted_on(np.array([-1, 1])), [False] * 3),
        ([0, 1, -1], LinearRegression(), [False] * 3),
        ([0.0, np.nan, -1.0], LinearRegression(), [False, True, False]),
        (["a", "b", "b"], None, [False] * 3),
        # Classes of several outputs come as a list, and say nothing of one column.
        ([0, 1, -1], fitted_on([np.array([0, 1])]), [False, False, True]),
    ],
)
def test_what_counts_as_no_label(y, estimator, expected):
    found = without_label(np.array(y), estimator)
    assert found.tolist() == [[value] for value in expected]
    assert found.dtype == bool


def test_columns_of_integers_have_no_marker():
    y = np.array([[0, -1], [1, 2], [2, 0]])
    assert not without_label(y).any()
    assert without_label(y.astype(float)).shape == (3, 2)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.array([1, 2], dtype=object), "i"),
        (np.array(["a", "b"], dtype=object), "U"),
        (np.array([1.5, 2.0], dtype=object), "f"),
        (np.array(["a", None], dtype=object), "O"),
        (np.array([1, 2.0], dtype=object), "O"),  # of two kinds
        (np.array([(1,), (2,)], dtype=object)[:, 0], "i"),
        (pd.Series(["a", "b"]), "U"),
        ([[1], [2]], "i"),
    ],
)
def test_labels_of_one_kind_become_plain(y, kind):
    found = plain_labels(y)
    assert found.shape == (2,)
    assert found.dtype.kind == kind
    assert found.tolist() == np.asarray(y).ravel().tolist()


def test_several_columns_of_labels_stay():
    y = np.array([["a", "b"], ["c", "d"]], dtype=object)
    assert plain_labels(y).shape == (2, 2)
    assert plain_labels(np.eye(2)).tolist() == np.eye(2).tolist()


# -- fitting


@pytest.mark.parametrize(
    ("labels", "marker", "kind"),
    [
        ([0, 1], -1, "i"),
        ([3, 8], -1, "i"),
        ([0.5, 1.0], np.nan, "f"),
        (["a", "b"], None, "O"),
        ([1, 1], None, "O"),  # beside one value -1 would be a class
        ([-1, 1], None, "O"),
        ([False, True], None, "O"),
    ],
)
def test_the_marker_fits_the_labels(labels, marker, kind):
    found = with_marker(np.array(labels), np.array([3, 1]), 4)
    assert found.dtype.kind == kind
    assert found[[3, 1]].tolist() == labels
    for value in found[[0, 2]].tolist():
        assert value is marker or value == marker or (value != value) == (kind == "f")
    two = with_marker(np.array([[0.0, 1.0]]), np.array([1]), 2)
    assert two.shape == (2, 2)
    assert np.isnan(two[0]).all()


@pytest.mark.parametrize("routing", [False, True])
def test_ids_go_to_every_part_that_takes_them(routing):
    ids = np.array([0, -1])
    with config_context(enable_metadata_routing=routing):
        takes = Says()
        if routing:
            takes.set_fit_request(sample_domain=True)
        assert set(domain_fit_params(takes, ids)) == {"sample_domain"}
        assert domain_fit_params(Blind(), ids) == {}
        inner = make_pipeline(StandardScaler(), takes)
        outer = make_pipeline(FunctionTransformer(), inner)
        names = {"sample_domain"} if routing else {"pipeline__says__sample_domain"}
        found = domain_fit_params(outer, ids)
        assert set(found) == names
        assert next(iter(found.values())) is ids
        assert domain_fit_params(make_pipeline(StandardScaler(), Blind()), ids) == {}
        held = domain_fit_params(GridSearchCV(takes, {}), ids)
        assert set(held) == {"sample_domain"}
        assert domain_fit_params(GridSearchCV(Blind(), {}, scoring="r2"), ids) == {}
        skipped = make_pipeline("passthrough", takes)
        assert len(domain_fit_params(skipped, ids)) == 1


def test_a_clone_is_fitted_on_both_domains_or_on_the_source_alone():
    X, ids = np.arange(4.0)[:, None], np.array([0, -1, 1, -2])
    y = np.array(["a", None, "b", None], dtype=object)
    knows = Says(target_domains=["names"])
    found = fit_clone(knows, X, y, ids)
    assert found is not knows
    assert found.seen_[0] is X
    assert found.seen_[1].tolist() == y.tolist()
    assert found.seen_[2] is ids
    # Ids are numbers now, so names of targets would be wrong; the original keeps them.
    assert found.target_domains is None
    assert knows.target_domains == ["names"]
    blind = fit_clone(Blind(), X, y, ids)
    assert blind.seen_[0].ravel().tolist() == [0, 2]
    assert blind.seen_[1].tolist() == ["a", "b"]
    assert blind.seen_[1].dtype.kind == "U"


# -- outputs


def test_probabilities_are_asked_for_or_made_of_scores():
    Z = rng().normal(size=(5, 3))
    P = softmax(Z, axis=1)
    both = Says(predict_proba=lambda X: P, decision_function=lambda X: Z)
    np.testing.assert_array_equal(probabilities(both, Z), P)
    scores = Says(decision_function=lambda X: Z)
    np.testing.assert_allclose(probabilities(scores, Z), P)
    two = probabilities(Says(decision_function=lambda X: Z[:, 0]), Z)
    np.testing.assert_allclose(two[:, 1], expit(Z[:, 0]))
    np.testing.assert_allclose(two.sum(axis=1), 1)
    assert probabilities(Says(predict_proba=lambda X: [[1, 0]]), Z).dtype == float


@pytest.mark.parametrize(
    ("method", "out"),
    [
        ("predict_proba", np.ones((4, 2))),
        ("predict_proba", np.ones(4)),
        ("decision_function", np.ones((4, 4))),
    ],
)
def test_outputs_that_do_not_fit_the_classes_are_refused(method, out):
    model = Says(**{method: lambda X: out})
    model.classes_ = np.arange(3)
    with pytest.raises(
        TypeError, match=r"Says gives an array of shape \(4,.* 3 classes"
    ):
        probabilities(model, None)
    with pytest.raises(
        TypeError, match="needs a classifier with predict_proba or deci"
    ):
        probabilities(Blind(), None)


def test_features_are_the_first_thing_that_an_estimator_offers():
    out = {name: np.full((2, 3), k) for k, name in
           enumerate(["transform", "decision_function", "predict_proba"])}  # fmt: skip
    methods = {name: (lambda X, value=value: value) for name, value in out.items()}
    X = np.arange(4.0).reshape(2, 1, 2)
    while methods:
        first = next(iter(methods))
        np.testing.assert_array_equal(features(Says(**methods), X), out[first])
        del methods[first]
    np.testing.assert_array_equal(features(Says(), X), X.reshape(2, 2))
    flat = features(Says(decision_function=lambda X: np.arange(2.0)), X)
    assert flat.shape == (2, 1)
    csr = features(Says(transform=sparse.coo_matrix), X[:, 0])
    assert csr.format == "csr"
    line = make_pipeline(StandardScaler(), LinearRegression()).fit(X[:, 0], [0, 1])
    np.testing.assert_array_equal(features(line, X[:, 0]), [[-1, -1], [1, 1]])
    alone = make_pipeline(LinearRegression()).fit(X[:, 0], [0, 1])
    np.testing.assert_array_equal(features(alone, X[:, 0]), X[:, 0])


# -- ratios of densities


class Sure(ClassifierMixin, BaseEstimator):
    """A classifier of domains that sees in the only feature what it is to say."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0] > 0.5

    def predict_proba(self, X):
        p = np.asarray(X)[:, 0]
        return np.column_stack([1 - p, p])


def test_ratios_are_odds_times_the_ratio_of_sizes():
    p = np.array([0.2, 0.5, 0.8, 0.0, 1.0, 0.9995, 0.0002, 0.6])
    target = np.full((4, 1), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # also of an overflow where p is 1
        found = density_ratio(p[:, None], target, Sure())
    with np.errstate(divide="ignore"):
        expected = np.clip(8 / 4 * p / (1 - p), 1e-3, 1e3)
    np.testing.assert_allclose(found, expected)
    assert found[3] == 1e-3
    assert found[4] == 1e3


@pytest.mark.parametrize("wrap", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("n_folds", [2, 5])
def test_rows_are_rated_by_a_classifier_that_has_not_seen_them(wrap, n_folds):
    """The folds and the default classifier, written out."""
    Fs, Ft = np.abs(rng().normal(size=(13, 2))), np.abs(rng(1).normal(1, size=(9, 2)))
    Z, domain = np.r_[Fs, Ft], np.repeat([0, 1], [13, 9])
    seed = rng(7).randint(np.iinfo(np.int32).max)
    p = np.empty(22)
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(
        Z, domain
    ):
        model = make_pipeline(
            StandardScaler(with_mean=wrap is np.asarray), LogisticRegression()
        )
        p[test] = model.fit(Z[train], domain[train]).predict_proba(Z[test])[:, 1]
    expected = 13 / 9 * p[:13] / (1 - p[:13])
    found = density_ratio(wrap(Fs), wrap(Ft), None, n_folds, 7)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_few_rows_have_few_folds():
    assert density_ratio(np.zeros((2, 1)), np.ones((9, 1))).shape == (2,)
    for n, m in ((1, 5), (5, 1)):
        with pytest.raises(ValueError, match=f"got {n} of the source and {m} of the"):
            density_ratio(np.zeros((n, 1)), np.zeros((m, 1)))


def test_scores_hand_their_options_on():
    """A classifier of domains, folds and a seed each change the figure."""
    X = np.r_[rng().normal(size=(30, 2)), rng(1).normal(0.8, size=(20, 2))]
    y, domain = (X.sum(axis=1) > 0.5).astype(int), np.repeat([0, -1], [30, 20])
    model = make_pipeline(FunctionTransformer(), LogisticRegression()).fit(
        X[:30], 1 - y[:30] * (X[:30, 0] > 0)
    )
    hits = model.predict(X[:30]) == y[:30]
    f = model.decision_function(X)[:, None]  # what the model decides by
    found = set()
    for options in (
        {},
        {"cv": 3},
        {"random_state": 4},
        {"domain_classifier": GaussianNB()},
    ):
        known = {"domain_classifier": None, "cv": 5, "random_state": 0, **options}
        weight = density_ratio(f[:30], f[30:], *known.values())
        score = make_domain_scorer("importance-weighted", **options)(
            model, X, y, domain
        )
        assert score == pytest.approx(np.average(hits, weights=weight))
        found.add(score)
    assert len(found) == 4


def test_dev_of_a_regressor_has_the_squared_error():
    X = np.r_[rng().normal(size=(30, 1)), rng(1).normal(0.5, size=(20, 1))]
    y, domain = X[:, 0] ** 2, np.repeat([0, -1], [30, 20])
    model = LinearRegression().fit(X[:30], y[:30])
    w = density_ratio(X[:30], X[30:])
    loss = np.square(model.predict(X[:30]) - y[:30])
    covariance = np.cov(loss * w, w, ddof=0)
    risk = np.mean(loss * w) - covariance[0, 1] / covariance[1, 1] * (w.mean() - 1)
    score = make_domain_scorer("dev")
    assert score(model, X, y, domain) == pytest.approx(-risk)
    two = LinearRegression().fit(X[:30], np.c_[y, 3 * y][:30])
    both = score(two, X, np.c_[y, 3 * y], domain)
    assert both == pytest.approx(-risk * (1 + 9) / 2)


def test_dev_with_equal_weights_is_the_plain_error():
    """Where no ratio differs there is nothing to control for."""
    X, domain = np.zeros((12, 1)), np.repeat([0, -1], [8, 4])
    y = np.array([0, 1, 0, 0, 1, 0, 0, 0] + [0] * 4)
    model = LogisticRegression().fit([[-1.0], [1.0]], [0, 1])
    model.intercept_ = np.array([-1.0])
    scorer = make_domain_scorer("dev", domain_classifier=Constant())
    assert scorer(model, X, y, domain) == pytest.approx(-2 / 8)


class Constant(Sure):
    """Finds both domains equally likely, given how many rows either has."""

    def predict_proba(self, X):
        return np.tile([8 / 12, 4 / 12], (len(X), 1))


# -- mixtures


@pytest.mark.parametrize(
    "wrap", [np.asarray, sparse.csr_matrix, sparse.coo_array, pd.DataFrame, list]
)
def test_mixtures_are_of_one_row_and_its_partner(wrap):
    X = rng().normal(size=(5, 3)) * (rng(1).uniform(size=(5, 3)) > 0.4)
    partner = np.array([4, 0, 2, 1, 1])
    mixed = mix_rows(wrap(X), partner, 0.7)
    expected = 0.7 * X + 0.3 * X[partner]
    mixed = mixed.toarray() if sparse.issparse(mixed) else np.asarray(mixed)
    np.testing.assert_allclose(mixed, expected)


def test_images_of_whole_numbers_are_mixed_as_floats():
    X = np.arange(8).reshape(2, 2, 2)
    mixed = mix_rows(X, np.array([1, 0]), 0.75)
    np.testing.assert_allclose(mixed, 0.75 * X + 0.25 * X[::-1])
    single = mix_rows(X.astype(np.float32), np.array([1, 0]), 0.75)
    assert single.dtype == np.float32


def test_partners_are_of_the_same_class_and_strangers_of_another():
    codes = np.array([0, 1, 0, 2, 1, 0, 0, 1, 0])
    met = set()
    for seed in range(20):
        partner = _partners(codes, rng(seed))
        assert (codes[partner] == codes).all()
        assert sorted(partner) == list(range(9))  # each is met once
        strange = _strangers(codes, rng(seed))
        assert (codes[strange] != codes).all()
        met |= {(0, k) for k in strange[codes == 0]}
    assert {k for _, k in met} == {1, 3, 4, 7}  # any of them


def test_mixval_is_the_share_of_rows_that_keep_their_class():
    X = np.r_[rng().normal(0, 1, (20, 2)), rng(1).normal(1.5, 1, (25, 2))]
    model = LogisticRegression().fit(X, np.repeat([0, 1], [20, 25]))
    told = model.predict(X)
    generator = rng(3)
    kept = []
    for draw in (_partners, _strangers):
        mixed = 0.6 * X + 0.4 * X[draw(told, generator)]
        kept.append(np.mean(model.predict(mixed) == told))
    options = {"mixing": 0.6, "random_state": 3}
    scorer = make_domain_scorer("mixval", **options)
    assert scorer(model, X, None, -1) == pytest.approx(np.mean(kept))
    intra = make_domain_scorer("mixval", kind="intra", **options)
    assert intra(model, X, None, -1) == pytest.approx(kept[0])
    collapsed = clone(model).fit(X, np.repeat([0, 1], [20, 25]))
    collapsed.intercept_ = np.array([99.0])
    for kind, score in (("both", 0.5), ("intra", 1.0), ("inter", 0.0)):
        scorer = make_domain_scorer("mixval", kind=kind)
        assert scorer(collapsed, X, None, -1) == score


# -- splits of reverse validation


def split_rows(fraction, labels=None, seed=0):
    X = np.zeros((60, 1))
    ids = np.where(np.arange(60) < 40, np.arange(60) % 2, -1)
    rows = domain_rows(X, None, ids)
    return (*_split(rows, rows.source, labels, fraction, rng(seed)), rows)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_split_is_even_over_domains_and_classes(fraction):
    labels = np.array(["a", "b"])[np.arange(40) // 2 % 2]
    for seed in range(6):
        known, held, rows = split_rows(fraction, labels, seed)
        assert len(held) == 40 * fraction
        assert sorted([*known, *held]) == rows.source.tolist()
        for domain in (0, 1):
            for label in ("a", "b"):
                both = (rows.ids[held] == domain) & (labels[held] == label)
                assert abs(both.sum() - 40 * fraction / 4) <= 0.5
        np.testing.assert_array_equal(split_rows(fraction, labels, seed)[1], held)
        assert set(split_rows(fraction, labels, seed + 1)[1]) != set(held)


def test_numbers_to_be_predicted_are_no_classes():
    numbers = np.arange(40) // 2 % 2 + 0.0
    for seed in range(4):
        held, plain = (split_rows(0.25, y, seed)[1] for y in (numbers, None))
        np.testing.assert_array_equal(held, plain)


def test_a_split_without_classes_is_even_over_domains():
    for labels in (None, np.linspace(0, 1, 40), np.eye(2)[np.arange(40) % 2]):
        _, held, rows = split_rows(0.25, labels)
        assert np.bincount(rows.ids[held]).tolist() == [5, 5]
    # A class of one row is no stratum; domains are still.
    rare = np.where(np.arange(40) == 0, "rare", "usual")
    _, held, rows = split_rows(0.25, rare)
    assert np.bincount(rows.ids[held]).tolist() == [5, 5]


@pytest.mark.parametrize(("fraction", "n_held"), [(0.001, 1), (0.4, 1), (0.999, 1)])
def test_each_side_of_a_split_has_a_row(fraction, n_held):
    rows = domain_rows(np.zeros((2, 1)), None, [0, 1])
    known, held = _split(rows, rows.source, None, fraction, rng())
    assert len(held) == n_held
    assert sorted([*known, *held]) == [0, 1]
    three = domain_rows(np.zeros((3, 1)), None, [0, 1, 2])
    known, held = _split(three, three.source, None, fraction, rng())
    assert len(held) == (2 if fraction > 0.5 or fraction == 0.4 else 1)


# -- the objects


def test_a_repr_shows_what_is_not_default():
    scorer = make_domain_scorer("snd", temperature=0.1, target_domains=["a", "b"])
    expected = "make_domain_scorer('snd', target_domains=('a', 'b'), temperature=0.1)"
    assert repr(scorer) == expected
    assert repr(make_domain_scorer("SND")) == "make_domain_scorer('snd')"
    named = target_scorer("r2", target_domains={"x": 1})
    assert repr(named) == "target_scorer('r2', target_domains=['x'])"


@pytest.mark.parametrize("name", ["im", "target"])
def test_scorers_ask_for_ids_by_themselves(name):
    scorer = target_scorer() if name == "target" else make_domain_scorer(name)
    request = scorer.get_metadata_routing()
    assert request.score.requests == {"sample_domain": True}
    assert request.owner is scorer
