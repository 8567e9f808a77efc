"""The terms of the loss for bags, each against its formula written out in numpy."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from scipy.stats import entropy

from mlmi_sklearn.mil.net import _placeholders
from mlmi_sklearn.mil.objective import (
    NEIGHBOURS,
    Y_INSTANCES,
    BagObjective,
    neighbour_rows,
    partial_losses,
    smallest,
)
from mlmi_sklearn.nn.losses import BCE, MSE, CrossEntropy
from mlmi_sklearn.nn.segments import Segments

RAW = torch.tensor([[2.0, 0, -1], [0.5, 0.5, 3], [1, -2, 0], [0, 0, 4], [3, 1, 0]])
RAW = RAW.double()
CODES = torch.tensor([0, 1, -1, 2, -1])


def plain_losses():
    """Cross-entropy of the rows above, zero where there is no label."""
    p = softmax(RAW.numpy(), axis=1)
    return np.array([-np.log(p[0, 0]), -np.log(p[1, 1]), 0, -np.log(p[3, 2]), 0])


# -- terms of bags ---


@pytest.mark.parametrize("progress", [None, 0.0, 0.1, 0.25, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_entropy_of_unlabelled_bags_is_weighed_up_to_half_of_training(progress, weight):
    objective = BagObjective(unlabelled_weight=weight)
    losses, known = objective.bag_terms(CrossEntropy(), RAW, CODES, progress)
    ramp = 0.0 if progress is None else min(2 * progress, 1.0)
    spread = entropy(softmax(RAW.numpy(), axis=1), axis=1)
    unknown = CODES.numpy() < 0
    assert_allclose(losses, plain_losses() + weight * ramp * spread * unknown, 1e-6)
    assert known.tolist() == [True, True, False, True, False]


def test_entropy_is_that_of_the_link_of_the_loss():
    nothing = torch.full((5, 3), torch.nan, dtype=torch.float64)
    objective = BagObjective(unlabelled_weight=1.0)
    losses, known = objective.bag_terms(BCE(), RAW, nothing, 1.0)
    p = expit(RAW.numpy())
    assert_allclose(losses, entropy([p, 1 - p], axis=0).mean(axis=1), 1e-5)
    assert not known.any()


def test_a_loss_without_a_link_has_yes_or_no_outputs():
    def plain(raw, y):
        return (raw[:, 0] - y).abs()

    objective = BagObjective(unlabelled_weight=1.0)
    losses, _ = objective.bag_terms(plain, RAW, torch.full((5,), -1), 1.0)
    p = expit(RAW.numpy())
    assert_allclose(losses, entropy([p, 1 - p], axis=0).mean(axis=1), 1e-5)


@pytest.mark.parametrize(
    ("progress", "dropped"), [(None, 0), (0.0, 0), (0.25, 1), (0.5, 2), (1.0, 2)]
)
def test_ever_more_large_losses_are_dropped_up_to_half_of_training(progress, dropped):
    raw = torch.tensor([[3.0], [1.0], [2.0], [5.0], [9.0]])
    y = torch.tensor([0, 0, 0, 0, -1])
    objective = BagObjective(noise_rate=0.5)
    losses, _ = objective.bag_terms(lambda raw, y: raw[:, 0], raw, y, progress)
    kept = {0: [3, 1, 2, 5], 1: [3, 1, 2, 0], 2: [0, 1, 2, 0]}[dropped]
    expected = np.array([*kept, 0]) * 4 / (4 - dropped)
    assert_allclose(losses, expected, 1e-6)


def test_what_is_dropped_passes_no_gradient_to_the_choice():
    raw = torch.tensor([[1.0], [4.0]], requires_grad=True)
    objective = BagObjective(noise_rate=0.5)
    losses, _ = objective.bag_terms(
        lambda raw, y: raw[:, 0] ** 2, raw, torch.tensor([0, 0]), 1.0
    )
    losses.sum().backward()
    # The one that is kept counts for both: 2 * d(x^2)/dx at 1.
    assert raw.grad.tolist() == [[4.0], [0.0]]


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.99])
def test_the_last_labelled_bag_is_never_dropped(rate):
    losses, known = torch.tensor([7.0, 9.0]), torch.tensor([True, False])
    assert smallest(losses, known, rate).tolist() == [1.0, 1.0]
    assert smallest(losses, ~known & known, rate).tolist() == [1.0, 1.0]


# -- targets that are known in part ---


def test_each_of_several_targets_has_its_own_columns_of_scores():
    # Two columns of scores a target, as for two quantiles.
    raw = torch.arange(12.0).reshape(3, 4)
    y = torch.tensor([[1.0, 2], [3, torch.nan], [torch.nan, torch.nan]])

    def loss(raw, y):
        return (raw - y).square().mean(1)

    losses, known = partial_losses(loss, raw, y)
    first = ((0 - 1) ** 2 + (1 - 1) ** 2) / 2
    second = ((2 - 2) ** 2 + (3 - 2) ** 2) / 2
    alone = ((4 - 3) ** 2 + (5 - 3) ** 2) / 2
    assert_allclose(losses, [(first + second) / 2, alone, 0])
    assert known.tolist() == [True, True, False]


@pytest.mark.parametrize("n_targets", [1, 3])
def test_targets_that_are_all_known_are_left_to_the_loss(n_targets):
    rng = np.random.default_rng(0)
    raw = torch.from_numpy(rng.normal(size=(4, n_targets)))
    y = torch.from_numpy(rng.normal(size=(4, n_targets)))
    losses, known = partial_losses(MSE(), raw, y)
    assert torch.equal(losses, MSE()(raw, y))
    assert known.tolist() == [True] * 4
    y[2] = torch.nan
    losses, known = partial_losses(MSE(), raw, y)
    assert known.tolist() == [True, True, False, True]
    assert losses[2] == 0
    assert_allclose(losses[known], MSE()(raw, y)[known])


def test_unknown_targets_have_a_number_in_their_place():
    known, filled = _placeholders(torch.tensor([2, -1, 0]))
    assert known.tolist() == [True, False, True]
    assert filled.tolist() == [2, 0, 0]
    y = torch.tensor([[1.0, torch.nan], [torch.nan, torch.nan], [2.0, 3.0]])
    known, filled = _placeholders(y)
    assert known.tolist() == [True, False, True]
    assert filled.tolist() == [[1, 0], [0, 0], [2, 3]]


# -- terms of instances ---

SCORES = torch.tensor([[1.0], [3.0], [-2.0], [0.5], [4.0], [2.0]])
LENGTHS = [3, 1, 2]


def test_labels_of_instances_count_by_their_mean_in_each_bag():
    labels = torch.tensor([1, -1, 0, -1, 0, 1])
    objective = BagObjective(instance_weight=0.25)
    fields = {Y_INSTANCES: labels}
    assert objective.needs_instances(fields)
    found = objective.instance_terms(CrossEntropy(), SCORES, Segments(LENGTHS), fields)
    s = SCORES[:, 0].double().numpy()
    of_one, of_zero = np.log1p(np.exp(-s)), np.log1p(np.exp(s))
    expected = [(of_one[0] + of_zero[2]) / 2, 0, (of_zero[4] + of_one[5]) / 2]
    assert_allclose(found, 0.25 * np.array(expected), 1e-6)


def test_scores_of_neighbours_differ_by_their_mean_square():
    scores = torch.tensor([[1.0, 0], [3, 2], [-2, 0], [5, 5], [4, 1], [2, 2]])
    # Own place in the bag, then two neighbours; the instance itself where none is left.
    places = [[0, 1, 2], [1, 0, 2], [2, 1, 1], [0, 0, 0], [0, 1, 0], [1, 0, 1]]
    fields = {NEIGHBOURS: torch.tensor(places)}
    objective = BagObjective(smoothness=0.5)
    assert objective.needs_instances(fields)
    found = objective.instance_terms(CrossEntropy(), scores, Segments(LENGTHS), fields)
    s, starts = scores.numpy(), np.repeat([0, 3, 4], LENGTHS)
    gaps = [
        np.mean([np.mean((s[start + other] - s[i]) ** 2) for other in row[1:]])
        for i, (start, row) in enumerate(zip(starts, places, strict=True))
    ]
    each = [np.mean(gaps[:3]), gaps[3], np.mean(gaps[4:])]
    assert_allclose(found, 0.5 * np.array(each), 1e-6)


def test_labels_and_smoothness_add_up():
    fields = {
        Y_INSTANCES: torch.tensor([1, -1, 0, -1, 0, 1]),
        NEIGHBOURS: torch.tensor([[0, 1], [1, 2], [2, 1], [0, 0], [0, 1], [1, 0]]),
    }
    objective = BagObjective(instance_weight=2.0, smoothness=3.0)

    def terms(*names):
        return objective.instance_terms(
            CrossEntropy(),
            SCORES,
            Segments(LENGTHS),
            {name: fields[name] for name in names},
        )

    both = terms(Y_INSTANCES, NEIGHBOURS)
    assert torch.allclose(both, terms(Y_INSTANCES) + terms(NEIGHBOURS))
    assert terms().tolist() == [0, 0, 0]
    assert not objective.needs_instances({})


def test_neighbours_in_parts_of_bags_against_a_search():
    rng = np.random.default_rng(0)
    whole = [9, 4, 12]
    sizes = zip(whole, (5, 4, 3), strict=True)
    kept = [np.sort(rng.choice(n, k, replace=False)) for n, k in sizes]
    tables = [
        np.column_stack([rows, rng.integers(0, n, (len(rows), 6))])
        for n, rows in zip(whole, kept, strict=True)
    ]
    lengths = [len(rows) for rows in kept]
    found = neighbour_rows(torch.from_numpy(np.vstack(tables)), Segments(lengths))
    expected, start = [], 0
    for rows, table in zip(kept, tables, strict=True):
        place = {int(row): start + i for i, row in enumerate(rows)}
        for own, *others in table.tolist():
            expected.append([place.get(other, place[own]) for other in others])
        start += len(rows)
    assert found.tolist() == expected
