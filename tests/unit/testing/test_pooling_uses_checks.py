"""Poolings that use places, sound and faulty, under the kit."""

from __future__ import annotations

import pytest
import torch
from torch import nn


class Sound(nn.Module):
    """The mean under weights that fall with the distance from the bag's centre."""

    weighted_mean = True
    uses = frozenset({"coords"})

    def __init__(self, in_features):
        super().__init__()
        self.out_features = in_features
        self.rate = nn.Parameter(torch.ones(1))

    def distance(self, segments, coords):
        centre = segments.broadcast(segments.mean(coords))
        return (coords - centre).square().sum(1)

    def forward(self, values, segments, coords):
        logits = -self.rate * self.distance(segments, coords)
        weights = segments.softmax(logits.to(values.dtype))
        return segments.weighted_sum(values, weights), weights


class InContext(Sound):
    weighted_mean = False

    def instances(self, values, segments, coords):
        return values + self.rate * self.distance(segments, coords).unsqueeze(1)

    def forward(self, values, segments, coords):
        seen = self.instances(values, segments, coords)
        weights = segments.softmax(-self.distance(segments, coords).to(values.dtype))
        return segments.weighted_sum(seen, weights), weights


class Deaf(Sound):
    def distance(self, segments, coords):
        return 0 * coords.sum(1)


class Absolute(Sound):
    """Finite, unless all is in one place."""

    def distance(self, segments, coords):
        apart = super().distance(segments, coords)
        return apart / segments.broadcast(segments.max(apart))


class OfTheBatch(Sound):
    def distance(self, segments, coords):
        return (coords - coords.mean(0)).square().sum(1)


class InPlace(Sound):
    def distance(self, segments, coords):
        apart = super().distance(segments, coords)
        coords += 1
        return apart


class Greedy(Sound):
    uses = frozenset({"coords", "colour"})


class Listed(Sound):
    uses = ("coords",)


def hidden(in_features):
    return Sound(in_features)


@pytest.mark.parametrize("factory", [Sound, InContext])
def test_sound_poolings(failures, factory):
    assert failures("pooling", factory) == {}


@pytest.mark.parametrize(
    ("factory", "check", "words"),
    [
        (Deaf, "check_places_matter", "remove it from uses"),
        (Absolute, "check_any_places", "all in one place"),
        (OfTheBatch, "check_companions_do_not_matter", "other bags"),
        (InPlace, "check_places_matter", "in-place"),
        (Greedy, "check_uses", "out of: coords"),
        (Listed, "check_uses", "Make it a frozenset"),
        (hidden, "check_uses", "on the function that makes the module"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_faulty_poolings(failures, factory, check, words):
    found = failures("pooling", factory)
    assert check in found, found
    assert words in found[check]
