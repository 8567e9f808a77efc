"""A bag of images with what the model thinks of each."""

from __future__ import annotations

from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ...content import Panel
from ...pictures import WIDTH, Theme

__all__ = ["bag_panel", "per_cent", "tiles_panel"]

Array = NDArray[Any]
_COLUMNS = 5
_TITLE_INCHES, _ROW_INCHES = 0.34, 0.82


def bag_panel(
    number: int, images: Array, of_bag: float, of_instances: Array, labels: Array
) -> Panel:
    """Show the images of a bag, framed by their probability.

    Parameters
    ----------
    number : int
        Position of the bag in the test set.
    images : ndarray of shape (n_instances, height, width)
        From 0, paper, to 1, ink.
    of_bag : float
        Probability that the bag is positive.
    of_instances : ndarray of shape (n_instances,)
        Probability that an image is positive.
    labels : ndarray of shape (n_instances,)
        1 for images that truly are.

    Returns
    -------
    Panel
        With a text that says the same in words.
    """
    kind = "positive" if labels.any() else "negative"
    title = f"Bag {number + 1}: {kind}, scored {per_cent(of_bag)}"
    alt = f"{title}. {_describe(of_instances, labels == 1)}"
    key = f"bag-{number + 1}"
    return tiles_panel(key, title, alt, images, of_instances, labels)


def tiles_panel(
    key: str, title: str, alt: str, images: Array, probability: Array, labels: Array
) -> Panel:
    """Show images in rows of five, framed by their probability.

    Parameters
    ----------
    key, title, alt : str
        Short name for files, heading, and what the picture says in words.
    images : ndarray of shape (n_images, height, width) or (..., 3)
        Grey, from 0, paper, to 1, ink; or colours from 0 to 1.
    probability : ndarray of shape (n_images,)
        Probability that an image is positive.
    labels : ndarray of shape (n_images,)
        1 for images that truly are; they get a star.

    Returns
    -------
    Panel
        The picture.
    """
    return Panel(key, alt, partial(_draw, title, images, probability, labels))


def per_cent(probability: float) -> str:
    """Write a probability without calling it certain before it is.

    Parameters
    ----------
    probability : float
        From 0 to 1.

    Returns
    -------
    str
        In whole per cent.

    Examples
    --------
    >>> per_cent(0.857), per_cent(0.9999), per_cent(1e-5)
    ('86 %', '>99 %', '<1 %')
    """
    if probability <= 0.005:
        return "<1 %"
    return ">99 %" if probability >= 0.995 else f"{100 * probability:.0f} %"


def _describe(of_instances: Array, true: Array) -> str:
    """Say what the picture shows."""
    text = f"It has {len(true)} images."
    if true.any():
        text += f" The true nines get {', '.join(map(per_cent, of_instances[true]))}."
    if not true.all():
        text += (
            f" The highest of the others gets {per_cent(of_instances[~true].max())}."
        )
    return text


def _draw(
    title: str, images: Array, of_instances: Array, labels: Array, theme: Theme
) -> Figure:
    """Draw the images in rows of five."""
    n_rows = -(-len(images) // _COLUMNS)
    height = _TITLE_INCHES + _ROW_INCHES * n_rows
    figure = Figure(figsize=(WIDTH, height))
    figure.suptitle(
        title, x=0.01, y=1 - 0.06 / height, ha="left", weight="bold", size=9.5
    )
    grid = figure.subplots(n_rows, _COLUMNS, squeeze=False)
    figure.subplots_adjust(0, 0, 1, 1 - _TITLE_INCHES / height, wspace=0.05, hspace=0)
    for axes in grid.ravel():
        axes.set_axis_off()
    tiles = zip(grid.ravel(), images, of_instances, labels, strict=False)
    for axes, image, probability, label in tiles:
        _draw_tile(axes, image, probability, label, theme)
    return figure


def _draw_tile(
    axes: Axes, image: Array, probability: float, label: int, theme: Theme
) -> None:
    """Draw one image with its frame, its number, and a star if it is a true one."""
    ink = LinearSegmentedColormap.from_list("ink", [theme.background, theme.text])
    heat = LinearSegmentedColormap.from_list("heat", [theme.faint, theme.hot])
    height, width = image.shape[:2]
    axes.imshow(image, cmap=ink, vmin=0, vmax=1, interpolation="nearest")
    frame = Rectangle((-1, -1), width + 1, height + 1, fill=False, lw=2.8)
    frame.set_edgecolor(heat(probability))
    axes.add_patch(frame)
    if label == 1:
        axes.plot(
            width - 0.1,
            -0.9,
            "*",
            ms=13,
            color=theme.ours[0],
            mec=theme.background,
            mew=1,
            clip_on=False,
        )
    weight = "bold" if probability >= 0.5 else "normal"
    below: dict[str, Any] = {
        "ha": "center",
        "va": "top",
        "fontsize": 8,
        "weight": weight,
    }
    axes.text((width - 1) / 2, height + 0.7, per_cent(probability), **below)
    axes.set(xlim=(-1.7, width + 0.7), ylim=(height + 2.9, -2.0))
