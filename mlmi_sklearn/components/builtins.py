"""The parts that come with the package.

They are registered through the hooks that plugins use, and named by strings, so that
this module imports nothing of what it names.
"""

from __future__ import annotations

from .hookspecs import Register, hookimpl

__all__: list[str] = []

_NN = "mlmi_sklearn.nn"

_BACKBONES: dict[str, tuple[str, str | tuple[str, ...], str]] = {
    "mlp": ("MLP", "vector", "Fully connected layers."),
    "linear": ("Linear", "vector", "No hidden layer: a linear model."),
    "conv": ("ConvNet", "image", "Small convolutional net for images from 8 x 8 up."),
    "conv4": ("Conv4", "image", "Four convolutional blocks, the few-shot standard."),
    "resnet": ("ResNet", "image", "Residual net for small images, of any depth."),
    "conv3d": ("ConvNet3d", "volume", "Small convolutional net for volumes."),
    "unet": ("UNetEncoder", "image", "Contracting path of a U-Net."),
    "strided-conv": (
        "StridedConv",
        ("image", "volume"),
        "Convolutions of stride two, the discriminator's net.",
    ),
    "transformer": ("SetTransformer", "sequence", "Attention over a set or sequence."),
}

_SHAPES = {
    "vector": (20,),
    "image": (1, 16, 16),
    "volume": (1, 8, 8, 8),
    "sequence": (6, 10),
}

_LOSSES = {
    "cross-entropy": ("CrossEntropy", "Log loss, with optional label smoothing."),
    "focal": ("Focal", "Cross-entropy with less weight on easy samples."),
    "generalised-cross-entropy": (
        "GeneralisedCrossEntropy",
        "Between cross-entropy and absolute error, for noisy labels.",
    ),
    "bce": ("BCE", "Binary cross-entropy of each class against the rest."),
    "hinge": ("Hinge", "Margin loss of support vector machines."),
    "mse": ("MSE", "Squared error."),
    "huber": ("Huber", "Squared error near zero, absolute error beyond."),
    "smooth-l1": ("SmoothL1", "Huber loss divided by its threshold."),
    "quantile": ("Quantile", "Pinball loss, whose minimum is a quantile."),
}

_REGRESSION_LOSSES = frozenset({"mse", "huber", "smooth-l1", "quantile"})

_POOLINGS = {
    "max": ("MaxPooling", "The largest instance decides: the standard assumption."),
    "mean": ("MeanPooling", "All instances count alike."),
    "noisy-or": ("NoisyOrPooling", "At least one of independent instances."),
    "log-sum-exp": ("LogSumExpPooling", "Smooth maximum of scores."),
    "generalised-mean": (
        "GeneralisedMeanPooling",
        "Mean of learned powers of probabilities.",
    ),
    "top-k": ("TopKPooling", "Mean of the k largest instances."),
    "quantile": ("QuantilePooling", "A quantile of the bag."),
    "threshold": ("ThresholdPooling", "At least k instances are positive."),
    "count": ("CountPooling", "The number of positive instances is in a range."),
    "attention": ("AttentionPooling", "Weighted mean with learned weights."),
    "gated-attention": (
        "GatedAttentionPooling",
        "Weighted mean whose learned weights have a gate.",
    ),
    "additive": ("AdditivePooling", "Sum of contributions that can be read off."),
    "transformer": ("TransformerPooling", "Instances that see each other, averaged."),
    "clam": ("CLAMPooling", "Attention taught by clustering what it attends to."),
    "dsmil": ("DSMILPooling", "The critical instance and attention to its like."),
}

# A bag never scores lower for one more instance, nor for one that scores higher.
_MONOTONE = frozenset({"max", "noisy-or"})

_WITHOUT_WEIGHTS = frozenset(
    {"max", "mean", "noisy-or", "log-sum-exp", "top-k", "quantile"}
    | {"threshold", "count"}
)

_DIVERGENCES = {
    "dann": ("DANNDivergence", True, "Loss of a discriminator of domains."),
    "cdan": ("CDANDivergence", True, "Discriminator that sees predictions, too."),
    "mmd": ("MMDDivergence", False, "Maximum mean discrepancy, Gaussian kernels."),
    "coral": ("CORALDivergence", False, "Distance of covariances."),
    "wasserstein": ("WassersteinDivergence", True, "Critic with slopes of one."),
    "mdd": ("MDDDivergence", True, "Second classifier that differs on the target."),
}

_ADVERSARIAL_LOSSES = {
    "minimax": ("Minimax", "Log loss of the theory, whose generator saturates."),
    "nonsaturating": ("NonSaturating", "Log loss with a generator that never stalls."),
    "lsgan": ("LeastSquares", "Squared distances from one and from zero."),
    "hinge": ("Hinge", "A margin of one on either side of zero."),
    "wgan-gp": ("WassersteinGP", "Difference of mean scores, with slopes of one."),
    "acgan": ("AuxiliaryClassifier", "Log loss, and a discriminator of classes."),
}

