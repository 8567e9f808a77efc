"""Codecs of sources of random numbers, in the middle of their sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from .codec import Codec, Node, Reader, Writer, field_of

__all__ = ["RANDOMNESS"]

_BITS: dict[str, Any] = {
    name: getattr(np.random, name)
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
}


def _pack_state(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    state = value.get_state(legacy=False)
    return {"state": writer.pack(state, path)}


def _unpack_state(reader: Reader, node: dict[str, Node]) -> Any:
    state = np.random.RandomState(0)  # what scikit-learn uses
    state.set_state(reader.unpack(node["state"]))
    return state


def _pack_generator(writer: Writer, value: Any, path: str) -> dict[str, Node]:
    bits = value.bit_generator
    seed = getattr(bits.seed_seq, "state", None)
    return {
        "bits": type(bits).__name__,
        "state": writer.pack(bits.state, path),
        "seed": writer.pack(seed, path),
    }


def _unpack_generator(reader: Reader, node: dict[str, Node]) -> Any:
    make = _BITS[field_of(node, "bits", str)]
    seed = reader.unpack(node["seed"])
    # Which children `spawn` gives depends on the seed, not only on the state.
    bits = make(0 if seed is None else np.random.SeedSequence(**seed))
    bits.state = reader.unpack(node["state"])
    return np.random.Generator(bits)


def _is_generator(value: Any) -> bool:
    known = type(value) is np.random.Generator
    return known and type(value.bit_generator).__name__ in _BITS


#: Codecs of this module.
RANDOMNESS: tuple[Codec, ...] = (
    Codec(
        "random-state",
        lambda v: type(v) is np.random.RandomState,
        _pack_state,
        _unpack_state,
        shared=True,
    ),
    Codec("generator", _is_generator, _pack_generator, _unpack_generator, shared=True),
)
