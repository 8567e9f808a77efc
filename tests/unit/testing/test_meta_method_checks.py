"""Methods of meta-learning, and second derivatives of backbones, sound and faulty."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.tasks import MetaMethod


def name_of(value):
    return getattr(value, "__name__", None)


@dataclass(frozen=True)
class BiasOnly(MetaMethod):
    """A sound method that decides by itself."""

    def changes(self, name):
        return name.endswith("bias")


class NoMethod:
    changes = MetaMethod.changes


class Unequal(MetaMethod):
    __hash__ = None

    def __eq__(self, other):
        return self is other


class Vague(MetaMethod):
    def changes(self, name):
        return name.count("head")


class Idle(MetaMethod):
    def changes(self, name):
        return name.startswith("body.")


class ForgetsInPickle(MetaMethod):
    def __reduce__(self):
        return MetaMethod, ("head",)


calls = []


class Moody(MetaMethod):
    """Changes something else in every other model."""

    def changes(self, name):
        calls.append(name)
        return name.startswith("head.") or len(calls) % 5 == 0


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (NoMethod, "check_is_a_method", "returned a NoMethod"),
        (Unequal, "check_is_a_method", "which are not equal"),
        (Vague, "check_changes", "changes('backbone.0.weight') is 0"),
        (Idle, "check_changes", "it changes none of"),
        (ForgetsInPickle, "check_pickle_of_method", "after pickling"),
        (Moody, "check_episode", "at once and one by one differ"),
    ],
    ids=name_of,
)
def test_faulty_methods(failures, factory, check, words):
    found = failures("meta-method", factory)
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [MetaMethod, BiasOnly], ids=name_of)
def test_sound_methods(failures, factory):
    assert failures("meta-method", factory) == {}
    assert failures("meta-method", factory, example={"second_order": False}) == {}


# -- backbones -------------------------------------------------------------------------


class Square(torch.autograd.Function):
    """A square whose first derivative is right and whose second is zero."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * slope.detach()


class Backbone(nn.Module):
    def __init__(self, input_shape):
        super().__init__()
        self.out_features = 5
        self.layer = nn.Linear(input_shape[0], 5)

    def forward(self, x):
        z = self.layer(x)
        return z + z * z


class WrongInVmap(Backbone):
    def forward(self, x):
        z = self.layer(x)
        batched = torch._C._functorch.is_batchedtensor(z)
        return z + (Square.apply(z) if batched else z * z)


class NotForVmap(Backbone):
    def forward(self, x):
        z = self.layer(x)
        if float(z.detach().sum()) > 1e9:  # a number of the host: vmap has none
            return z
        return z + z * z


class Normalised(Backbone):
    def __init__(self, input_shape):
        super().__init__(input_shape)
        self.norm = nn.BatchNorm1d(5)

    def forward(self, x):
        return self.norm(super().forward(x))


def test_a_wrong_second_derivative_is_caught(failures):
    found = failures("backbone", WrongInVmap)
    assert list(found) == ["check_second_derivatives"]
    assert (
        "second-order gradient of 'layer.weight'" in found["check_second_derivatives"]
    )


@pytest.mark.parametrize("factory", [Backbone, NotForVmap, Normalised], ids=name_of)
def test_sound_backbones(failures, factory):
    assert failures("backbone", factory) == {}
