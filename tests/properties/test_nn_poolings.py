"""Properties of every built-in pooling: order, companions, duplicates."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn.nn.poolings import (
    AttentionPooling,
    GatedAttentionPooling,
    MaxPooling,
    MeanPooling,
)
from mlmi_sklearn.nn.segments import Segments

POOLINGS = [MaxPooling, MeanPooling, AttentionPooling, GatedAttentionPooling]
TOLERANCES = [(torch.float32, 1e-5), (torch.float64, 1e-12)]
poolings = pytest.mark.parametrize("Pooling", POOLINGS)
precisions = pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
lengths_ = st.lists(st.integers(1, 9), min_size=1, max_size=6)
seeds = st.integers(0, 2**32)


def setting(Pooling, lengths, width, seed, dtype):
    """A pooling with random weights and bags for it, some values tied."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pool = Pooling(width).to(dtype)
        values = torch.randn(sum(lengths), width, dtype=dtype)
        return pool, (values * 4).round() / 4


def close(found, expected, tolerance):
    """Equal but for rounding."""
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


@poolings
@precisions
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_order_does_not_matter(Pooling, dtype, tolerance, lengths, width, seed):
    pool, values = setting(Pooling, lengths, width, seed, dtype)
    bags = Segments(lengths)
    # Instances in reverse, bag by bag.
    order = torch.cat(
        [part.flip(0) for part in torch.arange(len(values)).split(lengths)]
    )
    pooled, weights = pool(values, bags)
    again, moved = pool(values[order], bags)
    close(again, pooled, tolerance)
    close(moved, weights[order], tolerance)


@poolings
@precisions
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_companions_do_not_matter(Pooling, dtype, tolerance, lengths, width, seed):
    pool, values = setting(Pooling, lengths, width, seed, dtype)
    pooled, weights = pool(values, Segments(lengths))
    start = 0
    for row, length in enumerate(lengths):
        part = slice(start, start + length)
        alone, its_weights = pool(values[part], Segments([length]))
        close(alone[0], pooled[row], tolerance)
        close(its_weights, weights[part], tolerance)
        start += length


@poolings
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_a_bag_with_every_instance_twice_is_the_same_bag(Pooling, lengths, width, seed):
    pool, values = setting(Pooling, lengths, width, seed, torch.float64)
    pooled, weights = pool(values, Segments(lengths))
    twice, halves = pool(
        values.repeat_interleave(2, 0), Segments([2 * n for n in lengths])
    )
    close(twice, pooled, 1e-12)
    close(halves[::2] + halves[1::2], weights, 1e-12)


@poolings
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_weights_sum_to_one_and_the_result_stays_inside_the_bag(
    Pooling, lengths, width, seed
):
    pool, values = setting(Pooling, lengths, width, seed, torch.float64)
    bags = Segments(lengths)
    pooled, weights = pool(values, bags)
    close(bags.sum(weights), torch.ones(len(lengths), dtype=torch.float64), 1e-12)
    assert (pooled <= bags.max(values) + 1e-12).all()
    assert (pooled >= -bags.max(-values) - 1e-12).all()


@given(lengths=lengths_, seed=seeds)
def test_the_maximum_of_scores_is_exact(lengths, seed):
    pool, _ = setting(MaxPooling, lengths, 1, seed, torch.float32)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(sum(lengths), 1, generator=generator)
    pooled, _ = pool(scores, Segments(lengths))
    expected = [max(part) for part in scores.split(lengths)]
    assert torch.equal(pooled, torch.stack(expected))
