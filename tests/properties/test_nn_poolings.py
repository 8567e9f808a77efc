"""Properties of every built-in pooling: order, companions, bags of one, gradients."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.func import functional_call

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.nn.backbones import MLP
from mlmi_sklearn.nn.losses import CrossEntropy
from mlmi_sklearn.nn.models import BagPredictor
from mlmi_sklearn.nn.segments import Segments

NAMES = [part.name for part in list_components("pooling", builtin=True)]
# Further kinds of one name, which are other functions.
VARIANTS = {
    "top-k share": ("top-k", {"k": 0.4}),
    "low quantile": ("quantile", {"q": 0.3}),
    "learned log-sum-exp": ("log-sum-exp", {"r": 3.0, "learnable": True}),
    "several heads": ("gated-attention", {"heads": 3}),
    "linear transformer": ("transformer", {"kind": "linear", "n_inducing": 3}),
    "dsmil projected": ("dsmil", {"project": True}),
    "clam by class": ("clam", {"branches": "multi"}),
    "count in a range": ("count", {"low": 2, "high": 3}),
    "count up to": ("count", {"low": 0, "high": 2}),
}
POOLINGS = [*NAMES, *VARIANTS]
# Results that lie between the least and the largest value of the bag.
MEANS = ["max", "mean", "log-sum-exp", "learned log-sum-exp", "generalised-mean"]
MEANS += ["top-k", "top-k share", "quantile", "low quantile", "clam", "clam by class"]
MEANS += ["attention", "gated-attention", "several heads"]
# Results that depend on the distribution of instances alone and not on their number.
DISTRIBUTIONS = ["max", "mean", "log-sum-exp", "generalised-mean", "clam", "dsmil"]
DISTRIBUTIONS += ["attention", "gated-attention", "several heads"]
DISTRIBUTIONS += ["transformer", "linear transformer"]
# Poolings of scores for which a higher score never means less.
RISING = ["max", "mean", "noisy-or", "log-sum-exp", "learned log-sum-exp"]
RISING += ["generalised-mean", "top-k", "top-k share", "quantile", "low quantile"]
RISING += ["threshold"]
MONOTONE = [part.name for part in list_components("pooling", monotone=True)]
# A bag that has too few instances is no instance any more.
COUNTING = {"threshold", "count in a range", "count up to"}
TOLERANCES = [(torch.float32, 1e-5), (torch.float64, 1e-10)]

poolings = pytest.mark.parametrize("name", POOLINGS)
precisions = pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
lengths_ = st.lists(st.integers(1, 9), min_size=1, max_size=6)
wide_lengths = st.lists(st.sampled_from([1, 2, 5, 40, 300]), min_size=1, max_size=5)
seeds = st.integers(0, 2**32)
# Each test runs for more than twenty poolings.
few = settings(max_examples=15)


def build(name, width, **more):
    name, params = VARIANTS.get(name, (name, {}))
    return find_component("pooling", name).build(width, **params, **more)


def setting(name, lengths, width, seed, dtype, ties=True):
    """A pooling with random weights and bags for it, some values tied."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pool = build(name, width).to(dtype)
        values = torch.randn(sum(lengths), width, dtype=dtype)
        return pool, (values * 4).round() / 4 if ties else values


def shuffled(lengths, seed):
    """Rows in another order inside each bag."""
    generator = torch.Generator().manual_seed(seed)
    rows, start = [], 0
    for length in lengths:
        rows.append(start + torch.randperm(length, generator=generator))
        start += length
    return torch.cat(rows)


def outputs(pool, values, bags):
    """All that a pooling says: of bags, and of instances."""
    pooled, weights = pool(values, bags)
    of_bags, of_instances = [pooled], [weights]
    if hasattr(pool, "instances"):
        of_instances.append(pool.instances(values, bags))
    if getattr(pool, "owns_head", False):
        raw, scores, weights = pool.score(values, bags)
        of_bags.append(raw)
        of_instances += [scores, weights]
    return of_bags, of_instances


