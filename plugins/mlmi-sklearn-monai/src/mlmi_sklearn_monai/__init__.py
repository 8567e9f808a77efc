"""MONAI's encoders and losses, by name, in the estimators of mlmi_sklearn.

>>> from mlmi_sklearn import NetClassifier
>>> model = NetClassifier(backbone="monai-densenet121", loss="monai-dice")
>>> model = model.set_params(backbone__dropout_prob=0.1)

Importing this module imports neither torch nor MONAI.
"""

from __future__ import annotations

from mlmi_sklearn.components import Register, hookimpl

__all__ = ["mlmi_register_backbones", "mlmi_register_losses"]

# Name: attribute, summary, and what makes it quick enough to be checked.
_BACKBONES = {
    "monai-densenet121": (
        "DenseNet121",
        "Densely connected convolutions, for images and volumes.",
        {
            "input_shape": (1, 32, 32),
            "block_config": (2, 2, 2, 2),
            "init_features": 8,
            "growth_rate": 4,
        },
    ),
    "monai-efficientnet": (
        "EfficientNet",
        "Inverted bottlenecks with channel attention, B0 to B8.",
        # Second derivatives of batch normalisation are too wild to be compared when
        # only a few pixels are left.
        {"input_shape": (1, 32, 32), "norm": ("group", {"num_groups": 4})},
    ),
    "monai-swin-unetr": (
        "SwinUNETREncoder",
        "Encoder of SwinUNETR, a transformer with shifted windows.",
        {"input_shape": (1, 32, 32), "feature_size": 12},
    ),
    "monai-unet": (
        "UNetEncoder",
        "Contracting path of MONAI's U-Net.",
        {"input_shape": (1, 16, 16), "features": (4, 8, 8)},
    ),
}

_LOSSES = {
    "monai-dice": ("Dice", "Overlap of predicted and true classes of a sample."),
    "monai-dice-ce": ("DiceCE", "Dice loss plus cross-entropy."),
    "monai-tversky": ("Tversky", "Dice loss that weighs false alarms and misses."),
    "monai-focal": ("Focal", "Cross-entropy with less weight on easy samples."),
}


@hookimpl
def mlmi_register_backbones(register: Register) -> None:
    """Register the encoders."""
    for name, (attribute, summary, example) in _BACKBONES.items():
        register(
            name,
            f"mlmi_sklearn_monai.encoders:{attribute}",
            summary=summary,
            tags={"input": ("image", "volume")},
            example=example,
        )


@hookimpl
def mlmi_register_losses(register: Register) -> None:
    """Register the losses."""
    for name, (attribute, summary) in _LOSSES.items():
        register(
            name,
            f"mlmi_sklearn_monai.losses:{attribute}",
            summary=summary,
            tags={"task": "classification"},
        )
