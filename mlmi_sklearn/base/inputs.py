"""From whatever a user passes as X to a validated array, and from there to tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray, ExtensionDtype
from scipy.sparse import issparse
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    validate_data,
)
from torch import Tensor

from .naming import naming

__all__ = [
    "as_host_array",
    "as_tensor",
    "plain_numbers",
    "read_array",
    "read_targets",
    "read_weight",
    "require_finite_outputs",
    "require_moderate",
    "require_no_dates",
    "require_shape",
]

_FLOATS = [np.float32, np.float64]
_LARGEST = 1e150


def read_array(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    accept_sparse: bool = False,
    allow_nd: bool = True,
) -> NDArray[Any]:
    """Validate samples: vectors, images or volumes, finite and numeric.

    Parameters
    ----------
    estimator : BaseEstimator
        Receives ``n_features_in_`` and ``feature_names_in_`` if ``reset``.
    X : array-like of shape (n_samples, ...)
        The samples. float32 and float64 are kept, other types become float32; only
        a conversion copies.
    reset : bool
        Whether this is training data.
    accept_sparse : bool, default=False
        Whether sparse matrices are let through, as CSR.
    allow_nd : bool, default=True
        Whether samples may have several axes, as images do.

    Returns
    -------
    ndarray or CSR matrix
        Of type float32 or float64.

    Raises
    ------
    ValueError
        If there are no samples, or NaN or infinite values, or the number of features
        or their names differ from those in ``fit``, or values are no numbers.
    TypeError
        If ``X`` is sparse and may not be, or holds dates.
    """
    if not reset and _is_seen_to_be_valid(estimator, X) and (allow_nd or X.ndim == 2):
        return X
    with naming("X"):
        X = as_host_array(X)
        require_no_dates(X, "X")
        read = validate_data(
            estimator,
            X=X,
            reset=reset,
            dtype=_types_of(X),
            allow_nd=allow_nd,
            accept_sparse="csr" if accept_sparse else False,
        )
    require_moderate(read, "X")
    return read


def require_moderate(X: Any, name: str) -> None:
    """Raise a ValueError for numbers whose squares are beyond float64.

    Sums of squares are in every deviation, distance and kernel.

    Parameters
    ----------
    X : ndarray or CSR matrix
        Finite numbers.
    name : str
        What to call them.
    """
    values = X.data if issparse(X) else X
    if values.dtype.kind != "f" or values.dtype.itemsize < 8 or not values.size:
        return
    largest = max(values.max(), -values.min())
    if largest > _LARGEST:
        raise ValueError(
            f"{name} contains {largest:.3g}; squares of numbers beyond {_LARGEST:g} "
            f"overflow. Scale {name}, or drop such rows."
        )


def _is_seen_to_be_valid(estimator: Any, X: Any) -> bool:
    """Whether a look suffices.

    scikit-learn asks which of many libraries a container is from, which for a few rows
    costs more than the net. What is not plainly in order goes there, for its errors.
    """
    if type(X) is not np.ndarray or X.dtype.type not in _FLOATS:
        return False
    if X.ndim < 2 or not X.size or not X.dtype.isnative:
        return False
    if hasattr(estimator, "feature_names_in_"):  # a warning is due
        return False
    if X.shape[1] != getattr(estimator, "n_features_in_", None):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        # Not if any is NaN, infinite or so large that its square is.
        return bool(np.isfinite(np.vdot(X, X)))


def _types_of(X: Any) -> list[Any]:
    """Return the types to convert X to; scikit-learn reads those of few tables."""
    if not hasattr(X, "columns"):
        return _FLOATS
    if isinstance(X, pd.DataFrame):
        types = [getattr(dtype, "numpy_dtype", dtype) for dtype in X.dtypes]
    else:
        types = [np.asarray(X[:0]).dtype]
    numbers = [t for t in types if isinstance(t, np.dtype) and t.kind in "biuf"]
    double = len(numbers) == len(types) > 0 and np.result_type(*numbers) == np.float64
    return _FLOATS[::-1] if double else _FLOATS


def as_host_array(X: Any) -> Any:
    """Bring tensors to the host and lists to arrays; leave other containers alone.

    What a masked array hides is missing; scikit-learn would use it unseen. Columns of
    pandas without missing cells keep their integers, which it would make floats.
    """
    if isinstance(X, Tensor):
        X = X.detach().cpu()
        return (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, np.ma.MaskedArray):
        X = _with_missing(X)
    if isinstance(X, np.ndarray) and not X.dtype.isnative:
        # Or scikit-learn would not know its float64 and convert it to float32.
        return X.astype(X.dtype.newbyteorder("="))
    if isinstance(X, pd.Series | ExtensionArray):
        nullable = isinstance(X.dtype, ExtensionDtype) and X.dtype.kind in "biu"
        return X.to_numpy() if nullable and not X.isna().any() else X
    if isinstance(X, type):
        raise TypeError(f"got the class {X.__name__}, not an array.")
    if hasattr(X, "dtype") or hasattr(X, "columns"):
        return X
    if hasattr(X, "toarray"):  # sparse: left to scikit-learn's own error
        return X
    return np.asarray(X)


def _with_missing(X: Any) -> NDArray[Any]:
    """Return a masked array as a plain one, with NaN or None for what is hidden."""
    if not np.ma.is_masked(X):
        return np.asarray(X)
    if X.dtype.kind in "biuf":
        return X.astype(np.result_type(X, np.float32)).filled(np.nan)
    values = X.data.astype(object)
    values[np.ma.getmaskarray(X)] = None  # filled(None) would fill in a default
    return values


def require_finite_outputs(outputs: Any) -> Any:
    """Return outputs of a model, or raise a ValueError if they are not finite."""
    if not np.isfinite(outputs.data if issparse(outputs) else outputs).all():
        raise ValueError(
            "X holds rows on which the outputs of the model are not finite: they are "
            "too far from those of fit. Scale X as in fit, or drop such rows."
        )
    return outputs


def require_no_dates(X: Any, name: str) -> None:
    """Raise a TypeError for dates and durations, which numpy would read as numbers.

    Parameters
    ----------
    X : object
        Any argument.
    name : str
        What to call it.
    """
    if isinstance(X, pd.DataFrame):
        kinds = [getattr(dtype, "kind", "O") for dtype in X.dtypes]
    elif hasattr(X, "columns"):  # a table of another library
        kinds = [np.asarray(X[:0]).dtype.kind]
    else:
        kinds = [getattr(getattr(X, "dtype", None), "kind", "O")]
    if "M" in kinds or "m" in kinds:
        raise TypeError(
            f"{name} holds dates or durations, which are not numbers. Pass the time "
            "since some day, in a unit of your choice."
        )


def require_shape(estimator: Any, X: Any, shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless samples have the shape seen in ``fit``.

    Vectors are left to scikit-learn, which checks their number of features.
    """
    if isinstance(X, type):  # left to what reads X
        return
    found = tuple(getattr(X, "shape", ()))
    both_vectors = len(shape) == 1 and len(found) == 2
    if len(found) < 2 or both_vectors or found[1:] == tuple(shape):
        return
    raise ValueError(
        f"X has samples of shape {found[1:]}, but {type(estimator).__name__} was "
        f"fitted on samples of shape {tuple(shape)}. Pass samples of that shape."
    )


