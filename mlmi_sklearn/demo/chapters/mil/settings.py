"""How much work the chapter does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

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
    checks : int, default=5
        Draws of the tests of the assumption, at least 2.
    check_bags : int, default=200
        Bags in training, and as many in testing, of one such test.
    slide_draws : int, default=6
        Draws of training and test slides, at least 2.
    train_slides, test_slides : int, default=100 and 40
        Slides in one draw.
    """

    folds: int = 10
    repeats: int = 3
    draws: int = 10
    train_bags: int = 200
    test_bags: int = 200
    epochs: int = 100
    checks: int = 5
    check_bags: int = 200
    slide_draws: int = 6
    train_slides: int = 100
    test_slides: int = 40


PRESETS = {
    "full": Settings(),
    "quick": Settings(repeats=1, draws=4, checks=3, check_bags=80, slide_draws=3),
}