def close(found, expected, tolerance):
    """Equal but for rounding."""
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@poolings
@precisions
@few
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_order_does_not_matter(name, dtype, tolerance, lengths, width, seed):
    pool, values = setting(name, lengths, width, seed, dtype)
    bags, order = Segments(lengths), shuffled(lengths, seed)
    of_bags, of_instances = outputs(pool, values, bags)
    again, moved = outputs(pool, values[order], bags)
    for found, expected in zip(again, of_bags, strict=True):
        close(found, expected, tolerance)
    for found, expected in zip(moved, of_instances, strict=True):
        close(found, expected[order], tolerance)


@poolings
@precisions
@few
@given(lengths=lengths_ | wide_lengths, width=st.integers(1, 5), seed=seeds)
def test_companions_do_not_matter(name, dtype, tolerance, lengths, width, seed):
    pool, values = setting(name, lengths, width, seed, dtype)
    of_bags, of_instances = outputs(pool, values, Segments(lengths))
    start = 0
    for row, length in enumerate(lengths):
        part = slice(start, start + length)
        alone, inside = outputs(pool, values[part], Segments([length]))
        for found, expected in zip(alone, of_bags, strict=True):
            close(found[0], expected[row], tolerance)
        for found, expected in zip(inside, of_instances, strict=True):
            close(found, expected[part], tolerance)
        start += length


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@few
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_a_bag_with_every_instance_twice_is_the_same_bag(name, lengths, width, seed):
    pool, values = setting(name, lengths, width, seed, torch.float64)
    pooled, weights = pool(values, Segments(lengths))
    twice, halves = pool(
        values.repeat_interleave(2, 0), Segments([2 * n for n in lengths])
    )
    close(twice, pooled, 1e-10)
    close(halves[::2] + halves[1::2], weights, 1e-10)


@poolings
@few
@given(lengths=lengths_ | wide_lengths, width=st.integers(1, 5), seed=seeds)
def test_weights_are_shares(name, lengths, width, seed):
    pool, values = setting(name, lengths, width, seed, torch.float64)
    bags = Segments(lengths)
    pooled, weights = pool(values, bags)
    assert (weights >= 0).all()
    close(bags.sum(weights), torch.ones(len(lengths), dtype=torch.float64), 1e-10)
    if pool.weighted_mean:
        close(bags.sum(weights.unsqueeze(1) * values), pooled, 1e-10)


@pytest.mark.parametrize("name", MEANS)
@few
@given(lengths=lengths_, width=st.integers(1, 5), seed=seeds)
def test_means_stay_inside_the_bag(name, lengths, width, seed):
    pool, values = setting(name, lengths, width, seed, torch.float64)
    bags = Segments(lengths)
    pooled, _ = pool(values, bags)
    assert (pooled <= bags.max(values) + 1e-10).all()
    assert (pooled >= -bags.max(-values) - 1e-10).all()


