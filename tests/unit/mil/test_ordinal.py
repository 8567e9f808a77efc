import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmi_sklearn import Bags, MILClassifier, MILOrdinalClassifier


@pytest.fixture(scope="module")
def graded():
    """Bags whose grade is that of their highest instance."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 6, 120)
    values = rng.uniform(0, 4, (lengths.sum(), 2))
    bags = Bags(values, lengths)
    return bags, np.array([2 * int(bag[:, 0].max()) for bag in bags])


@pytest.fixture(scope="module")
def fitted(graded):
    return MILOrdinalClassifier(lr=1e-2, max_epochs=60, random_state=0).fit(*graded)


def test_grades_are_learned(graded, fitted):
    bags, y = graded
    assert fitted.score(bags, y) > 0.85
    assert fitted.classes_.tolist() == [0, 2, 4, 6]


def test_a_bag_exceeds_a_grade_where_one_instance_does(graded, fitted):
    bags, _ = graded
    raw = fitted._raw(bags)
    scores = fitted.instance_scores(bags)
    assert scores[0].shape == (bags.lengths[0], 3)
    assert np.array_equal(raw, [s.max(axis=0) for s in scores])


def test_instances_are_graded(graded, fitted):
    bags, _ = graded
    truth = 2 * bags.values[:, 0].astype(int)
    found = fitted.predict_instances(bags, flat=True)
    assert (np.abs(found - truth) <= 2).mean() > 0.9
    ragged = fitted.predict_instances(bags)
    assert np.array_equal(np.concatenate(ragged), found)


def test_probabilities_are_of_grades(graded, fitted):
    bags, _ = graded
    p = fitted.predict_proba(bags)
    assert p.shape == (120, 4)
    assert np.allclose(p.sum(axis=1), 1)
    assert np.array_equal(fitted.classes_[p.argmax(axis=1)], fitted.predict(bags))
    decision = fitted.decision_function(bags)
    assert np.array_equal(decision.argmax(axis=1), p.argmax(axis=1))


@settings(max_examples=50)
@given(raw=hnp.arrays(float, (7, 3), elements=st.floats(-50, 50)))
def test_no_scores_give_negative_probabilities(raw):
    p = MILOrdinalClassifier()._to_probabilities(raw)
    assert (p >= 0).all()
    assert np.allclose(p.sum(axis=1), 1)


def test_two_grades_are_two_classes(graded):
    bags, y = graded
    model = MILOrdinalClassifier(max_epochs=3, random_state=0).fit(bags, y > 4)
    plain = MILClassifier(max_epochs=3, random_state=0).fit(bags, y > 4)
    assert np.allclose(model.decision_function(bags), plain.decision_function(bags))


def test_errors_are_small_ones(graded):
    """A grade that is missed is missed by less than with unordered classes."""
    rng = np.random.default_rng(1)
    bags, y = graded
    noisy = bags.with_values(bags.values + rng.normal(0, 0.7, bags.values.shape))

    def error(kind):
        model = kind(max_epochs=30, lr=1e-2, random_state=0).fit(noisy[:80], y[:80])
        return np.abs(model.predict(noisy[80:]) - y[80:]).mean()

    assert error(MILOrdinalClassifier) <= error(MILClassifier)


def test_weights_of_grades(graded):
    bags, y = graded
    model = MILOrdinalClassifier(class_weight="balanced", max_epochs=2).fit(bags, y)
    assert np.isfinite(model.loss_curve_).all()
    early = MILOrdinalClassifier(early_stopping=True, max_epochs=3).fit(bags, y)
    assert early.history_["valid_score"].between(0, 1).all()


def test_one_column_of_grades(graded):
    bags, y = graded
    with pytest.raises(ValueError, match="one grade a bag"):
        MILOrdinalClassifier().fit(bags, np.column_stack([y > 2, y > 4]).astype(int))
