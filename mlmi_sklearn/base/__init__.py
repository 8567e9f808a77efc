"""The scikit-learn side of every estimator: one template for fit and predict."""

from .classification import ClassifierOutputs, class_weights
from .constraints import CLASS_WEIGHT, COMPONENT, TRAINING_CONSTRAINTS
from .docs import with_training_parameters
from .estimator import TorchEstimator
from .parts import Part, Recipe, build_backbone, resolve_part
from .regression import RegressorOutputs

__all__ = [
    "CLASS_WEIGHT",
    "COMPONENT",
    "TRAINING_CONSTRAINTS",
    "ClassifierOutputs",
    "Part",
    "Recipe",
    "RegressorOutputs",
    "TorchEstimator",
    "build_backbone",
    "class_weights",
    "resolve_part",
    "with_training_parameters",
]
