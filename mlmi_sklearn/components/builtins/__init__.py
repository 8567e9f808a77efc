"""The parts that come with the package.

They are registered through the hooks that plugins use, and named by strings, so that
this module imports nothing of what it names.
"""

from __future__ import annotations

from .estimators import mlmi_register_estimators
from .networks import (
    mlmi_register_backbones,
    mlmi_register_generators,
    mlmi_register_poolings,
)
from .objectives import (
    mlmi_register_adversarial_losses,
    mlmi_register_divergences,
    mlmi_register_losses,
)
from .readers import mlmi_register_slide_readers
from .recipes import mlmi_register_augmentations, mlmi_register_meta_methods

__all__ = [
    "mlmi_register_adversarial_losses",
    "mlmi_register_augmentations",
    "mlmi_register_backbones",
    "mlmi_register_divergences",
    "mlmi_register_estimators",
    "mlmi_register_generators",
    "mlmi_register_losses",
    "mlmi_register_meta_methods",
    "mlmi_register_poolings",
    "mlmi_register_slide_readers",
]
