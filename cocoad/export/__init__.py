"""Writing a built dataset in the layouts that other programs read: one module per layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cocoad.export.ader import export_ader
from cocoad.export.folder import export_folder

Export = Callable[[Path, Path, Path], list[Path]]  # (built dataset, COCO root, output) -> what was written

LAYOUTS: dict[str, Export] = {"ader": export_ader, "folder": export_folder}

__all__ = ["LAYOUTS", "export_ader", "export_folder"]