def read_targets(estimator: Any, y: Any, *, numeric: bool) -> NDArray[Any]:
    """Validate targets: present, finite, of one or two dimensions.

    Parameters
    ----------
    estimator : BaseEstimator
        Named in error messages.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets.
    numeric : bool
        Whether they must be numbers.

    Returns
    -------
    ndarray
        Of shape (n_samples,) or (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If y is None, or contains NaN or infinity.
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            "the target y is None."
        )
    try:
        with naming("y"):
            y = as_host_array(y)
    except ValueError as error:
        raise ValueError(
            f"y is a nested list of unequal lengths; {type(estimator).__name__} takes "
            "one target for each sample (for bags: one label for each bag)."
        ) from error
    if np.ndim(y) > 2:
        raise ValueError(
            f"y has shape {np.shape(y)}; {type(estimator).__name__} takes one target a "
            "sample, or one row of targets. Masks and maps are not supported as y."
        )
    if numeric:
        require_no_dates(y, "y")
    with naming("y"):
        y = check_array(
            y,
            ensure_2d=False,
            dtype="numeric" if numeric else None,
            ensure_min_samples=0,
            input_name="y",
            estimator=estimator,
        )
    if numeric:
        y = plain_numbers(y, "y")
    if y.dtype == np.float16:  # pandas finds no labels among these
        y = y.astype(np.float32)
    if y.dtype.kind == "V":
        raise TypeError("y holds records. Pass one column of targets, or several.")
    if y.ndim == 0:
        raise ValueError("y should be a 1d array, got a scalar. Pass one target a row.")
    return y


def plain_numbers(values: Any, name: str) -> Any:
    """Return objects and longer floats as float64; leave other numbers alone.

    Parameters
    ----------
    values : ndarray or CSR matrix
        As scikit-learn's checks return them; columns of some types pass these as
        objects.
    name : str
        What to call them.

    Raises
    ------
    ValueError, TypeError
        If they are not numbers, or do not fit.
    """
    if values.dtype.kind != "O" and values.dtype != np.longdouble:
        return values
    with naming(name), np.errstate(over="ignore"):
        double = values.astype(np.float64)
    if not np.isfinite(double).all():
        raise ValueError(f"{name} contains a value too large for float64. Scale it.")
    return double


def read_weight(sample_weight: Any, n: int) -> NDArray[Any] | None:
    """Validate weights; None if there are none."""
    if sample_weight is None:
        return None
    with naming("sample_weight"):
        weight = as_host_array(sample_weight)
        require_no_dates(weight, "sample_weight")
        weight = _check_sample_weight(
            weight, np.empty((n, 0)), dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise ValueError(
                "Sample weights must contain at least one non-zero number."
            )
    require_moderate(weight, "sample_weight")
    return weight


def as_tensor(
    X: NDArray[Any], dtype: torch.dtype | None = None, name: str = "X"
) -> Tensor:
    """View an array as a tensor, copying only where PyTorch cannot view it.

    Parameters
    ----------
    X : ndarray
        Any strides; may be read-only or memory-mapped. Never written to.
    dtype : torch.dtype, optional
        Type of the tensor.
    name : str, default="X"
        What to call the argument in an error message.

    Returns
    -------
    Tensor
        On the CPU.

    Raises
    ------
    ValueError
        If a number is too large for ``dtype``.
    """
    if any(stride < 0 for stride in X.strides) or not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="), order="C")
    if not X.flags.writeable:
        X = np.asarray(_WritableView(X))
    tensor = torch.from_numpy(X)
    if dtype is None or tensor.dtype == dtype:
        return tensor
    smaller = tensor.to(dtype)
    if tensor.dtype == torch.float64 and not bool(torch.isfinite(smaller).all()):
        raise ValueError(
            f"{name} contains a value too large for float32. Scale it, or pass "
            "dtype='float64' to the estimator."
        )
    return smaller


class _WritableView:
    """Presents a read-only array as writable, since PyTorch has no read-only tensors.

    Nothing in this package writes to inputs; the tests compare them before and after.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self._keep_alive = array
