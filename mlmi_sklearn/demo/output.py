"""Files of the demo: the folder, and writing that leaves no halves."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import RequestError

__all__ = ["open_folder", "save_all"]


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[Path]:
    """Make sure, before any work, that files can be written to a folder.

    Parameters
    ----------
    path : Path
        The folder; made if it is not there, and removed again if nothing was written.

    Yields
    ------
    Path
        The same.

    Raises
    ------
    RequestError
        If it is a file or cannot be written to; the message says what to do.
    """
    if path.exists() and not path.is_dir():
        raise RequestError(f"--out {str(path)!r} is a file; name a folder.")
    made = not path.exists()
    with _blamed_on(path):
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    try:
        yield path
    finally:
        if made:
            with contextlib.suppress(OSError):  # not empty: what we want
                path.rmdir()


def save_all(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Write files, each whole or not at all, in the given order.

    Parameters
    ----------
    folder : Path
        Where.
    files : mapping of str to (bytes or str)
        Content by path below the folder; text is written as UTF-8. Old files are
        replaced.

    Raises
    ------
    RequestError
        If a file cannot be written.
    """
    with _blamed_on(folder):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            _write_atomically(path, content)


def _write_atomically(path: Path, content: bytes | str) -> None:
    """Write beside the file, then rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _blamed_on(folder: Path) -> Iterator[None]:
    """Turn what the system says into what the caller can do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RequestError(
            f"cannot write to --out {str(folder)!r} ({reason}); name another folder."
        ) from error
