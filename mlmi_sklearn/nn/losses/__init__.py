"""Losses that own their link.

A loss maps raw scores ``(B, K)`` and a target to one value an example ``(B,)``,
unreduced, so that the trainer can weight examples. Its ``link`` says how raw scores
become predictions: ``"softmax"``, ``"sigmoid"`` or ``"identity"``.

Classification losses read three kinds of target:

* class codes ``(B,)``, integers below ``K``;
* with one column, codes 0 and 1: the column is the logit ``z`` of class 1, which means
  the same as a softmax over the two columns ``(0, z)``;
* memberships ``(B, K)`` between 0 and 1: several labels, each a binary problem of its
  own; the loss is the mean over the labels.

Regression losses read ``(B, K)``, or ``(B,)`` for one column, and average over columns.
"""

from __future__ import annotations

from .classification import BCE, CrossEntropy, Focal, GeneralisedCrossEntropy, Hinge
from .regression import MSE, Huber, Quantile, SmoothL1

__all__ = [
    "BCE",
    "MSE",
    "CrossEntropy",
    "Focal",
    "GeneralisedCrossEntropy",
    "Hinge",
    "Huber",
    "Quantile",
    "SmoothL1",
]
