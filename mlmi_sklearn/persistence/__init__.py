"""Estimators in files: JSON and arrays, verified, and no code.

:func:`save` and :func:`load` are in the root package too; :func:`read_manifest` says
what a file holds, and which distributions it needs, without loading it.
"""

from __future__ import annotations

from .api import load, read_manifest, save

__all__ = ["load", "read_manifest", "save"]
