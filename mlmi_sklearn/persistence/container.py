"""The bytes of a file: a zip archive of which every single byte is foreseen.

Any zip tool can list and unpack it. Reading does not believe what an archive says about
itself, though: the archive must be, byte for byte, the one that :func:`frame` makes of
its contents. There are three members, in this order, and nothing is compressed; so an
archive that hides a second member of the same name, one that expands to a terabyte, or
one whose names lead out of the folder is simply not one of ours.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ..exceptions import PersistenceError

__all__ = ["Contents", "first_member", "frame", "unframe"]

_MANIFEST, _ARRAYS, _SUMS = "manifest.json", "arrays.safetensors", "SHA256SUMS"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_LARGE, _SMALL = 0xFFFFFFFF, 0xFFFF
# Version 4.5 of the format (64-bit sizes); midnight of 1 January 1980; made on Unix,
# where everybody may read a member.
_VERSION, _DATE, _MADE_BY, _MODE = 45, 33, (3 << 8) | 45, 0o100644 << 16


class Contents(NamedTuple):
    """What a file holds.

    Parameters
    ----------
    manifest : bytes
        JSON.
    arrays : bytes
        Arrays in the safetensors format.
    """

    manifest: bytes
    arrays: bytes


def frame(contents: Contents) -> Iterator[bytes]:
    """Return the pieces that one after the other make the file.

    Parameters
    ----------
    contents : Contents
        What it holds.

    Yields
    ------
    bytes
        Headers and members.

    Examples
    --------
    >>> import io, zipfile
    >>> data = b"".join(frame(Contents(b"{}", b"")))
    >>> zipfile.ZipFile(io.BytesIO(data)).namelist()
    ['manifest.json', 'arrays.safetensors', 'SHA256SUMS']
    """
    offset, central = 0, []
    for name, data in _members(contents):
        header = _local_header(name, data)
        central.append(_central_header(name, data, offset))
        yield header
        yield data
        offset += len(header) + len(data)
    directory = b"".join(central)
    yield directory
    yield _end(len(central), len(directory), offset)


def unframe(data: bytes) -> Contents:
    """Return what a file holds, or raise if one byte of it is not as it must be.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    Contents
        Whose sums have been verified.

    Raises
    ------
    PersistenceError
        If the file is truncated, damaged, altered or something else.

    Examples
    --------
    >>> unframe(b"".join(frame(Contents(b"{}", b"abc"))))
    Contents(manifest=b'{}', arrays=b'abc')
    >>> unframe(b"PK")
    Traceback (most recent call last):
    mlmi_sklearn.exceptions.PersistenceError: ... not a file written by ...
    """
    manifest, end = _member(data, 0, _MANIFEST)
    arrays, _ = _member(data, end, _ARRAYS)
    contents = Contents(manifest, arrays)
    position = 0
    for piece in frame(contents):
        if data[position : position + len(piece)] != piece:
            raise PersistenceError(
                f"the file is damaged or was altered: byte {position} and those that "
                "follow are not what its contents call for. Get it anew from where "
                "it came from."
            )
        position += len(piece)
    if position != len(data):
        raise PersistenceError(
            f"the file is damaged or was altered: {len(data) - position} bytes follow "
            "its end. Get it anew from where it came from."
        )
    return contents


def first_member(data: bytes) -> bytes:
    """Return the manifest, of which nothing has been verified.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    PersistenceError
        If the file does not begin with a manifest.
    """
    return _member(data, 0, _MANIFEST)[0]


def _members(contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Return names and data; the sums can be checked with ``sha256sum -c``."""
    named = [(_MANIFEST, contents.manifest), (_ARRAYS, contents.arrays)]
    yield from named
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in named]
    yield _SUMS, "".join(sums).encode()


def _member(data: bytes, start: int, name: str) -> tuple[bytes, int]:
    """Return the member whose header begins at a place, and where it ends."""
    size = _LOCAL.size + len(name) + 20
    header = data[start : start + size]
    expected = _LOCAL.pack(
        b"PK\3\4", _VERSION, 0, 0, 0, _DATE, 0, _LARGE, _LARGE, len(name), 20
    )
    # All but the sum of the member, bytes 14 to 17, which is not known yet.
    same = header[:14] == expected[:14] and header[18:30] == expected[18:]
    if len(header) < size or not same or header[30 : 30 + len(name)] != name.encode():
        raise PersistenceError(
            f"it is not a file written by mlmi_sklearn.save, or is damaged: there is "
            f"no {name} at byte {start}."
        )
    length = int(struct.unpack_from("<Q", header, size - 16)[0])
    end = start + size + length
    if end > len(data):
        raise PersistenceError(
            f"the file is truncated or damaged: its {name} should have {length} "
            f"bytes, but only {len(data) - start - size} are left."
        )
    return data[start + size : end], end


def _local_header(name: str, data: bytes) -> bytes:
    extra = struct.pack("<2H2Q", 1, 16, len(data), len(data))
    fixed = _LOCAL.pack(
        b"PK\3\4",
        *(_VERSION, 0, 0, 0, _DATE),
        *(zlib.crc32(data), _LARGE, _LARGE),
        *(len(name), len(extra)),
    )
    return fixed + name.encode() + extra


def _central_header(name: str, data: bytes, offset: int) -> bytes:
    extra = struct.pack("<2H3Q", 1, 24, len(data), len(data), offset)
    fixed = _CENTRAL.pack(
        b"PK\1\2",
        *(_MADE_BY, _VERSION, 0, 0, 0, _DATE),
        *(zlib.crc32(data), _LARGE, _LARGE),
        *(len(name), len(extra), 0, 0, 0),
        *(_MODE, _LARGE),
    )
    return fixed + name.encode() + extra


def _end(n: int, size: int, offset: int) -> bytes:
    """Return the end of the archive: its 64-bit record, where that is, the old one."""
    return b"".join(
        [
            _END64.pack(b"PK\6\6", 44, _MADE_BY, _VERSION, 0, 0, n, n, size, offset),
            _LOCATOR.pack(b"PK\6\7", 0, offset + size, 1),
            _END.pack(b"PK\5\6", 0, 0, _SMALL, _SMALL, _LARGE, _LARGE, 0),
        ]
    )
