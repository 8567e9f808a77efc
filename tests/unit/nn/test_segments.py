"""Segments: construction, errors, derived tensors, and every reduction's edges."""

import pickle

import pytest
import torch
from torch.autograd import gradcheck

from mlmi_sklearn.nn import _segment_ops as ops
from mlmi_sklearn.nn.segments import Segments

# Ragged, even, plain, one bag, one instance: each takes another path.
LENGTHS = {
    "ragged": [3, 1, 4, 2],
    "even": [3, 3],
    "plain": [1, 1, 1],
    "one bag": [5],
    "one instance": [1],
}
layouts = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
REDUCTIONS = ["sum", "mean", "max", "softmax", "logsumexp"]
reductions = pytest.mark.parametrize("name", REDUCTIONS)


def reference(name, values, lengths):
    """Reduce bag by bag with plain torch."""
    of_bag = {
        "sum": lambda bag: bag.sum(0),
        "mean": lambda bag: bag.mean(0),
        "max": lambda bag: bag.amax(0),
        "softmax": lambda bag: bag.softmax(0),
        "logsumexp": lambda bag: bag.logsumexp(0),
    }[name]
    parts = [of_bag(bag) for bag in values.split(lengths)]
    return torch.cat(parts) if name == "softmax" else torch.stack(parts)


# -- construction ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([2, 0, 1], "bag 1 has length 0; drop empty bags"),
        ([2, -1], "bag 1 has length -1"),
        ([], "at least one bag"),
        ([[1, 2]], r"one-dimensional .* got shape \(1, 2\)"),
        (3, r"got shape \(\)"),
        ([1.0, 2.0], r"must be integers, got torch\.float32; convert with \.long\(\)"),
        ([True, True], "must be integers"),
    ],
)
def test_lengths_that_are_no_bags_are_refused(lengths, message):
    with pytest.raises(ValueError, match=message):
        Segments(lengths)


def test_derived_tensors():
    bags = Segments(torch.tensor([3, 1, 2]))
    assert bags.offsets.tolist() == [0, 3, 4, 6]
    assert bags.index.tolist() == [0, 0, 0, 1, 2, 2]
    assert (bags.n_segments, bags.n_values, bags.longest) == (3, 6, 3)
    assert len(bags) == 3
    assert not bags.is_plain
    assert not bags.is_even
    assert repr(bags) == "Segments(n_segments=3, n_values=6)"


def test_unchecked_lengths_derive_the_same():
    lengths = torch.tensor([3, 1, 2])
    checked, unchecked = Segments(lengths), Segments(lengths, check=False)
    assert unchecked.n_values == checked.n_values
    assert unchecked.longest == checked.longest
    assert unchecked.is_even == checked.is_even
    assert torch.equal(unchecked.index, checked.index)


def test_given_tensors_are_taken_as_they_are():
    offsets, index = torch.tensor([0, 2, 3]), torch.tensor([0, 0, 1])
    bags = Segments([2, 1], offsets=offsets, index=index, check=False)
    assert bags.offsets is offsets
    assert bags.index is index
    assert bags.n_values == 3


def test_derived_tensors_are_made_once():
    bags = Segments([2, 1])
    assert bags.index is bags.index
    assert bags.offsets is bags.offsets


def test_other_integer_types_become_int64():
    assert (
        Segments(torch.tensor([2, 1], dtype=torch.int32)).lengths.dtype == torch.int64
    )


def test_lengths_are_not_changed():
    lengths = torch.tensor([2, 1])
    Segments(lengths).max(torch.randn(3))
    assert lengths.tolist() == [2, 1]


def test_pickle_keeps_the_bags():
    bags = Segments([2, 1])
    values = torch.tensor([1.0, 2.0, 3.0])
    copy = pickle.loads(pickle.dumps(bags))
    assert torch.equal(copy.sum(values), bags.sum(values))


def test_to_another_device_moves_everything_that_was_made():
    bags = Segments([2, 1])
    bags.index, bags.offsets  # noqa: B018
    moved = bags.to("meta")
    assert moved is not bags
    assert type(moved) is Segments
    devices = {moved.lengths.device.type, moved.index.device.type}
    assert devices == {"meta"}
    assert (moved.n_values, moved.longest) == (3, 2)


