"""Pretrained weights: fetched by timm, or read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ._torchvision import import_timm

__all__ = ["load_pretrained"]


def load_pretrained(
    name: str, source: bool | str, channels: int, options: dict[str, Any]
) -> nn.Module:
    """Build a model with pretrained weights.

    Parameters
    ----------
    name : str
        The model, with the tag of its weights or without.
    source : True or str
        True for what timm lists, or the path of a file.
    channels : int
        Channels of the images, to which the first layer is adapted.
    options : dict
        Further keywords of the model.

    Returns
    -------
    nn.Module
        The model without its head.

    Raises
    ------
    ValueError
        If there are no weights, they cannot be fetched, or do not fit; says what can
        be done.
    """
    overlay = _overlay(name, source)
    try:
        made = _seeded(name, channels, options, True, pretrained_cfg_overlay=overlay)
        _require_loaded(made, _seeded(name, channels, options, False))
    # What is raised depends on the library that fetches, and on the file.
    except Exception as error:
        raise ValueError(_advice(name, source, error)) from error
    return made.train()


def _seeded(
    name: str, channels: int, options: dict[str, Any], pretrained: bool, **extra: Any
) -> nn.Module:
    """Build a model, with the same random numbers at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made: nn.Module = import_timm().create_model(
            name,
            pretrained=pretrained,
            in_chans=channels,
            num_classes=0,
            **options,
            **extra,
        )
    return made


def _require_loaded(made: nn.Module, fresh: nn.Module) -> None:
    """Raise if weights are still the random ones: timm passes over what is missing."""
    before = dict(fresh.named_parameters())
    missing = [
        key
        for key, weight in made.named_parameters()
        if weight.ndim > 1 and weight.any() and torch.equal(weight, before[key])
    ]
    if missing:
        raise KeyError(f"no weights for {', '.join(missing[:3])} and others")


def _overlay(name: str, source: bool | str) -> dict[str, Any]:
    """Return what has to change in timm's entry about the weights."""
    if source is not True:
        file = Path(source).expanduser()
        if not file.is_file():
            raise ValueError(
                f"backbone 'timm:{name}', pretrained={source!r}: there is no such "
                "file. Pass a file of weights (.safetensors, .pth), or True to fetch "
                "them."
            )
        return {"file": str(file)}
    config = import_timm().models.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        architecture = name.partition(".")[0]
        raise ValueError(
            f"backbone 'timm:{name}', pretrained=True: timm lists no weights for "
            f"{architecture!r}. Set pretrained=False, pass the path of a file, or "
            "choose a model of timm.list_pretrained()."
        )
    return {}


def _advice(name: str, source: bool | str, error: Exception) -> str:
    """Say what went wrong and what can be done."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    reason = reason if len(reason) < 400 else reason[:397] + "..."
    if source is not True:
        return (
            f"backbone 'timm:{name}', pretrained={str(source)!r}: the weights in that "
            f"file cannot be used ({reason}). It must hold the state dictionary of "
            f"this architecture."
        )
    return (
        f"backbone 'timm:{name}', pretrained=True: its weights could not be fetched "
        f"({reason}). Without a network: run timm.create_model({name!r}, "
        "pretrained=True) once where there is one and copy the cache (the folder that "
        "HF_HOME names, by default ~/.cache/huggingface), or pass the path of a "
        "downloaded file, backbone__pretrained='/path/to/model.safetensors'. To train "
        "from random weights, set backbone__pretrained=False."
    )
