"""The page docs/guides/plugins.md: its files, by name, and its sections."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "plugins.md"
TEXT = PAGE.read_text()

#: What stands below the name of a file in bold type.
FILES = {
    match["name"]: match["text"]
    for match in re.finditer(
        r"^\*\*`(?P<name>[^`]+)`\*\*\n\n```\w+\n(?P<text>.*?)^```",
        TEXT,
        flags=re.MULTILINE | re.DOTALL,
    )
}

#: Text of each section, by its title.
SECTIONS = {
    part.partition("\n")[0].strip("# `"): part
    for part in re.split(r"^(?=##)", TEXT, flags=re.MULTILINE)
}


def shown(command):
    """Return what the page shows below a command."""
    blocks = re.findall(r"^```console\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    [block] = [b for b in blocks if f"$ {command}\n" in b]
    return block.partition(f"$ {command}\n")[2].partition("\n$ ")[0]
