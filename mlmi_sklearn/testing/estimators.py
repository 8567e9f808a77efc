"""Checks of estimators: scikit-learn's, ours, and those of the family."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import has_fit_parameter

from ..components import list_components
from ..containers import Bags
from ._core import Check, CheckResult, run_checks
from ._domain_checks import DOMAIN_CHECKS
from ._estimator_subject import EstimatorSubject, quiet
from ._estimators import GENERAL_CHECKS
from ._mil_errors import MIL_ERROR_CHECKS
from ._mil_instances import INSTANCE_METHODS, MIL_INSTANCE_CHECKS
from ._mil_predictions import MIL_PREDICTION_CHECKS
from ._mil_tools import MIL_TOOL_CHECKS
from ._samplers import SAMPLER_CHECKS

__all__ = ["check_mlmi_estimator", "family_of", "mlmi_estimator_checks"]

_FAMILIES: dict[str, list[Callable[[EstimatorSubject], None]]] = {
    "mil": [
        *MIL_PREDICTION_CHECKS,
        *MIL_INSTANCE_CHECKS,
        *MIL_ERROR_CHECKS,
        *MIL_TOOL_CHECKS,
    ],
    "domain_adaptation": [*DOMAIN_CHECKS],
    "generation": [*SAMPLER_CHECKS],
}

# Skipped by scikit-learn itself unless SCIPY_ARRAY_API is set before scipy is imported.
_ARRAY_API = "check_array_api_input"


def check_mlmi_estimator(
    estimator: Any,
    *,
    family: str | None = None,
    sklearn_checks: bool = True,
    on_fail: str | None = "raise",
) -> list[CheckResult]:
    """Check an estimator against scikit-learn's conventions and those of its family.

    All of scikit-learn's checks are run, none is expected to fail, and tags that
    switch checks off are refused. Then come checks that hold for every estimator of
    this package (a failed fit changes nothing, a pickle predicts the same, seeds are
    enough, nobody's random numbers are touched, ...) and those of the family.

    Fits are kept short: `max_epochs` and its like are lowered, ``random_state`` is 0.

    Parameters
    ----------
    estimator : estimator
        An instance, not a class. It is cloned, never fitted itself.
    family : {"mil", "domain_adaptation", "generation", "any"}, default=None
        Which further checks to run; "any" for none. None finds
        out.
    sklearn_checks : bool, default=True
        Whether to run scikit-learn's checks too.
    on_fail : {"raise", None}, default="raise"
        Whether to raise when all checks have run and some failed.

    Returns
    -------
    list of CheckResult
        One for each check.

    Raises
    ------
    ContractError
        An :class:`AssertionError` that lists every failed check, what is wrong, and
        how to mend it.

    Examples
    --------
    >>> from mlmi_sklearn import NetRegressor
    >>> from mlmi_sklearn.testing import check_mlmi_estimator
    >>> results = check_mlmi_estimator(NetRegressor(), sklearn_checks=False)
    >>> {result.status for result in results}
    {'passed'}
    """
    checks = mlmi_estimator_checks(
        estimator, family=family, sklearn_checks=sklearn_checks
    )
    return run_checks(checks, on_fail)


def mlmi_estimator_checks(
    estimator: Any, *, family: str | None = None, sklearn_checks: bool = True
) -> Iterator[tuple[Any, Check]]:
    """Yield the checks of :func:`check_mlmi_estimator`.

    Parameters
    ----------
    estimator : estimator
        An instance, not a class.
    family : str or None, default=None
        As there.
    sklearn_checks : bool, default=True
        As there.

    Yields
    ------
    estimator : estimator
        What the check is to be called with.
    check : Check
        Raises :class:`ContractError` if the estimator fails.

    Raises
    ------
    TypeError, ValueError
        If `estimator` is a class, or there is no such family.

    Examples
    --------
    >>> from mlmi_sklearn import MILClassifier
    >>> from mlmi_sklearn.testing import mlmi_estimator_checks
    >>> names = [check.name for _, check in mlmi_estimator_checks(MILClassifier())]
    >>> "check_bag_of_one" in names
    True
    """
    if inspect.isclass(estimator):
        raise TypeError(f"estimator must be an instance, got the class {estimator}.")
    family = family_of(estimator) if family is None else family
    if family not in ("any", *_FAMILIES):
        raise ValueError(
            f"family must be one of {['any', *_FAMILIES]} or None, got {family!r}."
        )
    for function in [*GENERAL_CHECKS, *_FAMILIES.get(family, [])]:
        yield estimator, Check(function, EstimatorSubject, _label)
    if sklearn_checks:
        for instance, check in estimator_checks_generator(estimator):
            function = _named(check)
            if function.__name__ != _ARRAY_API:
                yield instance, Check(function, label=_label)


def family_of(estimator: Any) -> str:
    """Find out which family an estimator belongs to.

    Parameters
    ----------
    estimator : estimator
        An instance.

    Returns
    -------
    str
        The one it is registered with, if there are checks for it; "mil" if it has
        methods for instances, or can be fitted on bags of different size;
        "domain_adaptation" if its fit takes ``sample_domain``; else "any".

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from mlmi_sklearn import InstanceWise
    >>> family_of(InstanceWise()), family_of(GaussianNB())
    ('mil', 'any')
    """
    for part in list_components("estimator", builtin=_is_own(estimator)):
        if "family" in part.tags and part.load() is type(estimator):
            family = str(part.tags["family"])
            if family == "domain_adaptation" and not _knows_domains(estimator):
                return "any"  # a helper of the family, such as a transformer
            if family == "generation" and not hasattr(estimator, "sample"):
                return "any"
            return family if family in _FAMILIES else "any"
    if any(hasattr(type(estimator), name) for name in INSTANCE_METHODS):
        return "mil"
    if _knows_domains(estimator):
        return "domain_adaptation"
    return "mil" if _reads_bags(estimator) else "any"


def _knows_domains(estimator: Any) -> bool:
    return bool(has_fit_parameter(estimator, "sample_domain"))


def _is_own(estimator: Any) -> bool:
    """Tell whether a class is this package's, so that no plugin need be loaded."""
    package = __name__.partition(".")[0]
    return type(estimator).__module__.partition(".")[0] == package


def _reads_bags(estimator: Any) -> bool:
    rng = np.random.default_rng(0)
    bags, y = Bags(rng.normal(size=(24, 3)), [1, 3] * 6), np.arange(12) // 2 % 2
    try:
        with quiet():
            EstimatorSubject(clone(estimator)).new().fit(bags, y)
    except Exception:
        return False
    return True


def _named(check: Any) -> Callable[[Any], None]:
    """Give scikit-learn's partial functions back their name and docstring."""
    inner: Any = getattr(check, "func", check)
    function: Any = partial(check)
    function.__name__, function.__doc__ = inner.__name__, inner.__doc__
    return function


def _label(estimator: Any) -> str:
    return type(estimator).__name__
