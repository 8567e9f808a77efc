"""Bags so long that single precision would lose digits when adding up in a row."""

import pytest
import torch

from mlmi_sklearn.nn import _segment_ops as ops
from mlmi_sklearn.nn.poolings import (
    AttentionPooling,
    DSMILPooling,
    GatedAttentionPooling,
    GeneralisedMeanPooling,
    LogSumExpPooling,
    MeanPooling,
    NoisyOrPooling,
    TransformerPooling,
)
from mlmi_sklearn.nn.segments import Segments

N, WIDTH = 100_000, 4
POOLINGS = [
    AttentionPooling,
    DSMILPooling,
    GatedAttentionPooling,
    GeneralisedMeanPooling,
    LogSumExpPooling,
    MeanPooling,
    NoisyOrPooling,
    lambda width: TransformerPooling(width, width=8, kind="linear"),
]


@pytest.mark.parametrize("make", POOLINGS)
@pytest.mark.parametrize("companion", [1, 7])
def test_a_companion_does_not_round_a_long_bag(make, companion):
    # Low scores, or the probability of a positive instance would be one in any case.
    values = torch.rand(N + companion, WIDTH) - 12
    pool = make(WIDTH)
    with torch.no_grad():
        (alone,), its_weights = pool(values[:N], Segments([N]))
        (beside, _), weights = pool(values, Segments([N, companion]))
    scale = alone.abs().clamp(min=1e-3 * float(alone.abs().max()))
    assert float(((beside - alone) / scale).abs().max()) <= 1e-5
    torch.testing.assert_close(weights[:N], its_weights, rtol=1e-5, atol=1e-12)


def reference(name, values, lengths):
    """Reduce bag by bag with plain torch."""
    parts = []
    for bag in values.split(lengths):
        found = getattr(bag, name)(0)
        parts.append(found if name == "softmax" else found[None])
    return torch.cat(parts)


@pytest.mark.parametrize("name", ["sum", "mean", "softmax", "logsumexp"])
@pytest.mark.parametrize("shape", [(), (3,)], ids=["flat", "columns"])
@pytest.mark.parametrize("lengths", [[N], [N, 7], [7, N]], ids=str)
def test_long_bags_keep_their_digits_whatever_their_companions(name, shape, lengths):
    values = torch.rand(sum(lengths), *shape)
    found = getattr(Segments(lengths), name)(values)
    expected = reference(name, values.double(), lengths).float()
    torch.testing.assert_close(found, expected, rtol=2e-6, atol=0)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)], ids=["flat", "columns", "more"])
@pytest.mark.parametrize("lengths", [[N], [N, 7], [7, N]], ids=str)
def test_weighted_sums_of_long_bags_keep_their_digits(shape, lengths):
    values = torch.rand(sum(lengths), *shape, requires_grad=True)
    weights = torch.rand(sum(lengths), requires_grad=True)
    found = Segments(lengths).weighted_sum(values, weights)
    wide = weights.double().reshape(-1, *[1] * len(shape)) * values.double()
    expected = reference("sum", wide, lengths)
    torch.testing.assert_close(found, expected.float(), rtol=2e-6, atol=0)
    leaves = [values, weights]
    gradients = torch.autograd.grad(found.square().sum(), leaves)
    sought = torch.autograd.grad(expected.square().sum(), leaves)
    torch.testing.assert_close(gradients, sought, rtol=1e-5, atol=0)


@pytest.mark.parametrize("size", [ops.LONG, ops.LONG + 1, 17 * ops.PIECE])
def test_pieces_hold_every_instance_once(size):
    bags = Segments([3, size, size + ops.PIECE])
    ones = torch.ones(bags.n_values, dtype=torch.float64)
    assert bags.sum(ones).tolist() == bags.lengths.tolist()
    weighted = bags.weighted_sum(ones[:, None], ones)
    assert weighted[:, 0].tolist() == bags.lengths.tolist()


@pytest.mark.parametrize("sizes", [[5], [2, 3]])
def test_weighted_sums_by_piece_have_both_derivatives(sizes):
    values = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(5, dtype=torch.float64, requires_grad=True)

    def summed(values, weights):
        return ops.weighted_sum_by_piece(values, weights, sizes)

    assert torch.autograd.gradcheck(summed, (values, weights))
    assert torch.autograd.gradgradcheck(summed, (values, weights))


def test_weighted_sums_by_piece_of_constants_have_the_other_derivative():
    values, weights = torch.randn(5, 2), torch.randn(5, requires_grad=True)
    ops.weighted_sum_by_piece(values, weights, [2, 3]).sum().backward()
    torch.testing.assert_close(weights.grad, values.sum(1))
    values, weights = values.requires_grad_(), weights.detach()
    ops.weighted_sum_by_piece(values, weights, [2, 3]).sum().backward()
    torch.testing.assert_close(values.grad, weights[:, None].expand(5, 2))
