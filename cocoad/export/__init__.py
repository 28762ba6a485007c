"""Writing a built dataset in the layouts that other programs read: one module per layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cocoad.dataset.official import LAYOUT
from cocoad.export.coco import export_coco
from cocoad.export.folder import export_folder
from cocoad.export.hub import export_croissant, export_hub
from cocoad.export.official import export_official

# (built dataset, output, COCO root, whether to copy the images, whom to tell) -> what was written
Export = Callable[[Path, Path, Path | None, bool, Callable[[str], object]], list[Path]]

LAYOUTS: dict[str, Export] = {
    LAYOUT: lambda dataset, out, *_: export_official(dataset, out),  # which has no need of images
    "folder": lambda dataset, out, root, copy, note: export_folder(dataset, out, root, copy=copy, note=note),
    "coco": lambda dataset, out, root, *_: export_coco(dataset, out, root),
    "croissant": lambda dataset, out, *_: export_croissant(dataset, out),
    "hub": lambda dataset, out, *_: export_hub(dataset, out),
}

__all__ = ["LAYOUTS", "export_coco", "export_croissant", "export_folder", "export_hub", "export_official"]
