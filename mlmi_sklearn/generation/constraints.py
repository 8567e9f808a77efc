"""Types and ranges of the parameters of generators."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike
from typing import Any

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ..base.constraints import COMPONENT

__all__ = ["GAN_CONSTRAINTS"]

_POSITIVE_INT = [Interval(Integral, 1, None, closed="left")]
_NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]

GAN_CONSTRAINTS: dict[str, list[Any]] = {
    "generator": COMPONENT,
    "discriminator": COMPONENT,
    "condition": [StrOptions({"auto", "class", "continuous", "none"})],
    "conditioning": [StrOptions({"concat", "projection"})],
    "loss": COMPONENT,
    "r1": _NOT_NEGATIVE,
    "spectral_norm": ["boolean"],
    "gradient_penalty": _NOT_NEGATIVE,
    "diversity": _NOT_NEGATIVE,
    "minibatch_std": ["boolean", StrOptions({"auto"})],
    "ema": [Interval(Real, 0, 1, closed="left")],
    "augment": [*COMPONENT, list, tuple, None],
    "latent_dim": _POSITIVE_INT,
    "max_iter": _POSITIVE_INT,
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "n_critic": _POSITIVE_INT,
    "optimizer": [str, callable],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "lr_discriminator": [Interval(Real, 0, None, closed="neither"), None],
    "betas": [tuple, list],
    "weight_decay": _NOT_NEGATIVE,
    "lr_schedule": [str, callable],
    "balanced_batches": ["boolean", StrOptions({"auto"})],
    "preprocess": [str, HasMethods(["fit", "transform", "inverse_transform"])],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like", callable, None],
    "sampling_strategy": [str, Real, dict, callable],
    "scoring": [str, callable],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": _POSITIVE_INT,
    "tol": _NOT_NEGATIVE,
    "checkpoint": [StrOptions({"best", "last"}), PathLike],
    "checkpoint_every": _POSITIVE_INT,
    "warm_start": ["boolean"],
    "callbacks": [list, tuple, None],
    "device": [str],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
    "precision": [StrOptions({"auto", "full", "bf16", "fp16"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
