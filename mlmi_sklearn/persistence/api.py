"""Save estimators to files, and load them without trusting these."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from ..exceptions import ComponentNotFoundError, PersistenceError, PluginError
from .arrays import ARRAYS, arrays_of, bytes_of
from .codec import Codec, Reader, Writer
from .container import Contents, first_member, frame, unframe
from .distributions import DISTRIBUTIONS
from .files import read_whole, write_whole
from .foreign import FOREIGN
from .manifest import FORMAT, parse, render
from .objects import OBJECTS
from .plain import PLAIN
from .provenance import collect, require_parts, versions
from .randomness import RANDOMNESS
from .refusal import refusal_for
from .tables import TABLES
from .torch_values import TORCH

__all__ = ["load", "load_state", "read_manifest", "save", "save_state"]

_CODECS: tuple[Codec, ...] = (
    *PLAIN,
    *ARRAYS,
    *RANDOMNESS,
    *TABLES,
    *DISTRIBUTIONS,
    *TORCH,
    *OBJECTS,
    *FOREIGN,
)
_BY_TAG = {codec.tag: codec for codec in _CODECS}


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save an estimator, fitted or not, to a file that is safe to load.

    The file holds JSON and arrays, no code; :func:`load` gives an estimator whose
    predictions are the same to the last bit. It records the versions of all packages
    and the distribution of every component and estimator.

    Parameters
    ----------
    estimator : estimator
        One of this package, of a plugin, or of scikit-learn around such: a
        ``Pipeline``, a ``GridSearchCV``, and so on. Decision trees and other compiled
        parts of scikit-learn need ``pip install "mlmi-sklearn[persistence]"``.
    path : str or path-like
        File to write. It appears when it is complete; if that fails, an older file of
        that name is still there, unchanged.

    Raises
    ------
    PersistenceError
        If the estimator holds what a file cannot, such as a function of yours; the
        message names the parameter and the remedy.
    TypeError
        If it is not an estimator.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : The way back.
    read_manifest : What a file says about itself.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from mlmi_sklearn import NetClassifier, load, save
    >>> X = np.eye(4)
    >>> model = NetClassifier(max_epochs=2, random_state=0).fit(X, [0, 1, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.mlmi"
    ...     save(model, path)
    ...     again = load(path)
    >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        what = estimator.__name__ if isinstance(estimator, type) else repr(estimator)
        raise TypeError(
            f"estimator must be an instance of an estimator, got {what:.100}."
        )
    _write(estimator, path, type(estimator).__name__, refusal_for(estimator))


def save_state(state: Any, path: str | os.PathLike[str], name: str) -> None:
    """Write a tree of tensors and plain values, in the same way as an estimator.

    Parameters
    ----------
    state : object
        Dicts, lists, tensors, arrays, numbers, text.
    path : str or path-like
        File to write, which appears when it is complete.
    name : str
        What it is the state of.

    Raises
    ------
    PersistenceError
        If something else is in the tree.
    OSError
        If the file cannot be written.
    """
    _write(state, path, name, refusal_for(state))


def load_state(path: str | os.PathLike[str]) -> Any:
    """Read what :func:`save_state` wrote.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Returns
    -------
    object
        The tree.

    Raises
    ------
    PersistenceError
        If the file is damaged, hostile, or of a newer format.
    OSError
        If there is no such file, or it cannot be read.
    """
    manifest, arrays = _read(path)
    try:
        return Reader(_BY_TAG, arrays_of(arrays), None).unpack(manifest.get("state"))
    # Whatever is wrong with a file, those who load it have to expect one error.
    except Exception as error:
        raise _unloadable(path, error) from error


def _write(
    value: Any, path: str | os.PathLike[str], name: str, refusal: Callable[..., str]
) -> None:
    writer = Writer(_CODECS, refusal)
    try:
        state = writer.pack(value, "")
    except PersistenceError as error:
        raise PersistenceError(f"cannot save {name}: {error}") from error
    manifest = {
        "format": FORMAT,
        "estimator": name,
        "versions": versions(),
        "components": collect(writer),
        "state": state,
    }
    contents = Contents(render(manifest), bytes_of(writer.arrays))
    write_whole(path, frame(contents))


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Any:
    """Load an estimator that :func:`save` wrote; no code of the file is run.

    Only classes of an allowlist are restored: estimators of this package, of installed
    plugins and of scikit-learn, and what these consist of. Pickles are never read. A
    model saved on a GPU comes back on that device if it is there, else on the CPU.

    Parameters
    ----------
    path : str or path-like
        File to read.
    device : str, default=None
        Where nets shall be, such as ``"cpu"`` or ``"cuda:1"``; their parameter
        ``device`` is set to it as well. None leaves both as they were.

    Returns
    -------
    estimator
        The estimator.

    Raises
    ------
    PersistenceError
        If the file is damaged, hostile, or of a newer format; the message says which
        version to install.
    PluginError
        If a plugin is missing or switched off; the message says what to install.
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If the device does not exist here.

    Warns
    -----
    PersistenceWarning
        If a plugin has another version than that with which the file was written.
    sklearn.exceptions.InconsistentVersionWarning
        If the file holds an estimator of another version of scikit-learn.

    See Also
    --------
    save : The way there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from mlmi_sklearn import NetClassifier, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.mlmi"
    ...     save(NetClassifier(lr=0.01), path)
    ...     load(path)
    NetClassifier(lr=0.01)
    """
    _check_device(device)
    manifest, arrays = _read(path)
    try:
        require_parts(manifest.get("components"))
        reader = Reader(_BY_TAG, arrays_of(arrays), device)
        estimator = reader.unpack(manifest.get("state"))
        if reader.arrays or not hasattr(estimator, "get_params"):
            raise PersistenceError("it holds more, or something else, than it says.")
    except ComponentNotFoundError as error:  # not among those that it lists
        raise _unloadable(path, error) from error
    except PluginError:
        raise
    # Whatever is wrong with a file, those who load it have to expect one error.
    except Exception as error:
        raise _unloadable(path, error) from error
    return estimator


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a file says about itself, without loading its estimator.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Returns
    -------
    dict
        ``"format"``, an int; ``"estimator"``, the name of the class; ``"versions"``,
        a dict of packages; ``"components"``, a list with ``kind``, ``name``, ``dist``
        and ``version`` of every component and estimator in the file; ``"n_bytes"``,
        the sizes of its two parts.

    Raises
    ------
    PersistenceError
        If the file is damaged, not one of ours, or of a newer format.
    OSError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from mlmi_sklearn import NetClassifier, save
    >>> from mlmi_sklearn.persistence import read_manifest
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.mlmi"
    ...     save(NetClassifier(backbone="mlp"), path)
    ...     found = read_manifest(path)
    >>> found["estimator"], found["components"][0]["dist"]
    ('NetClassifier', 'mlmi-sklearn')
    """
    manifest, arrays = _read(path)
    n_bytes = {"manifest": len(render(manifest)), "arrays": len(arrays)}
    kept = ("format", "estimator", "versions", "components")
    return {**{key: manifest.get(key) for key in kept}, "n_bytes": n_bytes}


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], bytes]:
    """Return the manifest and the arrays of a file that is whole."""
    try:
        data = read_whole(path)
        # A later format may be laid out otherwise, and should be told by its number.
        early = parse(first_member(data))
        contents = unframe(data)
    except PersistenceError as error:
        raise _unloadable(path, error) from error
    return early, contents.arrays


def _unloadable(path: str | os.PathLike[str], error: Exception) -> PersistenceError:
    why = str(error) if isinstance(error, PersistenceError) else _described(error)
    return PersistenceError(f"cannot load {os.fspath(path)!r}: {why}")


def _described(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"its contents do not make an estimator ({text})."


def _check_device(device: str | None) -> None:
    if device is None:
        return
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device={device!r} cannot be used here: {reason}") from error
