"""Drawing new samples that look like the training data, as a condition asks for.

:class:`CGANSampler` learns to draw rows of a table, images or volumes;
:class:`ImageTranslator` makes one image of another. :class:`AugmentedClassifier` trains
any classifier on real and synthetic rows, :class:`AdversarialRegularizer` draws the
outputs of any net towards a set of samples.
"""

from __future__ import annotations

from .augmented import AugmentedClassifier, AugmentedRegressor
from .cgan import CGANSampler
from .regularizer import AdversarialRegularizer, RegularizedLoss
from .translation import ImageTranslator

__all__ = [
    "AdversarialRegularizer",
    "AugmentedClassifier",
    "AugmentedRegressor",
    "CGANSampler",
    "ImageTranslator",
    "RegularizedLoss",
]
