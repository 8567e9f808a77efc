"""Import timm where torchvision's compiled operators cannot be loaded.

timm builds on a few layers of torchvision that are written in Python. torchvision
itself comes with compiled operators (non-maximum suppression and the like), of which
timm's models call none. A torchvision that was compiled for another build of PyTorch,
such as the one on PyPI beside a CPU build, cannot load them, and is then not even
imported, since it registers derivatives for operators that are not there. Declaring
their names is all that it needs; a call of one still ends in torchvision's own error.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
from pathlib import Path
from types import ModuleType

import torch

__all__ = ["import_timm"]

_NAMED = re.compile(r"[\"']torchvision::(\w+)[\"']")
_MISSING = re.compile(r"operator torchvision::\w+ does not exist")
_lock = threading.Lock()
# Declarations end with the life of their library.
_libraries: list[torch.library.Library] = []


def import_timm() -> ModuleType:
    """Return timm, with the operators of torchvision declared if need be.

    Returns
    -------
    module
        timm.

    Raises
    ------
    ImportError
        If torchvision is missing, or broken in another way; says what to install.
    """
    with _lock:
        _import_torchvision()
        return importlib.import_module("timm")


def _import_torchvision() -> None:
    """Import torchvision, the second time with its operators declared."""
    try:
        importlib.import_module("torchvision")
        return
    except (ImportError, OSError, RuntimeError) as error:
        if not _MISSING.search(str(error)):
            raise ImportError(_remedy(error)) from error
    _forget()
    _declare(_names())
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        _forget()
        raise ImportError(_remedy(error)) from error


def _names() -> list[str]:
    """Read the names of the operators off the files that speak of them."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return []
    files = sorted(Path(spec.origin).parent.glob("_*registrations.py"))
    found = [name for file in files for name in _NAMED.findall(file.read_text("utf-8"))]
    return list(dict.fromkeys(found))


def _declare(names: list[str]) -> None:
    """Declare operators that do not exist; the signature does not matter."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    _libraries.append(library)
    for name in names:
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor x) -> Tensor")


def _forget() -> None:
    """Remove what an import that failed has left behind."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "torchvision":
            del sys.modules[name]


def _remedy(error: BaseException) -> str:
    """Say what to install."""
    version, _, build = torch.__version__.partition("+")
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return (
        f"timm needs torchvision, which cannot be imported here "
        f"({type(error).__name__}: {error}). Install the torchvision that belongs to "
        f"torch {torch.__version__}, from where torch came: pip install "
        f"--force-reinstall --no-deps torchvision{index}; "
        f"https://pytorch.org/get-started lists which one goes with torch {version}."
    )
