"""One text for the parameters that all deep estimators share."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import cleandoc
from textwrap import indent
from typing import TypeVar

__all__ = ["with_training_parameters"]

_T = TypeVar("_T", bound=type)

TRAINING_PARAMETERS = cleandoc("""
    optimizer : str or callable, default="{optimizer}"
        Lower-case name of an optimiser of :mod:`torch.optim`, or a callable
        ``(params, lr=..., weight_decay=...) -> Optimizer``.
    lr : float, default={lr}
        Learning rate, above 0.
    weight_decay : float, default={weight_decay}
        Decay of the weights per step, relative to ``lr``, at least 0.
    lr_schedule : str or callable, default="{lr_schedule}"
        ``"constant"``, ``"linear"``, ``"cosine"``, ``"warmup-cosine"``, ``"ganin"``,
        ``"exponential"``, or a callable from the share of training done (0 to 1) to a
        factor on ``lr``.
    max_epochs : int, default={max_epochs}
        Passes over the training data.{more_epochs}
    {batch_size}early_stopping : bool, default=False
        Whether to set aside a part of the training data, stop when its loss no longer
        falls, and go back to the best weights.
    validation_fraction : float, default=0.1
        Share of the training data set aside for early stopping, between 0 and 1.
    n_iter_no_change : int, default=10
        Epochs without an improvement of more than ``tol`` before stopping early.
    tol : float, default=1e-4
        Improvement of the validation loss that counts.{class_weight}
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights of the last ``fit``.
    callbacks : list of skorch callbacks, default=None
        Copied before use. One that listens to batches makes every epoch slower.
    device : str, default="auto"
        ``"auto"`` (CUDA, then MPS, then CPU) or a PyTorch device string.
    dtype : {{"auto", "float32", "float64"}}, default="auto"
        Type of weights and inputs. ``"auto"`` keeps float64 input on a CPU and uses
        float32 otherwise.
    precision : {{"auto", "full", "bf16", "fp16"}}, default="auto"
        Automatic mixed precision. ``"auto"`` is full precision on a CPU, bfloat16 on
        GPUs that compute it at full rate.
    compile : bool, default=False
        Whether to compile the module with ``torch.compile``. That takes from seconds
        to a minute at the first batch and needs a C++ compiler on a CPU; it pays for
        large nets and long training. On CUDA, small nets for vectors and images are
        replayed as CUDA graphs.
    checkpoint : str or path-like, default=None
        Folder for the state of the training, from which ``fit`` on the same data with
        the same parameters goes on after its process has died; the file is deleted when
        training ends. Needs an int as ``random_state``.
    checkpoint_every : int, default=1
        Epochs from one checkpoint to the next.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and dropout. The same seed on the same machine gives
        identical results, whatever else uses PyTorch's global generator.
    verbose : int, default=0
        1 shows a progress bar with loss and score.
""")

_CLASS_WEIGHT = """
class_weight : dict, "balanced" or None, default=None
    Weights by class, multiplied with ``sample_weight``."""

_BATCH_SIZE = """int, default=128
    Rows in a batch. A lone last row joins the batch before it."""


def with_training_parameters(
    *,
    lr: str,
    weight_decay: str,
    max_epochs: str,
    batch_size: str | None = None,
    classifier: bool = True,
    optimizer: str = "adamw",
    lr_schedule: str = "constant",
) -> Callable[[_T], _T]:
    """Replace ``{training_parameters}`` in a class docstring by the shared text.

    Parameters
    ----------
    lr, weight_decay, max_epochs : str
        The estimator's defaults, as they should read; more lines explain the last.
    batch_size : str or None, default=None
        Type, default and meaning of ``batch_size``; None for 128 rows, an empty text
        where there is no such parameter.
    classifier : bool, default=True
        Whether there is a ``class_weight``.
    optimizer : str, default="adamw"
        The estimator's default.
    lr_schedule : str, default="constant"
        The estimator's default.

    Returns
    -------
    callable
        A decorator of classes.

    Examples
    --------
    >>> from mlmi_sklearn.base import with_training_parameters
    >>> @with_training_parameters(lr="0.1", weight_decay="0.0", max_epochs="7")
    ... class Mine:
    ...     '''Do it my way.
    ...
    ...     Parameters
    ...     ----------
    ...     {training_parameters}
    ...     '''
    >>> "max_epochs : int, default=7" in Mine.__doc__
    True
    """
    epochs, _, more = max_epochs.partition("\n")
    text = TRAINING_PARAMETERS.format(
        lr=lr,
        weight_decay=weight_decay,
        max_epochs=epochs,
        more_epochs=f"\n{more}" if more else "",
        batch_size=_batch_size(batch_size),
        class_weight=_CLASS_WEIGHT if classifier else "",
        optimizer=optimizer,
        lr_schedule=lr_schedule,
    )

    def fill(cls: _T) -> _T:
        # Python 3.13 strips the indentation of docstrings, earlier versions do not.
        place = re.compile(r"^( *)\{training_parameters\}", re.MULTILINE)
        cls.__doc__ = place.sub(lambda m: indent(text, m[1]), cls.__doc__ or "")
        return cls

    return fill


def _batch_size(text: str | None) -> str:
    text = _BATCH_SIZE if text is None else text
    return f"batch_size : {text}\n" if text else ""
