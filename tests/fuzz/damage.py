"""Damage done to sound files: by bytes, by the tokens that parsers stumble over, and by JSON values."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from benchmark.scoring.mapfiles import MapError
from cocoad.base.errors import CocoadError
from tests.fuzz.readers import Reader

_TOKENS = [
    *(b"null true NaN -Infinity 1e999 -1 0 1.5 18446744073709551616 9223372036854775808".split()),
    *(b'"" [] {} "\\ud800" "../x" "/etc/passwd" "\\u0000" !!python/object:os.system &a *a !!binary'.split()),
    *(
        b"[" * 3000,
        b'{"a":' * 3000,
        b"9" * 5000,
        b"\xff\xfe",
        b"\x00" * 64,
        b"\xed\xa0\x80",
        b"x" * 300,
        b"\r\n",
    ),
]
_VALUES: list[Any] = [
    None, True, -1, 0, 1.5, 2**31, 2**63, 2**64, 10**400, 1e308, "", "a" * 300, "../x", "\ud800", "\0", "/", [], {},
    [[]], [None], {"a": None}, [1, 2, 3], "1", "9" * 5000,
]  # fmt: skip


def damaged(data: bytes, random: Random) -> bytes:
    """Return ``data`` with one to four faults."""
    for _ in range(random.randint(1, 4)):
        if data[:1] in (b"{", b"[") and random.random() < 0.6:
            data = _json_damaged(data, random)
            continue
        at, length = random.randint(0, len(data)), random.choice((1, 1, 2, 4, 16))
        kind = random.randrange(6)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + random.randbytes(length) + data[at + length :]
        elif kind == 2:
            data = data[:at] + random.choice(_TOKENS) + data[at + random.choice((0, length)) :]
        elif kind == 3:
            data = data[:at] + data[at + length :]
        elif kind == 4:
            data = data[:at] + data[max(0, at - length) : at] * random.choice((2, 50)) + data[at:]
        else:
            data = data[:at] + random.choice((b"\x00", b"\xff", b"\x7f\xff\xff\xff")) + data[at + 1 :]
    return data


def _json_damaged(data: bytes, random: Random) -> bytes:
    """Put another value, or nothing, in some place of a JSON document."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data[:-1]
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = one if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        places += [(one, key) for key in keys]
        waiting += [one[key] for key in keys]
    if not places:
        return b"null"
    holder, key = random.choice(places)
    if isinstance(holder, dict) and random.random() < 0.2:
        del holder[key]
    else:
        holder[key] = random.choice(_VALUES)
    return json.dumps(value).encode()


def survives(reader: Reader, data: bytes) -> str:
    """Read ``data`` as the reader's file; return what came of it: ``read``, or the one line that refuses it.

    Any other exception, and a line that is none, goes on.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        path = folder / reader.file
        path.write_bytes(data)
        try:
            reader.read(path)
        except (CocoadError, MapError) as error:
            said = str(error)
            assert said, "an empty line"
            return said
        return "read"
    finally:
        shutil.rmtree(folder)
