"""What the kit says to the author of a faulty part: what came, where, what to do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.generators import Generator
from mlmi_sklearn.nn.losses import MSE
from mlmi_sklearn.nn.tasks import MetaMethod


class Unreduced:
    def discriminator(self, real, fake):
        return fake - real

    def generator(self, fake):
        return -fake


class NoMethods:
    pass


class NoFake:
    def discriminator(self, real):
        return -real.mean()

    def generator(self, fake):
        return -fake.mean()


class Constant:
    def discriminator(self, real, fake):
        return torch.tensor(1.0)

    def generator(self, fake):
        return torch.tensor(1.0)


class OneArgument:
    def __call__(self, batch):
        return batch


class Shift:
    def __call__(self, batch, generator):
        return batch + torch.randn(len(batch), 1, 1, 1, generator=generator)


class TwoArguments(nn.Module):
    def __init__(self, latent_dim, output_shape):
        super().__init__()


class Ignores(Generator):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.layer = nn.Linear(self.latent_dim, *self.output_shape)

    def generate(self, code, noise, maps):
        return self.layer(code[:, : self.latent_dim])


class Often(MetaMethod):
    def changes(self, name):
        return "often"


class OneColumn:
    link = "softmax"

    def __call__(self, raw, target):
        return nn.functional.cross_entropy(raw, target, reduction="none")


class Paired(nn.Module):
    adversarial = False

    def __init__(self, in_features):
        super().__init__()

    def forward(self, zs, zt):
        return (zs - zt).square().mean()


class ThreeChannels(nn.Module):
    def __init__(self, input_shape):
        super().__init__()
        self.out_features, self.layer = 3, nn.Conv2d(3, 3, 3)

    def forward(self, x):
        return self.layer(x).mean((2, 3))


SAID = [
    (
        "adversarial-loss",
        Unreduced,
        {},
        "check_opponents",
        "discriminator returned a tensor of shape (6, 1). Return the mean over the",
    ),
    (
        "adversarial-loss",
        NoMethods,
        {},
        "check_opponents",
        "it has no method 'discriminator'. Define discriminator(self, real, fake).",
    ),
    (
        "adversarial-loss",
        NoFake,
        {},
        "check_scalars",
        "discriminator(real, fake) raised TypeError: NoFake.discriminator() takes 2",
    ),
    (
        "adversarial-loss",
        Constant,
        {},
        "check_opponents",
        "discriminator has no gradient. Compute it of the scores, without detach()",
    ),
    (
        "augmentation",
        OneArgument,
        {},
        "check_batch_is_kept",
        "hookspecs says what is called with what.",
    ),
    (
        "augmentation",
        Shift,
        {"input": "picture"},
        "check_batch_is_kept",
        "its tag input is 'picture'. Say one or several of ['vector', 'image',",
    ),
    (
        "generator",
        TwoArguments,
        {},
        "check_output_shapes",
        "TwoArguments.__init__() takes 3 positional arguments but 5 were given",
    ),
    (
        "generator",
        Ignores,
        {},
        "check_conditions_count",
        "some columns or channels of vector have no influence for output_shape=(6,), "
        "vector_size=3, map_channels=0. Use vector in forward",
    ),
    (
        "meta-method",
        Often,
        {},
        "check_changes",
        "changes('backbone.0.weight') is 'often'. Return True or False.",
    ),
    (
        "loss",
        OneColumn,
        {"task": "classification"},
        "check_direction",
        "scores of shape (2, 1) and codes of classes of (2,) raised IndexError: Target "
        "1 is out of bounds (test_messages.py, line 75). With one column, the column "
        "is the logit of class 1.",
    ),
    (
        "loss",
        MSE,
        {"task": "regresion"},
        "check_direction",
        "its tag task is 'regresion'. Say one or several of ['classification',",
    ),
    (
        "divergence",
        Paired,
        {},
        "check_scalar",
        "16 and 5 rows raised RuntimeError: The size of tensor a (16) must match",
    ),
    (
        "backbone",
        ThreeChannels,
        {"input": "image"},
        "check_shapes",
        "built for samples of shape (1, 16, 16), a batch of shape (1, 1, 16, 16) "
        "raised RuntimeError: Given groups=1",
    ),
    (
        "backbone",
        ThreeChannels,
        {"input": "picture"},
        "check_shapes",
        "its tag input is 'picture'. Say one or several of ['vector', 'image', "
        "'volume', 'sequence'].",
    ),
]


@pytest.mark.parametrize(
    ("kind", "factory", "tags", "check", "text"),
    SAID,
    ids=[
        f"{kind}-{factory.__name__}-{i}" for i, (kind, factory, *_) in enumerate(SAID)
    ],
)
def test_messages(failures, kind, factory, tags, check, text):
    said = failures(kind, factory, tags=tags)
    assert text in said[check]
    assert said[check].startswith(f"{kind} 'toy' of 'user' fails {check}: ")
    assert "(Rule: " in said[check]


def test_an_input_shape_of_the_example_needs_no_tag(failures):
    example = {"input_shape": (3, 16, 16)}
    said = failures("backbone", ThreeChannels, tags={"input": "scan"}, example=example)
    assert "check_shapes" not in said


def test_a_check_that_exits_is_a_failure(failures):
    class Leaves(MSE):
        def __call__(self, raw, target):
            raise SystemExit(3)

    said = failures("loss", Leaves, tags={"task": "regression"})
    assert "it raised SystemExit: 3 (test_messages.py, line " in said["check_direction"]
