import numpy as np
import pandas as pd
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


@pytest.mark.parametrize("form", [list, tuple, np.asarray, pd.Series, pd.Index])
def test_grades_in_any_container(form, graded):
    bags, y = graded
    model = MILOrdinalClassifier(max_epochs=1, random_state=0)
    expected = model.fit(bags[:20], y[:20]).predict_proba(bags)
    found = model.fit(bags[:20], form(y[:20].tolist())).predict_proba(bags)
    assert np.array_equal(found, expected)


def test_an_order_that_would_be_lost_is_refused(graded):
    bags, y = graded
    grades = pd.Categorical(y, categories=[6, 4, 2, 0], ordered=True)
    message = (
        r"^y is an ordered Categorical, whose order would be lost\. Pass its codes, "
        r"which follow it \(y\.cat\.codes of a Series\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        MILOrdinalClassifier().fit(bags, grades)
    with pytest.raises(ValueError, match=message):
        MILOrdinalClassifier().fit(bags, pd.Series(grades))
    model = MILOrdinalClassifier(max_epochs=1).fit(bags, grades.as_unordered())
    assert model.classes_.tolist() == [0, 2, 4, 6]
    by_codes = MILOrdinalClassifier(max_epochs=1).fit(bags, pd.Series(grades).cat.codes)
    assert by_codes.classes_.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("missing", [False, True])
def test_several_columns_of_grades_are_refused(missing, graded):
    bags, y = graded
    both = np.column_stack([y > 2, y > 4]).astype(float)
    both[0, 0] = np.nan if missing else 1
    message = (
        r"^y has several columns; MILOrdinalClassifier takes one grade a bag\. Fit one "
        r"estimator for each column\.$"
    )
    with pytest.raises(ValueError, match=message):
        MILOrdinalClassifier().fit(bags, both)


@pytest.mark.parametrize("dtype", [str, object])
def test_names_of_grades_are_warned_about(dtype, graded):
    bags, y = graded
    names = np.array(["benign", "mild", "severe", "worst"])[y // 2].astype(dtype)
    with pytest.warns(UserWarning, match=r"ordered as text: \['benign', 'mild'"):
        MILOrdinalClassifier(max_epochs=1).fit(bags[:30], names[:30])


def test_probabilities_against_the_definition():
    raw = np.array([[2.0, 0.5, -1.0], [0.0, 1.0, -3.0], [-40.0, -50.0, -60.0]])
    p = MILOrdinalClassifier()._to_probabilities(raw.astype(np.float32))
    for scores, found in zip(raw, p, strict=True):
        above = [1.0]
        for s in scores:  # no grade is exceeded more surely than the one below
            above.append(min(above[-1], 1 / (1 + np.exp(-s))))
        above.append(0.0)
        expected = -np.diff(above)
        assert np.allclose(found, expected, atol=1e-7)
    decision = MILOrdinalClassifier()._decision_of(raw)
    tiny = np.finfo(np.float64).tiny
    assert np.isfinite(decision).all()
    assert np.allclose(decision[:2], np.log(np.maximum(p[:2], tiny)), atol=1e-5)
    # The second grade of the second bag is impossible.
    assert decision[1, 1] == np.log(tiny)
    assert MILOrdinalClassifier()._decision_of(raw[:, :1]).tolist() == [2, 0, -40]


def test_the_score_in_training_is_the_share_of_exact_grades():
    raw = np.array([[1.0, -1, -1], [2, 1, -3], [3, 2, 1], [-1, -1, -1], [1, 1, 1]])
    truth = np.array([1, 1, 3, 0, 0])
    answers = (truth[:, None] > np.arange(3)).astype(float)
    answers[4] = np.nan
    score = MILOrdinalClassifier._score_raw
    assert score(raw, answers, None, None) == 3 / 4
    weight = np.array([1.0, 4, 2, 1, 100])
    assert score(raw, answers, weight, None) == 4 / 8
    assert np.isnan(score(raw, np.full((5, 3), np.nan), weight, None))
