"""Poolings by rank: what they take, how ties share, bags that are too small."""

import numpy as np
import pytest
import torch

from mlmi_sklearn.nn.poolings import (
    CountPooling,
    QuantilePooling,
    ThresholdPooling,
    TopKPooling,
)
from mlmi_sklearn.nn.segments import Segments

LENGTHS = [5, 1, 3, 2]


def draw(columns=2):
    generator = torch.Generator().manual_seed(1)
    shape = (sum(LENGTHS), columns)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float32).unsqueeze(1)


@pytest.mark.parametrize("k", [1, 2, 4, 99, 0.3, 0.5, 1.0])
def test_top_k_is_the_mean_of_the_largest(k):
    pooled, _ = TopKPooling(2, k=k)(draw(), Segments(LENGTHS))
    for found, bag in zip(pooled, draw().split(LENGTHS), strict=True):
        many = k if isinstance(k, int) else int(np.ceil(k * len(bag)))
        many = min(many, len(bag))
        torch.testing.assert_close(found, bag.topk(many, 0).values.mean(0))


def test_a_share_of_the_bag_is_not_rounded_up_by_an_ulp():
    pooled, weights = TopKPooling(1, k=0.1)(torch.arange(30.0)[:, None], Segments([30]))
    assert pooled.item() == 28
    assert int((weights > 0).sum()) == 3


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.75, 1.0])
def test_quantiles_are_those_of_numpy(q):
    pooled, _ = QuantilePooling(2, q=q)(draw(), Segments(LENGTHS))
    for found, bag in zip(pooled, draw().split(LENGTHS), strict=True):
        np.testing.assert_allclose(found, np.quantile(bag, q, axis=0), atol=1e-12)


def test_ties_share_weight_and_gradient():
    values = column(3, 3, 3, 1).requires_grad_()
    for pool in (TopKPooling(1, k=2), ThresholdPooling(1, k=2), CountPooling(1, 2)):
        values.grad = None
        pooled, weights = pool(values, Segments([4]))
        pooled.sum().backward()
        third = 1 / 3
        torch.testing.assert_close(weights, torch.tensor([third, third, third, 0]))
        torch.testing.assert_close(values.grad, weights.unsqueeze(1))
        assert pooled.item() == 3


def test_the_threshold_is_the_kth_largest_to_the_last_bit():
    values = torch.full((7, 1), 0.1)
    for k in (1, 3, 7):
        assert ThresholdPooling(1, k=k)(values, Segments([7]))[0].item() == values[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_a_bag_is_positive_if_k_instances_are(dtype, k):
    generator = torch.Generator().manual_seed(k)
    lengths = torch.randint(1, 12, (200,), generator=generator)
    total = int(lengths.sum())
    values = torch.randn(total, 1, generator=generator, dtype=dtype)
    bags = Segments(lengths)
    pooled, _ = ThresholdPooling(1, k=k)(values, bags)
    positives = bags.sum((values > 0).to(dtype))
    assert torch.equal(pooled > 0, positives >= k)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 4), (0, 2), (3, None), (1, 99)])
def test_a_bag_is_positive_if_the_count_is_in_range(low, high):
    generator = torch.Generator().manual_seed(low)
    lengths = torch.randint(1, 12, (200,), generator=generator)
    values = torch.randn(int(lengths.sum()), 1, generator=generator)
    bags = Segments(lengths)
    pooled, weights = CountPooling(1, low, high)(values, bags)
    positives = bags.sum((values > 0).float())
    upper = torch.inf if high is None else high
    assert torch.equal(pooled > 0, (positives >= low) & (positives <= upper))
    assert (weights >= 0).all()


def test_a_bag_that_is_too_small_is_filled_up():
    values = column(4, 9, -20, 5).requires_grad_()
    pooled, weights = ThresholdPooling(1, k=3)(values, Segments([2, 2]))
    assert pooled.flatten().tolist() == [-10, -20]
    assert weights.tolist() == [0.5, 0.5, 1.0, 0.0]
    pooled.sum().backward()
    assert values.grad.flatten().tolist() == [0, 0, 1, 0]


def test_a_count_from_one_leaves_a_bag_of_one_alone():
    pooled, _ = CountPooling(1, low=1, high=1)(column(40, -40), Segments([1, 1]))
    assert pooled.flatten().tolist() == [40, -40]


@pytest.mark.parametrize("k", [0, -1, 1.5, 0.0, True, "2", None])
def test_top_k_refuses_what_is_no_number_or_share(k):
    with pytest.raises(ValueError, match="k must be an integer of at least 1"):
        TopKPooling(2, k=k)


@pytest.mark.parametrize("k", [0, 1.0, True])
def test_threshold_refuses_what_is_no_number(k):
    with pytest.raises(ValueError, match="k must be an integer of at least 1"):
        ThresholdPooling(2, k=k)


@pytest.mark.parametrize("q", [-0.1, 1.1, "0.5"])
def test_quantile_refuses_what_is_no_share(q):
    with pytest.raises(ValueError, match="q must be a number in"):
        QuantilePooling(2, q=q)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (3, 2, "high must be None or an integer of at least low=3"),
        (1, 1.5, "high must be None or an integer"),
        (-1, None, "low must be an integer"),
        (True, None, "low must be an integer"),
        (0, None, "do not limit anything"),
    ],
)
def test_count_refuses_an_empty_range(low, high, message):
    with pytest.raises(ValueError, match=message):
        CountPooling(2, low, high)
