"""What is asked of a pooling before it is trained."""

import re
from functools import partial

import pytest
import torch
from torch import nn

from mlmi_sklearn.base import Part
from mlmi_sklearn.mil.parts import build_pooling, fields_used, name_of
from mlmi_sklearn.nn.segments import Segments

CONTRACT = (
    "A pooling is made by a registered name or a callable (in_features, **params) and "
    "maps (values of shape (n_instances, in_features), segments) to (pooled, weights); "
    "it has the attributes out_features and weighted_mean."
)


class Sums(nn.Module):
    """Doubles the width; notes what it is tried on."""

    weighted_mean = False
    uses = frozenset({"coords"})

    def __init__(self, in_features, dtype=torch.float64, n_outputs=None):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1, dtype=dtype))
        self.out_features, self.n_outputs = 2 * in_features, n_outputs
        self.seen = []

    def forward(self, values, segments, coords):
        pooled = segments.sum(values)
        self.seen.append((values, segments.lengths.tolist(), coords, self.training))
        self.recorded = torch.is_grad_enabled()
        return torch.cat([pooled, pooled], 1), values[:, 0]


def pooling(made, **params):
    return Part("pooling", made, params)


class SumsInMode:
    """Makes such a pooling, of one type of numbers and in one mode."""

    uses = Sums.uses

    def __init__(self, dtype, training):
        self.dtype, self.training = dtype, training

    def __call__(self, in_features):
        return Sums(in_features, self.dtype).train(self.training)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [True, False])
def test_a_pooling_of_the_user_is_tried_on_two_small_bags(dtype, training):
    made = build_pooling(pooling(SumsInMode(dtype, training)), 4)
    ((values, lengths, coords, trained),) = made.seen
    assert values.shape == (3, 4)
    assert values.dtype == coords.dtype == dtype
    assert lengths == [2, 1]
    assert coords.shape == (3, 2)
    assert not trained
    assert not made.recorded
    assert made.training is training  # left in the mode it came in


def test_a_pooling_that_breaks_is_left_in_its_mode():
    class Breaks(Sums):
        def forward(self, values, segments, coords):
            Breaks.last = self
            raise RuntimeError("no such thing")

    message = (
        "pooling=Breaks cannot pool values of shape (3, 4): no such thing. " + CONTRACT
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build_pooling(pooling(Breaks), 4)
    assert Breaks.last.training


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (lambda v: (v[:2], v[:, 0]), [(2, 4), (3,)]),
        (lambda v: (torch.cat([v, v], 1)[:2], v[:, :1]), [(2, 8), (3, 1)]),
        (lambda v: (torch.cat([v, v], 1)[:2], v[:2, 0]), [(2, 8), (2,)]),
        (lambda v: (torch.cat([v, v], 1)[:2],), [(2, 8)]),
        (lambda v: [torch.cat([v, v], 1)[:2], v[:, 0]], [(2, 8), (3,)]),
        (lambda v: (torch.cat([v, v], 1)[:2], None), [(2, 8)]),
    ],
)
def test_shapes_of_a_pooling_are_checked(output, found):
    class Odd(Sums):
        def forward(self, values, segments, coords):
            return output(values)

    message = (
        "pooling=Odd must return (pooled, weights) of shapes [(2, 8), (3,)] for two "
        f"bags of two and one instances, got {found}. {CONTRACT}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build_pooling(pooling(Odd), 4)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda w: "max", "pooling built a str, not an nn.Module. " + CONTRACT),
        (
            nn.Identity,
            "pooling=Identity has no attribute out_features and no weighted_mean. "
            + CONTRACT,
        ),
        (
            lambda w: nn.LazyLinear(w),
            "pooling=LazyLinear has no attribute weighted_mean. " + CONTRACT,
        ),
        (
            lambda w: Sums(w),
            "pooling=Sums has another attribute uses than what builds it. Set it on "
            "the class, or on the function that makes the module, too.",
        ),
    ],
)
def test_what_is_no_pooling_is_told_why(made, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        build_pooling(pooling(made), 4)


def test_the_number_of_scores_is_one_more_parameter():
    part = pooling(Sums, dtype=torch.float32)
    assert build_pooling(part, 3).n_outputs is None
    made = build_pooling(part, 3, 5)
    assert (made.n_outputs, made.out_features) == (5, 6)
    assert made.factor.dtype == torch.float32
    assert part.params == {"dtype": torch.float32}


def test_registered_poolings_are_not_tried():
    made = build_pooling(pooling("attention"), 4)
    pooled, weights = made(torch.randn(3, 4), Segments([2, 1]))
    assert pooled.shape == (2, 4)
    assert weights.shape == (3,)


def test_what_a_pooling_uses_is_asked_of_what_makes_it():
    assert fields_used(pooling(Sums)) == {"coords"}
    assert fields_used(pooling(partial(partial(Sums), dtype=None))) == {"coords"}
    assert fields_used(pooling(lambda w: Sums(w))) == frozenset()
    assert fields_used(pooling("mean")) == frozenset()

    class Odd(Sums):
        uses = ("colour", "coords", "age")

    message = (
        "pooling='Odd' names ['age', 'colour'] in its attribute uses, where only "
        "coords can stand."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fields_used(pooling(Odd))


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ("mean", "mean"),
        ("mlmi-sklearn:mean", "mean"),
        (Sums, "Sums"),
        (partial(Sums, dtype=None), "Sums"),
        (SumsInMode(None, True), "SumsInMode"),
    ],
)
def test_poolings_are_named_in_messages(made, name):
    assert name_of(pooling(made)) == name
