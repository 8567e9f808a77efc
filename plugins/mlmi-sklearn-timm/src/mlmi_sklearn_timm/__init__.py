"""Every image backbone of timm, by name, in the estimators of mlmi_sklearn.

>>> from mlmi_sklearn import NetClassifier
>>> model = NetClassifier(backbone="timm:resnet18")
>>> model = model.set_params(backbone__drop_rate=0.2)

Importing this module imports neither torch nor timm.
"""

from __future__ import annotations

from mlmi_sklearn.components import Register, hookimpl

__all__ = ["mlmi_register_backbones"]

#: One of each kind of architecture, which the conformance checks try.
MEMBERS = (
    "resnet18",
    "efficientnet_b0",
    "convnext_atto",
    "mobilenetv3_small_050",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
)


@hookimpl
def mlmi_register_backbones(register: Register) -> None:
    """Register all models of timm under one prefix."""
    register(
        "timm:*",
        "mlmi_sklearn_timm.models:factory_of",
        summary="Any image model of timm, such as timm:resnet18.",
        tags={"input": "image", "members": MEMBERS},
        # Batch normalisation of single pixels has no useful second derivatives.
        example={"input_shape": (3, 48, 48)},
    )
