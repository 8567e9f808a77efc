"""What an estimator keeps: all of a new fit or none, and plain arrays in a pickle."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from math import nan
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from ..training.net import LeanNet

__all__ = [
    "history_frame",
    "load_weights",
    "pack_history",
    "resume_optimizer",
    "rollback",
    "unpack_history",
    "weights_of",
]

# Left alone by a rollback: scikit-learn's callback machinery cleans up after itself.
_NOT_OURS = ("_callback", "_skl_callbacks", "_parent_callback")


@contextmanager
def rollback(estimator: Any) -> Iterator[None]:
    """Undo every change of fitted attributes if the block raises.

    Parameters
    ----------
    estimator : BaseEstimator
        Its attributes must be replaced, never modified in place, in the block.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        now = vars(estimator)
        for key in [k for k in now if not k.startswith(_NOT_OURS)]:
            if key not in before:
                del now[key]
            else:
                now[key] = before[key]
        raise


def weights_of(module: nn.Module) -> dict[str, NDArray[Any]]:
    """Copy the state of a module into plain arrays.

    Parameters
    ----------
    module : nn.Module
        On any device.

    Returns
    -------
    dict of str to ndarray
        One array for each entry of the state dictionary.
    """
    state = module.state_dict()
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()
    }


def load_weights(module: nn.Module, weights: dict[str, NDArray[Any]]) -> None:
    """Write arrays from :func:`weights_of` into a module of the same build."""
    state = {name: torch.from_numpy(np.array(a)) for name, a in weights.items()}
    module.load_state_dict(state)


def resume_optimizer(new: Optimizer, old: Optimizer) -> None:
    """Go on with the moments of an optimiser, but with the options of a new one.

    Parameters
    ----------
    new : Optimizer
        Has today's ``lr`` and ``weight_decay``. One of another type starts afresh.
    old : Optimizer
        Of a model with the same parameters; left as it is.
    """
    if type(new) is not type(old):
        return
    # A copy, since load_state_dict takes over the tensors themselves.
    state = copy.deepcopy(old.state_dict())
    state["param_groups"] = new.state_dict()["param_groups"]
    new.load_state_dict(state)


def pack_history(history: pd.DataFrame) -> dict[str, list[Any]]:
    """Turn the history into plain lists."""
    return {str(c): history[c].tolist() for c in history.columns}


def unpack_history(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """Undo :func:`pack_history`."""
    return pd.DataFrame(columns)


def history_frame(net: LeanNet) -> pd.DataFrame:
    """Return one row for each finished epoch."""
    rows = [row for row in net.history if not math.isnan(row.get("train_loss", nan))]
    if not rows:  # stopped in the first epoch
        return pd.DataFrame({"epoch": [], "train_loss": []})
    names = dict.fromkeys(key for row in rows for key in row)
    # By columns, which pandas takes in a third of the time that it needs for rows.
    return pd.DataFrame(
        {
            name: [row.get(name, nan) for row in rows]
            for name in names
            if not name.endswith(("batches", "_count", "_best"))
        }
    )
