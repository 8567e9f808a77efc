"""Multiple-instance learning: labels on bags, predictions for bags and instances."""

from ..containers import Bags, check_bags
from .classifier import MILClassifier
from .lifting import InstanceWise

__all__ = ["Bags", "InstanceWise", "MILClassifier", "check_bags"]
