"""Networks: backbones, poolings and generators."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl

__all__ = [
    "mlmi_register_backbones",
    "mlmi_register_generators",
    "mlmi_register_poolings",
]

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
def mlmi_register_generators(register: Register) -> None:
    """Register the generators of vectors, images and volumes."""
    for name, (attribute, makes, maps, summary) in _GENERATORS.items():
        register(
            name,
            f"{_NN}.generators:{attribute}",
            summary=summary,
            tags={"output": makes, "maps": maps},
        )
