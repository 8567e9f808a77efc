"""Codecs of torch: tensors, types, devices, and modules made of known layers.

A module is restored from its attributes, weights and layers; no constructor runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from ..exceptions import PersistenceError
from .codec import Codec, Node, Reader, Writer, field_of, refuse
from .layers import find_layer, layer_name

__all__ = ["TORCH"]

_PLAIN = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
# Recurrent layers list their weights again, by weak reference too.
_DERIVED = ("_flat_weight_refs", "_flat_weights")
_DTYPES = {
    str(value): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}


def _pack_tensor(writer: Writer, value: torch.Tensor, path: str) -> dict[str, Node]:
    plain = value.detach().cpu()
    if plain.dtype == torch.bfloat16:  # numpy has no such type
        plain = plain.view(torch.int16)
    return {
        "dtype": str(value.dtype),
        "data": writer.pack(plain.numpy(), path),
        "parameter": isinstance(value, nn.Parameter),
        "grad": value.requires_grad,
    }


def _unpack_tensor(reader: Reader, node: dict[str, Node]) -> torch.Tensor:
    data, dtype = reader.unpack(node["data"]), _DTYPES[field_of(node, "dtype", str)]
    if not isinstance(data, np.ndarray):
        raise refuse(node, "is not made of an array")
    tensor = torch.from_numpy(data)
    if dtype == torch.bfloat16:
        tensor = tensor.view(dtype)
    if tensor.dtype != dtype:
        raise refuse(node, f"should be {dtype} but is {tensor.dtype}")
    grad = bool(node.get("grad"))
    if node.get("parameter"):
        return nn.Parameter(tensor, requires_grad=grad)
    return tensor.requires_grad_(grad)


def _is_tensor(value: Any) -> bool:
    kinds = (torch.Tensor, nn.Parameter)
    return (
        type(value) in kinds
        and value.layout == torch.strided
        and (not value.is_quantized)
    )


def _pack_module(writer: Writer, value: nn.Module, path: str) -> dict[str, Node]:
    state = dict(vars(value))
    fresh = vars(nn.Module())
    if any(state.get(k) != v for k, v in fresh.items() if _holds_hooks(k)):
        raise PersistenceError(
            f"{path} is a module with hooks, which a file cannot hold. Remove them "
            "before saving."
        )
    own = {
        k: v
        for k, v in state.items()
        if (k not in fresh or k == "training") and k not in _DERIVED
    }
    tables = {k.strip("_"): dict(state[k]) for k in _PLAIN[:3]}
    return {
        "class": layer_name(type(value)),
        "attributes": writer.pack(own, path),
        "hidden": sorted(state["_non_persistent_buffers_set"]),
        **{k: _pack_table(writer, v, path) for k, v in tables.items()},
    }


def _pack_table(writer: Writer, table: dict[str, Any], path: str) -> Node:
    return [[k, writer.pack(v, f"{path}.{k}")] for k, v in table.items()]


def _holds_hooks(name: str) -> bool:
    return name.endswith("hooks")


def _unpack_module(reader: Reader, node: dict[str, Node]) -> nn.Module:
    cls = find_layer(field_of(node, "class", str))
    attributes = reader.unpack(node["attributes"])
    module: nn.Module = cls.__new__(cls)
    nn.Module.__init__(module)
    if not isinstance(attributes, dict) or set(attributes) & set(vars(module)) - {
        "training"
    }:
        raise refuse(node, "has attributes that are not its own")
    for table, kind in (
        ("parameters", nn.Parameter),
        ("buffers", torch.Tensor),
        ("modules", nn.Module),
    ):
        target = getattr(module, f"_{table}")
        for key, item in field_of(node, table, list):
            value = reader.unpack(item)
            if not (isinstance(key, str) and isinstance(value, kind | None)):
                raise refuse(node, f"has {table} of another type")
            target[key] = value
    vars(module).update(attributes)
    module._non_persistent_buffers_set = set(field_of(node, "hidden", list))
    if isinstance(module, nn.RNNBase):
        module._init_flat_weights()
    return module


def _is_known_module(value: Any) -> bool:
    return isinstance(value, nn.Module) and layer_name(type(value)) is not None


def _pack_text(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {"text": str(value)}


#: Codecs of this module.
TORCH: tuple[Codec, ...] = (
    Codec("tensor", _is_tensor, _pack_tensor, _unpack_tensor, shared=True),
    Codec("module", _is_known_module, _pack_module, _unpack_module, shared=True),
    Codec(
        "torch-dtype",
        lambda v: isinstance(v, torch.dtype),
        _pack_text,
        lambda reader, node: _DTYPES[node["text"]],
    ),
    Codec(
        "torch-device",
        lambda v: isinstance(v, torch.device),
        _pack_text,
        lambda reader, node: torch.device(field_of(node, "text", str)),
    ),
)
