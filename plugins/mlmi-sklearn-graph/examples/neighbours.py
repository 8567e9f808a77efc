"""Bags whose class lies in which tiles are side by side, and poolings that see it.

Each slide is a grid of 8 x 8 tiles with noisy features. In every slide two tiles look
like "nest" and two like "vessel". In a positive slide each nest touches a vessel, in a
negative one no nest does. What is in the slide is the same for both classes: only where
it lies tells them apart.

    python examples/neighbours.py [--seeds 5]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from mlmi_sklearn import Bags, MILClassifier

SIDE, FEATURES = 8, 6
GRID = np.array([(x, y) for y in range(SIDE) for x in range(SIDE)])


def make_slides(n: int, seed: int) -> tuple[Bags, NDArray[np.int64]]:
    """Draw slides of which every second one is positive."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    values = rng.normal(0, 0.5, (n, SIDE * SIDE, FEATURES))
    for slide, label in zip(values, y, strict=True):
        nests, vessels = _places(rng, bool(label))
        slide[nests, 0] += 3
        slide[vessels, 1] += 3
    coords = np.tile(256 * GRID, (n, 1))
    flat = values.reshape(-1, FEATURES).astype(np.float32)
    return Bags(flat, [SIDE * SIDE] * n, coords=coords), y


def _places(rng: np.random.Generator, touching: bool) -> tuple[list[int], list[int]]:
    """Draw two nests and two vessels; a nest and its vessel touch, or none does."""
    while True:
        tiles = rng.choice(SIDE * SIDE, 4, replace=False)
        if touching:
            for nest in (0, 1):
                step = rng.integers(-1, 2, 2)
                place = GRID[tiles[nest]] + step
                tiles[nest + 2] = place[1] * SIDE + place[0]
                if (place < 0).any() or (place >= SIDE).any():
                    tiles[nest + 2] = tiles[nest]
        if len(set(tiles.tolist())) < 4:
            continue
        apart = np.abs(GRID[tiles[:2], None] - GRID[None, tiles[2:]]).max(axis=2)
        if touching or (apart > 1).all():
            return tiles[:2].tolist(), tiles[2:].tolist()


def with_places(bags: Bags) -> Bags:
    """Give every model a chance: coordinates as two more features."""
    scaled = bags.coords / 256 / SIDE
    return bags.with_values(np.column_stack([bags.values, scaled]).astype(np.float32))


def accuracy(pooling: str, seed: int, epochs: int = 60) -> float:
    """Train on 200 slides, and return the share of 400 others that is right."""
    (bags, y), (unseen, truth) = make_slides(200, seed), make_slides(400, 1000 + seed)
    name, _, places = pooling.partition(" + ")
    if places:
        bags, unseen = with_places(bags), with_places(unseen)
    model = MILClassifier(
        "linear", name, level="embedding", lr=3e-3, max_epochs=epochs, random_state=seed
    )
    return float(model.fit(bags, y).score(unseen, truth))


POOLINGS = (
    "gated-attention",
    "gated-attention + places",
    "graph-mean",
    "graph-attention",
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    print(f"{'pooling':26}accuracy, mean ± sd of {seeds} seeds    seconds a fit")
    for pooling in POOLINGS:
        start = time.perf_counter()
        found = [accuracy(pooling, seed) for seed in range(seeds)]
        spent = (time.perf_counter() - start) / seeds
        spread = np.std(found, ddof=1) if seeds > 1 else 0.0
        print(f"{pooling:26}{np.mean(found):.3f} ± {spread:.3f}{spent:28.1f}")


if __name__ == "__main__":
    main()
