"""Learning from many tasks to learn a new one from a few examples."""

from __future__ import annotations

__all__: list[str] = []
