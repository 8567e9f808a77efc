"""What parameters of estimators that train on episodes may be."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from ..base import TRAINING_CONSTRAINTS

__all__ = ["COUNT", "EPISODE_CONSTRAINTS", "POSITIVE", "STEPS"]

COUNT = Interval(Integral, 1, None, closed="left")
STEPS = Interval(Integral, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
_AUTO = StrOptions({"auto"})

EPISODE_CONSTRAINTS: dict[str, list[Any]] = {
    **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k != "batch_size"},
    "max_epochs": [_AUTO, COUNT],
    "meta_batch_size": [COUNT],
    "n_shot": [COUNT],
    "n_query": [COUNT],
    "episodes": [StrOptions({"auto", "groups", "classes"})],
    "episodes_per_epoch": [COUNT],
    "task": [str, Integral, None],
    "task_chunk_size": [_AUTO, COUNT],
    "max_grad_norm": [POSITIVE, None],
}
