"""Files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from ..exceptions import PersistenceError

__all__ = ["read_whole", "write_whole"]

_BINARY = getattr(os, "O_BINARY", 0)  # Windows


def write_whole(path: str | os.PathLike[str], pieces: Iterable[bytes]) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part.

    Parameters
    ----------
    path : str or path-like
        Where to; the folder must exist. What a symbolic link points to is replaced.
    pieces : iterable of bytes
        What to write.

    Raises
    ------
    OSError
        If the file cannot be written; whatever was there before is still there.
    """
    target = Path(os.path.realpath(os.fspath(path)))
    if target.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder; name a file in it.")
    name = target.parent / f".{target.name[:100]}.{secrets.token_hex(6)}.tmp"
    # Created with the permissions that this process gives to new files.
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            name.chmod(stat.S_IMODE(target.stat().st_mode))
        name.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            name.unlink()
        raise
    _settle(target.parent)


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of an ordinary file.

    Parameters
    ----------
    path : str or path-like
        Which file.

    Raises
    ------
    PersistenceError
        If it is a pipe, a device or the like, which might never end.
    OSError
        If there is no such file, or it cannot be read.
    """
    with open(path, "rb", opener=_opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise PersistenceError(f"path={str(path)!r} is not an ordinary file.")
        return file.read()


def _opener(path: str, flags: int) -> int:
    # Opening a pipe to which nobody writes would wait for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | _BINARY)


def _settle(folder: Path) -> None:
    """Make the new entry of a folder outlast a power failure, where that is known."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