@poolings
@pytest.mark.parametrize("level", ["instance", "embedding"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@few
@given(n=st.integers(1, 5), seed=seeds)
def test_a_bag_of_one_scores_as_its_instance(name, level, n_outputs, n, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BagPredictor(
            MLP((4,), hidden=(6,)),
            lambda width, **more: build(name, width, **more),
            n_outputs,
            level,
        ).double()
        values = torch.randn(n, 4, dtype=torch.float64)
    bags = SimpleNamespace(values=values, segments=Segments([1] * n))
    assert torch.equal(model.attend(bags), torch.ones(n, dtype=torch.float64))
    if model.pools_scores and name in COUNTING:
        return
    close(model(bags), model.instance_scores(bags), 1e-12)


@poolings
@few
@given(
    lengths=lengths_,
    scale=st.sampled_from([1e-6, 1.0, 1e2]),
    width=st.integers(1, 3),
    seed=seeds,
)
def test_gradients_are_finite(name, lengths, scale, width, seed):
    pool, values = setting(name, lengths, width, seed, torch.float32)
    values = (values * scale).requires_grad_()
    bags = Segments(lengths)
    (of_bags, of_instances), total = outputs(pool, values, bags), 0.0
    for tensor in (*of_bags, *of_instances):
        assert torch.isfinite(tensor).all()
        total = total + tensor.sum()
    total.backward()
    for tensor in (values, *pool.parameters()):
        if tensor.grad is not None:
            assert torch.isfinite(tensor.grad).all()
    assert values.grad is not None


@poolings
@few
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=seeds)
def test_gradients_are_right(name, lengths, seed):
    # Without ties and far from them: there the poolings by rank have corners.
    pool, _ = setting(name, lengths, 2, seed, torch.float64)
    generator = torch.Generator().manual_seed(seed)
    ranks = torch.rand(sum(lengths), 2, generator=generator).argsort(0)
    values = (ranks.double() - 1.3).requires_grad_()
    bags = Segments(lengths)
    assert gradcheck(lambda v: tuple(outputs(pool, v, bags)[0]), values)


@poolings
@few
@given(lengths=lengths_, seed=seeds)
def test_it_can_be_called_with_other_parameters(name, lengths, seed):
    pool, values = setting(name, lengths, 3, seed, torch.float64)
    other, _ = setting(name, lengths, 3, seed + 1, torch.float64)
    bags = Segments(lengths)
    found = functional_call(pool, other.state_dict(), (values, bags))
    for a, b in zip(found, other(values, bags), strict=True):
        assert torch.equal(a, b)


@poolings
def test_a_seed_fixes_it(name):
    results = []
    for _ in range(2):
        pool, values = setting(name, [4, 2], 3, 7, torch.float32)
        results.append(pool(values, Segments([4, 2])))
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_the_monotone_ones_are_tagged():
    assert set(MONOTONE) == {"max", "noisy-or"}


@pytest.mark.parametrize("name", [*MONOTONE, "threshold"])
@few
@given(length=st.integers(1, 12), new=st.floats(-8, 8), seed=seeds)
def test_one_more_instance_never_lowers_the_score(name, length, new, seed):
    pool, values = setting(name, [length], 1, seed, torch.float64, ties=False)
    more = torch.cat((values, values.new_tensor([[new]])))
    before, after = pool(values, Segments([length])), pool(more, Segments([length + 1]))
    assert after[0] >= before[0] - 1e-12


@pytest.mark.parametrize("name", RISING)
@few
@given(lengths=lengths_, seed=seeds, rise=st.floats(1e-3, 5))
def test_a_higher_score_never_lowers_the_result(name, lengths, seed, rise):
    pool, values = setting(name, lengths, 2, seed, torch.float64)
    generator = torch.Generator().manual_seed(seed)
    some = torch.rand(values.shape, generator=generator, dtype=values.dtype) > 0.5
    bags = Segments(lengths)
    assert (pool(values + rise * some, bags)[0] >= pool(values, bags)[0] - 1e-12).all()


@pytest.mark.parametrize("name", ["clam", "clam by class", "dsmil"])
@pytest.mark.parametrize("n_outputs", [1, 2, 4])
@few
@given(lengths=lengths_ | wide_lengths, seed=seeds)
def test_losses_of_poolings_know_no_companions(name, n_outputs, lengths, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pool = build(name, 3, n_outputs=n_outputs).double()
        values = torch.randn(sum(lengths), 3, dtype=torch.float64)
        target = torch.randint(0, max(2, n_outputs), (len(lengths),))
    criterion = CrossEntropy()
    together = pool.auxiliary_loss(values, Segments(lengths), target, criterion)
    assert together.shape == (len(lengths),)
    for row, part in enumerate(values.split(lengths)):
        bag, label = Segments([len(part)]), target[row : row + 1]
        alone = pool.auxiliary_loss(part, bag, label, criterion)
        close(alone[0], together[row], 1e-10)


@few
@given(lengths=lengths_, seed=seeds)
def test_the_maximum_of_scores_is_exact(lengths, seed):
    pool = build("max", 1)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(sum(lengths), 1, generator=generator)
    pooled, _ = pool(scores, Segments(lengths))
    expected = [max(part) for part in scores.split(lengths)]
    assert torch.equal(pooled, torch.stack(expected))
