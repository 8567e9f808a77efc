"""Drawing new samples that look like the training data, as a condition asks for."""

from __future__ import annotations

__all__: list[str] = []
