"""What a file may refer to by name: nothing but what these tables allow.

The names are addresses of a table, not of the import system. A name is looked up here,
and only what is found is imported: public objects of the listed modules of
scikit-learn, imbalanced-learn, numpy and torch.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..exceptions import PersistenceError

__all__ = ["find_named", "name_of"]

_SKLEARN = (
    "calibration",
    "cluster",
    "compose",
    "covariance",
    "cross_decomposition",
    "decomposition",
    "discriminant_analysis",
    "dummy",
    "ensemble",
    "feature_extraction",
    "feature_extraction.text",
    "feature_selection",
    "frozen",
    "gaussian_process",
    "gaussian_process.kernels",
    "impute",
    "isotonic",
    "kernel_approximation",
    "kernel_ridge",
    "linear_model",
    "manifold",
    "mixture",
    "model_selection",
    "multiclass",
    "multioutput",
    "naive_bayes",
    "neighbors",
    "neural_network",
    "pipeline",
    "preprocessing",
    "random_projection",
    "semi_supervised",
    "svm",
    "tree",
)
_IMBLEARN = ("combine", "ensemble", "over_sampling", "pipeline", "under_sampling")
# Public modules whose classes may be restored, without calling them.
_CLASSES = (
    *(f"sklearn.{module}" for module in _SKLEARN),
    *(f"imblearn.{module}" for module in _IMBLEARN),
)
# Parts of fitted estimators that scikit-learn has no public name for.
_INNER = {
    "sklearn.calibration": (
        "_CalibratedClassifier",
        "_SigmoidCalibration",
        "_TemperatureScaling",
    ),
    "sklearn.metrics._scorer": (
        "_CurveScorer",
        "_MultimetricScorer",
        "_PassthroughScorer",
        "_Scorer",
    ),
    "sklearn.ensemble._hist_gradient_boosting.binning": ("_BinMapper",),
    "sklearn.gaussian_process._gpc": ("_BinaryGaussianProcessClassifierLaplace",),
    "sklearn.multiclass": ("_ConstantPredictor",),
    "sklearn.utils._metadata_requests": (
        "MetadataRequest",
        "MethodMetadataRequest",
        "MetadataRouter",
    ),
    "sklearn.utils.metadata_routing": ("MetadataRequest", "MetadataRouter"),
    "sklearn.preprocessing._label": ("LabelBinarizer", "LabelEncoder"),
}
# Modules of plain functions that estimators take as parameters, such as scores.
_FUNCTIONS = (
    "sklearn.metrics",
    "sklearn.metrics.pairwise",
    "sklearn.feature_selection",
)
_UFUNCS = ("numpy", "scipy.special")
_WRITTEN_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_TYPES = ("torch.optim", "torch.optim.lr_scheduler", "torch.nn")
_BUILTIN_TYPES = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, object)
}


def name_of(value: Any, role: str) -> str | None:
    """Return the name of a class or function, if a file may refer to it.

    Parameters
    ----------
    value : class or function
        What to name.
    role : {"class", "function", "type"}
        A class of objects, a function, or a class that is itself a value.

    Returns
    -------
    str or None
        ``"module:name"``.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> name_of(SVC, "class"), name_of(print, "function")
    ('sklearn.svm:SVC', None)
    """
    attribute = getattr(value, "__name__", None)
    home = str(getattr(value, "__module__", None) or "numpy")
    if not isinstance(attribute, str):
        return None
    candidates = _ROLES[role][0]
    # Functions of numbers do not say which package they are of.
    is_ufunc = isinstance(value, np.ufunc)
    near = [
        module
        for module in candidates
        if _shares_root(module, home) or (is_ufunc and module in _UFUNCS)
    ]
    for module in sorted(near, key=lambda m: not home.startswith(m)):
        if _look_up(role, module, attribute) is value:
            return f"{module}:{attribute}"
    return None


def find_named(name: str, role: str) -> Any:
    """Undo :func:`name_of`.

    Parameters
    ----------
    name : str
        ``"module:name"``.
    role : {"class", "function", "type"}
        As above.

    Returns
    -------
    class or function
        The object.

    Raises
    ------
    PersistenceError
        If there is none that a file may refer to.

    Examples
    --------
    >>> find_named("os:system", "function")
    Traceback (most recent call last):
    mlmi_sklearn.exceptions.PersistenceError: ... 'os:system', ...
    """
    module, _, attribute = name.partition(":")
    found = _look_up(role, module, attribute) if module in _ROLES[role][0] else None
    if found is None:
        raise PersistenceError(
            f"the file refers to the {role} {name!r:.90}, which is not among those "
            "that a file may refer to, or which the installed version does not have."
        )
    return found


def _shares_root(module: str, home: str) -> bool:
    return module.partition(".")[0] == home.partition(".")[0]


@lru_cache(maxsize=4096)
def _look_up(role: str, module: str, attribute: str) -> Any:
    """Return the object of an allowed module if it may play the role."""
    if module == "builtins":
        return _BUILTIN_TYPES.get(attribute)
    try:
        home = importlib.import_module(module)
    except ImportError:
        return None
    inner = role == "class" and attribute in _INNER.get(module, ())
    public = getattr(home, "__all__", None) or dir(home)
    if not inner and (attribute not in public or attribute.startswith("_")):
        return None
    found = getattr(home, attribute, None)
    fits: Callable[[Any], bool] = _ROLES[role][1]
    return found if fits(found) else None


def _is_function(value: Any) -> bool:
    # Of numpy and scipy only those that map numbers to numbers: np.load opens files.
    if isinstance(value, np.ufunc):
        return True
    home = str(getattr(value, "__module__", ""))
    return inspect.isfunction(value) and home.startswith("sklearn.")


def _is_class(value: Any) -> bool:
    # Objects of compiled classes have no attributes that could be listed.
    return inspect.isclass(value) and all(
        base is object or base.__flags__ & _WRITTEN_IN_PYTHON for base in value.__mro__
    )


def _is_type(value: Any) -> bool:
    # Of numpy only types of numbers; of torch optimisers, schedules and layers.
    if not inspect.isclass(value):
        return False
    return issubclass(value, np.generic) or value.__module__.startswith("torch.")


_ROLES: dict[str, tuple[tuple[str, ...], Callable[[Any], bool]]] = {
    "class": ((*_CLASSES, *_INNER), _is_class),
    "function": ((*_FUNCTIONS, *_UFUNCS), _is_function),
    "type": (("builtins", "numpy", *_TYPES), _is_type),
}
