"""A probe moved along lines through a phantom: what it sees, and what is simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets import make_probe_path, make_ultrasound_phantom
from ....generation import CGANSampler
from ....metrics import across_latent_spread, detect_landmarks, landmark_error
from ...content import Figure, Finding, Metric, Scores, Section, Table
from ...session import progress
from ..meta.words import by_method, error_verdict
from .phantom_pictures import Sweep, error_panel, spread_panel, strip_panel
from .samplers import values_of
from .settings import Settings, memory_of_mean

__all__ = ["GAN", "NEAREST", "RANDOM", "REAL", "phantom_section", "probe_lines"]

Array = NDArray[Any]
# From a line and a number of repeats to frames (repeats, stops, 1, H, W).
Simulator = Callable[[Any, int], Array]

GAN = "CGANSampler"
NEAREST = "Frame of the nearest pose"
RANDOM = "Any training frame"
REAL = "Real frames"

# As far as detect_landmarks looks: what is missing counts as this far off.
_RADIUS = 4.0

METRICS = (
    Metric("error", "error (px)", 2),
    Metric("missing", "missing", 2, spread=False),
    Metric("correlation", "r with truth", 2, spread=False),
    Metric("spread", "spread / real", 2, spread=False),
)

_QUESTION = """\
A probe was moved over a phantom by hand, and a tracker tells where each pixel of each \
frame lies. Now the probe goes along {lines} new lines. What will it see? The \
generator gets nothing but the coordinates of the pixels (Hu et al. 2017). Since the \
phantom is a formula, the truth is known."""

_COLUMNS = """\
Error: mean distance, in pixels, of structures from where they should be; one that is \
not found counts as {radius:.0f} pixels, as far as is looked. Missing: share of those. \
r with truth: correlation of frames with the truth without speckle. Spread: how much \
frames for the same pose differ, divided by how much real ones do by their speckle. \
The last row has real frames at the same poses: the best that can be expected."""


@dataclass(frozen=True)
class _Line:
    """Frames on one line, taken anew as often as asked."""

    poses: Array
    seed: int

    def taken(self, repeat: int) -> Any:
        """Return the frames with the speckle of one sweep."""
        seed = 1000 * (self.seed + 1) + repeat
        return make_ultrasound_phantom(poses=self.poses, random_state=seed)

    def repeats(self, n: int, start: int = 0) -> Array:
        """Return images of n sweeps."""
        return np.stack([self.taken(start + k).images for k in range(n)])


def phantom_section(settings: Settings) -> Section:
    """Learn from a freehand scan, simulate others, and write the section.

    Parameters
    ----------
    settings : Settings
        Frames, steps and lines.

    Returns
    -------
    Section
        Errors of landmarks and spread by line, with frames to look at.
    """
    lines = [
        _Line(poses, k)
        for k, poses in enumerate(probe_lines(settings.lines, settings.stops))
    ]
    simulators = _learnt(settings)
    rows, sweeps = _run(lines, simulators, settings)
    caption = (
        f"means over {settings.lines} lines of {settings.stops} frames (error: ± sd); "
        "lower error is better, spread is best at 1"
    )
    return Section(
        title="Ultrasound of a phantom, where you point the probe",
        question=_QUESTION.format(lines=settings.lines),
        table=Table("phantom", caption, METRICS, rows),
        findings=(phantom_finding(rows),),
        figures=(_figure(sweeps),),
        protocol=_protocol(settings),
    )


def probe_lines(n_lines: int, n_stops: int) -> list[Array]:
    """Return poses along lines within the reach of the scan to learn from.

    Parameters
    ----------
    n_lines : int
        How many; the first ones do not depend on it.
    n_stops : int
        Poses on each.

    Returns
    -------
    list of ndarray of shape (n_stops, 4, 4)
        Straight lines through the phantom, each with the probe held in its own way.
    """
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(n_lines):
        side, end, turn = rng.uniform(-1, 1, (3, 3))
        start = np.array([5.0, 5.0, 2.0]) * side - [0, 0, 4]
        stop = np.array([5.0, 5.0, 2.0]) * end + [0, 0, 4]
        lines.append(make_probe_path(n_stops, start=start, stop=stop, angles=15 * turn))
    return lines


def _learnt(settings: Settings) -> dict[str, Simulator]:
    """Scan the phantom, train, and return what simulates, by name."""
    scan = make_ultrasound_phantom(settings.frames, random_state=0)
    with progress("Phantom, training", 1) as step:
        model = CGANSampler(
            "conv",
            batch_size=32,
            max_iter=settings.phantom_steps,
            ema=memory_of_mean(settings.phantom_steps),
            device="cpu",
            random_state=0,
        ).set_params(generator__channels=(8, 16, 32), generator__noise=True)
        model.fit(scan.images, condition=scan.coordinates)
        step(GAN)
    rng = np.random.default_rng(0)

    def simulated(line: _Line, n: int) -> Array:
        where = line.taken(0).coordinates
        return np.stack(
            [model.sample(condition=where, random_state=k)[0] for k in range(n)]
        )

    def nearest(line: _Line, n: int) -> Array:
        found = scan.images[nearest_rows(scan.coordinates, line.taken(0).coordinates)]
        return np.repeat(found[None], n, axis=0)

    def any_frame(line: _Line, n: int) -> Array:
        found: Array = scan.images[
            rng.integers(len(scan.images), size=(n, len(line.poses)))
        ]
        return found

    return {
        GAN: simulated,
        NEAREST: nearest,
        RANDOM: any_frame,
        # Not the sweeps that spread is compared with.
        REAL: lambda line, n: line.repeats(n, start=n),
    }


def nearest_rows(known: Array, asked: Array) -> Array:
    """Find the frames whose pixels lie nearest.

    Parameters
    ----------
    known : ndarray of shape (n, 3, H, W)
        Coordinates of frames.
    asked : ndarray of shape (m, 3, H, W)
        Coordinates of others.

    Returns
    -------
    ndarray of int of shape (m,)
        For each of these the row of the known frame with the smallest mean squared
        distance of pixels.
    """
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (known, asked))
    rows: Array = ((a**2).sum(1) - 2 * b @ a.T).argmin(1)
    return rows


def _run(
    lines: Sequence[_Line], simulators: dict[str, Simulator], settings: Settings
) -> tuple[tuple[Scores, ...], list[Sweep]]:
    """Simulate all lines; return the rows of the table, and the frames."""
    records: dict[str, list[dict[str, float]]] = {name: [] for name in simulators}
    sweeps = []
    with progress("Phantom, lines", len(lines)) as step:
        for number, line in enumerate(lines):
            seen, real = line.taken(0), line.repeats(settings.repeats)
            frames, found = {}, {}
            for name, simulate in simulators.items():
                frames[name] = simulate(line, settings.repeats)
                found[name] = detect_landmarks(
                    frames[name][0], seen.landmarks, radius=_RADIUS
                )
                spread = across_latent_spread(frames[name], real).ratio
                scores = judged(frames[name][0], found[name], seen)
                records[name].append({**scores, "spread": spread})
            sweeps.append(Sweep(line.poses, seen, real, frames, found))
            step(f"line {number + 1}")
    rows = (values_of(name, name == GAN, found) for name, found in records.items())
    return tuple(rows), sweeps


def judged(images: Array, found: Array, seen: Any) -> dict[str, float]:
    """Compare frames on a line with the truth.

    Parameters
    ----------
    images : ndarray of shape (n, 1, H, W)
        One frame a pose.
    found : ndarray of shape (n, n_landmarks, 2)
        Landmarks detected in them, NaN where missing.
    seen : Bunch
        What make_ultrasound_phantom returns for the poses.

    Returns
    -------
    dict of str to float
        Error, share of landmarks missing, and correlation.
    """
    looked_for, lost = np.isfinite(seen.landmarks), np.isnan(found)
    # So that nobody gains by a structure that is not there at all.
    counted = np.where(lost, seen.landmarks + np.array([_RADIUS, 0]), found)
    pairs = zip(images, seen.truth, strict=True)
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
    return {
        "error": landmark_error(seen.landmarks, counted).mean,
        "missing": float(lost[looked_for].mean()),
        "correlation": float(np.mean(likeness)),
    }


def phantom_finding(rows: Sequence[Scores]) -> Finding:
    """Say how far off simulated frames are, and whether they vary as real ones.

    Parameters
    ----------
    rows : sequence of Scores
        The table.

    Returns
    -------
    Finding
        Made from the numbers.
    """
    named = by_method(rows)
    gan, near, real = named[GAN], named[NEAREST], named[REAL]
    error = Metric("error", "error", 2)
    spread = gan.mean("spread")
    return Finding(
        "Structures in simulated frames are off by "
        f"{gan.mean('error'):.1f} pixels, in the frame of the nearest pose by "
        f"{near.mean('error'):.1f}, in real frames by {real.mean('error'):.1f}.",
        (
            error_verdict(gan, near, error),
            error_verdict(gan, named[RANDOM], error),
            f"Simulated frames for one pose differ {spread:.2f} times as much as real "
            f"ones. {_of_noise(spread)}",
            _COLUMNS.format(radius=_RADIUS),
        ),
    )


def _of_noise(spread: float) -> str:
    """Judge how much frames for one pose differ, as a share of real ones."""
    if spread < 0.5:
        return (
            "The noise is used too little: a known weakness of generators whose "
            "condition says nearly all."
        )
    if spread < 0.8:
        return "The noise is used, if less than it should be."
    if spread <= 1.25:
        return "That is as it should be."
    return "That is more than speckle: the generator is not sure of what is there."


def _figure(sweeps: Sequence[Sweep]) -> Figure:
    """Show the first line, and the error along all."""
    first = sweeps[0]
    names = (GAN, NEAREST, REAL)
    return Figure(
        "One of the lines from begin to end: crosses mark where "
        "structures are, circles where they were found. Two simulated frames for one "
        "pose differ by their noise alone. Then how much frames at one pose differ, "
        "pixel by pixel, on one scale. Last the error along the way, mean over the "
        "lines.",
        (
            strip_panel(first, GAN),
            spread_panel(first, GAN),
            error_panel(sweeps, names, _RADIUS),
        ),
    )


def _protocol(settings: Settings) -> tuple[str, ...]:
    """Say how it was done."""
    return (
        f"make_ultrasound_phantom: {settings.frames} frames of 24 x 24 pixels of 2 mm "
        "at random poses to learn from (random_state 0). Lines are straight, with "
        "the probe held in one way on each, drawn with a fixed seed within the reach "
        "of these poses; no pose is in both.",
        f"CGANSampler('conv'), {settings.phantom_steps} steps, batch_size 32, "
        "generator__channels (8, 16, 32), generator__noise, running mean over the last "
        "eighth of the steps, all else are the defaults; random_state 0. It sees "
        "coordinates at every scale of the generator and beside the frame in the "
        "discriminator. How many steps was settled by a look at errors at other poses "
        "of this phantom.",
        "The nearest pose is the training frame whose pixels lie nearest in the mean "
        "square. Landmarks are found by detect_landmarks, the same for all.",
        f"Spread: {settings.repeats} frames for each pose, and as many real ones. "
        "Intervals are over lines, for one training and one phantom.",
    )
