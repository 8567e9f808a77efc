"""A demonstration on embedded real data: ``mlmi-sklearn demo``.

Each family of methods has a chapter in :mod:`.chapters`; a chapter trains, and returns
tables, pictures and sentences as plain objects (:mod:`.content`). Everything else turns
those into lines on the terminal, into files, and into one self-contained page.
"""

from __future__ import annotations

from .runner import run_demo

__all__ = ["run_demo"]
