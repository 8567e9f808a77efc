"""Where and in which precision to compute."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = [
    "autocast",
    "device_or_cpu",
    "fits_on",
    "resolve_device",
    "resolve_dtype",
    "resolve_precision",
    "wants_cpu",
]


def resolve_device(device: str) -> torch.device:
    """Turn the ``device`` parameter into a device that exists.

    Parameters
    ----------
    device : str
        ``"auto"`` (CUDA, then Apple's MPS, then CPU) or any PyTorch device string.

    Returns
    -------
    torch.device
        A device on which tensors can be made.

    Raises
    ------
    ValueError
        If PyTorch does not know the name, or the machine has no such device.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device(_best_device())
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved).item()  # also refuses "meta", which has no data
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} is not available here ({reason}); this machine offers "
            f"{_available_devices()}. Pass one of these, or device='auto'."
        ) from error
    return resolved


def resolve_dtype(
    dtype: str, input_dtype: torch.dtype, device: torch.device
) -> torch.dtype:
    """Choose the floating-point type of weights and inputs.

    Parameters
    ----------
    dtype : {"auto", "float32", "float64"}
        ``"auto"`` keeps float64 input in float64 on a CPU, as scikit-learn does, and
        uses float32 for everything else.
    input_dtype : torch.dtype
        Type of the validated input.
    device : torch.device
        Where the training runs.

    Returns
    -------
    torch.dtype
        ``torch.float32`` or ``torch.float64``.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import resolve_dtype
    >>> resolve_dtype("auto", torch.float64, torch.device("cpu"))
    torch.float64
    >>> resolve_dtype("auto", torch.float16, torch.device("cpu"))
    torch.float32
    """
    if dtype != "auto":
        return torch.float64 if dtype == "float64" else torch.float32
    keep = input_dtype == torch.float64 and device.type == "cpu"
    return torch.float64 if keep else torch.float32


def resolve_precision(
    precision: str, dtype: torch.dtype, device: torch.device
) -> torch.dtype | None:
    """Choose the type for automatic mixed precision.

    Parameters
    ----------
    precision : {"auto", "full", "bf16", "fp16"}
        ``"auto"`` is full precision on a CPU and for float64, and bfloat16 on GPUs
        that compute it at full rate.
    dtype : torch.dtype
        Type of the weights.
    device : torch.device
        Where the training runs.

    Returns
    -------
    torch.dtype or None
        The autocast type; None means full precision.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.training import resolve_precision
    >>> resolve_precision("bf16", torch.float32, torch.device("cpu"))
    torch.bfloat16
    >>> resolve_precision("auto", torch.float32, torch.device("cpu")) is None
    True
    """
    if precision == "bf16":
        return torch.bfloat16
    if precision == "fp16":
        return torch.float16
    if precision == "full" or dtype == torch.float64 or device.type != "cuda":
        return None
    major, _ = torch.cuda.get_device_capability(device)
    return torch.bfloat16 if major >= 8 else None


def autocast(
    device: torch.device, dtype: torch.dtype | None
) -> AbstractContextManager[object]:
    """Return the context in which the forward pass runs."""
    if dtype is None:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def fits_on(device: torch.device, nbytes: int) -> bool:
    """Whether a data set of ``nbytes`` should live on ``device`` for the whole fit."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    # Half is left for weights, activations and the shuffled copy of an epoch.
    return nbytes < free // 4


def device_or_cpu(device: str) -> str:
    """Return a device that exists here, for models that come from elsewhere."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        return "cpu"
    return device


def wants_cpu() -> bool:
    """Tell whether ``accelerate launch --cpu`` started this process."""
    return os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")


def _best_device() -> str:
    if wants_cpu():
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _available_devices() -> str:
    names = ["'cpu'"]
    names += [f"'cuda:{i}'" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("'mps'")
    return ", ".join(names)
