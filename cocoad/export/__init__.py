"""Writing a built dataset in the layouts that other programs read: one module per layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cocoad.export.ader import export_ader
from cocoad.export.folder import export_folder

# (built dataset, output, COCO root) -> what was written
Export = Callable[[Path, Path, Path | None], list[Path]]

LAYOUTS: dict[str, Export] = {
    "ader": lambda dataset, out, _: export_ader(dataset, out),  # which has no need of images
    "folder": export_folder,
}

__all__ = ["LAYOUTS", "export_ader", "export_folder"]
