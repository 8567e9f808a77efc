"""A slide with its true lesion, and beside it what the model thinks of each tile."""

from __future__ import annotations

from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ....inspection import scores_to_map
from ...content import Panel
from ...pictures import WIDTH, Theme
from .bag_pictures import per_cent
from .mosaic import CELL

__all__ = ["slide_panel"]

Array = NDArray[Any]
_HEIGHT, _TITLE = 2.05, 0.36


def slide_panel(
    number: int,
    image: Array,
    coords: Array,
    of_slide: float,
    of_tiles: Array,
    labels: Array,
) -> Panel:
    """Show a slide and the map of its tiles.

    Parameters
    ----------
    number : int
        Position of the slide in the test set.
    image : ndarray of shape (height, width, 3)
        The slide.
    coords : ndarray of shape (n_tiles, 2)
        x and y of the upper left pixel of each tile.
    of_slide : float
        Probability that the slide is positive.
    of_tiles : ndarray of shape (n_tiles,)
        Probability that a tile is of a lesion.
    labels : ndarray of shape (n_tiles,)
        1 for tiles that truly are.

    Returns
    -------
    Panel
        With a text that says the same in words.
    """
    kind = "positive" if labels.any() else "negative"
    title = f"Slide {number + 1}: {kind}, scored {per_cent(of_slide)}"
    draw = partial(_draw, title, image, coords, of_tiles, labels == 1)
    alt = f"{title}. {_describe(of_tiles, labels == 1)}"
    return Panel(f"slide-{number + 1}", alt, draw)


def _describe(of_tiles: Array, true: Array) -> str:
    """Say what the picture shows."""
    high = of_tiles >= 0.5
    text = f"It has {len(true)} tiles, {int(high.sum())} of them scored 50 % or more."
    if true.any():
        text += (
            f" The lesion has {int(true.sum())} tiles, {int((high & true).sum())} of "
            "them scored so."
        )
    return text


def _draw(
    title: str, image: Array, coords: Array, of_tiles: Array, true: Array, theme: Theme
) -> Figure:
    """Draw the slide on the left and the map on the right."""
    figure = Figure(figsize=(WIDTH, _HEIGHT))
    figure.suptitle(
        title, x=0.01, y=1 - 0.06 / _HEIGHT, ha="left", weight="bold", size=9.5
    )
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(0, 0, 1, 1 - _TITLE / _HEIGHT, wspace=0.04)
    left.imshow(image, interpolation="nearest")
    _outline(left, coords[true], "#000000")
    heat = LinearSegmentedColormap.from_list("heat", [theme.faint, theme.hot])
    chance = scores_to_map(of_tiles, coords, image.shape, CELL)
    right.imshow(chance, cmap=heat, vmin=0, vmax=1, interpolation="nearest")
    _outline(right, coords[true], theme.text)
    for axes in (left, right):
        axes.set_axis_off()
    return figure


def _outline(axes: Axes, corners: Array, colour: str) -> None:
    """Draw the border of the union of tiles."""
    edges: dict[frozenset[tuple[float, float]], int] = {}
    for x, y in (corners - 0.5).tolist():
        ring = [(x, y), (x + CELL, y), (x + CELL, y + CELL), (x, y + CELL)]
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
            edges[frozenset((a, b))] = edges.get(frozenset((a, b)), 0) + 1
    for edge, times in edges.items():
        if times == 1:  # an edge of two tiles lies inside
            (x0, y0), (x1, y1) = edge
            axes.plot([x0, x1], [y0, y1], color=colour, lw=1.4)
