"""What parameters of estimators for several domains may be, and what "auto" means."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

from sklearn.utils._param_validation import Interval, StrOptions

from ..base import COMPONENT, TRAINING_CONSTRAINTS
from .objective import LAMBDA_SCHEDULES

__all__ = ["DEEP", "DISCRIMINATOR", "DOMAIN_CONSTRAINTS", "SHALLOW", "Pace"]

DISCRIMINATOR = (100,)


class Pace(NamedTuple):
    """How fast and how long a net is trained."""

    lr: float
    batch_size: int
    max_epochs: int


# Sigmoid units without normalisation learn nothing at the rate of the deep form:
# benchmarks/bench_da_moons.py and bench_da_digits.py.
DEEP = Pace(lr=0.03, batch_size=64, max_epochs=100)
SHALLOW = Pace(lr=1.0, batch_size=16, max_epochs=100)

_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_AUTO = StrOptions({"auto"})
_SIZES = [
    "array-like",
    Interval(Integral, 1, None, closed="left"),
]

DOMAIN_CONSTRAINTS: dict[str, list[Any]] = {
    **TRAINING_CONSTRAINTS,
    "divergence": COMPONENT,
    "lambda_": [_NOT_NEGATIVE],
    "lambda_schedule": [StrOptions(set(LAMBDA_SCHEDULES)), callable],
    "gamma": [Interval(Real, 0, None, closed="neither")],
    "discriminator": _SIZES,
    "discriminator_rate": [StrOptions({"full", "lambda"})],
    "domain_norm": [StrOptions({"separate", "shared", "adabn"})],
    "hidden_layer_sizes": [*_SIZES, None],
    "target_labels": [StrOptions({"ignore", "use"})],
    "target_domains": ["array-like", set, None],
    "entropy": [_NOT_NEGATIVE],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "diagnostics": ["boolean"],
    "lr": [_AUTO, Interval(Real, 0, None, closed="neither")],
    "max_epochs": [_AUTO, Interval(Integral, 1, None, closed="left")],
    "batch_size": [_AUTO, Interval(Integral, 1, None, closed="left")],
}