_GENERATORS: dict[str, tuple[str, str | tuple[str, ...], str, str]] = {
    "mlp": ("MLPGenerator", "vector", "none", "Fully connected layers."),
    "conv": (
        "ConvGenerator",
        ("image", "volume"),
        "optional",
        "Convolutions between enlargements, with conditions at every scale.",
    ),
    "unet": (
        "UNetGenerator",
        ("image", "volume"),
        "required",
        "Encoder and decoder that turn one image into another.",
    ),
}

_ON_IMAGES, _ON_ANYTHING = ("image", "volume"), ("vector", "image", "volume")
_AUGMENTATIONS = {
    "translation": ("Translation", _ON_IMAGES, "Shifts by whole pixels."),
    "cutout": ("Cutout", _ON_IMAGES, "A box of zeros."),
    "flip": ("Flip", _ON_IMAGES, "Mirror images."),
    "rotate": ("Rotate", _ON_IMAGES, "Small turns about the centre."),
    "scale": ("Scale", _ON_IMAGES, "Zoom about the centre."),
    "brightness": ("Brightness", _ON_IMAGES, "One number added to all pixels."),
    "contrast": ("Contrast", _ON_IMAGES, "Intensities stretched about their mean."),
    "noise": ("Noise", _ON_ANYTHING, "A normal number added to each entry."),
    "feature-dropout": ("FeatureDropout", _ON_ANYTHING, "Some entries set to zero."),
}

_META_METHODS = {
    "maml": ("MAML", "Second derivatives through every step."),
    "fomaml": ("FOMAML", "MAML without second derivatives."),
    "anil": ("ANIL", "Only the head adapts to a task."),
    "boil": ("BOIL", "All but the head adapts to a task."),
    "reptile": ("Reptile", "Move towards the weights that tasks end in."),
    "meta-sgd": ("MetaSGD", "A learned step size for every weight."),
}

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
def mlmi_register_backbones(register: Register) -> None:
    """Register the networks for vectors, images, volumes and sequences."""
    for name, (attribute, takes, summary) in _BACKBONES.items():
        register(
            name,
            f"{_NN}.backbones:{attribute}",
            summary=summary,
            tags={"input": takes},
            example={
                "input_shape": _SHAPES[takes if isinstance(takes, str) else takes[0]]
            },
        )


@hookimpl
def mlmi_register_losses(register: Register) -> None:
    """Register the losses for classification and regression."""
    for name, (attribute, summary) in _LOSSES.items():
        task = "regression" if name in _REGRESSION_LOSSES else "classification"
        register(
            name, f"{_NN}.losses:{attribute}", summary=summary, tags={"task": task}
        )


@hookimpl
def mlmi_register_poolings(register: Register) -> None:
    """Register the poolings of multiple-instance learning."""
    for name, (attribute, summary) in _POOLINGS.items():
        register(
            name,
            f"{_NN}.poolings:{attribute}",
            summary=summary,
            tags={
                "standard_assumption": name == "max",
                "monotone": name in _MONOTONE,
                "learnable": name not in _WITHOUT_WEIGHTS,
            },
            example={"in_features": 8},
        )


@hookimpl
def mlmi_register_divergences(register: Register) -> None:
    """Register the divergences of domain adaptation."""
    for name, (attribute, adversarial, summary) in _DIVERGENCES.items():
        register(
            name,
            f"{_NN}.divergences:{attribute}",
            summary=summary,
            tags={"adversarial": adversarial},
            example={"in_features": 8},
        )


@hookimpl
def mlmi_register_adversarial_losses(register: Register) -> None:
    """Register the losses of generators and discriminators."""
    for name, (attribute, summary) in _ADVERSARIAL_LOSSES.items():
        register(name, f"{_NN}.adversarial:{attribute}", summary=summary)


@hookimpl
def mlmi_register_generators(register: Register) -> None:
    """Register the generators of vectors, images and volumes."""
    for name, (attribute, makes, maps, summary) in _GENERATORS.items():
        register(
            name,
            f"{_NN}.generators:{attribute}",
            summary=summary,
            tags={"output": makes, "maps": maps},
        )


@hookimpl
def mlmi_register_augmentations(register: Register) -> None:
    """Register the random changes of vectors, images and volumes."""
    for name, (attribute, takes, summary) in _AUGMENTATIONS.items():
        target = f"{_NN}.augmentations:{attribute}"
        register(name, target, summary=summary, tags={"input": takes})


@hookimpl
def mlmi_register_meta_methods(register: Register) -> None:
    """Register the methods of meta-learning."""
    for name, (attribute, summary) in _META_METHODS.items():
        register(name, f"{_NN}.tasks.methods:{attribute}", summary=summary)


@hookimpl
def mlmi_register_estimators(register: Register) -> None:
    """Register the estimators of all families."""
    for name, (module, tags, summary) in _ESTIMATORS.items():
        register(name, f"{module}:{name}", summary=summary, tags=tags)
