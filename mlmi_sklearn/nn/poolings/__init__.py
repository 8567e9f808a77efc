"""Poolings: from the instances of a bag to the bag.

A pooling is made for a width ``in_features`` and maps ``(values (N, D), segments)`` to
``(pooled (B, D'), weights (N,))``. It neither sees the order of the instances in a bag
nor the other bags of the batch. The weights say how much each instance had to do with
the result and sum to one over each bag; where ``weighted_mean`` is True, the result is
the mean of the values under these weights.

A pooling may offer more, which models of bags then use, and may ask for the places of
the instances: see :mod:`~mlmi_sklearn.nn.poolings.contract`.
"""

from __future__ import annotations

from .additive import AdditivePooling
from .attention import AttentionPooling, GatedAttentionPooling
from .clam import CLAMPooling
from .dsmil import DSMILPooling
from .maximum import MaxPooling
from .mean import MeanPooling
from .order import CountPooling, QuantilePooling, ThresholdPooling, TopKPooling
from .soft import GeneralisedMeanPooling, LogSumExpPooling, NoisyOrPooling
from .transformer import TransformerPooling

__all__ = [
    "AdditivePooling",
    "AttentionPooling",
    "CLAMPooling",
    "CountPooling",
    "DSMILPooling",
    "GatedAttentionPooling",
    "GeneralisedMeanPooling",
    "LogSumExpPooling",
    "MaxPooling",
    "MeanPooling",
    "NoisyOrPooling",
    "QuantilePooling",
    "ThresholdPooling",
    "TopKPooling",
    "TransformerPooling",
]
