"""Neighbours against brute force, ties, shared places, bags of one, large bags."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from mlmi_sklearn_graph.neighbours import neighbourhood

from mlmi_sklearn.nn.segments import Segments


def seen_by_tiles(found, coords):
    """Return, for each tile, the set of places that it sees."""
    at = {}
    for tile, place in enumerate(found.place_of.tolist()):
        at[place] = tuple(coords[tile].tolist())
    seen = [set() for _ in coords]
    for place, tile in found.edges.T.tolist():
        assert at[place] not in seen[tile]  # no edge twice
        seen[tile].add(at[place])
    return seen


def brute_force(coords, lengths, k):
    seen, start = [], 0
    for length in lengths:
        bag = coords[start : start + length].double()
        places = torch.unique(bag, dim=0)
        for tile in bag:
            distance = (places - tile).square().sum(1).sqrt()
            limit = distance.sort().values[min(k, len(places) - 1)]
            near = places[distance <= limit * (1 + 1e-9)]
            seen.append({tuple(place.tolist()) for place in near})
        start += length
    return seen


@pytest.mark.parametrize("k", [1, 4, 8, 30])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_as_by_brute_force(k, axes):
    rng = np.random.default_rng(axes)
    lengths = [1, 40, 2, 7, 90]
    # Whole numbers in a small range: places are shared, and distances tie.
    coords = torch.tensor(rng.integers(0, 7, (sum(lengths), axes))).float()
    found = neighbourhood(coords, Segments(lengths), k)
    assert seen_by_tiles(found, coords) == brute_force(coords, lengths, k)


def test_a_grid_in_pixels_of_a_slide():
    tiles = torch.cartesian_prod(torch.arange(9), torch.arange(9)).float()
    coords = 256 * tiles + 90_000
    found = neighbourhood(coords, Segments([81]), 8)
    seen = seen_by_tiles(found, coords)
    assert len(seen[40]) == 9  # the eight around it, and itself
    assert len(seen[0]) >= 9  # in a corner the k-th is farther, and has equals
    assert seen == brute_force(coords, [81], 8)


def test_many_ties_are_found_in_rounds():
    angles = torch.arange(60).double() * (2 * torch.pi / 60)
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    coords = torch.cat([torch.zeros(1, 2, dtype=torch.float64), circle])
    found = neighbourhood(coords, Segments([61]), 3)
    assert len(seen_by_tiles(found, coords)[0]) == 61


def test_tiles_at_one_place_are_one_neighbour():
    coords = torch.tensor([[0.0, 0], [0, 0], [0, 0], [1, 0]])
    found = neighbourhood(coords, Segments([4]), 8)
    assert found.sizes.tolist() == [3, 1]
    assert found.edges.shape == (2, 8)
    values = torch.tensor([[1.0], [2], [6], [5]])
    assert found.at_places(values).flatten().tolist() == [3, 5]


@pytest.mark.parametrize("coords", [torch.zeros(50_000, 2), torch.ones(50_000, 1)])
def test_edges_grow_with_tiles_even_if_all_lie_at_one_place(coords):
    found = neighbourhood(coords, Segments([50_000]), 8)
    assert found.edges.shape == (2, 50_000)


def test_a_bag_of_one_sees_itself():
    found = neighbourhood(torch.full((3, 2), 7.0), Segments([1, 1, 1]), 8)
    assert found.edges.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_a_hundred_thousand_tiles_take_seconds():
    side = 317
    tiles = torch.cartesian_prod(torch.arange(side), torch.arange(side)).float()
    start = time.process_time()
    found = neighbourhood(256 * tiles, Segments([side**2]), 8)
    assert found.edges.shape[1] < 10 * side**2
    assert time.process_time() - start < 30  # about 1 on a quiet machine
