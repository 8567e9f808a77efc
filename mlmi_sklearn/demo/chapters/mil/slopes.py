"""From training to testing: one line a method."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from ...content import Panel, Scores
from ...pictures import WIDTH, Theme

__all__ = ["slopes_panel"]


def slopes_panel(test: str, rows: Sequence[Scores], bound: float) -> Panel:
    """Show the area under the ROC curve in training and in testing.

    Parameters
    ----------
    test : str
        Name of the test.
    rows : sequence of Scores
        With ``<test>_train_auc`` and ``<test>_test_auc``.
    bound : float
        What has to be reached to pass.

    Returns
    -------
    Panel
        With a text that lists both numbers for each method.
    """
    ends = "; ".join(
        "{} from {:.2f} to {:.2f}".format(row.method, *_ends(row, test)) for row in rows
    )
    alt = f"ROC AUC in test {test}, from training to testing bags: {ends}."
    return Panel(test, alt, partial(_draw, test, rows, bound))


def _ends(row: Scores, test: str) -> tuple[float, float]:
    """Return the means in training and in testing."""
    return row.mean(f"{test}_train_auc"), row.mean(f"{test}_test_auc")


def _draw(test: str, rows: Sequence[Scores], bound: float, theme: Theme) -> Figure:
    """Draw the lines, and the names beside their right ends."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.5, color=theme.text, lw=1, ls="--")
    ends = [_ends(row, test) for row in rows]
    heights = _spread([end for _, end in ends])
    for row, (first, last), height in zip(rows, ends, heights, strict=True):
        colour = _colour(last, bound, theme)
        style = "o-" if row.ours else "s-"
        axes.plot([0, 1], [first, last], style, color=colour, lw=1.6, ms=4)
        axes.plot([1.02, 1.1], [last, height], color=theme.faint, lw=0.8)
        axes.text(1.12, height, row.method, va="center", size=7.5, color=colour)
    axes.set(title=test, xlim=(-0.08, 2.55), ylim=(-0.06, 1.08))
    axes.set(xticks=[0, 1], xticklabels=["training", "testing"])
    axes.set_yticks([0, 0.5, 1])
    axes.tick_params(left=False)
    return figure


def _colour(last: float, bound: float, theme: Theme) -> str:
    """Return the colour of an end: passed, below guessing, or between."""
    if last < 0.5:
        return theme.hot
    return theme.ours[0] if last >= bound else theme.baseline


def _spread(values: Sequence[float], gap: float = 0.085) -> list[float]:
    """Move heights of names apart until none overlap, keeping their order."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    heights = [0.0] * len(values)
    ceiling = 1.06
    for rank, i in enumerate(order):
        # Room for those that follow further down.
        floor = -0.04 + gap * (len(values) - 1 - rank)
        heights[i] = ceiling = max(min(values[i], ceiling), floor)
        ceiling -= gap
    return heights
