"""Generators, sound and faulty, under the conformance kit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mlmi_sklearn.nn.generators import ConvGenerator, Generator, MLPGenerator


def name_of(value):
    return getattr(value, "__name__", None)


class Affine(Generator):
    """A sound generator that derives from the base class."""

    def __init__(self, latent_dim, output_shape, vector_size=0, map_channels=0):
        super().__init__(latent_dim, output_shape, vector_size, map_channels)
        self.layer = nn.Linear(self.code_size, self.output_shape[0])

    def generate(self, code, noise, maps):
        return self.layer(code)


class Apart(nn.Module):
    """A sound generator that does not."""

    noise_features = 2

    def __init__(self, latent_dim, output_shape, vector_size, map_channels):
        super().__init__()
        self.sizes = latent_dim + 2, vector_size
        self.layer = nn.Linear(sum(self.sizes), output_shape[0])

    def forward(self, z, vector=None, maps=None):
        if z.ndim != 2 or z.shape[1] != self.sizes[0]:
            raise ValueError("z has another shape than that.")
        if self.sizes[1]:
            if vector is None or vector.shape != (len(z), self.sizes[1]):
                raise ValueError("vector has another shape than that.")
            z = torch.cat([z, vector], 1)
        return self.layer(z)


class Flat(Affine):
    def generate(self, code, noise, maps):
        return super().generate(code, noise, maps).unsqueeze(1)


class Batchwise(Affine):
    """Statistics of the batch in evaluation mode: the fault of CTGAN."""

    def generate(self, code, noise, maps):
        out = super().generate(code, noise, maps)
        return out - out.mean(0) if len(out) > 1 else out


class Deaf(Affine):
    def generate(self, code, noise, maps):
        code = code.clone()
        code[:, self.latent_dim :] = 0
        return super().generate(code, noise, maps)


class Detached(Affine):
    def generate(self, code, noise, maps):
        return super().generate(code.detach(), noise, maps)


class Rolling(Affine):
    """Chance of its own."""

    def generate(self, code, noise, maps):
        out = super().generate(code, noise, maps)
        return out + torch.randn_like(out)


class Vague(Affine):
    noise_features = 1.5


class Careless(Affine):
    """No check of shapes: torch says something about matrices."""

    def forward(self, z, vector=None, maps=None):
        return self.layer(z if vector is None else torch.cat([z, vector], 1))


class Lenient(Affine):
    """A missing condition is taken for zeros, without a word."""

    def forward(self, z, vector=None, maps=None):
        if self.vector_size and vector is None:
            vector = z.new_zeros(len(z), self.vector_size)
        return super().forward(z, vector, maps)


class Terse(Affine):
    def forward(self, z, vector=None, maps=None):
        try:
            return super().forward(z, vector, maps)
        except ValueError as error:
            raise ValueError("Bad input.") from error


class Dividing(Affine):
    """NaN where all rows are alike."""

    def generate(self, code, noise, maps):
        out = super().generate(code, noise, maps)
        if not (self.training and self.vector_size):
            return out
        return out / code[:, self.latent_dim :].std(0).sum()


class NoModule:
    def __init__(self, *sizes):
        pass


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (Flat, "check_output_shapes", "became (1, 1, 6) for output_shape=(6,)"),
        (Batchwise, "check_rows_are_independent", "depends on the others"),
        (Deaf, "check_conditions_count", "channels of vector have no influence"),
        (Detached, "check_gradients", "no gradient reaches the input"),
        (Rolling, "check_chance_is_in_z", "global generator in evaluation mode"),
        (Vague, "check_output_shapes", "noise_features is 1.5"),
        (Careless, "check_wrong_shapes", "z of shape (5, 5) ends in RuntimeError"),
        (Lenient, "check_wrong_shapes", "vector of None is taken without an error"),
        (Terse, "check_wrong_shapes", "does not name it: Bad input."),
        (Dividing, "check_small_batches", "the output in training mode holds NaN"),
        (NoModule, "check_precision", "returned a NoModule"),
    ],
    ids=name_of,
)
def test_faulty_generators(failures, factory, check, words):
    found = failures("generator", factory, tags={"output": "vector"})
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize("factory", [Affine, Apart, MLPGenerator], ids=name_of)
def test_sound_generators(failures, factory):
    assert failures("generator", factory, tags={"output": "vector"}) == {}
    example = {"latent_dim": 3, "output_shape": (2,)}
    assert failures("generator", factory, example=example) == {}


def test_noise_at_every_scale(failures):
    tags = {"output": ("image", "volume")}
    example = {"noise": True, "channels": 4}
    assert failures("generator", ConvGenerator, tags=tags, example=example) == {}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"output": "picture"}, "its tag output is 'picture'. Say one or several"),
        ({"output": "vector", "maps": "some"}, "its tag maps is 'some'. Say one of"),
    ],
)
def test_tags_that_say_nothing(failures, tags, words):
    found = failures("generator", Affine, tags=tags)
    assert words in found["check_output_shapes"]


def test_a_tag_that_promises_too_much(failures):
    """The generator of vectors has no use for maps."""
    tags = {"output": "image", "maps": "optional"}
    found = failures("generator", MLPGenerator, tags=tags)
    assert "takes a vector as condition, no maps" in found["check_output_shapes"]
