"""Reading NumPy arrays that anybody may have made: no pickles, no allocation before the header is checked."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

# what zipfile, its decompressors and NumPy raise on damaged members, beside their own
_OF_DAMAGE = (
    EOFError,
    NotImplementedError,
    OverflowError,
    SyntaxError,
    TypeError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
)
Shape = tuple[int, ...]
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(stream: IO[bytes], length: int, check: Callable[[Shape], None]) -> npt.NDArray[np.generic]:
    """Read an ``.npy`` array of numbers.

    Args:
        stream: at its start.
        length: bytes that the whole file or archive member claims to have.
        check: called with the shape before anything is allocated; it raises what it likes.

    Raises:
        ValueError: it is no such array, or shorter than its header promises.
    """
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f".npy version {version[0]}.{version[1]}")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"dtype {dtype}: expected numbers")
    check(shape)
    promised = dtype.itemsize
    for extent in shape:
        promised *= extent
    data = stream.read(promised) if promised <= length else b""
    if len(data) < promised:
        raise ValueError(f"truncated: its header promises {promised} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def read_npz_member(path: Path, name: str, check: Callable[[Shape], None]) -> npt.NDArray[np.generic]:
    """Read the array ``name`` of an ``.npz`` archive; arguments and errors as :func:`read_npy`.

    Raises:
        KeyError: there is no such array.
        zipfile.BadZipFile: it is no archive.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
            return read_npy(stream, archive.getinfo(f"{name}.npy").file_size, check)
    except _OF_DAMAGE as error:
        raise ValueError(f"damaged: {error or type(error).__name__}") from None
