"""From the name of a model of timm to a backbone."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from mlmi_sklearn.components import did_you_mean
from mlmi_sklearn.exceptions import ComponentNotFoundError
from mlmi_sklearn.nn.initial import weights_matter

from ._sizes import Plan, plan_size
from ._torchvision import import_timm
from ._weights import load_pretrained
from .module import TimmBackbone

__all__ = ["TimmFactory", "factory_of"]

# Follow from the data or from what a backbone is.
_GIVEN = ("in_chans", "num_classes", "features_only", "pretrained_cfg")


def factory_of(name: str) -> TimmFactory:
    """Return the factory of a model.

    Parameters
    ----------
    name : str
        Name in ``timm.list_models()``, with or without the tag of its weights
        (``"resnet18"``, ``"resnet18.a1_in1k"``).

    Returns
    -------
    TimmFactory
        Called as ``factory(input_shape, **params)``.

    Raises
    ------
    ComponentNotFoundError
        If timm has no such model, or no such weights; close matches are listed.
    ImportError
        If timm cannot be imported; says what to install.

    Examples
    --------
    >>> from mlmi_sklearn_timm.models import factory_of
    >>> factory_of("resnet18")
    TimmFactory('resnet18')
    """
    timm = import_timm()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise ComponentNotFoundError(
            f"timm {timm.__version__} has no model {architecture!r}."
            f"{did_you_mean(architecture, timm.list_models())} timm.list_models('*"
            f"{architecture[:4]}*') lists those with similar names."
        )
    known = timm.list_pretrained(f"{architecture}.*") if tag else []
    if tag and name not in known:
        has = f"there are {', '.join(known)}" if known else "it has none"
        raise ComponentNotFoundError(
            f"timm {timm.__version__} has no weights {tag!r} for {architecture!r}: "
            f"{has}."
        )
    return TimmFactory(name)


class TimmFactory:
    """Builds one model of timm as a backbone; see :meth:`__call__`.

    Parameters
    ----------
    name : str
        Name of the model.

    Examples
    --------
    >>> from mlmi_sklearn_timm.models import TimmFactory
    >>> TimmFactory("resnet18")((1, 28, 28)).out_features
    512
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __call__(
        self,
        input_shape: tuple[int, ...],
        pretrained: bool | str = False,
        drop_rate: float = 0.0,
        drop_path_rate: float | None = None,
        **params: Any,
    ) -> TimmBackbone:
        """Build the model.

        Parameters
        ----------
        input_shape : tuple of int
            ``(H, W)`` or ``(C, H, W)``, with any number of channels. Images that are
            smaller than the architecture can take, or no multiple of the patches of a
            transformer, are padded with zeros on all sides.
        pretrained : bool or str, default=False
            True fetches the weights that timm lists for the name, those of its tag if
            it has one; a path loads them from a file. The first layer is adapted to
            the number of channels.
        drop_rate : float, default=0.0
            Rate at which features are dropped, in [0, 1).
        drop_path_rate : float, default=None
            Rate at which residual branches are dropped, in [0, 1); None for that of
            the architecture.
        **params
            Whatever else the architecture takes.

        Returns
        -------
        TimmBackbone
            Maps ``(B, *input_shape)`` to ``(B, out_features)``.

        Raises
        ------
        ValueError
            If the input is no image, the architecture cannot take images of this
            size, or pretrained weights cannot be fetched or do not fit.
        TypeError
            If the architecture has no such parameter.
        """
        channels, height, width = _image(self.name, input_shape)
        options = self._options(drop_rate, drop_path_rate, params)
        plan = self._plan(channels, (height, width), options)
        options |= plan.options
        if pretrained and weights_matter():
            model = load_pretrained(self.name, pretrained, channels, options)
        else:
            model = _create(self.name, channels, options)
        return TimmBackbone(model, input_shape, plan.size, plan.out_features)

    def _options(
        self, drop_rate: float, drop_path_rate: float | None, params: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the keywords for timm; rates that change nothing are left out."""
        for key in _GIVEN:
            if key in params:
                raise TypeError(
                    f"backbone 'timm:{self.name}' sets {key} itself, from the data; "
                    f"remove backbone__{key}."
                )
        options = dict(params)
        if drop_rate:
            options["drop_rate"] = drop_rate
        if drop_path_rate is not None:
            options["drop_path_rate"] = drop_path_rate
        return options

    def _plan(
        self, channels: int, size: tuple[int, int], options: dict[str, Any]
    ) -> Plan:
        """Find the size of image to feed, or say which parameter is wrong."""
        try:
            return plan_size(self.name, channels, size, options, _create)
        except TypeError as error:
            raise TypeError(self._unknown(options, error)) from error

    def _unknown(self, options: dict[str, Any], error: TypeError) -> str:
        """Word the error about a keyword that the architecture does not have."""
        with torch.device("meta"):
            model = _create(self.name, 3, {})
        known = inspect.signature(type(model).__init__).parameters
        wrong = [key for key in options if key not in known]
        hint = did_you_mean(wrong[0], known) if wrong else ""
        return (
            f"backbone 'timm:{self.name}' cannot be built with {options}: {error}."
            f"{hint}"
        )


def _image(name: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, height and width."""
    shape = tuple(shape)
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(
            f"backbone 'timm:{name}' takes images, (H, W) or (C, H, W), not samples of "
            f"shape {shape}. Flat rows have to be reshaped; for vectors there is 'mlp'."
        )
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    return channels, height, width


def _create(name: str, channels: int, options: dict[str, Any]) -> nn.Module:
    """Build the model without a head."""
    made: nn.Module = import_timm().create_model(
        name, pretrained=False, in_chans=channels, num_classes=0, **options
    )
    return made.train()
