"""How training goes about it: augmentations, methods of meta-learning."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl

__all__ = ["mlmi_register_augmentations", "mlmi_register_meta_methods"]

_NN = "mlmi_sklearn.nn"

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
