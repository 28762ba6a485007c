"""Tensors on disk, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from cocoad.base.errors import ResourceError, reason
from cocoad.base.files import open_atomic


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors, on whatever device, to a safetensors file.

    Raises:
        ResourceError: there is no room for it, or the disk fails; what was there before is untouched.
    """
    try:
        with open_atomic(path) as temporary:
            save_file(
                {name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary, metadata
            )
    except (SafetensorError, OSError) as error:
        quoted = re.search(
            r'(?:message: "|I/O error: )([^"(]*[^"( ])', str(error)
        )  # of the system's error, in safetensors' words
        why = quoted[1] if quoted else getattr(error, "strerror", None) or reason(error)
        raise ResourceError(
            f"{path} could not be written ({why}): the last sound checkpoint stays; mend that and run the same "
            "command again"
        ) from None
