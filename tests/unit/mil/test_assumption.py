"""The check of the standard assumption."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmi_sklearn import InstanceWise, MILClassifier, check_mil_assumption
from mlmi_sklearn.mil import BagStatistics, SingleInstanceClassifier
from mlmi_sklearn.mil.assumption import AssumptionReport

TESTS = ["single-concept", "multi-concept", "false-frequency"]


class ByRule(ClassifierMixin, BaseEstimator):
    """Scores a bag by a function of its instances; no training."""

    def __init__(self, rule=None):
        self.rule = rule

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-np.array([self.rule(bag.mean(axis=1)) for bag in X])))
        return np.column_stack([1 - p, p])


def largest(means):
    return means.max()


def no_poison(means):
    return float((means > -5).all())


def constant(means):
    return 0.0


def few(means):
    return -np.sum(np.abs(means - 2) < 0.5)


def many(means):
    return np.sum(means > 1.5) / 10


@pytest.fixture(scope="module")
def classic():
    statistics = make_pipeline(
        BagStatistics(), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    return check_mil_assumption(statistics, n_bags=100, random_state=0)


def test_a_model_that_keeps_it():
    model = SingleInstanceClassifier(LogisticRegression())
    report = check_mil_assumption(model, n_bags=300, random_state=0)
    assert report.passed
    report.raise_for_failure()
    assert report.results.index.tolist() == TESTS
    assert (report.results["verdict"] == "kept").all()
    assert (report.results["test_auc"] > 0.75).all()
    assert "passed" in repr(report)
    assert "below" not in repr(report)


def test_statistics_of_bags_break_it(classic):
    assert not classic.passed
    assert classic.results["verdict"]["single-concept"] == "broken"
    assert classic.results["train_auc"]["single-concept"] > 0.95
    with pytest.raises(AssertionError, match=r"single-concept: .*evidence against"):
        classic.raise_for_failure()


def test_attention_breaks_it_and_the_default_does_not():
    options = {"tests": ["single-concept"], "n_bags": 200, "random_state": 0}
    model = MILClassifier(max_epochs=20, random_state=0)
    report = check_mil_assumption(model, **options)
    assert report.results["test_auc"].item() > 0.75
    attention = model.set_params(pooling="attention")
    report = check_mil_assumption(attention, **options)
    assert report.results["verdict"].item() == "broken"
    assert not hasattr(attention, "net_")


@pytest.mark.slow
def test_all_three_at_full_size():
    model = MILClassifier(max_epochs=20, random_state=0)
    for pooling, passes in (("max", True), ("attention", False)):
        model.set_params(pooling=pooling)
        report = check_mil_assumption(model, random_state=0)
        print(report)
        assert report.passed == passes


@pytest.mark.parametrize(
    ("rule", "test", "verdict"),
    [
        (largest, "false-frequency", "kept"),
        (no_poison, "single-concept", "broken"),
        (no_poison, "multi-concept", "broken"),
        (constant, "single-concept", "undecided"),
        (few, "false-frequency", "kept"),
        (many, "false-frequency", "broken"),
    ],
)
def test_rules_written_out(rule, test, verdict):
    report = check_mil_assumption(ByRule(rule), tests=[test], n_bags=60, random_state=0)
    assert report.results["verdict"].item() == verdict
    assert report.passed == (verdict == "kept")
    if verdict == "undecided":
        assert "learned too little to tell" in repr(report)
    if verdict == "broken":
        assert "below 0.5" in repr(report)


def test_the_bound_decides():
    options = {"tests": "single-concept", "n_bags": 60, "random_state": 0}
    auc = check_mil_assumption(ByRule(largest), **options).results["test_auc"].item()
    assert 0.5 < auc < 1
    low = check_mil_assumption(ByRule(largest), bound=0.5, **options)
    high = check_mil_assumption(ByRule(largest), bound=1.0, **options)
    exact = check_mil_assumption(ByRule(largest), bound=auc, **options)
    assert [low.passed, high.passed, exact.passed] == [True, False, True]
    assert high.results["verdict"].item() == "undecided"


def test_bags_depend_on_the_seed_only():
    model = ByRule(largest)
    whole = check_mil_assumption(model, n_bags=40, random_state=3).results
    again = check_mil_assumption(model, n_bags=40, random_state=3).results
    pd.testing.assert_frame_equal(whole, again)
    for name in TESTS:
        alone = check_mil_assumption(model, tests=[name], n_bags=40, random_state=3)
        assert_array_equal(
            alone.results.loc[name].to_numpy(), whole.loc[name].to_numpy()
        )
    other = check_mil_assumption(model, n_bags=40, random_state=4).results
    assert not whole["test_auc"].equals(other["test_auc"])


def test_size_of_the_bags():
    seen = []

    class Sizes(ByRule):
        def fit(self, X, y):
            seen.append((len(X), X.n_features))
            return super().fit(X, y)

    check_mil_assumption(Sizes(largest), n_bags=10, n_features=3, random_state=0)
    assert seen == [(10, 3)] * 3


def test_pipelines_are_cloned():
    model = make_pipeline(InstanceWise(), MILClassifier(max_epochs=1))
    check_mil_assumption(model, tests=["multi-concept"], n_bags=10, random_state=0)
    with pytest.raises(NotFittedError):
        model.predict([np.zeros((1, 16))])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tests": ["single"]}, r"tests must be among .*got \['single'\]"),
        ({"tests": []}, "tests must be among"),
        ({"n_bags": 1}, "n_bags"),
        ({"n_features": 0}, "n_features"),
        ({"bound": 0.4}, "bound"),
        ({"bound": 1.1}, "bound"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        check_mil_assumption(ByRule(largest), **params)


def test_the_report_is_a_value(classic):
    assert isinstance(classic, AssumptionReport)
    assert "Pipeline" in repr(classic)
    with pytest.raises(AttributeError):
        classic.bound = 0.1


def report_of(train, test, passed, verdict, name="single-concept", bound=0.7):
    columns = ["train_auc", "test_auc", "passed", "verdict"]
    rows = pd.DataFrame([[train, test, passed, verdict]], index=[name], columns=columns)
    return AssumptionReport(rows, bound, "Model()")


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("single-concept", "it lowers the score of a bag for an instance that only "
         "negative bags held in training: it uses evidence against the class."),
        ("multi-concept", "it lowers the score of a bag for an instance that only "
         "negative bags held in training, although concepts of the positive class are "
         "there too."),
        ("false-frequency", "it counts: many instances of what negative bags held once "
         "in training make it call a bag positive."),
    ],
)  # fmt: skip
def test_what_was_broken_is_put_in_words(name, meaning):
    report = report_of(0.98765, 0.1234, False, "broken", name)
    lines = repr(report).split("\n")
    assert lines[0] == "Multiple-instance assumption of Model(): not passed"
    assert "0.988" in lines[2]
    assert lines[3] == (
        f"{name}: test AUC 0.123 is below 0.5. The model learned what no model of the "
        f"standard assumption can learn: {meaning} A maximum over scores of instances, "
        "the default of MILClassifier, cannot."
    )
    with pytest.raises(AssertionError, match=f"not passed(?s:.*){name}"):
        report.raise_for_failure()


def test_what_was_not_learned_is_put_in_words():
    lines = repr(report_of(0.6, 0.55, False, "undecided", bound=0.75)).split("\n")
    assert lines[3:] == [
        "single-concept: test AUC 0.550 is below 0.75, but not below 0.5, with train "
        "AUC 0.600. That breaks nothing, but the model learned too little to tell: "
        "train it longer or on more bags."
    ]


def test_what_was_passed_needs_no_words():
    report = report_of(0.9, 0.8, True, "kept")
    assert report.passed is True
    assert report.raise_for_failure() is None
    lines = repr(report).split("\n")
    assert lines[0] == "Multiple-instance assumption of Model(): passed"
    assert len(lines) == 3


def test_one_failure_is_enough():
    rows = pd.concat(
        [
            report_of(0.9, 0.8, True, "kept").results,
            report_of(0.9, 0.1, False, "broken", "false-frequency").results,
        ]
    )
    assert AssumptionReport(rows, 0.7, "Model()").passed is False


def test_defaults_are_those_of_the_text():
    seen = []

    class Noted(ByRule):
        def fit(self, X, y):
            seen.append((len(X), X.n_features, sorted(set(y.tolist()))))
            return super().fit(X, y)

        def predict_proba(self, X):
            seen.append(len(X))
            return super().predict_proba(X)

    report = check_mil_assumption(Noted(largest), random_state=0)
    assert seen == [(500, 16, [0, 1]), 500, 500] * 3
    assert report.bound == 0.7
    assert report.results.index.tolist() == TESTS
    assert report.results.index.name == "test"
    columns = ["train_auc", "test_auc", "passed", "verdict"]
    assert report.results.columns.tolist() == columns
    assert report.estimator.startswith("Noted(rule=")


def test_each_test_trains_and_tests_on_its_own_bags():
    seen = []

    class Noted(ByRule):
        def predict_proba(self, X):
            seen.append(X.values.copy())
            return super().predict_proba(X)

    check_mil_assumption(Noted(largest), n_bags=10, random_state=0)
    assert len(seen) == 6
    for i, one in enumerate(seen):
        assert not any(np.array_equal(one, other) for other in seen[:i])
