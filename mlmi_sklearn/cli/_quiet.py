"""Keep what plugins print and warn about out of what a command writes."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator

from ..exceptions import PluginWarning

__all__ = ["checking", "listing"]


@contextlib.contextmanager
def listing() -> Iterator[None]:
    """Let plugins load without a word: the listings say what is wrong with them."""
    with warnings.catch_warnings(), _quiet_descriptor():
        warnings.simplefilter("ignore", PluginWarning)
        yield


@contextlib.contextmanager
def checking() -> Iterator[None]:
    """Let checks run without a word, whatever the parts print and warn about."""
    with (
        warnings.catch_warnings(),
        _quiet_descriptor(),
        contextlib.redirect_stdout(sys.stderr),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _quiet_descriptor() -> Iterator[None]:
    """Send what child processes and C code of a plugin print to standard error."""
    try:
        # Before the swap, what Python has not written yet would go astray.
        sys.stdout.flush()
        saved = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # closed descriptors
        yield
        return
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
