"""Multiple-instance learning: labels on bags, predictions for bags and instances."""

from ..containers import Bags, check_bags
from .assumption import check_mil_assumption
from .classic import (
    MISVC,
    BagFisherVector,
    BagStatistics,
    BagVLAD,
    CitationKNN,
    MILESTransformer,
    NormalizedSetKernel,
    SingleInstanceClassifier,
    bag_distance_matrix,
    normalized_set_kernel,
)
from .classifier import MILClassifier
from .lifting import InstanceWise
from .ordinal import MILOrdinalClassifier
from .regressor import MILRegressor

__all__ = [
    "MISVC",
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
    "SingleInstanceClassifier",
    "bag_distance_matrix",
    "check_bags",
    "check_mil_assumption",
    "normalized_set_kernel",
]
