"""Several opinions instead of one: deep ensembles and Monte-Carlo dropout.

Both give probabilities of shape (n_members, n_samples, n_classes), of which
:func:`mlmi_sklearn.metrics.predictive_uncertainty` tells how much of the doubt is in
the data and how much in the model.
"""

from .dropout import mc_dropout
from .ensemble import DeepEnsembleClassifier

__all__ = ["DeepEnsembleClassifier", "mc_dropout"]
