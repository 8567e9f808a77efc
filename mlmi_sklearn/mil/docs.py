"""One text for the parameters that all deep estimators for bags share."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import cleandoc, getdoc
from textwrap import indent
from typing import TypeVar

__all__ = ["with_bag_parameters", "with_parameters_of"]

_T = TypeVar("_T", bound=type)

BAG_PARAMETERS = cleandoc("""
    scale_inputs : bool, default=True
        Whether instances are centred, feature by feature (channel by channel for
        images), and divided by one standard deviation common to all features, both
        of the training instances. Features on different scales need more:
        ``InstanceWise(StandardScaler())`` before the estimator.
    max_instances : int or None, default=None
        Instances of a bag that training sees at a time, drawn anew for each batch.
        None sees all. Predictions always do.
    instance_labels : {"ignore", "use"}, default="ignore"
        Whether ``y_instances`` of :class:`Bags` are trained on. Ignored, they are the
        truth that metrics compare with.
    instance_weight : float, default=1.0
        Weight of the loss of labelled instances, their mean over a bag; at least 0.
    smoothness : float, default=0.0
        Weight of the mean squared difference of scores between an instance and its
        eight nearest in the bag, by ``Bags.coords``. At least 0.
""")


def with_bag_parameters(cls: _T) -> _T:
    """Replace ``{bag_parameters}`` in a class docstring by the shared text."""
    place = re.compile(r"^( *)\{bag_parameters\}", re.MULTILINE)
    cls.__doc__ = place.sub(lambda m: indent(BAG_PARAMETERS, m[1]), cls.__doc__ or "")
    return cls


def with_parameters_of(other: type) -> Callable[[_T], _T]:
    """Replace ``{parameters}`` in a docstring by the parameters of another class."""
    text = getdoc(other) or ""
    section = text.partition("Parameters\n----------\n")[2].partition("\n\nAttr")[0]

    def fill(cls: _T) -> _T:
        place = re.compile(r"^( *)\{parameters\}", re.MULTILINE)
        cls.__doc__ = place.sub(lambda m: indent(section, m[1]), cls.__doc__ or "")
        return cls

    return fill
