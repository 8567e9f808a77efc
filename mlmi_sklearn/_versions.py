"""What a bug report should say about the machine, as scikit-learn's function does."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import asdict
from typing import Any

from .components import list_plugins
from .components.discovery import package_version

__all__ = ["collect_versions", "format_versions", "package_version", "show_versions"]

_DEPENDENCIES = (
    "mlmi-sklearn",
    "torch",
    "scikit-learn",
    "skorch",
    "numpy",
    "scipy",
    "pandas",
    "pluggy",
    "matplotlib",
    "tqdm",
    "joblib",
    "threadpoolctl",
    "accelerate",
    "safetensors",
    "pip",
    "setuptools",
)

_VARIABLES = (
    "MLMI_SKLEARN_PLUGINS",
    "MLMI_SKLEARN_DISABLE",
    "MLMI_SKLEARN_SLOW_SECONDS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "SCIPY_ARRAY_API",
)


def show_versions() -> None:
    """Print versions, devices and plugins, for bug reports.

    See Also
    --------
    sklearn.show_versions : The model for this function.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS
    System:
    ...
    """
    print(format_versions(collect_versions()))


def collect_versions() -> dict[str, Any]:
    """Return versions, devices and plugins.

    Returns
    -------
    dict
        Sections "system", "dependencies" (version, or None where not installed),
        "torch", "devices" (one mapping each), "environment" (variables that
        matter and are set) and "plugins" (the fields of
        :class:`~mlmi_sklearn.components.PluginInfo`). It can be written as JSON.

    Examples
    --------
    >>> sorted(collect_versions())
    ['dependencies', 'devices', 'environment', 'plugins', 'system', 'torch']
    """
    return {
        "system": {
            "python": " ".join(sys.version.split()),
            "executable": sys.executable,
            "machine": platform.platform(),
            "cpu_count": os.cpu_count(),
        },
        "dependencies": {name: _version(name) for name in _DEPENDENCIES},
        **_hardware(),
        "environment": {n: os.environ[n] for n in _VARIABLES if n in os.environ},
        "plugins": [asdict(info) for info in list_plugins()],
    }


def format_versions(report: dict[str, Any]) -> str:
    """Return the text that :func:`show_versions` prints.

    Parameters
    ----------
    report : dict
        From :func:`collect_versions`.

    Returns
    -------
    str
        One line for each fact.

    Examples
    --------
    >>> print(format_versions({"torch": {"threads": 1}}))
    Torch:
        threads: 1
    """
    sections = []
    for title, content in report.items():
        pairs = content.items() if isinstance(content, dict) else map(_row, content)
        rows = [(str(key), str(value)) for key, value in pairs] or [("none", "")]
        width = max(10, *(len(key) for key, _ in rows)) + 1
        lines = [f"{key:>{width}}: {value}".removesuffix(": ") for key, value in rows]
        sections.append("\n".join([f"{title.capitalize()}:", *lines]))
    return "\n\n".join(sections)


def _version(name: str) -> str | None:
    """Return the version of a distribution, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _hardware() -> dict[str, Any]:
    """Ask torch for threads and devices; a torch that fails is worth reporting too."""
    try:
        import torch
    except Exception as error:
        reason = f"torch cannot be imported: {type(error).__name__}: {error}"
        return {"torch": {}, "devices": [{"device": "none", "name": reason}]}
    devices = [{"device": "cpu", "name": platform.processor() or platform.machine()}]
    devices += [
        {"device": f"cuda:{index}", "name": torch.cuda.get_device_name(index)}
        for index in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": "Apple GPU"})
    settings = {"threads": torch.get_num_threads(), "cuda": torch.version.cuda}
    return {"torch": settings, "devices": devices}


def _row(item: dict[str, Any]) -> tuple[str, str]:
    """Return the line of one device or plugin."""
    if "device" in item:
        return item["device"], item["name"]
    text = f"{item['dist']} {item['version']}, {item['status']}"
    return item["name"], f"{text}: {item['error']}" if item["error"] else text
