"""The alternation of mi-SVM and MI-SVM, step by step against loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from mlmi_sklearn import MISVC, Bags, SingleInstanceClassifier
from mlmi_sklearn.mil.classic.alternation import (
    BinaryBags,
    alternate_labels,
    alternate_witnesses,
)

LENGTHS = np.array([3, 2, 1, 4, 2])
POSITIVE = np.array([True, False, True, True, False])
WEIGHT = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def drawn(seed, with_known, as_csr=False):
    rng = np.random.default_rng(seed)
    values = rng.integers(-3, 4, (12, 2)).astype(float)
    known = rng.choice([-1, -1, 0, 1], 12) if with_known else None
    rows = sparse.csr_array(values) if as_csr else values
    return BinaryBags(rows, LENGTHS, POSITIVE, WEIGHT, known), rng.normal(size=12)


def bags_of(array):
    return np.split(np.asarray(array), np.cumsum(LENGTHS)[:-1])


def informed(data, scores):
    known = np.full(12, -1) if data.known is None else data.known
    return np.where(known == 1, np.inf, np.where(known == 0, -np.inf, scores)), known


@pytest.mark.parametrize("with_known", [False, True])
@pytest.mark.parametrize(("least", "most"), [(1, None), (2, None), (1, 1), (2, 3)])
def test_imputed_labels_by_loops(least, most, with_known):
    for seed in range(20):
        data, scores = drawn(seed, with_known)
        told, known = informed(data, scores)
        expected = []
        for bag, fixed, positive in zip(
            bags_of(told), bags_of(known), POSITIVE, strict=True
        ):
            order = np.argsort(-bag, kind="stable")
            labels = np.zeros(len(bag), bool)
            for place, i in enumerate(order):
                few = most is None or place < most
                labels[i] = positive and (bag[i] > 0 or place < least) and few
            expected.append(np.where(fixed < 0, labels, fixed == 1))
        found = data.impute(scores, least, most)
        assert_array_equal(found, np.concatenate(expected))
        assert found.dtype == bool


@pytest.mark.parametrize("with_known", [False, True])
def test_witnesses_by_loops(with_known):
    for seed in range(20):
        data, scores = drawn(seed, with_known)
        told, _ = informed(data, scores)
        starts = np.cumsum(LENGTHS) - LENGTHS
        expected = [
            start + np.argmax(bag)
            for start, bag, positive in zip(
                starts, bags_of(told), POSITIVE, strict=True
            )
            if positive
        ]
        assert_array_equal(data.witnesses(scores), expected)


class Scripted:
    """Notes what is fitted, and gives scores by turns."""

    def __init__(self, turns):
        self.turns, self.fits = turns, []

    def fit(self, values, labels, weight):
        dense = values.toarray() if sparse.issparse(values) else values
        self.fits.append((dense, labels, weight))
        return len(self.fits)

    def score(self, model, values):
        return self.turns[min(model, len(self.turns)) - 1]


@pytest.mark.parametrize("with_known", [False, True])
def test_labels_are_fitted_with_the_weights_of_their_bags(with_known):
    rng = np.random.default_rng(5)
    turns = [rng.normal(size=12) for _ in range(3)]
    data, _ = drawn(1, with_known)
    script = Scripted(turns)
    outcome = alternate_labels(data, script.fit, script.score, 10, 2, 3)
    known = np.full(12, -1) if data.known is None else data.known
    belief = np.where(known < 0, np.repeat(POSITIVE, LENGTHS), known == 1)
    beliefs = [belief, *(data.impute(turn, 2, 3) for turn in turns)]
    assert (outcome.model, outcome.n_iter, outcome.settled) == (4, 4, True)
    for (values, labels, weight), expected in zip(script.fits, beliefs, strict=True):
        assert values is data.values
        assert_array_equal(labels, expected)
        assert_array_equal(weight, np.repeat(WEIGHT, LENGTHS))


@pytest.mark.parametrize("with_known", [False, True])
@pytest.mark.parametrize("as_csr", [False, True])
def test_witnesses_are_fitted_with_all_known_negatives(with_known, as_csr):
    rng = np.random.default_rng(5)
    turns = [rng.normal(size=12) for _ in range(3)]
    data, _ = drawn(2, with_known, as_csr)
    plain = drawn(2, with_known)[0].values
    script = Scripted(turns)
    outcome = alternate_witnesses(data, script.fit, script.score, 10)
    assert outcome.settled
    assert outcome.model == outcome.n_iter == len(script.fits)
    known = np.full(12, -1) if data.known is None else data.known
    negative = ~np.repeat(POSITIVE, LENGTHS)
    others = [i for i in range(12) if (negative[i] or known[i] == 0) and known[i] != 1]
    chosen = [np.array([b.mean(axis=0) for b in bags_of(plain)])[POSITIVE]]
    chosen += [plain[data.witnesses(turn)] for turn in turns]
    for (values, labels, weight), last in zip(script.fits, chosen, strict=False):
        assert_allclose(values, np.vstack([plain[others], last]), atol=1e-12)
        assert_array_equal(labels, [False] * len(others) + [True] * 3)
        of_others = np.repeat(WEIGHT, LENGTHS)[others]
        assert_array_equal(weight, [*of_others, *WEIGHT[POSITIVE]])


@pytest.mark.parametrize("max_iter", [1, 2, 3])
@pytest.mark.parametrize("mode", ["labels", "witnesses"])
def test_an_alternation_that_is_cut_short_says_so(mode, max_iter):
    # The best of the first bag and of the last positive one change with every turn.
    turns = np.zeros((9, 12))
    for turn, scores in enumerate(turns):
        scores[[turn % 3, 6 + turn % 4]] = 1.0
    script = Scripted(turns)
    alternate = alternate_labels if mode == "labels" else alternate_witnesses
    outcome = alternate(drawn(1, False)[0], script.fit, script.score, max_iter)
    assert (outcome.model, outcome.n_iter, outcome.settled) == (
        max_iter,
        max_iter,
        False,
    )
    assert len(script.fits) == max_iter


def test_means_keep_the_type_of_the_instances():
    data, _ = drawn(0, False)
    for dtype in (np.float32, np.float64):
        script = Scripted([np.arange(12.0)])
        single = BinaryBags(data.values.astype(dtype), LENGTHS, POSITIVE, WEIGHT)
        alternate_witnesses(single, script.fit, script.score, 5)
        assert script.fits[0][0].dtype == dtype


# -- in the estimator ---


def test_the_warning_says_which_limit_was_met(witness):
    message = (
        r"^MISVC stopped after max_iter=1 fits, before the instances of positive bags "
        r"had settled\. Increase max_iter\.$"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        MISVC("MI", max_iter=1, threshold=0.0).fit(*witness())


@pytest.mark.parametrize("mode", ["mi", "MI"])
def test_what_is_published_is_what_the_last_classifier_says(mode, witness):
    X, _ = witness(30)
    y = np.arange(30) % 3
    model = MISVC(mode).fit(X, y)
    scaled = model.scaler_.transform(X.values)
    assert len(model.estimators_) == 3
    starts = np.cumsum(X.lengths) - X.lengths
    belief = model.labels_ if mode == "mi" else model.witnesses_
    for k, inner in enumerate(model.estimators_):
        scores = inner.decision_function(scaled)
        parts = np.split(scores, starts[1:])
        if mode == "MI":
            best = [p.argmax() if c == k else -1 for p, c in zip(parts, y, strict=True)]
            assert_array_equal(belief[:, k], best)
        else:
            taken = [
                (p > 0) | (p == p.max()) if c == k else np.zeros(len(p), bool)
                for p, c in zip(parts, y, strict=True)
            ]
            assert_array_equal(belief[:, k], np.concatenate(taken))
    plain = MISVC(mode, scale=False).fit(X, y)
    assert plain.scaler_ is None
    assert plain.n_iter_ >= 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_positive": 2}, "min_positive=2 and max_positive=None need mode='mi'; "
         "with mode='MI' a positive bag has one witness"),
        ({"max_positive": 4}, "min_positive=1 and max_positive=4 need mode='mi'"),
        ({"mode": "mi", "min_positive": 3, "max_positive": 2},
         "max_positive=2 is below min_positive=3"),
    ],
)  # fmt: skip
def test_counts_that_make_no_sense_are_refused(params, message, witness):
    with pytest.raises(ValueError, match=message):
        MISVC(**params).fit(*witness())
    equal = MISVC("mi", min_positive=2, max_positive=2).fit(*witness())
    assert equal.labels_.any()


def test_counts_of_single_instances_that_make_no_sense_are_refused(witness):
    message = (
        r"^min_positive=2 and max_positive=None need pooling='count', got "
        r"pooling='max'\.$"
    )
    with pytest.raises(ValueError, match=message):
        SingleInstanceClassifier(min_positive=2).fit(*witness())
    message = r"^max_positive=2 is below min_positive=3\.$"
    counts = {"pooling": "count", "min_positive": 3, "max_positive": 2}
    with pytest.raises(ValueError, match=message):
        SingleInstanceClassifier(**counts).fit(*witness())


def test_labels_of_classes_need_not_be_numbers_in_order(witness):
    X, y = witness()
    names = np.array(["z", "a"])[y]
    model = MISVC(estimator=SVC(tol=1e-8)).fit(X, names)
    other = MISVC(estimator=SVC(tol=1e-8)).fit(X, 1 - y)
    assert model.classes_.tolist() == ["a", "z"]
    assert_allclose(model.decision_function(X), other.decision_function(X))
    assert isinstance(model.threshold_, float)


@pytest.mark.parametrize("kind", [MISVC, SingleInstanceClassifier])
def test_messages_about_labels_are_complete(kind, witness):
    X, y = witness()
    cases = {
        r"^X and y have inconsistent numbers of samples: X has 24 bags, but y has 5\. "
        r"Pass one label for each bag; the rows of a 2-D array are bags of one "
        r"instance\.$": (kind(), X, y[:5]),
        r"^y has one class only, \[1\]; a classifier needs at least two \(bags of "
        r"sample_weight zero do not count\)\.$": (kind(), X, np.ones(24, int)),
        r"^instance_labels='use' needs labels of instances: pass Bags with "
        r"y_instances=, where -1 stands for unknown ones\.$": (
            kind(instance_labels="use"), X, y,
        ),
        r"^class_weight=\{0: 0, 1: 1\} leaves bags with a weight of 0\.0; weights of "
        r"classes must be positive\.$": (kind(class_weight={0: 0, 1: 1}), X, y),
        r"^y_instances holds \[2, 3\]; instance_labels='use' needs 0 \(negative\), 1 "
        r"\(positive\) and -1 \(unknown\)\.$": (
            kind(instance_labels="use"),
            Bags(X.values, X.lengths, y_instances=np.arange(X.n_instances) % 2 + 2), y,
        ),
        r"^instance_labels='use' needs two classes of bags, but y has 3: labels of "
        r"instances say only whether one is positive\.$": (
            kind(instance_labels="use"),
            Bags(X.values, X.lengths, y_instances=np.zeros(X.n_instances, int)),
            np.arange(24) % 3,
        ),
    }  # fmt: skip
    for message, (model, bags, labels) in cases.items():
        with pytest.raises(ValueError, match=message):
            model.fit(bags, labels)
