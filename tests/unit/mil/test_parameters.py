"""Parameters and weights: what is documented is there, what is given arrives."""

import inspect
import re
from ast import literal_eval

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator

import mlmi_sklearn.mil
from mlmi_sklearn import Bags, MILClassifier, MILOrdinalClassifier, MILRegressor
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil.docs import with_bag_parameters, with_parameters_of

ESTIMATORS = [
    kind
    for kind in (getattr(mlmi_sklearn.mil, n) for n in mlmi_sklearn.mil.__all__)
    if isinstance(kind, type) and issubclass(kind, BaseEstimator)
]
NETS = [MILClassifier, MILOrdinalClassifier, MILRegressor]


def section_of(kind):
    text = inspect.getdoc(kind).partition("Parameters\n----------\n")[2]
    return text.partition("\n\n")[0]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_defaults_are_the_documented_ones(kind):
    found = re.findall(r"^([\w, ]+) : .*default=(.+)$", section_of(kind), re.MULTILINE)
    documented = {}
    for names, values in found:
        names = names.split(", ")
        value = literal_eval(values)
        documented |= zip(names, value if len(names) > 1 else [value], strict=True)
    assert documented == kind().get_params(deep=False)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_each_parameter_is_kept_as_it_is_given(kind):
    given = {name: object() for name in kind().get_params(deep=False)}
    kept = kind(**given).get_params(deep=False)
    assert all(kept[name] is given[name] for name in given)


# -- shared texts ---


def test_shared_parameters_are_indented_as_the_place_they_take():
    class Own:
        """Do.

        Parameters
        ----------
        first : int
            One.
        {bag_parameters}
        last : int
            Two.
        """

    filled = inspect.getdoc(with_bag_parameters(Own))
    assert re.findall(r"^(\w+) :", filled, re.MULTILINE) == [
        "first", "scale_inputs", "max_instances", "instance_labels",
        "instance_weight", "smoothness", "last",
    ]  # fmt: skip
    assert "\n    Whether instances are centred" in filled


def test_parameters_of_another_class_are_those_alone():
    class Given:
        """Do.

        Parameters
        ----------
        first : int
            One.
        second : int
            Two.

        Attributes
        ----------
        third_ : int
            Three.
        """

    class Own:
        """Do too.

        Parameters
        ----------
        {parameters}

        Notes
        -----
        Four.
        """

    filled = inspect.getdoc(with_parameters_of(Given)(Own))
    assert filled == (
        "Do too.\n\nParameters\n----------\nfirst : int\n    One.\nsecond : int\n"
        "    Two.\n\nNotes\n-----\nFour."
    )


def test_a_class_without_a_text_gets_none():
    class Given:
        """Do."""

    class Bare:
        pass

    assert not with_bag_parameters(Bare).__doc__
    assert not with_parameters_of(Given)(Bare).__doc__
    assert not with_parameters_of(Bare)(Bare).__doc__


# -- weights of bags ---


def one_batch(kind, **params):
    return kind(**{"batch_size": 1000, "random_state": 0, "max_epochs": 3, **params})


@pytest.fixture
def graded(make_bags):
    bags, y = make_bags(n_bags=30, n_classes=3)
    return bags, y, np.random.default_rng(1).integers(1, 4, 30).astype(float)


def outputs(model, bags):
    return model._raw(bags)


@pytest.mark.parametrize("unlabelled", [False, True])
@pytest.mark.parametrize("kind", NETS)
def test_a_bag_of_weight_two_is_two_bags(kind, unlabelled, graded):
    bags, y, weight = graded
    y = np.where(np.arange(30) % 5 == 0, np.nan, y) if unlabelled else y
    copies = np.arange(30).repeat(weight.astype(int))
    params = {"pooling": "mean", "optimizer": "sgd", "lr": 0.1}
    weighted = one_batch(kind, **params).fit(bags, y, sample_weight=weight)
    repeated = one_batch(kind, **params).fit(bags[copies], y[copies])
    expected = outputs(repeated, bags)
    assert_allclose(outputs(weighted, bags), expected, rtol=1e-4, atol=1e-6)
    plain = one_batch(kind, **params).fit(bags, y)
    assert not np.allclose(outputs(plain, bags), expected, atol=1e-4)


@pytest.mark.parametrize("kind", NETS)
def test_partial_fit_begins_as_fit_does(kind, graded):
    bags, y, weight = graded
    whole = one_batch(kind, max_epochs=1).fit(bags, y, sample_weight=weight)
    first = one_batch(kind).partial_fit(bags, y, sample_weight=weight)
    assert_array_equal(outputs(first, bags), outputs(whole, bags))
    assert first.n_iter_ == 1
    again = one_batch(kind, max_epochs=7).fit(bags, y, sample_weight=weight)
    again.fit(bags, y, sample_weight=weight)  # from the start
    assert again.n_iter_ == 7


def test_targets_are_scaled_by_weight(graded):
    bags, y, weight = graded
    for method in ("fit", "partial_fit"):
        model = getattr(one_batch(MILRegressor), method)(bags, y, sample_weight=weight)
        mean = np.average(y, weights=weight)
        assert_allclose(model.y_mean_, mean)
        assert_allclose(model.y_scale_**2, np.average((y - mean) ** 2, weights=weight))


