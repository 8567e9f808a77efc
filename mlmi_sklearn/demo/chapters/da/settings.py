"""How much work the chapter does."""

from __future__ import annotations

from dataclasses import dataclass

from mlmi_sklearn.datasets._shifted_digits import ShiftName

__all__ = ["PRESETS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

    Parameters
    ----------
    hospital_epochs, digit_epochs : int, default=20 and 25
        Epochs of a net, fewer than the default of ``DANNClassifier`` to be quick.
    hospital_seeds : int, default=4
        Repetitions for each hospital, at least 2.
    labels : int, default=5
        Labels of the target hospital that MME gets.
    shifts : tuple of str
        Shifts of the digits, four at most for the width of a terminal.
    draws : int, default=3
        Draws of digits for each shift, at least 2.
    shots : int, default=3
        Labels of each digit that MME gets of the target.
    points : int, default=600
        Digits in the pictures of features.
    lambdas : tuple of float
        Weights to choose from.
    lambda_draws : int, default=3
        Draws of digits to choose on, at least 2.
    """

    hospital_epochs: int = 20
    digit_epochs: int = 25
    hospital_seeds: int = 4
    labels: int = 5
    shifts: tuple[ShiftName, ...] = ("rotate", "roll", "blur", "scale")
    draws: int = 3
    shots: int = 3
    points: int = 600
    lambdas: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0)
    lambda_draws: int = 3


PRESETS = {
    "full": Settings(),
    "quick": Settings(
        hospital_epochs=10,
        digit_epochs=15,
        hospital_seeds=2,
        shifts=("rotate", "roll"),
        draws=2,
        points=300,
        lambdas=(0.0, 0.3, 3.0),
        lambda_draws=2,
    ),
}