def test_to_the_same_device_is_the_same():
    bags = Segments([2, 1])
    assert bags.to("cpu") is bags


# -- wrong values ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [*REDUCTIONS, "argmax", "to_padded"])
@pytest.mark.parametrize("n_rows", [2, 4])
def test_values_of_other_bags_are_refused(name, n_rows):
    with pytest.raises(ValueError, match=r"one row an instance \(3 in 2 bags\)"):
        getattr(Segments([2, 1]), name)(torch.zeros(n_rows))


def test_a_scalar_is_refused():
    with pytest.raises(ValueError, match=r"got shape \(\)"):
        Segments([1]).sum(torch.tensor(1.0))


def test_weights_of_other_bags_are_refused():
    with pytest.raises(ValueError, match="one row an instance"):
        Segments([2, 1]).weighted_sum(torch.zeros(3, 2), torch.zeros(2))


def test_rows_of_other_bags_are_not_broadcast():
    with pytest.raises(ValueError, match=r"one row a bag \(2\)"):
        Segments([2, 1]).broadcast(torch.zeros(3))


# -- reductions ------------------------------------------------------------------------


@layouts
@reductions
@pytest.mark.parametrize("shape", [(), (1,), (3,), (20,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_a_loop_over_bags(name, lengths, shape, dtype):
    values = torch.randn(sum(lengths), *shape, dtype=dtype)
    found = getattr(Segments(lengths), name)(values)
    expected = reference(name, values, lengths)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected)
    if name == "max":
        assert torch.equal(found, expected)


@layouts
@reductions
@pytest.mark.parametrize("shape", [(), (3,)])
def test_gradients(name, lengths, shape):
    values = torch.randn(sum(lengths), *shape, dtype=torch.float64, requires_grad=True)
    assert gradcheck(getattr(Segments(lengths), name), values)


@layouts
@pytest.mark.parametrize("name", ["sum", "mean", "softmax", "logsumexp"])
def test_second_gradients(name, lengths):
    values = torch.randn(sum(lengths), dtype=torch.float64, requires_grad=True)
    bags = Segments(lengths)
    assert torch.autograd.gradgradcheck(getattr(bags, name), values)


@layouts
@pytest.mark.parametrize("shape", [(), (3,)])
def test_weighted_sum(lengths, shape):
    n = sum(lengths)
    values = torch.randn(n, *shape, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(n, dtype=torch.float64, requires_grad=True)
    bags = Segments(lengths)
    product = values * weights.reshape(n, *[1] * len(shape))
    torch.testing.assert_close(
        bags.weighted_sum(values, weights), reference("sum", product, lengths)
    )
    assert gradcheck(bags.weighted_sum, (values, weights))


@layouts
def test_broadcast_and_sum_are_adjoint(lengths):
    bags = Segments(lengths)
    values = torch.randn(sum(lengths), 3, dtype=torch.float64)
    rows = torch.randn(len(lengths), 3, dtype=torch.float64, requires_grad=True)
    left, right = (bags.broadcast(rows) * values).sum(), (rows * bags.sum(values)).sum()
    torch.testing.assert_close(left, right)
    assert gradcheck(bags.broadcast, rows)


@pytest.mark.parametrize("shape", [(), (20,)])
def test_ties_share_the_gradient_of_the_maximum(shape):
    values = torch.ones(5, *shape, requires_grad=True)
    Segments([2, 3]).max(values).sum().backward()
    shares = torch.tensor([1 / 2] * 2 + [1 / 3] * 3)
    torch.testing.assert_close(
        values.grad, shares.reshape(5, *[1] * len(shape)).expand_as(values)
    )


@layouts
def test_argmax_is_the_first_of_equals(lengths):
    values = torch.randint(0, 2, (sum(lengths), 4)).float()
    found = Segments(lengths).argmax(values)
    starts = torch.tensor([0, *lengths[:-1]]).cumsum(0)
    expected = [
        bag.argmax(0) + start
        for bag, start in zip(values.split(lengths), starts, strict=True)
    ]
    # torch.argmax promises no order among equals, so look at what comes before.
    for bag, (start, row) in enumerate(zip(starts, found, strict=True)):
        for column, place in enumerate(row):
            earlier = values[start:place, column]
            assert values[place, column] == values[expected[bag][column], column]
            assert (earlier < values[place, column]).all()


@pytest.mark.parametrize("scale", [1e4, 1e30])
@layouts
def test_large_values_stay_finite(lengths, scale):
    values = (scale * torch.randn(sum(lengths))).requires_grad_()
    bags = Segments(lengths)
    weights, level = bags.softmax(values), bags.logsumexp(values)
    assert torch.isfinite(weights).all()
    assert torch.isfinite(level).all()
    (weights.square().sum() + level.sum()).backward()
    assert torch.isfinite(values.grad).all()


@layouts
def test_infinities(lengths):
    """As torch does bag by bag: none, all, or some at minus infinity."""
    values = torch.randn(sum(lengths))
    bags = Segments(lengths)
    values[: lengths[0]] = -torch.inf
    values[-1] = -torch.inf
    for name in ("max", "logsumexp"):
        found = getattr(bags, name)(values)
        torch.testing.assert_close(found, reference(name, values, lengths))
    torch.testing.assert_close(
        bags.softmax(values), reference("softmax", values, lengths), equal_nan=True
    )
    values[0] = torch.inf
    assert bags.logsumexp(values)[0] == torch.inf


@pytest.mark.parametrize("shape", [(), (20,)])
def test_nan_stays_in_its_bag(shape):
    values = torch.randn(6, *shape)
    values[1] = torch.nan
    bags = Segments([2, 3, 1])
    for name in ("sum", "mean", "max", "logsumexp"):
        found = getattr(bags, name)(values)
        assert found[0].isnan().all()
        assert not found[1:].isnan().any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@layouts
@reductions
def test_half_precision_is_summed_in_single(name, lengths, dtype):
    values = torch.randn(sum(lengths), 3).to(dtype)
    found = getattr(Segments(lengths), name)(values)
    expected = reference(name, values.float(), lengths).to(dtype)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected)


def test_half_precision_counts_beyond_its_digits():
    ones = torch.ones(5000, dtype=torch.bfloat16)
    assert Segments([4096, 904]).sum(ones).tolist() == [4096, 904]


# -- top k -----------------------------------------------------------------------------


@layouts
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
@pytest.mark.parametrize("k", [1, 2, 100])
def test_topk_agrees_with_a_loop(lengths, shape, k):
    values = torch.randn(sum(lengths), *shape)
    top = Segments(lengths).topk(values, k)
    expected = [bag.topk(min(k, len(bag)), 0).values for bag in values.split(lengths)]
    assert torch.equal(top.values, torch.cat(expected))
    assert torch.equal(values.gather(0, top.indices), top.values)
    assert top.segments.lengths.tolist() == [min(k, length) for length in lengths]


def test_topk_takes_a_number_for_each_bag():
    top = Segments([3, 2]).topk(torch.arange(5.0), torch.tensor([2, 1]))
    assert top.values.tolist() == [2, 1, 4]


@pytest.mark.parametrize("shape", [(), (3,)])
def test_gradient_of_topk(shape):
    values = torch.randn(9, *shape, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v: Segments([4, 1, 4]).topk(v, 2).values, values)


def test_topk_of_minus_infinity_stays_in_the_bag():
    values = torch.tensor([-torch.inf, -torch.inf, 1.0])
    assert Segments([2, 1]).topk(values, 2).indices.sort().values.tolist() == [0, 1, 2]


@pytest.mark.parametrize("k", [0, -1, 1.5, torch.tensor([1, 0])])
def test_topk_refuses_a_k_below_one(k):
    with pytest.raises(ValueError, match="k must be a positive integer"):
        Segments([2, 1]).topk(torch.zeros(3), k)


# -- padding ---------------------------------------------------------------------------


@layouts
@pytest.mark.parametrize("shape", [(), (3,)])
def test_padding_and_mask_undo_each_other(lengths, shape):
    values = torch.randn(sum(lengths), *shape, dtype=torch.float64, requires_grad=True)
    bags = Segments(lengths)
    padded, mask = bags.to_padded(values, fill=-7.0)
    assert padded.shape == (len(lengths), max(lengths), *shape)
    assert mask.sum(1).tolist() == lengths
    assert torch.equal(padded[mask], values)
    assert (padded[~mask] == -7.0).all()
    assert gradcheck(lambda v: bags.to_padded(v)[0], values)


# -- the kernels behind the sizes ------------------------------------------------------


def large_bags():
    """Bags large enough for the kernels of large inputs."""
    return Segments(torch.tensor([1, 700, 3000, 2, 1000]))


def test_maximum_of_many_wide_rows_takes_the_scattering_kernel():
    bags = large_bags()
    values = torch.randn(bags.n_values, 16, requires_grad=True)
    assert values.numel() >= ops._FEW
    assert values.shape[1] > ops._NARROW
    top = bags.max(values)
    assert torch.equal(top, reference("max", values, bags.lengths.tolist()))
    top.square().sum().backward()
    expected = torch.zeros_like(values).scatter(0, bags.argmax(values), 2 * top)
    assert torch.equal(values.grad, expected.detach())


def test_ties_of_many_wide_rows_share_the_gradient():
    bags = large_bags()
    values = torch.randint(0, 3, (bags.n_values, 16)).float().requires_grad_()
    (grad,) = torch.autograd.grad(bags.max(values).sum(), values)
    copy = values.detach().requires_grad_()
    parts = copy.split(bags.lengths.tolist())
    (expected,) = torch.autograd.grad(sum(p.amax(0).sum() for p in parts), copy)
    torch.testing.assert_close(grad, expected)


def test_weighted_sum_of_many_wide_rows_takes_the_lookup_kernel():
    bags = large_bags()
    n, width = bags.n_values, ops._MANY // bags.n_values + 1
    values = torch.randn(n, width, requires_grad=True)
    weights = torch.randn(n, requires_grad=True)
    pooled = bags.weighted_sum(values, weights)
    expected = bags.sum(values * weights.unsqueeze(1))
    torch.testing.assert_close(pooled, expected, rtol=1e-5, atol=1e-4)
    seed = torch.randn_like(pooled)
    found = torch.autograd.grad(pooled, (values, weights), seed)
    wanted = torch.autograd.grad(expected, (values, weights), seed)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("trained", [0, 1])
def test_weighted_sum_with_one_factor_frozen(trained):
    bags = large_bags()
    factors = [torch.randn(bags.n_values, 64), torch.rand(bags.n_values)]
    factors[trained].requires_grad_()
    bags.weighted_sum(*factors).sum().backward()
    assert factors[trained].grad is not None
    assert factors[1 - trained].grad is None


def test_own_kernels_pass_the_gradient_check():
    lengths = torch.tensor([2, 3])
    index = torch.tensor([0, 0, 1, 1, 1])
    values = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda v: ops._Max.apply(v, index, 2), values)
    assert gradcheck(
        lambda v, w: ops._WeightedSum.apply(v, w, index, lengths), (values, weights)
    )
    assert torch.autograd.gradgradcheck(
        lambda v, w: ops._WeightedSum.apply(v, w, index, lengths), (values, weights)
    )


def test_transforms_of_functions_go_through():
    bags = large_bags()
    values, weights = torch.randn(bags.n_values, 64), torch.rand(bags.n_values)

    def energy(values, weights):
        pooled = bags.weighted_sum(values, weights)
        return pooled.square().sum() + bags.max(values).sum()

    found = torch.func.grad(energy)(values, weights)
    leaf = values.clone().requires_grad_()
    (expected,) = torch.autograd.grad(energy(leaf, weights), leaf)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_results_repeat_bit_for_bit(name):
    bags = large_bags()
    values = torch.randn(bags.n_values, 16)
    first, second = (getattr(bags, name)(values) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("width", [1, 16])
def test_cuda_agrees_with_the_cpu_and_repeats(name, width):
    bags = large_bags()
    values = torch.randn(bags.n_values, width, requires_grad=True)
    there, moved = bags.to("cuda"), values.detach().cuda().requires_grad_()
    found, expected = getattr(there, name)(moved), getattr(bags, name)(values)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)
    seed = torch.randn_like(expected)
    expected.backward(seed)
    grads = [
        torch.autograd.grad(getattr(there, name)(moved), moved, seed.cuda())[0]
        for _ in range(2)
    ]
    torch.testing.assert_close(grads[0].cpu(), values.grad, rtol=1e-4, atol=1e-4)
    assert torch.equal(*grads)
