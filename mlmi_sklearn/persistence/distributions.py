"""Codec of frozen distributions of scipy, which randomised searches draw from."""

from __future__ import annotations

from typing import Any

from scipy import stats

from .codec import Codec, Node, Reader, Writer, field_of, refuse

__all__ = ["DISTRIBUTIONS"]

_FAMILIES = (stats.rv_continuous, stats.rv_discrete)
_FROZEN = tuple({type(stats.norm()), type(stats.poisson(1))})


def _pack(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    return {
        "name": value.dist.name,
        "args": writer.pack(tuple(value.args), path),
        "kwds": writer.pack(dict(value.kwds), path),
    }


def _unpack(reader: Reader, node: dict[str, Node]) -> Any:
    name = field_of(node, "name", str)
    family = _family(name)
    if family is None:
        raise refuse(node, f"names no distribution of scipy: {name!r:.60}")
    args, kwds = reader.unpack(node["args"]), reader.unpack(node["kwds"])
    return family(*args, **kwds)


def _family(name: str) -> Any:
    found = getattr(stats, name, None) if name in stats.__all__ else None
    return found if isinstance(found, _FAMILIES) else None


def _handles(value: Any) -> bool:
    if type(value) not in _FROZEN:
        return False
    return type(_family(value.dist.name)) is type(value.dist)


#: Codec of this module.
DISTRIBUTIONS: tuple[Codec, ...] = (Codec("distribution", _handles, _pack, _unpack),)
