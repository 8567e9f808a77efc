"""Scores that scikit-learn does not have."""

from __future__ import annotations

from mlmi_sklearn.metrics._instance_outputs import instance_outputs
from mlmi_sklearn.metrics.calibration import expected_calibration_error
from mlmi_sklearn.metrics.domain_discrepancy import (
    coral_distance,
    mmd,
    sliced_wasserstein,
)
from mlmi_sklearn.metrics.domain_distance import h_divergence, proxy_a_distance
from mlmi_sklearn.metrics.domain_scorers import (
    DomainScorer,
    TargetScorer,
    bnm_scorer,
    dev_scorer,
    entropy_scorer,
    im_scorer,
    importance_weighted_scorer,
    make_domain_scorer,
    mixval_scorer,
    pad_scorer,
    reverse_validation_score,
    reverse_validation_scorer,
    snd_scorer,
    source_scorer,
    target_scorer,
)
from mlmi_sklearn.metrics.landmarks import (
    LandmarkError,
    detect_landmarks,
    landmark_error,
)
from mlmi_sklearn.metrics.latent_spread import LatentSpread, across_latent_spread
from mlmi_sklearn.metrics.localisation import (
    hit_rate_at_k,
    instance_average_precision,
    instance_roc_auc,
)
from mlmi_sklearn.metrics.realism import RealismScore, RealismStudy
from mlmi_sklearn.metrics.scorers import (
    hit_rate_scorer,
    instance_average_precision_scorer,
    instance_roc_auc_scorer,
    make_instance_scorer,
)
from mlmi_sklearn.metrics.synthetic import (
    SYNTHETIC_SCORERS,
    MemorisationReport,
    ModeCollapseReport,
    c2st_auc,
    distance_to_closest_record,
    evaluate_synthetic,
    frechet_distance,
    kernel_inception_distance,
    make_sampler_scorer,
    marginal_gaps,
    memorisation_report,
    mode_collapse_report,
    parzen_log_likelihood,
    prdc,
    robust_features,
    trts_score,
    tstr_score,
    within_class_variance_ratio,
)
from mlmi_sklearn.metrics.uncertainty import predictive_uncertainty

__all__ = [
    "SYNTHETIC_SCORERS",
    "DomainScorer",
    "LandmarkError",
    "LatentSpread",
    "MemorisationReport",
    "ModeCollapseReport",
    "RealismScore",
    "RealismStudy",
    "TargetScorer",
    "across_latent_spread",
    "bnm_scorer",
    "c2st_auc",
    "coral_distance",
    "detect_landmarks",
    "dev_scorer",
    "distance_to_closest_record",
    "entropy_scorer",
    "evaluate_synthetic",
    "expected_calibration_error",
    "frechet_distance",
    "h_divergence",
    "hit_rate_at_k",
    "hit_rate_scorer",
    "im_scorer",
    "importance_weighted_scorer",
    "instance_average_precision",
    "instance_average_precision_scorer",
    "instance_outputs",
    "instance_roc_auc",
    "instance_roc_auc_scorer",
    "kernel_inception_distance",
    "landmark_error",
    "make_domain_scorer",
    "make_instance_scorer",
    "make_sampler_scorer",
    "marginal_gaps",
    "memorisation_report",
    "mixval_scorer",
    "mmd",
    "mode_collapse_report",
    "pad_scorer",
    "parzen_log_likelihood",
    "prdc",
    "predictive_uncertainty",
    "proxy_a_distance",
    "reverse_validation_score",
    "reverse_validation_scorer",
    "robust_features",
    "sliced_wasserstein",
    "snd_scorer",
    "source_scorer",
    "target_scorer",
    "trts_score",
    "tstr_score",
    "within_class_variance_ratio",
]
