"""Where this user's machine keeps what many runs share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_home(given: Path | None = None) -> Path:
    """Return the folder of all caches: ``given``, else $COCOAD_CACHE, else the user's cache folder."""
    if given is not None:
        return given
    if named := os.environ.get("COCOAD_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "cocoad" / "pixels"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user whom the machine does not know, and no HOME
        return Path(tempfile.gettempdir()) / f"cocoad-{os.getuid()}"
