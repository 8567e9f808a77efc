"""Parts of a model: found by name, built with parameters, remembered for pickling."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ..components import find_component
from ..nn.trials import try_out
from ..specs import AutoBackbone, ComponentSpec, as_spec

__all__ = ["Part", "Recipe", "build_backbone", "require_same_model", "resolve_part"]


@dataclass(frozen=True)
class Part:
    """One part of a model and how to build it.

    Parameters
    ----------
    kind : str
        Kind of component.
    source : str, callable or nn.Module
        Qualified name in the registry, a factory, or a module to copy.
    params : dict, default={}
        Keyword arguments of the factory.

    Examples
    --------
    >>> from mlmi_sklearn.base import Part
    >>> Part("backbone", "mlp", {"hidden": (8,)}).build((4,)).out_features
    8
    """

    kind: str
    source: Any
    params: dict[str, Any] = field(default_factory=dict)

    def build(self, *args: Any) -> Any:
        """Build the part.

        Parameters
        ----------
        *args
            Positional arguments of the factory, such as the input shape.

        Returns
        -------
        object
            Usually an ``nn.Module``.

        Raises
        ------
        PluginError
            If a plugin's part cannot be built, or returns another shape than its kind
            promises.
        """
        if isinstance(self.source, str):
            part = find_component(self.kind, self.source)
            return try_out(part, part.build(*args, **self.params), args)
        if isinstance(self.source, nn.Module):
            return copy.deepcopy(self.source)
        return self.source(*args, **self.params)


@dataclass(frozen=True)
class Recipe:
    """All that is needed to build an estimator's module again, without data.

    Parameters
    ----------
    parts : dict of str to Part
        Parts by parameter name.
    input_shape : tuple of int
        Shape of one sample (or one instance of a bag).
    n_outputs : int
        Columns of the raw output.
    dtype : str
        ``"float32"`` or ``"float64"``.
    options : dict, default={}
        What else the family needs.

    Examples
    --------
    >>> from mlmi_sklearn import NetClassifier
    >>> from mlmi_sklearn.base import Recipe
    >>> model = NetClassifier(max_epochs=1).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    >>> recipe = model._recipe
    >>> isinstance(recipe, Recipe), recipe.input_shape, sorted(recipe.parts)
    (True, (2,), ['backbone', 'loss'])
    """

    parts: dict[str, Part]
    input_shape: tuple[int, ...]
    n_outputs: int
    dtype: str
    options: dict[str, Any] = field(default_factory=dict)


def resolve_part(
    kind: str,
    value: Any,
    input_shape: tuple[int, ...] | None = None,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> Part:
    """Turn a component parameter of an estimator into a part.

    Parameters
    ----------
    kind : str
        Kind of component.
    value : str, ComponentSpec, callable or nn.Module
        What the user passed.
    input_shape : tuple of int or None, default=None
        Shape of a sample, for ``"auto"``.
    defaults : mapping of str to mapping or None, default=None
        Parameters by name of component, for what ``"auto"`` chooses.

    Returns
    -------
    Part
        The part.

    Raises
    ------
    TypeError
        If ``value`` is none of these.

    Examples
    --------
    >>> from mlmi_sklearn import MLPBackbone
    >>> from mlmi_sklearn.base import resolve_part
    >>> resolve_part("backbone", MLPBackbone(hidden=(8,))).params["hidden"]
    (8,)
    >>> resolve_part("backbone", "auto", (3, 32, 32)).source
    'mlmi-sklearn:conv'
    """
    if isinstance(value, (str, ComponentSpec)):
        spec = as_spec(kind, value)
        if isinstance(spec, AutoBackbone):
            spec = spec.resolve(input_shape or (), defaults)
        return Part(kind, spec.component().qualified_name, spec.get_params(deep=False))
    if isinstance(value, nn.Module) or callable(value):
        return Part(kind, value)
    raise TypeError(
        f"{kind} must be a registered name, a spec, a callable or an nn.Module, got "
        f"{type(value).__name__}."
    )


def require_same_model(estimator: Any, fitted: Recipe, wanted: Recipe) -> None:
    """Raise a ValueError if training cannot go on because the model changed.

    Parameters
    ----------
    estimator : BaseEstimator
        Named in the message.
    fitted, wanted : Recipe
        Of the present weights, and of the present parameters.
    """
    changed = [n for n, part in wanted.parts.items() if part != fitted.parts[n]]
    changed += [k for k, v in wanted.options.items() if v != fitted.options[k]]
    if wanted.input_shape != fitted.input_shape:
        raise ValueError(
            f"X has samples of shape {wanted.input_shape}, but "
            f"{type(estimator).__name__} was fitted on samples of shape "
            f"{fitted.input_shape}. Pass samples of that shape."
        )
    if changed:
        raise ValueError(
            f"{', '.join(changed)} changed since {type(estimator).__name__} was "
            "fitted, so training cannot go on from its weights. Set it back, or begin "
            "anew: warm_start=False, or a clone instead of another partial_fit."
        )


def build_backbone(part: Part, input_shape: tuple[int, ...]) -> nn.Module:
    """Build a backbone and make sure its width is known.

    Parameters
    ----------
    part : Part
        The backbone.
    input_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    nn.Module
        Maps (B, *input_shape) to (B, out_features); has ``out_features``.

    Raises
    ------
    ValueError
        If the backbone cannot take such input, or does not return one vector a
        sample.
    TypeError
        If a factory returned something that is not a module.

    Examples
    --------
    >>> from torch import nn
    >>> from mlmi_sklearn.base import Part, build_backbone
    >>> part = Part("backbone", lambda input_shape: nn.Linear(*input_shape, 5))
    >>> build_backbone(part, (3,)).out_features
    5
    """
    backbone: Callable[..., Any] = part.build(tuple(input_shape))
    if not isinstance(backbone, nn.Module):
        raise TypeError(
            f"backbone must build an nn.Module, got {type(backbone).__name__}. A "
            "callable takes (input_shape, **params) and returns a module."
        )
    known = isinstance(getattr(backbone, "out_features", None), int)
    # A torch layer's attribute of that name need not be the width of its output.
    if not (known and isinstance(part.source, str)):
        width = _probe_width(backbone, tuple(input_shape))
        backbone.out_features = width  # type: ignore[assignment]
    return backbone


def _probe_width(backbone: nn.Module, input_shape: tuple[int, ...]) -> int:
    like = next(backbone.parameters(), torch.empty(0))
    sample = torch.zeros(2, *input_shape, dtype=like.dtype, device=like.device)
    training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            output = backbone(sample)
    except RuntimeError as error:
        raise ValueError(
            f"The backbone {type(backbone).__name__} cannot take samples of shape "
            f"{input_shape}: {error}"
        ) from error
    finally:
        backbone.train(training)
    if not isinstance(output, torch.Tensor) or output.ndim != 2:
        got = tuple(getattr(output, "shape", ())) or type(output).__name__
        raise ValueError(
            f"The backbone {type(backbone).__name__} must map a batch of n samples to "
            f"a tensor of shape (n, features), got {got}. Flatten or pool its output."
        )
    return int(output.shape[1])
