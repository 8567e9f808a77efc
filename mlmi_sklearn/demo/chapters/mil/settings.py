"""How much work the chapter does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Sizes of the two experiments.

    Parameters
    ----------
    folds : int, default=10
        Folds of the cross-validation on MUSK1.
    repeats : int, default=3
        Cross-validations, each with its own shuffle.
    draws : int, default=10
        Draws of training and test bags of digits.
    train_bags, test_bags : int, default=200
        Bags of digits in one draw.
    epochs : int, default=100
        Epochs of a net; the default of ``MILClassifier``.
    """

    folds: int = 10
    repeats: int = 3
    draws: int = 10
    train_bags: int = 200
    test_bags: int = 200
    epochs: int = 100


PRESETS = {"full": Settings(), "quick": Settings(repeats=1, draws=5)}
