"""Codecs of estimators, of what they consist of, and of names."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..base import TorchEstimator
from ..base.parts import Part
from ..components import Component, find_component
from ..containers import Bags
from ..exceptions import PersistenceError, PluginError
from ..specs import ComponentSpec, make_spec
from .classes import class_name, find_class
from .codec import Codec, Node, Reader, Writer, field_of, refuse
from .guard import limited_allocations
from .names import find_named, name_of

__all__ = ["OBJECTS"]

_FIELDS = ("bag_ids", "groups", "coords", "y_instances")


def _pack_object(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    cls = type(value)
    name = class_name(cls)
    writer.sources[str(name)] = cls
    _note_components(writer, value)
    state = _state_of(value)
    packed = [
        [key, writer.pack(item, f"{path}.{key}" if path else key)]
        for key, item in sorted(state.items())
    ]
    return {"class": name, "state": packed}


def _state_of(value: Any) -> dict[str, Any]:
    """Return what pickle would keep; objects without attributes have no state."""
    from .flat import expand  # which needs the codecs below

    state = value.__getstate__()
    if state is None:
        return {}
    if not isinstance(state, dict) or not all(isinstance(k, str) for k in state):
        raise PersistenceError(
            f"{type(value).__name__}.__getstate__ must return a dict with attributes."
        )
    return expand(state)


def _unpack_object(reader: Reader, node: dict[str, Node]) -> Any:
    cls = find_class(field_of(node, "class", str))
    state = {}
    for key, item in field_of(node, "state", list):
        if not isinstance(key, str) or not key.isidentifier() or key[:2] == "__":
            raise refuse(node, f"has an attribute {key!r:.60}")
        state[key] = reader.unpack(item)
    made = cls.__new__(cls)
    if issubclass(cls, TorchEstimator):
        _restore_net(made, state, reader.device)
    elif hasattr(made, "__setstate__"):
        made.__setstate__(state)
    else:
        vars(made).update(state)
    return made


def _restore_net(
    made: TorchEstimator, state: dict[str, Any], device: str | None
) -> None:
    """Restore an estimator whose net is built anew, of no more than its weights."""
    if device is not None:
        state |= {"device": device}
        if "device_" in state:
            state["device_"] = device
    weights = state.get("net_") or {}
    if not all(isinstance(array, np.ndarray) for array in weights.values()):
        raise PersistenceError("weights of a net are not arrays.")
    with limited_allocations(weights.values()):
        made.__setstate__(state)


def _note_components(writer: Writer, value: Any) -> None:
    """Remember where the parts of an estimator come from."""
    if isinstance(value, Part):
        _note(writer, value.kind, value.source)
        return
    for table in ("_components", "_further_components"):
        for name, kind in getattr(type(value), table, {}).items():
            _note(writer, kind, vars(value).get(name))


def _note(writer: Writer, kind: str, name: Any) -> None:
    if not isinstance(name, str) or name == "auto":
        return
    try:
        found = find_component(kind, name)
    except PluginError:  # of an estimator that was never fitted, and cannot be
        return
    _keep(writer, name, found)


def _keep(writer: Writer, name: str, found: Component) -> None:
    writer.components[found.kind, name] = found


def _is_object(value: Any) -> bool:
    return not isinstance(value, type | tuple) and class_name(type(value)) is not None


def _pack_row(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    name = class_name(type(value))
    items = [writer.pack(item, f"{path}[{i}]") for i, item in enumerate(value)]
    return {"class": name, "items": items}


def _unpack_row(reader: Reader, node: dict[str, Node]) -> Any:
    cls = find_class(field_of(node, "class", str))
    if not (issubclass(cls, tuple) and hasattr(cls, "_make")):
        raise refuse(node, "is not of a named tuple")
    return cls._make(reader.unpack(field_of(node, "items", list)))


def _is_row(value: Any) -> bool:
    return isinstance(value, tuple) and class_name(type(value)) is not None


def _pack_spec(writer: Writer, value: ComponentSpec, path: str) -> dict[str, Node]:
    kind, name = type(value).kind, type(value).name
    params = value.get_params(deep=False)
    if name != "auto":
        _keep(writer, name, find_component(kind, name))
    packed = [[k, writer.pack(v, f"{path}.{k}")] for k, v in params.items()]
    return {"kind": kind, "name": name, "params": packed}


def _unpack_spec(reader: Reader, node: dict[str, Node]) -> ComponentSpec:
    params = {k: reader.unpack(v) for k, v in field_of(node, "params", list)}
    kind, name = field_of(node, "kind", str), field_of(node, "name", str)
    return make_spec(kind, name, **params)


def _pack_bags(writer: Writer, value: Bags, path: str) -> dict[str, Node]:
    # Files that bags are read from need not be there when they are loaded.
    store = value.values if value.is_sparse else np.asarray(value.values)
    fields = {name: getattr(value, name) for name in _FIELDS}
    names = value.feature_names
    return {
        "values": writer.pack(store, f"{path}.values"),
        "lengths": writer.pack(np.asarray(value.lengths), f"{path}.lengths"),
        "feature_names": writer.pack(None if names is None else list(names), path),
        **{k: writer.pack(v, f"{path}.{k}") for k, v in fields.items()},
    }


def _unpack_bags(reader: Reader, node: dict[str, Node]) -> Bags:
    # In the order in which they were packed.
    values, lengths, names = (
        reader.unpack(node[key]) for key in ("values", "lengths", "feature_names")
    )
    fields = {name: reader.unpack(node[name]) for name in _FIELDS}
    return Bags(values, lengths, feature_names=names, **fields)


def _role(value: Any) -> str:
    return "type" if inspect.isclass(value) else "function"


def _is_named(value: Any) -> bool:
    return callable(value) and name_of(value, _role(value)) is not None


def _pack_name(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {"name": name_of(value, _role(value)), "role": _role(value)}


def _unpack_name(reader: Reader, node: dict[str, Node]) -> Any:
    role = field_of(node, "role", str)
    if role not in ("type", "function"):
        raise refuse(node, f"has the role {role!r:.60}")
    return find_named(field_of(node, "name", str), role)


#: Codecs of this module.
OBJECTS: tuple[Codec, ...] = (
    Codec("spec", lambda v: isinstance(v, ComponentSpec), _pack_spec, _unpack_spec),
    Codec("bags", lambda v: type(v) is Bags, _pack_bags, _unpack_bags, shared=True),
    Codec("row", _is_row, _pack_row, _unpack_row),
    Codec("object", _is_object, _pack_object, _unpack_object, shared=True),
    Codec("name", _is_named, _pack_name, _unpack_name),
)
