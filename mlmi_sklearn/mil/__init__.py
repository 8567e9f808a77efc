"""Multiple-instance learning: labels on bags, predictions for bags and instances."""

from ..containers import Bags, check_bags
from .classic import (
    BagFisherVector,
    BagStatistics,
    BagVLAD,
    CitationKNN,
    MILESTransformer,
    NormalizedSetKernel,
    bag_distance_matrix,
    normalized_set_kernel,
)
from .classifier import MILClassifier
from .lifting import InstanceWise
from .ordinal import MILOrdinalClassifier
from .regressor import MILRegressor

__all__ = [
    "BagFisherVector",
    "BagStatistics",
    "BagVLAD",
    "Bags",
    "CitationKNN",
    "InstanceWise",
    "MILClassifier",
    "MILESTransformer",
    "MILOrdinalClassifier",
    "MILRegressor",
    "NormalizedSetKernel",
    "bag_distance_matrix",
    "check_bags",
    "normalized_set_kernel",
]
