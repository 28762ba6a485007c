"""A dataset to be falsified: edited as a whole, then written with its recorded hashes left stale or recomputed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cocoad.base.errors import CocoadError
from cocoad.base.files import sha256_file
from cocoad.dataset.masks import mask_digest
from cocoad.dataset.official import mask_folder, mask_name, meta_file
from cocoad.verify import verify

Json = dict[str, Any]


class Mutant:
    """A copy of a built dataset (``ad``) and its COCO root (``coco``) whose JSON is edited in memory."""

    def __init__(self, source: Path, place: Path) -> None:
        shutil.copytree(source, place, symlinks=True)
        self.root, self.directory = place / "coco", place / "ad"
        (self.directory / "coco-root.txt").write_text(str(self.root))
        self.manifest: Json = json.loads((self.directory / "dataset.json").read_bytes())
        self.splits: dict[str, Json] = {
            key: json.loads(self.split_path(key).read_bytes()) for key in self.manifest["splits"]
        }
        self.instances = {part: json.loads(self.annotations(part).read_bytes()) for part in ("train", "val")}
        self._before = {part: json.dumps(value) for part, value in self.instances.items()}

    def split_path(self, key: str) -> Path:
        return self.directory / f"split_{key}.json"

    def masks_of(self, key: str) -> Path:
        return self.directory / "masks" / f"split_{key}"

    def annotations(self, part: str) -> Path:
        return self.root / "annotations" / f"instances_{part}2017.json"

    @property
    def split(self) -> Json:
        return self.splits["0"]

    def samples(self, label: int | None = None) -> list[Json]:
        """Return split 0's test samples, of one label or all."""
        return [s for s in self.split["test"] if label is None or s["label"] == label]

    def mask(self) -> Path:
        return self.directory / str(self.samples(1)[0]["mask"])

    def image(self, number: int = 0) -> Path:
        return self.root / str(self.split["train"][number]["image"])

    def one_size(self, some: list[Json], others: list[Json]) -> tuple[Json, Json]:
        """Return one of each whose images have one size and differ."""
        return next(
            (a, b)
            for a in some
            for b in others
            if (a["width"], a["height"]) == (b["width"], b["height"]) and a["id"] != b["id"]
        )

    def write(self, recompute: bool) -> None:
        """Write what was edited; with ``recompute`` every count, digest and hash as a builder would."""
        for part, value in self.instances.items():
            path = self.annotations(part)
            if json.dumps(value) != self._before[part]:
                path.write_text(json.dumps(value))
            if recompute and path.is_file() and part in self.manifest["inputs"]:
                self.manifest["inputs"][part].update(bytes=path.stat().st_size, sha256=sha256_file(path))
        for key, value in self.splits.items():
            if recompute:
                self._recompute(value)
            path = self.split_path(key)
            if not path.is_file():
                continue
            if json.loads(path.read_bytes()) != value:
                path.write_text(json.dumps(value))
            if recompute and key in self.manifest["splits"]:
                labels = [sample["label"] for sample in value["test"]]
                self.manifest["splits"][key].update(
                    train_normal=len(value["train"]),
                    test_normal=labels.count(0),
                    test_anomalous=labels.count(1),
                    sha256=sha256_file(path),
                )
        (self.directory / "dataset.json").write_text(json.dumps(self.manifest))

    def _recompute(self, split: Json) -> None:
        for sample in (*split["train"], *split["test"]):
            image = self.root / sample["image"]
            if "image_sha256" in sample and image.is_file():
                sample["image_sha256"] = sha256_file(image)
            mask = self.directory / str(sample.get("mask", "absent"))
            if mask.is_file():
                try:
                    pixels = np.array(Image.open(mask).convert("L")) > 0
                except (OSError, SyntaxError):
                    continue
                sample.update(mask_sha256=mask_digest(pixels), anomalous_pixels=int(pixels.sum()))

    def level(self) -> str:
        """Say how the mutation is found: plain, deep, warning, or none."""
        deep = _codes(self.directory, deep=True)
        if not deep["error"]:
            return "warning" if deep["warning"] else "none"
        if all(
            code.startswith("deep-") or code in ("partition-wrong", "image-size", "InputError")
            for code in deep["error"]
        ):
            return "plain" if _codes(self.directory, deep=False)["error"] else "deep"
        return "plain"


class OfficialMutant(Mutant):
    """The same dataset in the official layout, in its COCO root: edited as a built one, written as metas."""

    def __init__(self, source: Path, place: Path) -> None:
        super().__init__(source, place)
        self.directory = self.root
        for key, split in self.splits.items():
            for sample in split["test"]:
                if sample["label"]:
                    sample["mask"] = f"{mask_folder(int(key))}/{mask_name(sample['id'])}"

    def split_path(self, key: str) -> Path:
        return self.directory / (f"split_{key}.json" if self.directory.name == "ad" else meta_file(int(key)))

    def masks_of(self, key: str) -> Path:
        return self.directory / mask_folder(int(key))

    def write(self, recompute: bool) -> None:
        for key, split in self.splits.items():
            value = {part: {"coco": [_entry(sample) for sample in split[part]]} for part in ("train", "test")}
            if self.split_path(key).is_file():
                self.split_path(key).write_text(json.dumps(value))
        for part, value in self.instances.items():
            if json.dumps(value) != self._before[part]:
                self.annotations(part).write_text(json.dumps(value))


def _entry(sample: Json) -> Json:
    known = {
        "id",
        "image",
        "width",
        "height",
        "label",
        "mask",
        "mask_sha256",
        "categories",
        "anomalous_pixels",
    }
    names = {"img_path": "image", "mask_path": "mask", "anomaly": "label"}
    defaults = {"mask_path": "", "anomaly": 0}
    entry = {new: sample.get(old, defaults.get(new)) for new, old in names.items()}
    if "width" not in sample:  # a field without its value
        del entry["anomaly"]
    return {**entry, "cls_name": "coco", "specie_name": ""} | {k: sample[k] for k in sample.keys() - known}


def _codes(directory: Path, deep: bool) -> dict[str, set[str]]:
    try:
        found = verify(directory, deep=deep)
    except CocoadError as error:  # which says what cannot be checked
        return {"error": {type(error).__name__}, "warning": set()}
    return {
        severity: {finding.rule.code for finding in found.of_severity(severity)}
        for severity in ("error", "warning")
    }
