"""Poolings: their contract, and what each of them computes."""

import pytest
import torch
from torch.autograd import gradcheck

from mlmi_sklearn.nn.poolings import (
    AttentionPooling,
    GatedAttentionPooling,
    MaxPooling,
    MeanPooling,
)
from mlmi_sklearn.nn.segments import Segments

POOLINGS = [MaxPooling, MeanPooling, AttentionPooling, GatedAttentionPooling]
ATTENTIONS = POOLINGS[2:]
poolings = pytest.mark.parametrize("Pooling", POOLINGS)
attentions = pytest.mark.parametrize("Pooling", ATTENTIONS)


@poolings
@pytest.mark.parametrize("lengths", [[3, 1, 4], [2, 2], [1, 1], [1]])
@pytest.mark.parametrize("width", [1, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract(Pooling, lengths, width, dtype):
    pool, bags = Pooling(width).to(dtype), Segments(lengths)
    values = torch.randn(sum(lengths), width, dtype=dtype)
    pooled, weights = pool(values, bags)
    assert pool.out_features == width
    assert pooled.shape == (len(lengths), width)
    assert pooled.dtype == dtype
    assert weights.shape == (sum(lengths),)
    assert weights.dtype == dtype
    assert (weights >= 0).all()
    torch.testing.assert_close(bags.sum(weights), torch.ones(len(lengths), dtype=dtype))
    if pool.weighted_mean:
        torch.testing.assert_close(bags.sum(weights.unsqueeze(1) * values), pooled)


def test_which_poolings_are_weighted_means():
    assert [Pooling.weighted_mean for Pooling in POOLINGS] == [False, True, True, True]


@poolings
def test_a_bag_of_one_is_its_instance(Pooling):
    values = torch.randn(3, 4)
    pooled, weights = Pooling(4)(values, Segments([1, 1, 1]))
    assert torch.equal(pooled, values)
    assert torch.equal(weights, torch.ones(3))


@poolings
def test_gradients(Pooling):
    pool, bags = Pooling(3).double(), Segments([3, 1, 2])
    values = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v: pool(v, bags)[0], values)


@poolings
@pytest.mark.parametrize("lengths", [[3, 1], [2, 2], [1, 1]])
def test_every_parameter_gets_a_finite_gradient(Pooling, lengths):
    pool = Pooling(3)
    values = torch.randn(4, 3)[: sum(lengths)].requires_grad_()
    pool(values, Segments(lengths))[0].sum().backward()
    for tensor in (values, *pool.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


@poolings
def test_a_seed_fixes_the_weights(Pooling):
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(Pooling(3).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@poolings
def test_half_precision_is_kept(Pooling):
    pool = Pooling(3).to(torch.bfloat16)
    pooled, weights = pool(torch.randn(5, 3).bfloat16(), Segments([3, 2]))
    assert {pooled.dtype, weights.dtype} == {torch.bfloat16}


@poolings
@pytest.mark.parametrize("width", [0, -1, 2.5, "3", True])
def test_a_wrong_width_is_refused(Pooling, width):
    with pytest.raises(ValueError, match="in_features must be an integer of at least"):
        Pooling(width)


@attentions
@pytest.mark.parametrize("name", ["hidden", "heads"])
def test_wrong_sizes_are_refused(Pooling, name):
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1"):
        Pooling(3, **{name: 0})


# -- max -------------------------------------------------------------------------------


def test_max_weights_share_columns_and_ties():
    values = torch.tensor([[1.0, 5.0, 2.0], [1.0, 4.0, 3.0], [0.0, 5.0, 3.0]])
    _, weights = MaxPooling(3)(values, Segments([3]))
    expected = torch.tensor([1 / 2 + 1 / 2, 1 / 2 + 1 / 2, 1 / 2 + 1 / 2]) / 3
    torch.testing.assert_close(weights, expected)


def test_max_weights_without_ties_are_counts():
    values = torch.tensor([[1.0, 5.0], [2.0, 4.0], [9.0, 9.0]])
    _, weights = MaxPooling(2)(values, Segments([2, 1]))
    assert weights.tolist() == [0.5, 0.5, 1.0]


def test_max_weights_of_scores():
    _, weights = MaxPooling(1)(torch.tensor([[1.0], [3.0], [3.0]]), Segments([1, 2]))
    assert weights.tolist() == [1.0, 0.5, 0.5]


def test_max_weights_have_no_gradient():
    values = torch.randn(3, 2, requires_grad=True)
    assert not MaxPooling(2)(values, Segments([2, 1]))[1].requires_grad


# -- attention -------------------------------------------------------------------------


def naive_weights(pool, values, gated):
    """Equations 8 and 9 of Ilse et al. for one bag, head by head."""
    units = torch.tanh(values @ pool.project.weight.T + pool.project.bias)
    if gated:
        units = units * torch.sigmoid(values @ pool.gate.weight.T + pool.gate.bias)
    heads = [torch.softmax(units @ w, 0) for w in pool.score.weight]
    return sum(heads) / len(heads)


@attentions
@pytest.mark.parametrize("heads", [1, 3])
def test_attention_follows_the_paper(Pooling, heads):
    pool = Pooling(4, hidden=5, heads=heads).double()
    values = torch.randn(7, 4, dtype=torch.float64)
    pooled, weights = pool(values, Segments([4, 3]))
    for bag, part in enumerate([slice(0, 4), slice(4, 7)]):
        expected = naive_weights(pool, values[part], Pooling is GatedAttentionPooling)
        torch.testing.assert_close(weights[part], expected)
        torch.testing.assert_close(pooled[bag], expected @ values[part])


@attentions
def test_attention_on_huge_values_is_finite(Pooling):
    pooled, weights = Pooling(3)(1e6 * torch.randn(5, 3), Segments([3, 2]))
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(weights).all()


@attentions
def test_attention_can_be_trained_through_its_weights(Pooling):
    pool = Pooling(3)
    _, weights = pool(torch.randn(5, 3), Segments([3, 2]))
    weights.square().sum().backward()
    assert pool.project.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sizes", [[3, 1, 2], [1, 1], [2, 2]], ids=str)
def test_maxima_alone_equal_those_beside_the_weights(training, sizes):
    pool = MaxPooling(4).train(training)
    values = torch.randn(sum(sizes), 4)
    segments = Segments(sizes)
    alone = pool.pool_without_weights(values, segments)
    assert torch.equal(alone, pool(values, segments)[0])
