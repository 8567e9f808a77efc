"""Properties of `Segments` for any bags: against a loop, and under reordering."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn.nn.segments import Segments

NAMES = ["sum", "mean", "max", "logsumexp"]


@st.composite
def ragged(draw, max_width=6, levels=None):
    """Lengths and values; few `levels` of values make ties."""
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=8))
    width = draw(st.integers(0, max_width))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    shape = (sum(lengths), width) if width else (sum(lengths),)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    if levels is not None:
        values = (values * levels).round()
    return lengths, values


def permutation_within(lengths, seed):
    """Rows of all bags, shuffled inside each bag."""
    generator = torch.Generator().manual_seed(seed)
    orders, start = [], 0
    for length in lengths:
        orders.append(start + torch.randperm(length, generator=generator))
        start += length
    return torch.cat(orders)


def close(found, expected):
    """Equal but for rounding."""
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@given(ragged())
def test_reductions_agree_with_a_loop(bags):
    lengths, values = bags
    segments, parts = Segments(lengths), values.split(lengths)
    close(segments.sum(values), torch.stack([p.sum(0) for p in parts]))
    close(segments.mean(values), torch.stack([p.mean(0) for p in parts]))
    close(segments.logsumexp(values), torch.stack([p.logsumexp(0) for p in parts]))
    close(segments.softmax(values), torch.cat([p.softmax(0) for p in parts]))


@given(ragged(levels=2))
def test_the_maximum_is_the_largest_element_bit_for_bit(bags):
    lengths, values = bags
    found = Segments(lengths).max(values.float())
    expected = torch.stack([p.amax(0) for p in values.float().split(lengths)])
    assert torch.equal(found, expected)


@given(ragged(levels=2))
def test_argmax_points_at_the_maximum(bags):
    lengths, values = bags
    segments = Segments(lengths)
    rows = segments.argmax(values)
    assert torch.equal(values.gather(0, rows), segments.max(values))
    owners = segments.index[rows]
    expected = torch.arange(len(lengths)).reshape(-1, *[1] * (rows.ndim - 1))
    assert torch.equal(owners, expected.expand_as(rows))


@given(ragged(), st.integers(0, 2**32))
def test_the_order_of_instances_does_not_matter(bags, seed):
    lengths, values = bags
    order = permutation_within(lengths, seed)
    segments = Segments(lengths)
    for name in NAMES:
        reduce = getattr(segments, name)
        close(reduce(values[order]), reduce(values))
    close(segments.softmax(values[order]), segments.softmax(values)[order])


@given(ragged(levels=1), st.integers(0, 2**32))
def test_gradients_follow_the_instances(bags, seed):
    """Ties included: a gradient that prefers the first of equals would not."""
    lengths, values = bags
    order, segments = permutation_within(lengths, seed), Segments(lengths)
    for name in NAMES:
        grads = []
        for rows in (values, values[order]):
            leaf = rows.clone().requires_grad_()
            out = getattr(segments, name)(leaf)
            weights = torch.arange(1.0, out.numel() + 1, dtype=out.dtype)
            (grad,) = torch.autograd.grad((out.flatten() * weights).sum(), leaf)
            grads.append(grad)
        close(grads[1], grads[0][order])


@given(ragged())
def test_bags_do_not_see_each_other(bags):
    lengths, values = bags
    segments = Segments(lengths)
    for name in NAMES:
        whole = getattr(segments, name)(values)
        for row, part in zip(whole, values.split(lengths), strict=True):
            close(row, getattr(Segments([len(part)]), name)(part)[0])


@given(ragged(levels=2))
def test_an_added_instance_never_lowers_the_maximum(bags):
    lengths, values = bags
    parts = values.split(lengths)
    grown = torch.cat([torch.cat((p, p.flip(0)[:1] - 1)) for p in parts])
    longer = Segments([length + 1 for length in lengths]).max(grown)
    assert (longer >= Segments(lengths).max(values)).all()


@given(ragged(), st.integers(1, 9))
def test_topk_agrees_with_a_loop(bags, k):
    lengths, values = bags
    top = Segments(lengths).topk(values, k)
    expected = [p.sort(0, descending=True).values[:k] for p in values.split(lengths)]
    assert torch.equal(top.values, torch.cat(expected))
    assert torch.equal(top.values, values.gather(0, top.indices))


@given(ragged())
def test_padding_comes_back(bags):
    lengths, values = bags
    padded, mask = Segments(lengths).to_padded(values, fill=99.0)
    assert torch.equal(padded[mask], values)
    assert padded.shape[:2] == mask.shape == (len(lengths), max(lengths))


@given(ragged(max_width=0))
def test_weights_that_sum_to_one_keep_a_constant(bags):
    lengths, logits = bags
    segments = Segments(lengths)
    rows = torch.arange(2.0 * len(lengths), dtype=torch.float64).reshape(-1, 2)
    weights = segments.softmax(logits)
    close(segments.weighted_sum(segments.broadcast(rows), weights), rows)


@given(ragged(max_width=3), st.floats(-1e3, 1e3))
def test_shifts_of_logits(bags, shift):
    lengths, values = bags
    segments = Segments(lengths)
    torch.testing.assert_close(
        segments.logsumexp(values + shift),
        segments.logsumexp(values) + shift,
        rtol=1e-9,
        atol=1e-9,
    )
    torch.testing.assert_close(
        segments.softmax(values + shift), segments.softmax(values), rtol=1e-9, atol=1e-9
    )
