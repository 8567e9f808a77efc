"""Bags without a label, with a wrong one, and instances that have one after all."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn import Bags, MILClassifier, MILOrdinalClassifier, MILRegressor
from mlmi_sklearn.containers.unlabelled import unlabelled
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil.fields import encode_classes, neighbours
from mlmi_sklearn.mil.objective import (
    NEIGHBOURS,
    neighbour_rows,
    partial_losses,
    smallest,
)
from mlmi_sklearn.nn.functional import prediction_entropy
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.segments import Segments


def weights(model):
    return [p.detach().numpy() for p in model.net_.module_.parameters()]


def same_weights(a, b):
    return all(map(np.array_equal, weights(a), weights(b)))


# -- the marker ---


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 1, -1], [False, False, True]),
        ([0.0, 1.0, np.nan], [False, False, True]),
        (np.array(["a", "b", None], dtype=object), [False, False, True]),
        ([-1, 1, 1], None),
        ([0, 1, 2], None),
        (["a", "b"], None),
        ([0.0, -1.0, 1.0], None),
    ],
)
def test_the_marker_is_that_of_the_type(y, expected):
    found = unlabelled(y)
    assert (found is None) if expected is None else (found.tolist() == expected)


@pytest.mark.parametrize("kind", ["int", "float", "object"])
def test_unlabelled_bags_are_no_class(make_bags, quick, kind):
    bags, y = make_bags(n_bags=30)
    marked = {
        "int": np.where(np.arange(30) % 3, y, -1),
        "float": np.where(np.arange(30) % 3, y, np.nan),
        "object": np.where(np.arange(30) % 3, np.array(["b", "a"])[y], None),
    }[kind]
    model = quick().fit(bags, marked)
    assert len(model.classes_) == 2
    assert set(model.predict(bags)) <= set(model.classes_)
    assert np.isfinite(model.loss_curve_).all()


def test_without_weight_unlabelled_bags_change_only_the_batches(make_bags):
    bags, y = make_bags(n_bags=20)
    partly = y.copy()
    partly[10:] = -1
    model = MILClassifier(
        unlabelled_weight=0.0,
        batch_size=20,
        max_epochs=4,
        random_state=0,
        lr=1e-2,
        scale_inputs=False,
    ).set_params(pooling__anneal=0.0)
    alone = MILClassifier(
        batch_size=10, max_epochs=4, random_state=0, lr=1e-2, scale_inputs=False
    ).set_params(pooling__anneal=0.0)
    # One batch either way: gradients differ by the constant factor that Adam removes.
    a = model.fit(bags, partly).decision_function(bags)
    b = alone.fit(bags[:10], y[:10]).decision_function(bags)
    assert np.allclose(a, b, atol=1e-4)


def test_unlabelled_bags_make_predictions_confident(make_bags):
    bags, y = make_bags(n_bags=60)
    partly = np.where(np.arange(60) < 20, y, -1)

    def entropy(weight):
        model = MILClassifier(
            unlabelled_weight=weight, max_epochs=30, random_state=0
        ).fit(bags, partly)
        p = model.predict_proba(bags[20:])
        return -(p * np.log(p)).sum(axis=1).mean()

    assert entropy(1.0) < entropy(0.0)


def test_nothing_labelled_is_an_error(make_bags, quick):
    bags, y = make_bags()
    with pytest.raises(ValueError, match="y holds no label"):
        quick().fit(bags, np.full(len(y), np.nan))


def test_one_known_class_is_an_error(make_bags, quick):
    bags, y = make_bags()
    with pytest.raises(ValueError, match="one class only"):
        quick().fit(bags, np.where(y == 1, 1.0, np.nan))


def test_single_labels_of_several_may_be_unknown(make_bags, quick):
    bags, y = make_bags()
    labels = np.column_stack([y, 1 - y, y]).astype(float)
    labels[::3, 1] = np.nan
    labels[1::4] = np.nan
    model = quick().fit(bags, labels)
    assert model.predict_proba(bags).shape == (30, 3)
    integers = np.where(np.isnan(labels), -1, labels).astype(int)
    assert same_weights(model, quick().fit(bags, integers))


def test_balanced_weights_count_labelled_bags_only(make_bags, quick):
    bags, y = make_bags(n_bags=30)
    partly = np.where(np.arange(30) < 20, y, -1)
    model = quick(class_weight="balanced").fit(bags, partly)
    assert np.isfinite(model.decision_function(bags)).all()


def test_partial_fit_and_early_stopping_take_unlabelled_bags(make_bags, quick):
    bags, y = make_bags(n_bags=40)
    partly = np.where(np.arange(40) % 4, y, -1)
    model = quick().partial_fit(bags, partly, classes=[0, 1])
    assert model.partial_fit(bags, partly).n_iter_ == 2
    stopped = quick(early_stopping=True, validation_fraction=0.3).fit(bags, partly)
    assert np.isfinite(stopped.history_["valid_loss"]).all()


# -- noisy labels ---


@given(
    losses=st.lists(st.floats(0, 10, width=32), min_size=1, max_size=12, unique=True),
    rate=st.floats(0, 0.99),
)
def test_small_loss_selection_drops_the_largest(losses, rate):
    values = torch.tensor(losses)
    known = torch.ones(len(losses), dtype=torch.bool)
    factors = smallest(values, known, rate)
    dropped = min(round(rate * len(losses)), len(losses) - 1)
    assert int((factors == 0).sum()) == dropped
    assert torch.isclose(factors.sum(), torch.tensor(float(len(losses))))
    if dropped:
        assert values[factors == 0].min() >= values[factors > 0].max()


def test_small_loss_selection_leaves_unlabelled_bags_alone():
    losses = torch.tensor([0.0, 5.0, 1.0, 2.0])
    known = torch.tensor([False, True, True, True])
    factors = smallest(losses, known, 0.4)
    assert factors[1] == 0
    assert factors[0] > 0


def test_noise_rate_drops_flipped_bags(make_bags):
    bags, y = make_bags(n_bags=80)
    flipped = np.random.default_rng(0).random(80) < 0.25
    noisy = np.where(flipped, 1 - y, y)

    def accuracy(rate):
        model = MILClassifier(
            noise_rate=rate, max_epochs=60, batch_size=40, lr=1e-2, random_state=0
        ).fit(bags, noisy)
        return model.score(bags, y)

    assert accuracy(0.25) > accuracy(0.0)


# -- labels of instances ---


@pytest.mark.parametrize("loss", ["cross-entropy", "focal", "bce", "hinge"])
def test_labels_of_instances_teach(make_bags, quick, loss):
    rng = np.random.default_rng(1)
    lengths = rng.integers(2, 8, 40)
    truth = rng.random(lengths.sum()) < 0.3
    values = rng.normal(1.0 * truth[:, None], 1.0, (len(truth), 4))
    bags = Bags(values, lengths, y_instances=truth.astype(int))
    y = np.array([t.any() for t in np.split(truth, np.cumsum(lengths)[:-1])], dtype=int)

    def accuracy(**fit):
        model = quick(loss=loss, max_epochs=15).fit(bags, y, **fit)
        return (model.predict_instances(bags, flat=True) == truth).mean()

    assert accuracy(y_instances=bags.y_instances) > accuracy()


def test_labels_in_the_bags_are_ignored_unless_asked_for(make_bags, quick):
    bags, y = make_bags()
    labels = np.repeat(y, bags.lengths)
    with_truth = bags.with_fields(y_instances=labels)
    plain = quick().fit(bags, y)
    assert same_weights(plain, quick().fit(with_truth, y))
    used = quick(instance_labels="use").fit(with_truth, y)
    assert not same_weights(plain, used)
    assert same_weights(used, quick().fit(bags, y, y_instances=labels))


def test_unknown_labels_have_no_effect(make_bags, quick):
    bags, y = make_bags()
    nothing = np.full(bags.n_instances, -1)
    a = quick().fit(bags, y).decision_function(bags)
    b = quick().fit(bags, y, y_instances=nothing).decision_function(bags)
    assert np.allclose(a, b, atol=1e-6)


def test_labels_come_flat_or_bag_by_bag(make_bags, quick):
    bags, y = make_bags()
    labels = np.repeat(y, bags.lengths)
    ragged = np.split(labels, np.cumsum(bags.lengths)[:-1])
    a = quick().fit(bags, y, y_instances=labels)
    assert same_weights(a, quick().fit(bags, y, y_instances=ragged))
    assert same_weights(a, quick().fit(list(bags), y, y_instances=ragged))


def test_asking_for_labels_that_are_not_there(make_bags, quick):
    bags, y = make_bags()
    with pytest.raises(BagError, match="instance_labels='use' needs labels"):
        quick(instance_labels="use").fit(bags, y)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3), "y_instances must have one row per instance"),
        ("seven", "y_instances holds .*but the classes of bags are"),
    ],
)
def test_bad_labels_of_instances(make_bags, quick, labels, message):
    bags, y = make_bags()
    if isinstance(labels, str):
        labels = np.full(bags.n_instances, 7)
    model = quick().fit(bags, y)
    before = weights(model)
    with pytest.raises(BagError, match=message):
        model.fit(bags, y, y_instances=labels)
    assert all(map(np.array_equal, before, weights(model)))


def test_codes_of_instances():
    assert encode_classes(np.array([1, -1, 0]), np.array(["n", "p"])).tolist() == [
        1,
        -1,
        0,
    ]
    assert encode_classes(np.array([5, 3, -1]), np.array([3, 5])).tolist() == [1, 0, -1]
    assert encode_classes(np.array([0, 1]), np.array([-1, 1])).tolist() == [0, 1]


def test_instances_of_several_labels(make_bags, quick):
    bags, y = make_bags()
    labels = np.column_stack([y, 1 - y])
    of_instances = np.repeat(labels, bags.lengths, axis=0)
    of_instances[::2, 0] = -1
    model = quick().fit(bags, labels, y_instances=of_instances)
    assert model.predict_instances(bags)[0].shape == (bags.lengths[0], 2)
    with pytest.raises(ValueError, match="y_instances has shape"):
        quick().fit(bags, labels, y_instances=of_instances[:, 0])


def test_all_kinds_of_weak_labels_at_once(make_bags, quick):
    bags, y = make_bags(n_bags=40)
    coords = np.random.default_rng(0).normal(size=(bags.n_instances, 2))
    placed = Bags(bags.values, bags.lengths, coords=coords)
    partly = np.where(np.arange(40) % 4, y, -1)
    labels = np.where(np.arange(bags.n_instances) % 3, -1, np.repeat(y, bags.lengths))
    model = quick(
        noise_rate=0.2,
        smoothness=0.1,
        max_instances=3,
        balanced_batches=True,
        loss="generalised-cross-entropy",
    ).fit(placed, partly, y_instances=labels)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("kind", [MILRegressor, MILOrdinalClassifier])
def test_other_estimators_take_weak_labels(make_bags, kind):
    bags, y = make_bags(n_bags=30, n_classes=3)
    partly = np.where(np.arange(30) % 5, y.astype(float), np.nan)
    model = kind(max_epochs=3, random_state=0)
    labels = np.repeat(y, bags.lengths).astype(float)
    fitted = model.fit(bags, partly, y_instances=labels)
    assert np.isfinite(fitted.loss_curve_).all()
    assert fitted.predict(bags).shape == (30,)


# -- smoothness ---


def test_neighbours_are_the_nearest_of_the_bag():
    coords = np.array([[0.0], [1.0], [5.0], [0.0], [9.0]])
    bags = Bags(np.zeros((5, 1)), [3, 2], coords=coords)
    found = neighbours(bags)[NEIGHBOURS]
    assert found[:, 0].tolist() == [0, 1, 2, 0, 1]
    assert set(found[0, 1:3].tolist()) == {1, 2}
    assert found[3, 1] == 1
    assert found[0, 3:].unique().tolist() == [0]


def test_points_in_one_place_are_neighbours_of_each_other():
    bags = Bags(np.zeros((12, 1)), [12], coords=np.zeros((12, 2)))
    found = neighbours(bags)[NEIGHBOURS]
    assert (found[:, 1:] != found[:, :1]).all()


def test_neighbours_that_were_not_drawn_become_the_instance_itself():
    whole = torch.tensor([[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 1, 1], [1, 0, 0]])
    part = whole[[0, 2, 3, 4]]
    rows = neighbour_rows(part, Segments([2, 2]))
    assert rows.tolist() == [[0, 1], [1, 0], [3, 3], [2, 2]]


def test_smoothness_brings_neighbours_together(make_bags):
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2)
    values = rng.normal(size=(20 * 25, 4))
    bags = Bags(values, [25] * 20, coords=np.tile(grid, (20, 1)))
    y = np.arange(20) % 2

    def roughness(weight):
        model = MILClassifier(
            smoothness=weight, max_epochs=30, random_state=0, pooling="mean"
        ).fit(bags, y)
        scores = np.array(model.instance_scores(bags)).reshape(20, 5, 5)
        return np.square(np.diff(scores, axis=1)).mean() / scores.var()

    plain, smooth = roughness(0.0), roughness(3.0)
    assert smooth < plain


def test_smoothness_needs_positions(make_bags, quick):
    bags, y = make_bags()
    with pytest.raises(BagError, match="smoothness above 0 needs positions"):
        quick(smoothness=0.1).fit(bags, y)


# -- terms ---


def test_partial_losses_are_those_of_the_known_part():
    raw = torch.randn(6, 3)
    y = torch.tensor([0, -1, 2, 1, -1, 0])
    losses, known = partial_losses(CrossEntropy(), raw, y)
    assert known.tolist() == [True, False, True, True, False, True]
    assert torch.allclose(losses[known], CrossEntropy()(raw[known], y[known]))
    assert (losses[~known] == 0).all()


def test_of_several_labels_only_known_ones_count():
    raw = torch.randn(4, 3, dtype=torch.float64)
    y = torch.tensor([[1.0, 0, 1], [0, torch.nan, 1], [torch.nan] * 3, [0, 0, 0]])
    losses, known = partial_losses(CrossEntropy(), raw, y.double())
    assert known.tolist() == [True, True, False, True]
    expected = CrossEntropy()(raw[1:2, [0, 2]], y.double()[1:2, [0, 2]])
    assert torch.allclose(losses[1:2], expected)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_entropy_is_largest_without_preference(width):
    even = prediction_entropy(torch.zeros(1, width), "softmax")
    sure = prediction_entropy(torch.tensor([[9.0] + [0.0] * (width - 1)]), "softmax")
    assert torch.isclose(even[0], torch.tensor(float(max(width, 2))).log())
    assert sure < 0.1 * even
