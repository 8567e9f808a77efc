"""How much work the chapter does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Settings", "memory_of_mean"]


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

    Parameters
    ----------
    shrink : int, default=1
        By how much X-rays of 28 x 28 pixels are shrunk: 1, 2 or 4.
    trainings : int, default=3
        Trainings of the generator of X-rays, at least 2.
    xray_steps : int, default=1500
        Steps of each.
    compared : int, default=300
        Pictures that the reports on copies and collapse compare, 300 at most.
    draws : int, default=5
        Draws of a rare class, at least 2.
    rare : int, default=20
        Pictures of that class.
    balance_steps : int, default=1000
        Steps of the generator that is to balance the classes.
    frames : int, default=2000
        Frames of the phantom to learn from.
    phantom_steps : int, default=900
        Steps of the generator of frames.
    lines : int, default=8
        Lines along which the probe is moved, at least 2.
    stops : int, default=12
        Frames on each line, at least 2.
    repeats : int, default=8
        Frames for the same pose, at least 2.
    """

    shrink: int = 1
    trainings: int = 3
    xray_steps: int = 1500
    compared: int = 300
    draws: int = 5
    rare: int = 20
    balance_steps: int = 1000
    frames: int = 2000
    phantom_steps: int = 900
    lines: int = 8
    stops: int = 12
    repeats: int = 8


PRESETS = {
    "full": Settings(),
    "quick": Settings(
        shrink=2,
        trainings=2,
        xray_steps=500,
        compared=200,
        draws=3,
        balance_steps=300,
        frames=1000,
        phantom_steps=400,
        lines=4,
        stops=8,
        repeats=4,
    ),
}


def memory_of_mean(steps: int) -> float:
    """Return a decay of the running mean of weights that suits a short training.

    Parameters
    ----------
    steps : int
        Steps of the training.

    Returns
    -------
    float
        Such that the mean goes over the last eighth; 0.999 at most, the default of the
        library, which is for long ones.

    Examples
    --------
    >>> memory_of_mean(800), memory_of_mean(80_000)
    (0.99, 0.999)
    """
    return min(0.999, 1 - 8 / max(steps, 80))
