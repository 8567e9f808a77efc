"""A curve, a few of its points, and what was drawn through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...content import Panel
from ...pictures import WIDTH, Theme

__all__ = ["Curve", "common_reach", "curve_panel"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Curve:
    """A task, and what one method makes of it.

    Parameters
    ----------
    method : str
        Whose lines.
    grid, truth : ndarray of shape (n,)
        The curve.
    support : tuple of ndarray
        Points to learn from, of shapes (k, 1) and (k,).
    drawn : mapping of str to ndarray of shape (n,)
        Lines, from the first to the last.
    """

    method: str
    grid: Array
    truth: Array
    support: tuple[Array, Array]
    drawn: Mapping[str, Array]


def common_reach(curves: Sequence[Curve]) -> float:
    """Return how far up and down pictures must reach to be compared.

    Parameters
    ----------
    curves : sequence of Curve
        One a method, of one task.

    Returns
    -------
    float
        Above the height of the curve; lines that run away are cut, since they would
        flatten all others.
    """
    truth = max(float(abs(curve.truth).max()) for curve in curves)
    lines = max(
        float(abs(line).max()) for curve in curves for line in curve.drawn.values()
    )
    return 1.05 * min(max(truth, lines), 1.8 * truth)


def curve_panel(curve: Curve, reach: float) -> Panel:
    """Show the lines of one method.

    Parameters
    ----------
    curve : Curve
        The task and the lines.
    reach : float
        How far up and down the picture goes.

    Returns
    -------
    Panel
        With a text that gives the squared error of each line.
    """
    errors = ", ".join(
        f"{name} {np.mean((line - curve.truth) ** 2):.2f}"
        for name, line in curve.drawn.items()
    )
    alt = f"{curve.method}: squared error over the whole curve, {errors}."
    key = f"curve-{curve.method.lower().replace(' ', '-')}"
    return Panel(key, alt, partial(_draw, curve, reach))


def _draw(curve: Curve, reach: float, theme: Theme) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        curve.grid, curve.truth, "--", color=theme.baseline, lw=1.4, label="truth"
    )
    n = len(curve.drawn)
    for rank, (name, line) in enumerate(curve.drawn.items()):
        last = rank == n - 1
        axes.plot(
            curve.grid,
            line,
            color=theme.ours[0] if last else theme.ours[1],
            # From faint to bold: the order in which they come about.
            alpha=1.0 if last else 0.45 + 0.4 * rank / max(n - 1, 1),
            ls="-" if last or rank else ":",
            lw=2.0 if last else 1.3,
            label=name,
        )
    X, y = curve.support
    axes.plot(X[:, 0], y, "o", color=theme.hot, ms=5, label="points", zorder=5)
    axes.set_ylim(-reach, reach)
    axes.set(title=curve.method, xlabel="x")
    axes.grid(axis="y", lw=0.6)
    # Two lines of text under each picture, so that all have the same height.
    n_columns = -(-(n + 2) // 2)
    figure.legend(
        loc="outside lower left", ncols=n_columns, frameon=False, fontsize=7.5
    )
    return figure
