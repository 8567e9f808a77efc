"""Names of other projects' documentation that our pages link to, kept as small files.

The pages then come out the same with a network and without one. A file has the address
of the documentation on its first line; each other line is `role address name name ...`,
where `$` in the address stands for the name.
"""

from __future__ import annotations

import zlib
from pathlib import Path

__all__ = ["compile_inventory", "mapping"]

_HEAD = "# Sphinx inventory version 2\n# Project: {}\n# Version: \n"
_HEAD += "# The remainder of this file is compressed using zlib.\n"


def compile_inventory(text: str, project: str) -> bytes:
    """Return the inventory that a file of names says, as intersphinx reads it."""
    rows = [line.split() for line in text.splitlines()[1:]]
    body = "".join(
        f"{name} {role} 1 {address.replace('$', name)} -\n"
        for role, address, *names in filter(None, rows)
        for name in names
    )
    return _HEAD.format(project).encode() + zlib.compress(body.encode())


def mapping(names: Path, build: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory for each file of names; return `intersphinx_mapping`."""
    found = {}
    (build / "inventories").mkdir(parents=True, exist_ok=True)
    for path in sorted(names.glob("*.txt")):
        text = path.read_text()
        target = build / "inventories" / f"{path.stem}.inv"
        target.write_bytes(compile_inventory(text, path.stem))
        found[path.stem] = (text.split(maxsplit=1)[0], str(target))
    return found
