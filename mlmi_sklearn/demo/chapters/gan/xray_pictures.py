"""Real and synthetic pictures of each class, and the real ones nearest to synthetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from ...content import Panel
from ...pictures import WIDTH, Theme
from .pixels import Pictures

__all__ = ["Shown", "class_panel", "nearest_panel", "sheet_of"]

Array = NDArray[Any]

_COLUMNS, _LINES = 6, 3
_NEAREST = 5
_GAP = 0.08  # of a picture's side


@dataclass(frozen=True)
class Shown:
    """Real pictures, and drawn ones for the classes of those to train on."""

    real: Pictures
    drawn: Array

    def of_class(self, label: int) -> tuple[Array, Array]:
        """Return the first real and drawn pictures of a class, as rows."""
        mine = np.flatnonzero(self.real.y == label)[: _COLUMNS * _LINES]
        return self.real.X[mine], self.drawn[mine]

    def nearest(self) -> tuple[Array, Array, Array]:
        """Return drawn pictures of all classes in turn, and neighbours of each.

        Returns
        -------
        drawn : ndarray of shape (n, n_pixels)
            The pictures.
        neighbours : ndarray of shape (2, n, n_pixels)
            Nearest in training and in test pictures. Of both there are as many, or one
            would be nearer by mere number.
        distances : ndarray of shape (2, n)
            How far, as the root of the mean squared difference of pixels.
        """
        labels = range(len(self.real.names))
        mine = np.stack([np.flatnonzero(self.real.y == k) for k in labels], 1)
        drawn = self.drawn[mine.ravel()[:_NEAREST]]
        n = min(len(self.real.X), len(self.real.X_test))
        chosen = np.random.default_rng(0).permutation(len(self.real.X))[:n]
        found = [
            _nearest(known, drawn)
            for known in (self.real.X[chosen], self.real.X_test[:n])
        ]
        neighbours, distances = zip(*found, strict=True)
        return drawn, np.stack(neighbours), np.stack(distances)


def _nearest(known: Array, drawn: Array) -> tuple[Array, Array]:
    search = NearestNeighbors(n_neighbors=1).fit(known)
    distances, rows = search.kneighbors(drawn)
    return known[rows[:, 0]], distances[:, 0] / np.sqrt(known.shape[1])


def class_panel(shown: Shown, label: int) -> Panel:
    """Show real pictures of a class above drawn ones.

    Parameters
    ----------
    shown : Shown
        The pictures.
    label : int
        Which class.

    Returns
    -------
    Panel
        With a text that compares their brightness and contrast.
    """
    name = shown.real.names[label]
    real, drawn = shown.of_class(label)
    described = "; ".join(
        f"{kind} with mean grey {rows.mean():.2f} and standard deviation within a "
        f"picture {rows.std(1).mean():.2f}"
        for kind, rows in (("real", real), ("synthetic", drawn))
    )
    alt = f"Chest X-rays, {name}: {len(real)} {described}."
    return Panel(name, alt, partial(_draw_class, shown, label))


def nearest_panel(shown: Shown) -> Panel:
    """Show drawn pictures with the real ones nearest to them.

    Parameters
    ----------
    shown : Shown
        The pictures.

    Returns
    -------
    Panel
        With a text that gives the distances.
    """
    train, test = shown.nearest()[2].mean(1)
    alt = (
        f"{_NEAREST} synthetic X-rays and the nearest real ones: mean distance "
        f"{train:.3f} to training and {test:.3f} to test pictures."
    )
    return Panel("nearest", alt, partial(_draw_nearest, shown))


def sheet_of(rows: Array, side: int, columns: int) -> Array:
    """Put pictures side by side, with gaps of NaN between them.

    Parameters
    ----------
    rows : ndarray of shape (n, side * side)
        Pictures as rows of pixels.
    side : int
        Pixels a side.
    columns : int
        Pictures in a line.

    Returns
    -------
    ndarray
        One picture of all.

    Examples
    --------
    >>> sheet_of(np.ones((4, 16)), 4, 2).shape
    (9, 9)
    """
    gap = max(1, round(_GAP * side))
    step = side + gap
    lines = -(-len(rows) // columns)
    sheet = np.full((lines * step - gap, columns * step - gap), np.nan)
    for place, row in enumerate(rows):
        y, x = place // columns * step, place % columns * step
        sheet[y : y + side, x : x + side] = row.reshape(side, side)
    return sheet


def _draw_class(shown: Shown, label: int, theme: Theme) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    both = figure.subplots(2, 1)
    kinds = ("real", "synthetic")
    for axes, rows, kind in zip(both, shown.of_class(label), kinds, strict=True):
        _show(axes, sheet_of(rows, shown.real.side, _COLUMNS))
        axes.set_title(f"{shown.real.names[label]}, {kind}")
    return figure


def _draw_nearest(shown: Shown, theme: Theme) -> Figure:
    drawn, neighbours, distances = shown.nearest()
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    lines = figure.subplots(3, _NEAREST)
    names = ("synthetic", "nearest in\ntraining", "nearest\nin test")
    for line, name, rows in zip(lines, names, (drawn, *neighbours), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        for axes, row in zip(line, rows, strict=True):
            _show(axes, row.reshape(shown.real.side, -1))
    for line, found in zip(lines[1:], distances, strict=True):
        for axes, distance in zip(line, found, strict=True):
            axes.set_xlabel(f"{distance:.3f}", fontsize=7.5, labelpad=1)
    return figure


def _show(axes: Axes, picture: Array) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
