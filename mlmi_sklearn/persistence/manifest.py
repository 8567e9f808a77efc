"""The manifest: JSON that says what a file is, and holds all that is not an array."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from ..exceptions import PersistenceError

__all__ = ["FORMAT", "parse", "render"]

#: Version of the format that is written. Raise it with any change of meaning, teach
#: UPGRADES the way from the one before, and keep the golden files of the tests.
FORMAT = 1

#: version -> function from a manifest of that version to one of the next.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def render(manifest: dict[str, Any]) -> bytes:
    """Return a manifest as JSON.

    Parameters
    ----------
    manifest : dict
        Values of JSON; no NaN.
    """
    text = json.dumps(manifest, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii")


def parse(data: bytes) -> dict[str, Any]:
    """Return a manifest of the present version.

    Parameters
    ----------
    data : bytes
        JSON, of this or an earlier version of the format.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    PersistenceError
        If it is malformed, or of a later version.
    """
    try:
        found = json.loads(
            data.decode("ascii"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        raise PersistenceError(f"its manifest is malformed: {error}") from error
    version = found.get("format") if isinstance(found, dict) else None
    if type(version) is not int or version < 1:
        raise PersistenceError("its manifest does not say of which format it is.")
    if version > FORMAT:
        raise PersistenceError(_too_new(found, version))
    for step in range(version, FORMAT):
        found = UPGRADES[step](found)
    return found


def _too_new(manifest: dict[str, Any], version: int) -> str:
    written = manifest.get("versions")
    needed = written.get("mlmi-sklearn") if isinstance(written, dict) else None
    known = isinstance(needed, str) and re.fullmatch(r"[0-9A-Za-z.+]{1,40}", needed)
    order = f'pip install "mlmi-sklearn>={needed}"' if known else "Update mlmi-sklearn."
    return (
        f"its format {version} is newer than {FORMAT}, the newest that this version "
        f"of mlmi-sklearn reads. {order}"
    )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.20} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found
