"""Estimators of all families."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl

__all__ = ["mlmi_register_estimators"]

_ESTIMATORS = {
    "DeepEnsembleClassifier": (
        "mlmi_sklearn.uncertainty",
        {"family": "supervised", "type": "classifier"},
        "Mean of several nets, which tells how unsure they are.",
    ),
    "CGANSampler": (
        "mlmi_sklearn.generation.cgan",
        {"family": "generation", "type": "sampler"},
        "Draws samples for given conditions.",
    ),
    "AugmentedClassifier": (
        "mlmi_sklearn.generation.augmented",
        {"family": "generation", "type": "classifier"},
        "Any classifier, trained on real and synthetic rows.",
    ),
    "AugmentedRegressor": (
        "mlmi_sklearn.generation.augmented",
        {"family": "generation", "type": "regressor"},
        "Any regressor, trained on real and synthetic rows.",
    ),
    "ImageTranslator": (
        "mlmi_sklearn.generation.translation",
        {"family": "generation", "type": "transformer"},
        "Makes one image of another.",
    ),
    "DANNClassifier": (
        "mlmi_sklearn.domain_adaptation.classifier",
        {"family": "domain_adaptation", "type": "classifier"},
        "Classifier for a domain without labels.",
    ),
    "DANNRegressor": (
        "mlmi_sklearn.domain_adaptation.regressor",
        {"family": "domain_adaptation", "type": "regressor"},
        "Regressor for a domain without targets.",
    ),
    "MMEClassifier": (
        "mlmi_sklearn.domain_adaptation.minimax_entropy",
        {"family": "domain_adaptation", "type": "classifier"},
        "Classifier for a domain with few labels.",
    ),
    "FineTuneClassifier": (
        "mlmi_sklearn.meta_learning.fine_tuning",
        {"family": "meta_learning", "type": "classifier"},
        "Classifier that goes on from another net.",
    ),
    "FineTuneRegressor": (
        "mlmi_sklearn.meta_learning.fine_tuning",
        {"family": "meta_learning", "type": "regressor"},
        "Regressor that goes on from another net.",
    ),
    "MAMLClassifier": (
        "mlmi_sklearn.meta_learning.maml_kinds",
        {"family": "meta_learning", "type": "classifier"},
        "Classifier that learns new classes in a few steps.",
    ),
    "MAMLEstimator": (
        "mlmi_sklearn.meta_learning.maml",
        {"family": "meta_learning", "type": "classifier"},
        "Weights from which a few steps solve a new task.",
    ),
    "MAMLRegressor": (
        "mlmi_sklearn.meta_learning.maml_kinds",
        {"family": "meta_learning", "type": "regressor"},
        "Regressor that learns new functions in a few steps.",
    ),
    "MultiTaskEstimator": (
        "mlmi_sklearn.meta_learning.multi_task",
        {"family": "meta_learning", "type": "classifier"},
        "One net for several tasks, each with a head.",
    ),
    "ProtoNetClassifier": (
        "mlmi_sklearn.meta_learning.prototypes",
        {"family": "meta_learning", "type": "classifier"},
        "Nearest mean of features learned for that.",
    ),
    "SelfTaughtTransformer": (
        "mlmi_sklearn.meta_learning.self_taught",
        {"family": "meta_learning", "type": "transformer"},
        "Features from unlabelled data.",
    ),
    "NetClassifier": (
        "mlmi_sklearn.supervised",
        {"family": "supervised", "type": "classifier"},
        "Classifier with any backbone.",
    ),
    "NetRegressor": (
        "mlmi_sklearn.supervised",
        {"family": "supervised", "type": "regressor"},
        "Regressor with any backbone.",
    ),
    "MILClassifier": (
        "mlmi_sklearn.mil.classifier",
        {"family": "mil", "type": "classifier"},
        "Classifier of bags of instances.",
    ),
    "MILOrdinalClassifier": (
        "mlmi_sklearn.mil.ordinal",
        {"family": "mil", "type": "classifier"},
        "Classifier of bags into grades.",
    ),
    "MILRegressor": (
        "mlmi_sklearn.mil.regressor",
        {"family": "mil", "type": "regressor"},
        "Regressor of bags of instances.",
    ),
    "TileGrid": (
        "mlmi_sklearn.preprocessing",
        {"family": "preprocessing", "type": "transformer"},
        "Cuts images into bags of tiles.",
    ),
    "BagFisherVector": (
        "mlmi_sklearn.mil.classic.codebooks",
        {"family": "mil", "type": "transformer"},
        "Bags to Fisher vectors of a Gaussian mixture.",
    ),
    "BagStatistics": (
        "mlmi_sklearn.mil.classic.embeddings",
        {"family": "mil", "type": "transformer"},
        "Bags to statistics of their instances.",
    ),
    "BagVLAD": (
        "mlmi_sklearn.mil.classic.codebooks",
        {"family": "mil", "type": "transformer"},
        "Bags to residuals of k-means.",
    ),
    "CitationKNN": (
        "mlmi_sklearn.mil.classic.citation",
        {"family": "mil", "type": "classifier"},
        "Nearest bags, and bags to which it is near.",
    ),
    "MILESTransformer": (
        "mlmi_sklearn.mil.classic.miles",
        {"family": "mil", "type": "transformer"},
        "Bags to similarities to instances.",
    ),
    "MISVC": (
        "mlmi_sklearn.mil.classic.misvm",
        {"family": "mil", "type": "classifier"},
        "Support vector machine on bags: mi-SVM and MI-SVM.",
    ),
    "SingleInstanceClassifier": (
        "mlmi_sklearn.mil.classic.single_instance",
        {"family": "mil", "type": "classifier"},
        "Any classifier of instances, pooled over bags.",
    ),
    "NormalizedSetKernel": (
        "mlmi_sklearn.mil.classic.kernels",
        {"family": "mil", "type": "transformer"},
        "Bags to kernels with the training bags.",
    ),
    "ImportanceWeightedClassifier": (
        "mlmi_sklearn.domain_adaptation.reweighting",
        {"family": "domain_adaptation", "type": "classifier"},
        "Any classifier, trained on source rows weighted as the target has them.",
    ),
    "MSDATransformer": (
        "mlmi_sklearn.domain_adaptation.msda",
        {"family": "domain_adaptation", "type": "transformer"},
        "Stacked denoisers that have seen every corruption.",
    ),
}


@hookimpl
def mlmi_register_estimators(register: Register) -> None:
    """Register the estimators of all families."""
    for name, (module, tags, summary) in _ESTIMATORS.items():
        register(name, f"{module}:{name}", summary=summary, tags=tags)
