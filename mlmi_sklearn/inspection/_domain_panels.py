"""The single panels of a picture of adaptation, each drawn into given axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.utils.multiclass import type_of_target

from ..containers.domains import Domains

Array = NDArray[Any]

# Okabe and Ito: told apart by readers with any common colour blindness.
_SOURCES = ("#0072B2", "#56B4E9", "#009E73", "#1B3A57")
_TARGETS = ("#D55E00", "#E69F00", "#CC79A7", "#7A2E00")
# The ten colours of Petroff (2021), https://arxiv.org/abs/2107.02270.
_CLASSES = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
_UNKNOWN = "#C8C8C8"
_SOURCE_MARK, _TARGET_MARK = "o", "^"
# Legends with more entries than this say less than none.
_MOST_ENTRIES = 12


def draw_losses(axes: Axes, history: pd.DataFrame) -> None:
    """Draw the losses against the epoch, with their last values."""
    names = {
        "train_loss": ("labels", _SOURCES[0], "-"),
        "valid_loss": ("labels, held out", _SOURCES[1], "--"),
        "domain_loss": ("domains", _TARGETS[0], "-"),
    }
    for column, (name, colour, style) in names.items():
        if column in history and history[column].notna().any():
            values = history[column]
            label = f"{name} (last {values.iloc[-1]:.3g})"
            axes.plot(history["epoch"], values, style, color=colour, label=label)
    axes.set(title="Losses", xlabel="epoch", ylim=_from_zero(axes))
    _finish_curves(axes, 2)


def draw_critic(
    axes: Axes, history: pd.DataFrame, path: Array, accuracy: float
) -> None:
    """Draw the accuracy of the critic and the chance line; lambda on the right."""
    axes.set(title="Telling the domains apart", xlabel="epoch")
    if not np.any(path):
        _say_there_is_no_critic(axes, accuracy)
        return
    axes.axhline(0.5, color="#6B6B6B", lw=1, ls="--", label="chance")
    epochs, lowest = np.asarray(history["epoch"])[-len(path) :], 0.4
    if "discriminator_accuracy" in history:
        values = np.asarray(history["discriminator_accuracy"], dtype=float)
        label = "discriminator accuracy"
        axes.plot(history["epoch"], values, color=_TARGETS[0], label=label)
        lowest = min(lowest, np.nanmin(values) - 0.02)
    elif np.isfinite(accuracy):
        label = "linear classifier on features"
        axes.plot(epochs[-1:], [accuracy], "D", color=_TARGETS[0], label=label)
        lowest = min(lowest, accuracy - 0.02)
    axes.set(ylim=(lowest, 1.02), ylabel="balanced accuracy")
    right = axes.twinx()
    right.plot(epochs, path, ":", color=_SOURCES[0], lw=2, label="lambda (right)")
    right.set_ylim(0, 1.1 * max(float(path.max()), 1e-9))
    right.tick_params(axis="y", colors=_SOURCES[0])
    right.spines["top"].set_visible(False)
    _finish_curves(axes, 2, *right.get_legend_handles_labels())


def _say_there_is_no_critic(axes: Axes, accuracy: float) -> None:
    """Write in place of curves what is known of a net that did not adapt."""
    text = "Trained on the source alone:\nthere is no critic."
    if np.isfinite(accuracy):
        text += (
            "\n\nA linear classifier tells the\ndomains apart by the features\n"
            f"with balanced accuracy {accuracy:.2f}."
        )
    axes.set(xticks=[], yticks=[], xlabel="")
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def draw_domains(
    axes: Axes, points: Array, names: tuple[str, str], title: str, domains: Domains
) -> None:
    """Draw points coloured by domain; sources are circles, targets triangles."""
    codes = domains.codes(domains.names)
    parts, colours = [], dict(zip(domains.names, domain_colours(domains), strict=True))
    for code, name in enumerate(domains.names):
        rows = codes == code
        marks = {"marker": _mark(domains, rows), "color": colours[name]}
        parts.append((rows, f"{_kind(domains, rows)} {name}", marks))
    _scatter(axes, points, parts)
    axes.set_title(f"{title}, by domain")
    _finish_points(axes, names, 2)


def draw_classes(
    axes: Axes,
    points: Array,
    names: tuple[str, str],
    title: str,
    domains: Domains,
    labels: Array,
    known: Array,
) -> None:
    """Draw points coloured by class, or by value in regression."""
    if known.any() and type_of_target(labels[known]).startswith("continuous"):
        _draw_values(axes, points, title, domains, labels, known)
        _finish_points(axes, names, 0)
        return
    classes = np.unique(labels[known])
    colours = class_colours(len(classes))
    parts = []
    for is_target in (False, True):
        side = domains.is_target == is_target
        marks = {"marker": _TARGET_MARK if is_target else _SOURCE_MARK}
        parts.append((side & ~known, "no label", {**marks, "color": _UNKNOWN}))
        for label, colour in zip(classes, colours, strict=True):
            rows = side & known
            rows[rows] = labels[rows] == label
            parts.append((rows, f"{label}", {**marks, "color": colour}))
    _scatter(axes, points, parts)
    axes.set_title(f"{title}, by class")
    short = all(len(f"{label}") < 3 for label in classes)
    _finish_points(axes, names, 5 if short else 2)


def class_colours(n: int) -> list[Any]:
    """Return n colours: ten that are easily told apart, or a row of shades."""
    if n <= len(_CLASSES):
        return list(_CLASSES[:n])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 1, n)))


def domain_colours(domains: Domains) -> list[str]:
    """Return a cold colour for each source, a warm one for each target, in order."""
    n = domains.n_sources
    cold = [_SOURCES[k % len(_SOURCES)] for k in range(n)]
    return cold + [_TARGETS[k % len(_TARGETS)] for k in range(len(domains.names) - n)]


def _draw_values(
    axes: Axes, points: Array, title: str, domains: Domains, values: Array, known: Array
) -> None:
    """Draw points in shades of their value, with a colour bar."""
    shades = np.asarray(values[known], dtype=float)
    limits = {"vmin": shades.min(), "vmax": shades.max(), "cmap": "viridis"}
    drawn: Any = None
    for is_target, mark in ((False, _SOURCE_MARK), (True, _TARGET_MARK)):
        side = domains.is_target == is_target
        place = points[side & ~known]
        axes.scatter(
            place[:, 0], place[:, 1], s=12, color=_UNKNOWN, marker=mark, lw=0, alpha=0.6
        )
        place, shown = points[side & known], side[known]
        drawn = axes.scatter(
            place[:, 0],
            place[:, 1],
            c=shades[shown],
            s=12,
            marker=mark,
            lw=0,
            alpha=0.8,
            **limits,
        )
    bar = axes.inset_axes((0.15, -0.18, 0.7, 0.045))
    axes.figure.colorbar(drawn, cax=bar, orientation="horizontal")
    axes.set_title(f"{title}, by value")


def _scatter(axes: Axes, points: Array, parts: list[Any]) -> None:
    """Draw groups of points so that none hides the others."""
    size = float(np.clip(6000 / max(len(points), 1), 9, 30))
    for rank, (rows, name, marks) in enumerate(_non_empty(parts)):
        axes.scatter(
            points[rows, 0],
            points[rows, 1],
            s=size,
            alpha=0.65,
            lw=0,
            zorder=2 + rank / 100,
            label=name,
            **marks,
        )


def _non_empty(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        if part[0].any():
            yield part


def _mark(domains: Domains, rows: Array) -> str:
    return _TARGET_MARK if domains.is_target[rows].any() else _SOURCE_MARK


def _kind(domains: Domains, rows: Array) -> str:
    return "target" if domains.is_target[rows].any() else "source"


def _from_zero(axes: Axes) -> tuple[float, float]:
    """Return limits that begin at 0, unless a loss is negative."""
    low, high = axes.get_ylim()
    return (min(low, 0.0) if low < -0.05 * abs(high) else 0.0), high


def _finish_curves(
    axes: Axes, columns: int, handles: Any = (), labels: Any = ()
) -> None:
    """Take away what is not needed; put the legend below the curves."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", lw=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    own, names = axes.get_legend_handles_labels()
    axes.legend(
        [*own, *handles],
        [*names, *labels],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        ncols=columns,
        frameon=False,
        fontsize="small",
    )


def _finish_points(axes: Axes, names: tuple[str, str], columns: int) -> None:
    """Name the axes, and put the legend below the points."""
    axes.set(xticks=[], yticks=[], xlabel=names[0], ylabel=names[1])
    for spine in axes.spines.values():
        spine.set_color("#BBBBBB")
    handles, labels = axes.get_legend_handles_labels()
    each: dict[str, Any] = {}
    for label, handle in zip(labels, handles, strict=True):
        each.setdefault(label, handle)  # a class may be in both domains
    if not 0 < len(each) <= _MOST_ENTRIES:
        return
    legend = axes.legend(
        list(each.values()),
        list(each),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.1),
        ncols=columns,
        frameon=False,
        fontsize="small",
        markerscale=1.6,
        handletextpad=0.1,
        columnspacing=1.0,
    )
    for entry in legend.legend_handles:
        if entry is not None:
            entry.set_alpha(1)
