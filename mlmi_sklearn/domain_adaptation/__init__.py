"""Learning for a place where labels are few or none, from places where they are."""

from .class_shares import (
    cross_fitted_shares,
    estimate_class_shares,
    reweight_probabilities,
)
from .classifier import DANNClassifier
from .density_ratio import effective_sample_size, estimate_density_ratio
from .minimax_entropy import MMEClassifier
from .msda import MSDATransformer
from .packing import pack_domains, unpack_domains
from .regressor import DANNRegressor
from .reweighting import ImportanceWeightedClassifier

__all__ = [
    "DANNClassifier",
    "DANNRegressor",
    "ImportanceWeightedClassifier",
    "MMEClassifier",
    "MSDATransformer",
    "cross_fitted_shares",
    "effective_sample_size",
    "estimate_class_shares",
    "estimate_density_ratio",
    "pack_domains",
    "reweight_probabilities",
    "unpack_domains",
]
