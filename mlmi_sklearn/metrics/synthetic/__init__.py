"""Is synthetic data useful, realistic and diverse, and no copy of its training data.

Real data come first in every signature, synthetic data second. A value by itself says
little: compare it with that of real data, which :func:`evaluate_synthetic` puts beside
it.
"""

from __future__ import annotations

from mlmi_sklearn.metrics.synthetic._features import robust_features
from mlmi_sklearn.metrics.synthetic._reports import SyntheticReport
from mlmi_sklearn.metrics.synthetic.closeness import distance_to_closest_record, prdc
from mlmi_sklearn.metrics.synthetic.collapse import (
    ModeCollapseReport,
    mode_collapse_report,
)
from mlmi_sklearn.metrics.synthetic.evaluation import evaluate_synthetic
from mlmi_sklearn.metrics.synthetic.likelihood import parzen_log_likelihood
from mlmi_sklearn.metrics.synthetic.memorisation import (
    MemorisationReport,
    memorisation_report,
)
from mlmi_sklearn.metrics.synthetic.scorers import (
    SYNTHETIC_SCORERS,
    SamplerScorer,
    make_sampler_scorer,
)
from mlmi_sklearn.metrics.synthetic.spread import (
    marginal_gaps,
    within_class_variance_ratio,
)
from mlmi_sklearn.metrics.synthetic.two_samples import (
    c2st_auc,
    frechet_distance,
    kernel_inception_distance,
)
from mlmi_sklearn.metrics.synthetic.utility import trts_score, tstr_score

__all__ = [
    "SYNTHETIC_SCORERS",
    "MemorisationReport",
    "ModeCollapseReport",
    "SamplerScorer",
    "SyntheticReport",
    "c2st_auc",
    "distance_to_closest_record",
    "evaluate_synthetic",
    "frechet_distance",
    "kernel_inception_distance",
    "make_sampler_scorer",
    "marginal_gaps",
    "memorisation_report",
    "mode_collapse_report",
    "parzen_log_likelihood",
    "prdc",
    "robust_features",
    "trts_score",
    "tstr_score",
    "within_class_variance_ratio",
]
