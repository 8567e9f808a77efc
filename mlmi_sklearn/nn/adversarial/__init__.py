"""Losses of a generator and its discriminator, and penalties on slopes.

A loss is a pair: ``discriminator(real, fake)`` and ``generator(fake)`` map raw scores,
any number of them, to scalars that both players minimise. What else a loss can ask of
the trainer is said in :mod:`~mlmi_sklearn.nn.adversarial.contract`.
"""

from __future__ import annotations

from .likelihood import AuxiliaryClassifier, Minimax, NonSaturating, objective
from .losses import Hinge, LeastSquares, WassersteinGP
from .penalties import gradient_penalty, r1_penalty

__all__ = [
    "AuxiliaryClassifier",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "WassersteinGP",
    "gradient_penalty",
    "objective",
    "r1_penalty",
]
