"""What training minimises: losses, divergences, adversarial losses."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl

__all__ = [
    "mlmi_register_adversarial_losses",
    "mlmi_register_divergences",
    "mlmi_register_losses",
]

_NN = "mlmi_sklearn.nn"

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


@hookimpl
def mlmi_register_losses(register: Register) -> None:
    """Register the losses for classification and regression."""
    for name, (attribute, summary) in _LOSSES.items():
        task = "regression" if name in _REGRESSION_LOSSES else "classification"
        register(
            name, f"{_NN}.losses:{attribute}", summary=summary, tags={"task": task}
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
