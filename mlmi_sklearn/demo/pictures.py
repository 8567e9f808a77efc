"""Pictures for light and dark pages, drawn without pyplot.

A panel is drawn once in each theme. Only :class:`matplotlib.figure.Figure` is used, and
settings are changed within :func:`render` alone, so figures and styles of the user's
own session stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .content import Metric, Panel, Scores

__all__ = ["DARK", "LIGHT", "WIDTH", "Theme", "dots_panel", "loss_panel", "render"]

# Inches; the page shows 100 pixels an inch, the file holds twice as many.
WIDTH = 3.4
_DPI = 200


@dataclass(frozen=True)
class Theme:
    """Colours of a page."""

    name: str
    background: str
    text: str
    faint: str
    ours: tuple[str, ...]
    baseline: str
    hot: str


LIGHT = Theme(
    name="light",
    background="#ffffff",
    text="#1c2430",
    faint="#d5dae1",
    ours=("#0b6e99", "#8a3ffc", "#00796b", "#ad1457"),
    baseline="#6b7480",
    hot="#d9480f",
)
DARK = Theme(
    name="dark",
    background="#171b22",
    text="#e6e9ee",
    faint="#3a424e",
    ours=("#5cc4f0", "#be95ff", "#4dd0b5", "#f48fb1"),
    baseline="#9aa4b1",
    hot="#ff922b",
)


def render(panel: Panel, theme: Theme) -> bytes:
    """Draw a panel.

    Parameters
    ----------
    panel : Panel
        What to draw.
    theme : Theme
        In which colours.

    Returns
    -------
    bytes
        A PNG file.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever style the user has chosen
        settings: Any = _settings(theme)
        matplotlib.rcParams.update(settings)
        file = io.BytesIO()
        panel.draw(theme).savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def dots_panel(key: str, rows: Sequence[Scores], metric: Metric) -> Panel:
    """Show the score of each repetition as a dot, with mean and deviation.

    Parameters
    ----------
    key : str
        Short name for files.
    rows : sequence of Scores
        The methods, from top to bottom.
    metric : Metric
        What to show.

    Returns
    -------
    Panel
        With a text that lists means and deviations.
    """
    summary = "; ".join(
        f"{row.method} {row.mean(metric.key):.2f} ± {row.sd(metric.key):.2f}"
        for row in rows
    )
    alt = f"Dot plot of {metric.title} by method, mean ± sd: {summary}."
    return Panel(key, alt, partial(_draw_dots, rows, metric))


def loss_panel(key: str, curves: Mapping[str, pd.DataFrame]) -> Panel:
    """Show the training loss of nets, mean and range over the repetitions.

    Parameters
    ----------
    key : str
        Short name for files.
    curves : mapping of str to DataFrame of shape (n_repetitions, n_epochs)
        Losses by method.

    Returns
    -------
    Panel
        With a text that gives first and last loss.
    """
    ends = "; ".join(
        f"{name} from {curve[0].mean():.2f} to {curve.iloc[:, -1].mean():.3f}"
        for name, curve in curves.items()
    )
    alt = f"Training loss by epoch, mean over the repetitions: {ends}."
    return Panel(key, alt, partial(_draw_losses, curves))


def _settings(theme: Theme) -> dict[str, Any]:
    """Return matplotlib's settings for a theme."""
    inks = ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor")
    faint = ("axes.edgecolor", "xtick.color", "ytick.color", "grid.color")
    back = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return {
        **dict.fromkeys(inks, theme.text),
        **dict.fromkeys(faint, theme.faint),
        **dict.fromkeys(back, theme.background),
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "ytick.left": False,
    }


def _draw_dots(rows: Sequence[Scores], metric: Metric, theme: Theme) -> Figure:
    """Draw one line of dots a method, its name above."""
    figure = Figure(figsize=(WIDTH, 0.6 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots()
    colours = iter(theme.ours)
    for height, row in zip(range(len(rows), 0, -1), rows, strict=True):
        colour = next(colours) if row.ours else theme.baseline
        _draw_row(axes, height, row, metric, colour)
    lowest = min(row.values[metric.key].min() for row in rows)
    axes.set_xlim(min(lowest, 0.5) - 0.03, 1.08)
    axes.set(yticks=[], ylim=(0.55, len(rows) + 0.75), title=metric.title)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= 1.001])
    axes.set_xlim(min(lowest, 0.5) - 0.03, 1.08)
    axes.grid(axis="x", lw=0.6)
    axes.set_axisbelow(True)
    return figure


def _draw_row(
    axes: Axes, height: int, row: Scores, metric: Metric, colour: str
) -> None:
    """Draw name, mean and deviation of one method, and its dots below."""
    values, mean, sd = row.values[metric.key], row.mean(metric.key), row.sd(metric.key)
    label = f"{row.method}  {mean:.{metric.decimals}f}"
    place = ("axes fraction", "data")
    axes.annotate(label, (0, height + 0.27), xycoords=place, fontsize=8)
    axes.plot([mean - sd, mean + sd], [height, height], color=colour, lw=1.8)
    axes.plot(mean, height + 0.02, "|", color=colour, ms=10, mew=2.6)
    low = height - 0.2 + _jitter(len(values))
    axes.scatter(values, low, s=13, color=colour, alpha=0.5, lw=0)


def _draw_losses(curves: Mapping[str, pd.DataFrame], theme: Theme) -> Figure:
    """Draw a line and a band for each net."""
    figure = Figure(figsize=(WIDTH, 3.05), layout="constrained")
    axes = figure.subplots()
    for (name, curve), colour in zip(curves.items(), theme.ours, strict=False):
        epochs = np.arange(1, curve.shape[1] + 1)
        axes.plot(epochs, curve.mean(), color=colour, lw=1.6, label=name)
        axes.fill_between(
            epochs, curve.min(), curve.max(), color=colour, alpha=0.18, lw=0
        )
    axes.set(title="training loss", xlabel="epoch", ylim=(0, None))
    axes.grid(axis="y", lw=0.6)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _jitter(n: int) -> NDArray[np.float64]:
    """Return n small offsets, the same in every run, that fill a band evenly."""
    golden = (np.sqrt(5) - 1) / 2
    return 0.2 * (np.arange(n) * golden % 1 - 0.5)
