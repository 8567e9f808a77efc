"""Types and ranges of the parameters that all deep estimators share."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike
from typing import Any

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import nn

__all__ = ["CLASS_WEIGHT", "COMPONENT", "TRAINING_CONSTRAINTS"]

COMPONENT: list[Any] = [str, callable, nn.Module, HasMethods(["component"])]
"""A registered name, a factory, a module or a spec."""

CLASS_WEIGHT: list[Any] = [StrOptions({"balanced"}), dict, None]

TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "backbone": COMPONENT,
    "loss": COMPONENT,
    "optimizer": [str, callable],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "lr_schedule": [str, callable],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "callbacks": [list, tuple, None],
    "device": [str],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
    "precision": [StrOptions({"auto", "full", "bf16", "fp16"})],
    "compile": ["boolean"],
    "checkpoint": [str, PathLike, None],
    "checkpoint_every": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