@pytest.mark.parametrize("known", [False, True])
def test_classes_may_come_with_the_first_part(known, graded):
    bags, y, _ = graded
    few = np.flatnonzero(y < 2)
    part = y[few].copy()
    if known:
        part[::3] = -1
    model = one_batch(MILClassifier).partial_fit(bags[few], part, [0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.partial_fit(bags, y).decision_function(bags).shape == (30, 3)


# -- labels of instances ---


def test_targets_of_instances_have_the_unit_of_those_of_bags(graded):
    bags, y, _ = graded
    labels = np.repeat(y, bags.lengths)
    fits = []
    for scale, shift in ((1.0, 0.0), (50.0, 7e3)):
        model = one_batch(MILRegressor, instance_weight=3.0, max_epochs=5)
        moved = scale * labels + shift
        model.fit(bags, scale * y + shift, y_instances=moved)
        fits.append((model.predict(bags) - shift) / scale)
    assert_allclose(fits[0], fits[1], rtol=1e-5, atol=1e-8)


def test_several_targets_of_instances_are_scaled_one_by_one(graded):
    _, y, _ = graded
    encoded = MILRegressor()._encode(np.column_stack([y, 10.0 * y + 3]), None)
    labels = np.array([[0.0, 3.0], [1.0, np.nan], [2.0, 23.0]])
    found = MILRegressor()._encode_instances(labels, encoded)
    standard = (np.array([0.0, 1, 2]) - y.mean()) / y.std()
    assert_allclose(found[:, 0], standard)
    assert_allclose(found[[0, 2], 1], standard[[0, 2]])
    assert np.isnan(found[1, 1])
    message = r"y_instances has shape \(3,\), but a bag has 2 targets"
    with pytest.raises(ValueError, match=message):
        MILRegressor()._encode_instances(labels[:, 0], encoded)


def test_grades_of_instances_are_answers_to_whether_they_are_exceeded(graded):
    _, y, _ = graded
    encoded = MILOrdinalClassifier()._encode(2 * y, None)
    assert_array_equal(encoded.y, np.column_stack([y > 0, y > 1]))
    assert encoded.n_outputs == 2
    found = MILOrdinalClassifier()._encode_instances(np.array([4, -1, 0, 2]), encoded)
    assert_array_equal(found, [[1, 1], [np.nan, np.nan], [0, 0], [1, 0]])


def test_labels_of_several_labels_keep_their_numbers(graded):
    _, y, _ = graded
    encoded = MILClassifier()._encode(np.column_stack([y > 0, y > 1]).astype(int), None)
    found = MILClassifier()._encode_instances(np.array([[0, 1], [-1, 0]]), encoded)
    assert_array_equal(found, [[0, 1], [np.nan, 0]])
    message = (
        r"y_instances has shape \(2,\); for 2 labels pass shape \(n_instances, 2\)"
    )
    with pytest.raises(ValueError, match=message):
        MILClassifier()._encode_instances(np.array([0, 1]), encoded)


@pytest.mark.parametrize("kind", NETS)
def test_labels_in_bags_and_labels_in_fit_are_the_same(kind, graded):
    bags, y, _ = graded
    labels = np.repeat(y, bags.lengths)
    told = one_batch(kind).fit(bags, y, y_instances=labels)
    inside = bags.with_fields(y_instances=labels)
    used = one_batch(kind, instance_labels="use").fit(inside, y)
    ignored = one_batch(kind).fit(inside, y)
    plain = one_batch(kind).fit(bags, y)
    assert_array_equal(outputs(told, bags), outputs(used, bags))
    assert_array_equal(outputs(ignored, bags), outputs(plain, bags))
    assert not np.array_equal(outputs(told, bags), outputs(plain, bags))
    message = (
        r"^instance_labels='use' needs labels of instances: pass Bags with "
        r"y_instances=, or y_instances= to fit\.$"
    )
    with pytest.raises(BagError, match=message):
        one_batch(kind, instance_labels="use").fit(bags, y)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_the_weight_of_instances_scales_their_part_of_the_loss(weight, graded):
    bags, y, _ = graded
    labels = np.repeat(y, bags.lengths)
    # At a rate of nearly zero the loss is that of the same weights each time.
    params = {"lr": 1e-12, "max_epochs": 1}
    parts = [
        one_batch(MILClassifier, instance_weight=w, **params)
        .fit(bags, y, y_instances=labels)
        .loss_curve_[0]
        for w in (0.0, 1.0, weight)
    ]
    assert parts[1] > parts[0]
    assert_allclose(parts[2], parts[0] + weight * (parts[1] - parts[0]), rtol=1e-5)


@pytest.mark.parametrize("labels", [[0, 7], [0.5, 1]])
def test_labels_that_are_no_classes_are_shown(labels):
    bags = Bags(np.zeros((4, 1)), [1] * 4)
    message = (
        rf"^y_instances holds {re.escape(str(np.unique(labels).tolist()))}, but the "
        r"classes of bags are \[0, 1\]\. Use these, or 0 and 1 for the first and "
        r"second of two classes, and -1 where the label is unknown\.$"
    )
    with pytest.raises(BagError, match=message):
        MILClassifier(max_epochs=1).fit(bags, [0, 1, 0, 1], y_instances=labels * 2)
