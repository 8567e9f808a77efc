"""What a model is fine-tuned from."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..base.parts import Part, Recipe

__all__ = ["Source", "read_source", "snapshot"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Source:
    """A trained backbone and what comes with it.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to features; never written to.
    head : nn.Module or None, default=None
        What made scores of the features.
    scale : nn.Module or None, default=None
        What inputs go through before the backbone.
    classes : ndarray or None, default=None
        Which class each score is for, where that is known.
    unit : tuple of float or ndarray, or None, default=None
        Mean and standard deviation in which the head predicts numbers.
    recipe : Recipe or None, default=None
        How the model was built, where an estimator of this package built it.
    """

    backbone: nn.Module
    head: nn.Module | None = None
    scale: nn.Module | None = None
    classes: Array | None = None
    unit: tuple[Any, Any] | None = None
    recipe: Recipe | None = None

    def part(self) -> Part:
        """Return how to build such a backbone.

        By name if the registry builds the same, so that a pickle holds no module.
        """
        if self.recipe is not None:
            named = self.recipe.parts.get("backbone")
            if named is not None and isinstance(named.source, str):
                with torch.device("meta"):
                    built = named.build(self.recipe.input_shape)
                if str(built) == str(self.backbone):
                    return named
        return Part("backbone", self.backbone)

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """Raise a ValueError if the backbone was trained on samples of another shape.

        Parameters
        ----------
        shape : tuple of int
            Of one sample of the new data.
        """
        known = None if self.recipe is None else tuple(self.recipe.input_shape)
        if known is not None and known != tuple(shape):
            raise ValueError(
                f"X has samples of shape {tuple(shape)}, but pretrained was fitted on "
                f"samples of shape {known}. Pass samples of that shape, or a model "
                "trained on this one."
            )

    def head_for(self, like: nn.Module, classes: Array | None) -> nn.Module | None:
        """Return a head with the weights of this one, if it fits.

        Parameters
        ----------
        like : nn.Module
            A head as it must be.
        classes : ndarray or None
            The classes it is for; None for numbers or labels.

        Returns
        -------
        nn.Module or None
            A copy, or None if it is for other classes, of another kind or size.
        """
        same = self.classes is None or (
            classes is not None and np.array_equal(self.classes, classes)
        )
        of_numbers = self.unit is not None and classes is not None
        if self.head is None or of_numbers or not same:
            return None
        head = copy.deepcopy(self.head)
        if isinstance(head, nn.Linear) and head.out_features == 2 and _is_single(like):
            return _difference(head)
        shapes = [
            [tuple(t.shape) for t in h.state_dict().values()] for h in (head, like)
        ]
        return head if type(head) is type(like) and shapes[0] == shapes[1] else None


def _is_single(head: nn.Module) -> bool:
    return isinstance(head, nn.Linear) and head.out_features == 1


def _difference(head: nn.Linear) -> nn.Linear:
    """Return the one score whose sigmoid is the softmax of two."""
    single = copy.deepcopy(head)  # a new one would draw random numbers
    single.out_features = 1
    with torch.no_grad():
        single.weight = nn.Parameter(head.weight[1:] - head.weight[:1])
        if head.bias is not None:
            single.bias = nn.Parameter(head.bias[1:] - head.bias[:1])
    return single


def read_source(pretrained: Any) -> Source:
    """Find the backbone in what a user passed as ``pretrained``.

    Parameters
    ----------
    pretrained : fitted estimator, nn.Module or Source
        An estimator of this package whose net has a backbone, plain or in a
        :class:`~sklearn.frozen.FrozenEstimator`; a module with ``backbone`` and maybe
        ``head``; or a module that is a backbone.

    Returns
    -------
    Source
        Its parts, not copied.

    Raises
    ------
    ValueError
        If the estimator is not fitted.
    TypeError
        If there is no backbone to be found.
    """
    if isinstance(pretrained, Source):
        return pretrained
    if isinstance(pretrained, nn.Module):
        return _source_of_module(pretrained)
    estimator = getattr(pretrained, "estimator", None)
    if estimator is not None and not hasattr(pretrained, "net_"):  # FrozenEstimator
        pretrained = estimator
    name = type(pretrained).__name__
    net = getattr(pretrained, "net_", None)
    if net is None and hasattr(pretrained, "fit"):
        raise ValueError(
            f"pretrained={name}(...) is not fitted, or has no net. Fit it first; of a "
            "Pipeline pass the last step, and transform X as its other steps do."
        )
    module = getattr(net, "module_", None)
    if not isinstance(getattr(module, "backbone", None), nn.Module):
        raise TypeError(
            f"pretrained must be a fitted estimator whose net_.module_ has a backbone, "
            f"or an nn.Module, got {name}."
        )
    return _source_of_estimator(pretrained, module)


def _source_of_estimator(estimator: Any, module: Any) -> Source:
    classes = getattr(estimator, "classes_", None)
    unit = None
    if hasattr(estimator, "y_mean_"):
        unit = (estimator.y_mean_, estimator.y_scale_)
    return Source(
        module.backbone,
        getattr(module, "head", None),
        getattr(module, "scale", None),
        classes,
        unit,
        getattr(estimator, "_recipe", None),
    )


def _source_of_module(module: Any) -> Source:
    if not isinstance(getattr(module, "backbone", None), nn.Module):
        return Source(module)
    return Source(
        module.backbone, getattr(module, "head", None), getattr(module, "scale", None)
    )


def snapshot(estimator: Any) -> Any:
    """Return a fitted estimator as it is now, sharing its net.

    Nothing trains a net in place, so a later fit of the estimator leaves this one as
    it is, and nothing need be copied.

    Parameters
    ----------
    estimator : estimator
        Fitted.

    Returns
    -------
    estimator
        Of the same class, without what it was trained from itself.
    """
    twin = object.__new__(type(estimator))
    twin.__dict__.update(vars(estimator))
    if "pretrained" in vars(twin):
        twin.pretrained = None
    return twin
