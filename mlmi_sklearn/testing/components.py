"""Checks of registered components against their contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..components import Component, find_component
from ._augmentations import AUGMENTATION_CHECKS, AugmentationSubject
from ._backbones import BACKBONE_CHECKS
from ._construction import build_estimator
from ._core import Check, CheckResult, run_checks
from ._divergences import ADVERSARIAL_CHECKS, DIVERGENCE_CHECKS, DivergenceSubject
from ._generators import GENERATOR_CHECKS, GeneratorSubject
from ._losses import LOSS_CHECKS, LossSubject
from ._meta_methods import META_METHOD_CHECKS, MetaMethodSubject
from ._pooling_protocol import POOLING_PROTOCOL_CHECKS
from ._pooling_uses import POOLING_USES_CHECKS
from ._poolings import POOLING_CHECKS
from ._slide_readers import SLIDE_READER_CHECKS, SlideReaderSubject
from ._subjects import BackboneSubject, PoolingSubject, Subject, label_of
from .estimators import mlmi_estimator_checks

__all__ = ["check_component", "component_checks"]

_KINDS: dict[str, tuple[type[Subject], list[Callable[[Any], None]]]] = {
    "backbone": (BackboneSubject, [*BACKBONE_CHECKS]),
    "loss": (LossSubject, [*LOSS_CHECKS]),
    "pooling": (
        PoolingSubject,
        [*POOLING_CHECKS, *POOLING_PROTOCOL_CHECKS, *POOLING_USES_CHECKS],
    ),
    "divergence": (DivergenceSubject, [*DIVERGENCE_CHECKS]),
    "adversarial-loss": (Subject, [*ADVERSARIAL_CHECKS]),
    "augmentation": (AugmentationSubject, [*AUGMENTATION_CHECKS]),
    "generator": (GeneratorSubject, [*GENERATOR_CHECKS]),
    "meta-method": (MetaMethodSubject, [*META_METHOD_CHECKS]),
    "slide-reader": (SlideReaderSubject, [*SLIDE_READER_CHECKS]),
}


def component_checks(component: Component) -> Iterator[tuple[Any, Check]]:
    """Yield the checks for a component.

    Parameters
    ----------
    component : Component
        From :func:`~mlmi_sklearn.find_component` or
        :func:`~mlmi_sklearn.list_components`.

    Yields
    ------
    subject : Component or estimator
        What the check is to be called with: the component, or the estimator that it
        is the class of.
    check : Check
        Raises :class:`ContractError` if the contract is broken.

    Examples
    --------
    >>> from mlmi_sklearn import find_component
    >>> from mlmi_sklearn.testing import component_checks
    >>> checks = list(component_checks(find_component("loss", "mse")))
    >>> for part, check in checks:
    ...     check(part)
    >>> part.name, len(checks) > 3
    ('mse', True)
    """
    if component.kind == "estimator":
        yield from _estimator_checks(component)
        return
    prepare, functions = _KINDS[component.kind]
    for part in component.members():  # of a family, a few; else the part itself
        for function in functions:
            yield part, Check(function, prepare, label_of)


def _estimator_checks(component: Component) -> Iterator[tuple[Any, Check]]:
    """Yield the checks of a class; one that cannot be made fails a check of its own."""
    try:
        pairs = list(mlmi_estimator_checks(build_estimator(component)))
    # Tests that are being collected, or other parts, must not suffer from it.
    except Exception:
        yield component, Check(check_can_be_built, label=label_of)
        return
    yield from pairs


def check_can_be_built(component: Component) -> None:
    """The checks can make an instance from the registered example."""
    list(mlmi_estimator_checks(build_estimator(component)))


def check_component(
    kind: str, name: str, *, on_fail: str | None = "raise"
) -> list[CheckResult]:
    """Check that a registered component keeps the contract of its kind.

    It is built with the `example` it was registered with, or with defaults: inputs
    that its tag ``input`` names, 8 features, no further arguments; a small linear model
    for the required argument ``estimator`` of an estimator.

    Parameters
    ----------
    kind, name : str
        As for :func:`~mlmi_sklearn.find_component`.
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
    ComponentNotFoundError
        If there is no such component.

    Examples
    --------
    >>> from mlmi_sklearn.testing import check_component
    >>> {result.status for result in check_component("pooling", "mean")}
    {'passed'}
    """
    return run_checks(component_checks(find_component(kind, name)), on_fail)
