"""Divergences: how far the features of two domains are apart.

A divergence is made for a width ``in_features`` and maps ``(zs (n, D), zt (m, D))`` to
a scalar. Some are distances of samples, which features minimise; others own a critic
(``adversarial`` is True) and return its loss, which features maximise through a
reversed gradient. What else a divergence can take, such as weights of rows, is said in
:mod:`~mlmi_sklearn.nn.divergences.contract`.
"""

from __future__ import annotations

from .cdan import CDANDivergence
from .coral import CORALDivergence
from .dann import DANNDivergence
from .mdd import MDDDivergence
from .mmd import MMDDivergence
from .wasserstein import WassersteinDivergence

__all__ = [
    "CDANDivergence",
    "CORALDivergence",
    "DANNDivergence",
    "MDDDivergence",
    "MMDDivergence",
    "WassersteinDivergence",
]
