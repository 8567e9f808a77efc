"""Frames along a line, how they vary, and how far off they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...content import Panel
from ...pictures import WIDTH, Theme

__all__ = ["Sweep", "error_panel", "spread_panel", "strip_panel"]

Array = NDArray[Any]

_STOPS = 5  # shown
_BRIGHT = 1.2


@dataclass(frozen=True)
class Sweep:
    """A probe moved along one line.

    Parameters
    ----------
    poses : ndarray of shape (n, 4, 4)
        Where.
    seen : Bunch
        What make_ultrasound_phantom returns for them.
    real : ndarray of shape (repeats, n, 1, H, W)
        Real frames.
    frames : mapping of str to ndarray of shape (repeats, n, 1, H, W)
        Frames by method.
    found : mapping of str to ndarray of shape (n, n_landmarks, 2)
        Landmarks detected in the first repeat, by method.
    """

    poses: Array
    seen: Any
    real: Array
    frames: Mapping[str, Array]
    found: Mapping[str, Array]

    @property
    def way(self) -> Array:
        """How far each pose is from the first, in mm."""
        return np.linalg.norm(self.poses[:, :3, 3] - self.poses[0, :3, 3], axis=1)

    def errors(self, method: str, radius: float) -> Array:
        """Return the mean error at each pose, NaN where nothing is to be found.

        Parameters
        ----------
        method : str
            Whose frames.
        radius : float
            What a landmark counts that was not found.

        Returns
        -------
        ndarray of shape (n,)
            In pixels.
        """
        there = np.isfinite(self.seen.landmarks).all(-1)
        away = np.linalg.norm(self.found[method] - self.seen.landmarks, axis=-1)
        counted = np.where(there, np.where(np.isnan(away), radius, away), 0.0)
        n = there.sum(1)
        return np.divide(counted.sum(1), n, out=np.full(len(n), np.nan), where=n > 0)


def strip_panel(sweep: Sweep, method: str) -> Panel:
    """Show truth, real and simulated frames along a line.

    Parameters
    ----------
    sweep : Sweep
        The line.
    method : str
        What simulates.

    Returns
    -------
    Panel
        With a text that gives the correlation with the truth.
    """
    pairs = zip(sweep.frames[method][0], sweep.seen.truth, strict=True)
    likeness = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
    alt = (
        f"Frames along a line of {sweep.way[-1]:.0f} mm: truth, a real frame, and two "
        f"simulated ones, which correlate with the truth by {likeness:.2f}."
    )
    return Panel("line", alt, partial(_draw_strip, sweep, method))


def spread_panel(sweep: Sweep, method: str) -> Panel:
    """Show the standard deviation of each pixel across frames of one pose.

    Parameters
    ----------
    sweep : Sweep
        The line.
    method : str
        What simulates.

    Returns
    -------
    Panel
        With a text that gives their means.
    """
    real, made = _spreads(sweep, method)
    alt = (
        "Standard deviation of pixels across frames of one pose: mean "
        f"{real.mean():.3f} of real and {made.mean():.3f} of simulated frames."
    )
    return Panel("spread", alt, partial(_draw_spread, sweep, method))


def error_panel(
    sweeps: Sequence[Sweep], methods: Sequence[str], radius: float
) -> Panel:
    """Show the error of landmarks along the way, mean over lines.

    Parameters
    ----------
    sweeps : sequence of Sweep
        The lines, all with as many stops.
    methods : sequence of str
        Whose frames; the first is the one in question.
    radius : float
        What a landmark counts that was not found.

    Returns
    -------
    Panel
        With a text that gives the mean error of each.
    """
    means = "; ".join(
        f"{name} {np.nanmean([s.errors(name, radius) for s in sweeps]):.2f}"
        for name in methods
    )
    alt = f"Error of landmarks along the lines, mean in pixels: {means}."
    draw = partial(_draw_errors, tuple(sweeps), tuple(methods), radius)
    return Panel("error", alt, draw)


def _spreads(sweep: Sweep, method: str) -> tuple[Array, Array]:
    real, made = sweep.real, sweep.frames[method]
    return real.std(0, ddof=1)[:, 0], made.std(0, ddof=1)[:, 0]


def _stops(sweep: Sweep) -> Array:
    n = len(sweep.poses)
    stops: Array = np.unique(np.linspace(0, n - 1, min(_STOPS, n)).round().astype(int))
    return stops


def _draw_strip(sweep: Sweep, method: str, theme: Theme) -> Figure:
    made = sweep.frames[method]
    lines = {
        "truth": sweep.seen.truth,
        "real": sweep.real[0],
        "simulated": made[0],
        "with other\nnoise": made[1],
    }
    stops = _stops(sweep)
    figure, grid = _grid(len(lines), len(stops), "along a line")
    for line, (name, images) in zip(grid, lines.items(), strict=True):
        _name(line[0], name)
        for axes, stop in zip(line, stops, strict=True):
            axes.imshow(images[stop, 0], cmap="gray", vmin=0, vmax=_BRIGHT)
            if name in ("truth", "simulated"):
                y, x = sweep.seen.landmarks[stop].T
                axes.plot(x, y, "+", color=theme.hot, ms=4, mew=0.9)
            if name == "simulated":
                y, x = sweep.found[method][stop].T
                axes.plot(x, y, "o", mfc="none", color=theme.ours[0], ms=4.5, mew=0.9)
    for axes, stop in zip(grid[-1], stops, strict=True):
        axes.set_xlabel(f"{sweep.way[stop]:.0f} mm", fontsize=7.5)
    return figure


def _draw_spread(sweep: Sweep, method: str, theme: Theme) -> Figure:
    stops = _stops(sweep)
    parts = _spreads(sweep, method)
    highest = float(parts[0].max())
    figure, grid = _grid(2, len(stops), "how much frames of one pose differ")
    for line, name, values in zip(grid, ("real", "simulated"), parts, strict=True):
        _name(line[0], name)
        for axes, stop in zip(line, stops, strict=True):
            shown = axes.imshow(values[stop], cmap="magma", vmin=0, vmax=highest)
    bar = figure.colorbar(
        shown, ax=grid, location="bottom", shrink=0.7, aspect=30, pad=0.04
    )
    bar.set_label("standard deviation", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    return figure


def _draw_errors(
    sweeps: tuple[Sweep, ...], methods: tuple[str, ...], radius: float, theme: Theme
) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    axes = figure.subplots()
    share = np.linspace(0, 100, len(sweeps[0].poses))
    colours = (theme.ours[0], theme.baseline, theme.hot)
    for name, colour in zip(methods, colours, strict=True):
        errors = np.ma.masked_invalid([s.errors(name, radius) for s in sweeps]).mean(0)
        axes.plot(share, errors, "o-", color=colour, ms=3.5, lw=1.4, label=name)
    axes.set(title="error of landmarks", xlabel="% of the way", ylabel="pixels")
    axes.set_ylim(0, None)
    axes.grid(axis="y", lw=0.6)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=7.5)
    return figure


def _grid(n_lines: int, n_columns: int, title: str) -> tuple[Figure, Any]:
    height = 0.45 + 0.62 * n_lines + (0.5 if n_lines == 2 else 0)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(n_lines, n_columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    return figure, grid


def _name(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
