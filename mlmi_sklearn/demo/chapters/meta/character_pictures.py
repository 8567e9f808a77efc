"""One task of characters in pictures: what was shown, and what was made of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ...content import Panel
from ...pictures import WIDTH, Theme

__all__ = ["Shown", "query_panel", "support_panel"]

Array = NDArray[Any]

_GAP = 3


@dataclass(frozen=True)
class Shown:
    """A task, and what methods answered.

    Parameters
    ----------
    images : ndarray of shape (n, 1, height, width)
        All drawings.
    target : ndarray of shape (n,)
        Their characters.
    support, query : ndarray of int
        Drawings of the task to learn from, and to be read.
    answers : mapping of str to ndarray of shape (n_query,)
        Predicted characters by method.
    """

    images: Array
    target: Array
    support: Array
    query: Array
    answers: Mapping[str, Array]

    @property
    def characters(self) -> Array:
        """The characters of the task, in the order of the rows of the pictures."""
        return np.unique(self.target[self.support])


def support_panel(shown: Shown) -> Panel:
    """Show the drawings to learn from, one row a character.

    Parameters
    ----------
    shown : Shown
        The task.

    Returns
    -------
    Panel
        The picture.
    """
    n = len(shown.support) // len(shown.characters)
    alt = f"{n} drawings of each of {len(shown.characters)} characters, to learn from."
    return Panel("support", alt, partial(_draw_support, shown))


def query_panel(shown: Shown, method: str) -> Panel:
    """Show the drawings to be read, and which were read wrongly.

    Parameters
    ----------
    shown : Shown
        The task.
    method : str
        Whose answers.

    Returns
    -------
    Panel
        The picture, with a text that counts.
    """
    right, n = _count(shown, method)
    alt = f"Drawings to be read, by {method}: {right} of {n} right."
    key = f"query-{method.lower().replace(' ', '-')}"
    return Panel(key, alt, partial(_draw_query, shown, method))


def _count(shown: Shown, method: str) -> tuple[int, int]:
    truth = shown.target[shown.query]
    return int((shown.answers[method] == truth).sum()), len(truth)


def _draw_support(shown: Shown, theme: Theme) -> Figure:
    rows = _in_rows(shown, shown.support)
    figure, axes = _canvas("to learn from")
    _show(axes, _sheet(shown, rows), theme)
    side = shown.images.shape[-1] + _GAP
    for place in range(len(rows)):
        middle = place * side + shown.images.shape[-1] / 2
        axes.text(-3, middle, str(place + 1), ha="right", va="center", fontsize=8.5)
    return figure


def _draw_query(shown: Shown, method: str, theme: Theme) -> Figure:
    right, n = _count(shown, method)
    figure, axes = _canvas(f"{method}: {right} of {n} right")
    rows = _in_rows(shown, shown.query)
    half = -(-max(map(len, rows)) // 2)
    # Two lines a character, so that drawings are large enough to be looked at.
    lines = [part for row in rows for part in (row[:half], row[half:])]
    _show(axes, _sheet(shown, lines), theme)
    answers = dict(zip(shown.query.tolist(), shown.answers[method], strict=True))
    for line, drawings in enumerate(lines):
        _frame_wrong(axes, shown, line, drawings, answers, theme)
    return figure


def _frame_wrong(
    axes: Axes,
    shown: Shown,
    line: int,
    drawings: list[int],
    answers: Mapping[int, Any],
    theme: Theme,
) -> None:
    """Frame the drawings of a line that were taken for another character."""
    size = shown.images.shape[-1]
    names = shown.characters.tolist()
    if line % 2 == 0:
        middle = line * (size + _GAP) + size + _GAP / 2
        axes.text(-3, middle, str(line // 2 + 1), ha="right", va="center", fontsize=8.5)
    for place, drawing in enumerate(drawings):
        if answers[drawing] == shown.target[drawing]:
            continue
        x, y = place * (size + _GAP), line * (size + _GAP)
        corner = (x - 1.5, y - 1.5)
        frame = Rectangle(corner, size + 2, size + 2, fill=False, lw=1.4)
        frame.set_edgecolor(theme.hot)
        axes.add_patch(frame)
        axes.text(
            x + size - 0.5,
            y + size - 0.5,
            str(names.index(answers[drawing]) + 1),
            color=theme.background,
            fontsize=6.5,
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.15", "fc": theme.hot, "lw": 0},
        )


def _in_rows(shown: Shown, drawings: Array) -> list[list[int]]:
    """Sort drawings by their true character."""
    return [
        np.sort(drawings[shown.target[drawings] == name]).tolist()
        for name in shown.characters
    ]


def _sheet(shown: Shown, lines: list[list[int]]) -> Array:
    """Put drawings side by side, with paper between them."""
    size = shown.images.shape[-1]
    width = max(map(len, lines))
    sheet = np.zeros((len(lines) * (size + _GAP), width * (size + _GAP)))
    for i, line in enumerate(lines):
        for j, drawing in enumerate(line):
            y, x = i * (size + _GAP), j * (size + _GAP)
            sheet[y : y + size, x : x + size] = shown.images[drawing, 0]
    return sheet


def _canvas(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return figure, axes


def _show(axes: Axes, sheet: Array, theme: Theme) -> None:
    inks = LinearSegmentedColormap.from_list("ink", [theme.background, theme.text])
    axes.imshow(sheet, cmap=inks, vmin=0, vmax=1, interpolation="nearest")
    axes.set_xlim(-8, sheet.shape[1])
    axes.set_ylim(sheet.shape[0], -4)
