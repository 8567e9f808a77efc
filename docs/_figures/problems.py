"""The four pictures of docs/index.md, each for a light and for a dark page.

Run: ``python docs/_figures/problems.py``. It writes docs/images/{mil,da,meta,gan}-
{light,dark}.svg with a transparent background.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

__all__ = ["PICTURES", "SHADES", "Shades", "draw", "main"]

IMAGES = Path(__file__).parents[1] / "images"
SIZE = (2.6, 1.85)


class Shades(NamedTuple):
    """Colours on one kind of page."""

    ink: str
    soft: str
    first: str
    second: str


SHADES = {
    "light": Shades("#222832", "#8a94a3", "#1f6fb2", "#c8501e"),
    "dark": Shades("#dde3ea", "#7d8795", "#6cb6ff", "#ff9a5c"),
}


def slides(ax: Axes, shades: Shades) -> None:
    """Two bags of tiles; one label each, and one tile that explains it."""
    rng = np.random.default_rng(3)
    for left, label, colour, found in (
        (0.0, "positive", shades.second, (1, 2)),
        (5.6, "negative", shades.first, None),
    ):
        frame = FancyBboxPatch((left, 0), 4.2, 4.2, boxstyle="round,pad=0.15")
        frame.set(facecolor="none", edgecolor=colour, linewidth=1.6)
        ax.add_patch(frame)
        for row, column in np.ndindex(4, 4):
            place = left + 0.1 + column, 0.1 + row
            hit = found == (row, column)
            tile = Rectangle(place, 0.9, 0.9, facecolor=shades.soft)
            tile.set(alpha=rng.uniform(0.15, 0.5))
            if hit:
                tile.set(facecolor=shades.second, alpha=1)
            ax.add_patch(tile)
            middle = place[0] + 0.45, place[1] + 0.43
            if not hit:
                look = {"color": shades.soft, "fontsize": 8}
                ax.text(*middle, "?", ha="center", va="center", **look)
        ax.text(left + 2.1, 4.75, label, color=colour, ha="center", weight="bold")
    ax.annotate(
        "which tile?",
        (2.6, 1.1),
        (5.0, -1.1),
        color=shades.ink,
        ha="center",
        arrowprops={"arrowstyle": "->", "color": shades.ink, "shrinkB": 6},
    )
    ax.set(xlim=(-0.4, 10.2), ylim=(-1.6, 5.7), aspect="equal")


def hospitals(ax: Axes, shades: Shades) -> None:
    """A labelled cloud, the same turned and without labels, and two boundaries."""
    rng = np.random.default_rng(0)
    turn = np.deg2rad(38)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for side, colour, marker in ((-1, shades.first, "o"), (1, shades.second, "^")):
        here = rng.normal([side * 1.5, 0], [0.5, 0.8], (22, 2))
        ax.scatter(*here.T, c=colour, marker=marker, s=15, linewidths=0)
        there = rng.normal([side * 1.5, 0], [0.5, 0.8], (22, 2)) @ rotation.T
        edge = {"edgecolors": shades.soft, "facecolors": "none"}
        ax.scatter(7.4 + there[:, 0], there[:, 1], marker="o", s=13, **edge)
    for middle, angle, style, colour in (
        (0, 0, "-", shades.ink),
        (7.4, 0, ":", shades.soft),
        (7.4, turn, "-", shades.ink),
    ):
        ends = np.array([[-2.6, 2.6]]) * [[-np.sin(angle)], [np.cos(angle)]]
        ax.plot(middle + ends[0], ends[1], style, color=colour, linewidth=1.8)
    ax.annotate(
        "",
        (4.7, 0),
        (2.7, 0),
        arrowprops={"arrowstyle": "->", "color": shades.ink, "linewidth": 1.5},
    )
    ax.text(0, -3.5, "labels here", color=shades.ink, ha="center")
    ax.text(7.4, -3.5, "none there", color=shades.ink, ha="center")
    ax.set(xlim=(-3.1, 10.5), ylim=(-4.1, 3.1), aspect="equal")


def tasks(ax: Axes, shades: Shades) -> None:
    """Several small curves, and a new one of which four points are known."""
    x = np.linspace(0, 2 * np.pi, 60)
    known = [(0.9, 0.0, 0), (0.6, 1.5, 1), (1.0, 3.1, 2), (0.7, 4.4, 3)]
    for size, phase, place in known:
        left, bottom = 2.5 * (place % 2), 2.6 * (place // 2)
        curve = bottom + 1 + size * np.sin(x + phase)
        ax.plot(left + x / 3, curve, color=shades.first, linewidth=1.6)
        box = Rectangle((left - 0.1, bottom - 0.15), 2.3, 2.3, facecolor="none")
        box.set(edgecolor=shades.soft, alpha=0.6)
        ax.add_patch(box)
    ax.annotate(
        "",
        (6.3, 2.3),
        (5.1, 2.3),
        arrowprops={"arrowstyle": "->", "color": shades.ink, "linewidth": 1.5},
    )
    new = np.array([0.5, 1.3, 3.6, 5.2])
    ax.plot(6.7 + x / 1.9, 2.3 + 1.7 * np.sin(x + 0.8), color=shades.ink, linewidth=1.8)
    dots = 6.7 + new / 1.9, 2.3 + 1.7 * np.sin(new + 0.8)
    ax.scatter(*dots, color=shades.second, s=30, zorder=3)
    ax.text(2.3, -1.1, "known tasks", color=shades.ink, ha="center")
    ax.text(8.4, -1.1, "four points", color=shades.ink, ha="center")
    ax.set(xlim=(-0.3, 10.4), ylim=(-1.6, 5.1), aspect="equal")


def samples(ax: Axes, shades: Shades) -> None:
    """Conditions on the left, images drawn for them on the right."""
    rng = np.random.default_rng(1)
    grid = np.linspace(-1, 1, 26)
    v, u = np.meshgrid(grid, grid, indexing="ij")
    for row, (label, colour) in enumerate(
        (("healthy", shades.first), ("ill", shades.second))
    ):
        bottom = 2.9 * (1 - row)
        ax.text(0.9, bottom + 1.2, label, color=colour, ha="center", va="center")
        ax.annotate(
            "",
            (3.3, bottom + 1.2),
            (2.6, bottom + 1.2),
            arrowprops={"arrowstyle": "->", "color": shades.ink, "linewidth": 1.5},
        )
        for column in range(3):
            image = _lungs(u, v, rng, ill=row == 1)
            left = 3.5 + 2.6 * column
            extent = (left, left + 2.4, bottom, bottom + 2.4)
            ax.imshow(image, cmap="gray", extent=extent, vmin=0, vmax=1)
    ax.text(7.3, -1.0, "drawn, not measured", color=shades.ink, ha="center")
    ax.set(xlim=(-0.8, 11.2), ylim=(-1.5, 5.5), aspect="equal")


def _lungs(
    u: np.ndarray, v: np.ndarray, rng: np.random.Generator, *, ill: bool
) -> np.ndarray:
    """Return an image with two dark ovals, and a bright spot in one of them."""
    image = 0.72 - 0.1 * v
    for side in (-1, 1):
        width, height = rng.normal(0.3, 0.02), rng.normal(0.62, 0.03)
        oval = ((u - side * 0.42) / width) ** 2 + (v / height) ** 2
        image = image - 0.55 / (1 + np.exp(8 * (oval - 1)))
    if ill:
        place = rng.choice([-0.42, 0.42]), rng.uniform(-0.1, 0.4)
        spot = ((u - place[0]) ** 2 + (v - place[1]) ** 2) / 0.03
        image = image + 0.5 * np.exp(-spot)
    return np.clip(image + rng.normal(0, 0.03, u.shape), 0, 1)


PICTURES: dict[str, Callable[[Axes, Shades], None]] = {
    "mil": slides,
    "da": hospitals,
    "meta": tasks,
    "gan": samples,
}


def draw(name: str, shade: str, folder: Path = IMAGES) -> Path:
    """Draw one picture for one kind of page."""
    # The same picture is the same file: no date, and names of parts from a fixed salt.
    with mpl.rc_context({"svg.hashsalt": name, "font.size": 11}):
        figure = Figure(figsize=SIZE)
        FigureCanvasSVG(figure)
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set_axis_off()
        PICTURES[name](ax, SHADES[shade])
        path = folder / f"{name}-{shade}.svg"
        figure.savefig(path, transparent=True, metadata={"Date": None})
    return path


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        for shade in SHADES:
            draw(name, shade, folder)


if __name__ == "__main__":
    main()
