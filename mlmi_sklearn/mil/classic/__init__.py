"""Multiple-instance learning without nets: embeddings, kernels, neighbours, SVMs."""

from .citation import CitationKNN, bag_distance_matrix
from .codebooks import BagFisherVector, BagVLAD
from .embeddings import BagStatistics
from .kernels import NormalizedSetKernel, normalized_set_kernel
from .miles import MILESTransformer
from .misvm import MISVC
from .single_instance import SingleInstanceClassifier

__all__ = [
    "MISVC",
    "BagFisherVector",
    "BagStatistics",
    "BagVLAD",
    "CitationKNN",
    "MILESTransformer",
    "NormalizedSetKernel",
    "SingleInstanceClassifier",
    "bag_distance_matrix",
    "normalized_set_kernel",
]
