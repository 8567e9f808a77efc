"""Which size of image a model is given.

Most convolutional nets take any image that survives their strides; transformers are
built for one size, which must be a multiple of their patches. The first size that
works, from the image's own upwards, is found with tensors that have shapes and no
numbers (device "meta"), so that trying costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ._torchvision import import_timm

__all__ = ["Plan", "plan_size"]

Create = Callable[[str, int, dict[str, Any]], nn.Module]
Size = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """How a model is built for images of one size.

    Parameters
    ----------
    size : tuple of int
        Height and width that it is given.
    out_features : int
        Width of its result.
    options : dict
        Keywords that it needs for that.
    """

    size: Size
    out_features: int
    options: dict[str, Any] = field(default_factory=dict)


def plan_size(
    name: str, channels: int, size: Size, options: dict[str, Any], create: Create
) -> Plan:
    """Find the smallest size, not below that of the images, that a model takes.

    Parameters
    ----------
    name : str
        The model.
    channels : int
        Channels of the images.
    size : tuple of int
        Height and width of the images.
    options : dict
        Further keywords of the model.
    create : callable
        Builds the model, ``create(name, channels, options)``.

    Returns
    -------
    Plan
        What works.

    Raises
    ------
    ValueError
        If no size does.
    TypeError
        If the model has no parameter of such a name.
    """
    # Some architectures compute with numbers while they are built.
    errors: list[Exception] = []
    for device in ("meta", "cpu"):
        for wanted in _candidates(name, size):
            try:
                return _try(name, channels, wanted, options, create, device)
            except TypeError:
                raise
            # Assertions, wrong shapes, missing attributes: each model has its own way.
            except Exception as error:
                errors.append(error)
    raise ValueError(
        f"backbone 'timm:{name}' cannot take images of {size[0]} x {size[1]} pixels, "
        f"nor padded ones up to 512: {type(errors[0]).__name__}: {errors[0]}"
    ) from errors[0]


def _candidates(name: str, size: Size) -> Iterator[Size]:
    """Yield sizes to try: as it is, whole multiples, then fixed ones."""
    seen = set()
    for step in (1, 16, 32, 64):
        seen.add(_up(size, step))
        yield _up(size, step)
    config = import_timm().models.get_pretrained_cfg(name)
    usual = max(config.input_size[1:]) if config is not None else 224
    for least in sorted({96, 128, 224, 384, 512, usual}):
        wanted = (max(size[0], least), max(size[1], least))
        if wanted not in seen:
            seen.add(wanted)
            yield wanted


def _try(
    name: str,
    channels: int,
    size: Size,
    options: dict[str, Any],
    create: Create,
    device: str,
) -> Plan:
    """Build the model for one size and look what comes out."""
    with torch.random.fork_rng(devices=[]), torch.device(device):
        extra, model = _build(name, channels, size, options, create)
        _require_whole_patches(model, size)
        with torch.no_grad():
            output = model.eval()(torch.zeros(1, channels, *size))
    return Plan(size, int(torch.flatten(output, 1).shape[1]), extra)


def _build(
    name: str, channels: int, size: Size, options: dict[str, Any], create: Create
) -> tuple[dict[str, Any], nn.Module]:
    """Build the model, telling it the size if it wants to know."""
    config = import_timm().models.get_pretrained_cfg(name)
    if config is None or not config.fixed_input_size or "img_size" in options:
        return {}, create(name, channels, options)
    extra = {"img_size": size}
    try:
        return extra, create(name, channels, {**options, **extra})
    except TypeError as error:
        if "img_size" not in str(error):
            raise
        return {}, create(name, channels, options)


def _require_whole_patches(model: nn.Module, size: Size) -> None:
    """Raise if a transformer would leave out what is no whole patch."""
    ratio = getattr(getattr(model, "patch_embed", None), "feat_ratio", None)
    if ratio is None:
        return
    found = ratio()
    steps = (found, found) if isinstance(found, int) else tuple(found)
    if any(side % step for side, step in zip(size, steps, strict=True)):
        raise ValueError(f"{size} is no multiple of patches of {steps}")


def _up(size: Size, step: int) -> Size:
    """Round a size up to multiples."""
    return -(-size[0] // step) * step, -(-size[1] // step) * step
