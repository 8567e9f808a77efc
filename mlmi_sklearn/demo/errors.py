"""The one error of the demo that is the caller's to mend."""

from __future__ import annotations

__all__ = ["RequestError"]


class RequestError(ValueError):
    """Raised when a family or a folder cannot be used; never leaves ``run_demo``."""
