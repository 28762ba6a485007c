"""Every fault of the catalogue injected into a sound dataset, in the built and in the official layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cocoad.base.files import sha256_file
from cocoad.dataset.masks import mask_digest
from cocoad.verify import CATALOGUE

MASKS = "val2017_mask_ad_20_0"


@pytest.fixture(autouse=True)
def no_root_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COCO_ROOT", raising=False)


def anomalous(value: dict[str, Any]) -> dict[str, Any]:
    return next(s for s in value["test"] if s["label"])


def normal(value: dict[str, Any]) -> dict[str, Any]:
    return next(s for s in value["test"] if not s["label"])


def entries(value: dict[str, Any], part: str, anomaly: int = 0) -> list[dict[str, Any]]:
    return [entry for entry in value[part]["coco"] if entry["anomaly"] == anomaly]


def ident(sample: dict[str, Any]) -> list[int]:
    return [int(Path(sample["img_path"]).stem)] if "img_path" in sample else [sample["id"]]


def update(sample: dict[str, Any], **fields: Any) -> list[int]:
    concerned = ident(sample)
    sample.update(fields)
    return concerned


def rename(sample: dict[str, Any], file: str) -> list[int]:
    return update(sample, **{"img_path" if "img_path" in sample else "image": file})


def repeat(samples: list[dict[str, Any]]) -> list[int]:
    samples.append(samples[0])
    return ident(samples[0])


def drop(samples: list[dict[str, Any]], at: int = -1) -> list[int]:
    return ident(samples.pop(at))


def redraw(dataset: Any, change: Callable[[np.ndarray], np.ndarray]) -> list[int]:
    gray = np.array(Image.open(dataset.mask).convert("L"))
    Image.fromarray(change(gray)).save(dataset.mask)
    return [int(dataset.mask.stem)]


def first_pixel(value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(mask: np.ndarray) -> np.ndarray:
        mask[0, 0] = value
        return mask

    return change


def one_border_pixel(mask: np.ndarray) -> np.ndarray:
    """Take one pixel of the outline away, as another rasteriser might."""
    inside = mask > 0
    row, column = np.argwhere(inside & ~np.roll(inside, 1, axis=0) & ~np.roll(inside, 1, axis=1))[0]
    mask[row, column] = 0
    return mask


def built_so(dataset: Any, change: Callable[[np.ndarray], np.ndarray]) -> list[int]:
    """Redraw the first mask as a wrong builder would, who records what it drew."""
    concerned = redraw(dataset, change)
    mask = np.array(Image.open(dataset.mask).convert("L")) > 0
    fields = {"mask_sha256": mask_digest(mask), "anomalous_pixels": int(mask.sum())}
    dataset.edit(lambda v: update(anomalous(v), **fields))
    return concerned


def blank(dataset: Any) -> list[int]:
    """Empty the first mask, as a build does where the annotations draw nothing."""
    digest = mask_digest(np.zeros(Image.open(dataset.mask).size, bool))
    dataset.edit(lambda v: update(anomalous(v), mask_sha256=digest, anomalous_pixels=0))
    return redraw(dataset, np.zeros_like)


def unlink(path: Path) -> list[int]:
    path.unlink()
    return [int(path.stem)] if path.stem.isdigit() else []


def spoil(path: Path) -> list[int]:
    path.write_bytes(b"no image")
    return [int(path.stem)]


def shrink(path: Path) -> list[int]:
    Image.open(path).resize((9, 9)).save(path)
    return [int(path.stem)]


def append(path: Path, text: str = " ") -> list[str]:
    path.write_text((path.read_text() if path.exists() else "") + text)
    return [path.name]


def allow_missing_images(dataset: Any) -> list[int]:
    dataset.edit_manifest(lambda v: v["options"].update(allow_missing_images=True))
    return unlink(dataset.root / "train2017" / "000000000001.jpg")


def break_an_outline(dataset: Any) -> list[int]:
    """Leave a ring of the first mask's image without its last coordinate."""
    concerned = int(dataset.mask.stem)
    path = dataset.root / "annotations" / "instances_val2017.json"
    value = json.loads(path.read_bytes())
    for annotation in value["annotations"]:
        if annotation["image_id"] == concerned:
            annotation["segmentation"][0].pop()
    path.write_text(json.dumps(value))
    return [concerned]


def never_held_out(dataset: Any, change: Callable[[dict[str, Any], int], Any]) -> list[int]:
    """Make the image of split 0's first mask a normal one in all splits."""
    concerned = int(dataset.mask.stem)
    for split in range(4):
        dataset.edit(lambda value: change(value, concerned), split)
    dataset.mask.unlink()
    return [concerned]


def make_normal(value: dict[str, Any], concerned: int) -> None:
    for sample in value["test"]:
        if sample["id"] == concerned and sample["label"]:
            for field in ("mask", "mask_sha256", "categories", "anomalous_pixels"):
                del sample[field]
            sample["label"] = 0


def make_normal_entry(value: dict[str, Any], concerned: int) -> None:
    for entry in value["test"]["coco"]:
        if ident(entry) == [concerned]:
            entry.update(anomaly=0, mask_path="")


def other_category(value: dict[str, Any]) -> list[int]:
    sample = anomalous(value)
    held_out = [category["id"] for category in value["held_out"]]
    return update(sample, categories=[next(c for c in held_out if c not in sample["categories"])])


def train_on_a_test_image(value: dict[str, Any]) -> list[int]:
    sample = normal(value)
    value["train"].append({field: sample[field] for field in ("id", "image", "width", "height")})
    return ident(sample)


def test_entry_in_train(value: dict[str, Any]) -> list[int]:
    value["train"]["coco"].append(entries(value, "test")[0])
    return ident(entries(value, "test")[0])


test_entry_in_train.__test__ = False  # type: ignore[attr-defined]


def climb(value: dict[str, Any]) -> list[int]:
    entry = entries(value, "train")[0]
    return rename(entry, "../" + entry["img_path"])


def one_id_in_both(dataset: Any) -> list[int]:
    """Give the first train image the id of a test image, which is another file."""
    tested = json.loads((dataset.directory / "split_0.json").read_bytes())["test"][0]["id"]
    dataset.edit(lambda v: v["train"][0].update(id=tested))
    return [tested]


def one_file_with_two_labels(value: dict[str, Any]) -> list[int]:
    """Have a normal test image be of the same file as an anomalous one."""
    file = {key: anomalous(value)[key] for key in ("image", "width", "height")}
    return update(normal(value), **file)


def cut_off(image: Path) -> list[int]:
    """Take the end off a JPEG, as a broken download does."""
    image.write_bytes(image.read_bytes()[:-400])
    return [int(image.stem)]


def swap_sides(dataset: Any) -> list[int]:
    """Record the first train image with its sides swapped, which are not equal."""
    value = json.loads((dataset.directory / "split_0.json").read_bytes())
    chosen = next(s["id"] for s in value["train"] if s["width"] != s["height"])
    for split in range(4):
        dataset.edit(lambda v: [_swap(s) for s in v["train"] if s["id"] == chosen], split)
    return [chosen]


def _swap(sample: dict[str, Any]) -> None:
    sample.update(width=sample["height"], height=sample["width"])


def exchange_train_images(value: dict[str, Any]) -> list[int]:
    """Exchange two training images of one split, with their sizes."""
    first, second = value["train"][:2]
    for key in ("image", "width", "height"):
        first[key], second[key] = second[key], first[key]
    return ident(first) + ident(second)


def exchange_images_of_both_labels(value: dict[str, Any]) -> list[int]:
    """Have ids 25 and 26 of val2017 show each other's image, in whichever split."""
    first, second = (next(s for s in value["test"] if s["id"] == number) for number in (25, 26))
    first["image"], second["image"] = second["image"], first["image"]
    return [25, 26]


def respell(dataset: Any) -> list[int]:
    """Spell a training image's path otherwise, in all splits."""
    for split in range(4):
        dataset.edit(
            lambda v: [rename(s, s["image"].replace("/", "/./")) for s in v["train"] if s["id"] == 1], split
        )
    return [1]


def record_hashes(dataset: Any, but: int = 0) -> list[int]:
    """Record the hashes of all images, as `--hash-images` does, but of one."""

    def record(value: dict[str, Any]) -> None:
        for sample in (*value["train"], *value["test"]):
            if sample["id"] != but:
                sample["image_sha256"] = sha256_file(dataset.root / sample["image"])

    for split in range(4):
        dataset.edit(record, split)
    return [but]


def change_a_hashed_image(dataset: Any) -> list[int]:
    record_hashes(dataset)
    path = dataset.root / "train2017" / FIRST
    path.write_bytes(path.read_bytes() + b" ")
    return [1]


def exchange_masks(value: dict[str, Any]) -> list[int]:
    """Exchange two anomalous samples' masks, with all that is said of them."""
    first, second = [s for s in value["test"] if s["label"]][:2]
    for key in ("mask", "mask_sha256", "anomalous_pixels"):
        first[key], second[key] = second[key], first[key]
    return ident(first) + ident(second)


def share_a_mask(value: dict[str, Any]) -> list[int]:
    """Have two anomalous entries, of one size, name one mask."""
    first, second = entries(value, "test", 1)[:2]
    first["mask_path"] = second["mask_path"]
    return ident(first) + ident(second)


def other_folder(value: dict[str, Any]) -> list[int]:
    entry = entries(value, "train")[0]
    return rename(entry, entry["img_path"].replace("train2017", "train2018"))


def forget_a_split(dataset: Any, masks: bool) -> None:
    """Delete a split's list, and its masks as well or not."""
    unlink(dataset.directory / "meta_20_3.json")
    if masks:
        shutil.rmtree(dataset.directory / "val2017_mask_ad_20_3")


DEEP, OFFICIAL = {"deep": True}, {"official": True}
FIRST = "000000000001.jpg"

# code: (the fault, which returns the ids of what it concerns; options of verify; codes that must come with it)
Fault = tuple[Callable[[Any], Any], dict[str, Any], set[str]]
BUILT: dict[str, Fault] = {
    "schema": (lambda d: d.edit(lambda v: v.pop("train") and None), {}, set()),
    "split-missing": (lambda d: unlink(d.directory / "split_1.json"), {}, set()),
    "split-unlisted": (
        lambda d: d.edit_manifest(lambda v: v["splits"].pop("3")),
        {},
        {"stray-file"},
    ),
    "sample-order": (lambda d: d.edit(lambda v: v["test"].reverse()), {}, set()),
    "id-two-images": (lambda d: d.edit(exchange_train_images), {}, set()),
    "image-misplaced": (lambda d: respell(d), {}, set()),
    "image-changed": (lambda d: change_a_hashed_image(d), {}, set()),
    "image-unhashed": (lambda d: record_hashes(d, but=1) and [1], {}, set()),
    "mask-misplaced": (lambda d: d.edit(exchange_masks), {}, {"mask-size"}),
    "deep-image": (
        lambda d: [d.edit(exchange_images_of_both_labels, split) for split in range(4)] and [25, 26],
        DEEP,
        {"image-size"},
    ),
    "split-changed": (lambda d: append(d.directory / "split_1.json") and None, {}, set()),
    "counts-wrong": (lambda d: d.edit(lambda v: drop(v["train"]) and None), {}, set()),
    "partition-wrong": (lambda d: d.edit(lambda v: v["held_out"].reverse()), {}, set()),
    "sample-duplicate": (
        lambda d: d.edit(lambda v: repeat(v["train"])),
        {},
        {"counts-wrong", "sample-order"},
    ),
    "train-in-test": (
        lambda d: d.edit(train_on_a_test_image),
        {},
        {"counts-wrong", "image-misplaced"},
    ),
    "id-in-both": (one_id_in_both, {}, {"sample-order"}),
    "file-two-labels": (
        lambda d: d.edit(one_file_with_two_labels),
        {},
        {"id-two-images"},
    ),
    "image-cut-off": (lambda d: cut_off(d.root / "train2017" / FIRST), {}, set()),
    "sides-swapped": (swap_sides, {}, set()),
    "test-sets-differ": (
        lambda d: d.edit(lambda v: drop(v["test"], v["test"].index(normal(v)))),
        {},
        {"counts-wrong"},
    ),
    "never-held-out": (lambda d: never_held_out(d, make_normal), {}, {"counts-wrong"}),
    "label-contradicts": (lambda d: d.edit(lambda v: update(anomalous(v), categories=[90])), {}, set()),
    "split-empty": (lambda d: d.edit(lambda v: v["train"].clear()), {}, {"counts-wrong"}),
    "path-unsafe": (
        lambda d: d.edit(lambda v: rename(v["train"][0], "train2017/../../secret.jpg")),
        {},
        {"id-two-images"},
    ),
    "image-missing": (lambda d: unlink(d.root / "train2017" / FIRST), {}, set()),
    "image-unreadable": (lambda d: spoil(d.root / "train2017" / FIRST), {}, set()),
    "image-size": (lambda d: shrink(d.root / "train2017" / FIRST), {}, set()),
    "mask-missing": (lambda d: unlink(d.mask), {}, set()),
    "mask-unreadable": (lambda d: spoil(d.mask), {}, set()),
    "mask-not-bilevel": (lambda d: redraw(d, first_pixel(7)), {}, set()),
    "mask-size": (lambda d: redraw(d, lambda mask: mask[1:]), {}, set()),
    "mask-empty": (lambda d: redraw(d, np.zeros_like), {}, set()),
    "mask-blank": (blank, {}, set()),
    "mask-area": (lambda d: redraw(d, first_pixel(255)), {}, set()),
    "mask-changed": (lambda d: redraw(d, lambda mask: np.ascontiguousarray(mask[::-1])), {}, set()),
    "stray-file": (lambda d: append(d.directory / "notes.txt"), {}, set()),
    "images-unchecked": (lambda d: unlink(d.directory / "coco-root.txt"), {}, set()),
    "image-absent": (allow_missing_images, {}, set()),
    "input-unchecked": (lambda d: unlink(d.root / "annotations" / "instances_train2017.json"), {}, set()),
    "input-changed": (
        lambda d: append(d.root / "annotations" / "instances_train2017.json") and None,
        {},
        set(),
    ),
    "deep-sample-missing": (lambda d: d.edit(lambda v: drop(v["train"])), DEEP, {"counts-wrong"}),
    "deep-sample-extra": (
        lambda d: d.edit(lambda v: update(v["train"][0], id=99) and [99]),
        DEEP,
        {"deep-sample-missing", "sample-order"},
    ),
    "deep-label": (
        lambda d: never_held_out(d, make_normal),
        DEEP,
        {"counts-wrong", "never-held-out"},
    ),
    "deep-categories": (lambda d: d.edit(other_category), DEEP, set()),
    "deep-mask": (lambda d: built_so(d, first_pixel(255)), DEEP, set()),
    "deep-mask-border": (lambda d: built_so(d, one_border_pixel), DEEP, set()),
    "deep-undrawable": (break_an_outline, DEEP, {"input-changed"}),
    "counts-not-official": (lambda d: None, OFFICIAL, set()),
    "options-not-official": (
        lambda d: d.edit_manifest(lambda v: v["options"].update(rasterizer="coco")) or ["rasterizer"],
        OFFICIAL,
        {"counts-not-official"},
    ),
}
IN_OFFICIAL_LAYOUT: dict[str, Fault] = {
    "schema": (lambda d: d.edit(lambda v: v["test"].pop("coco") and None), {}, set()),
    "splits-absent": (lambda d: forget_a_split(d, masks=True), {}, set()),
    "split-unlisted": (lambda d: forget_a_split(d, masks=False), {}, {"splits-absent"}),
    "split-missing": (lambda d: forget_a_split(d, masks=True), OFFICIAL, {"counts-not-official"}),
    "mask-misplaced": (lambda d: d.edit(share_a_mask), {}, {"stray-file", "mask-size"}),
    "deep-image": (lambda d: d.edit(other_folder), DEEP, {"id-two-images", "image-missing"}),
    "sample-duplicate": (lambda d: d.edit(lambda v: repeat(v["train"]["coco"])), {}, set()),
    "train-in-test": (lambda d: d.edit(test_entry_in_train), {}, set()),
    "train-anomalous": (
        lambda d: d.edit(lambda v: update(entries(v, "train")[0], anomaly=1)),
        {},
        set(),
    ),
    "test-sets-differ": (
        lambda d: d.edit(lambda v: drop(v["test"]["coco"], v["test"]["coco"].index(entries(v, "test")[0]))),
        {},
        set(),
    ),
    "never-held-out": (lambda d: never_held_out(d, make_normal_entry), {}, set()),
    "label-contradicts": (
        lambda d: d.edit(lambda v: update(entries(v, "test", 1)[0], anomaly=0)),
        {},
        {"never-held-out"},
    ),
    "split-empty": (lambda d: d.edit(lambda v: v["train"]["coco"].clear()), {}, set()),
    "path-unsafe": (lambda d: d.edit(climb), {}, {"id-two-images"}),
    "image-missing": (lambda d: unlink(d.root / "train2017" / FIRST), {}, set()),
    "image-unreadable": (lambda d: spoil(d.root / "train2017" / FIRST), {}, set()),
    "image-cut-off": (lambda d: cut_off(d.root / "train2017" / FIRST), {}, set()),
    "mask-missing": (lambda d: unlink(d.mask), {}, set()),
    "mask-unreadable": (lambda d: spoil(d.mask), {}, set()),
    "mask-not-bilevel": (lambda d: redraw(d, lambda mask: mask // 2), {}, set()),
    "mask-size": (lambda d: redraw(d, lambda mask: mask[1:]), {}, set()),
    "mask-empty": (lambda d: redraw(d, np.zeros_like), {}, set()),
    "stray-file": (lambda d: [f"{MASKS}/{name}" for name in append(d.mask.with_name("0.png"))], {}, set()),
    "deep-sample-missing": (lambda d: d.edit(lambda v: drop(v["train"]["coco"])), DEEP, set()),
    "deep-sample-extra": (
        lambda d: d.edit(lambda v: v["train"]["coco"].append(bare_entry(d)) or ident(bare_entry(d))),
        DEEP,
        set(),
    ),
    "deep-label": (lambda d: never_held_out(d, make_normal_entry), DEEP, {"never-held-out"}),
    "deep-mask": (lambda d: redraw(d, first_pixel(255)), DEEP, set()),
    "deep-mask-border": (lambda d: redraw(d, one_border_pixel), DEEP, set()),
    "deep-undrawable": (break_an_outline, DEEP, set()),
    "counts-not-official": (lambda d: None, OFFICIAL, set()),
}
TESTED_ALONE = {"counts-unconfirmed"}


def bare_entry(dataset: Any) -> dict[str, Any]:
    """An entry of the train image that has no annotation, as a builder that walks the images would write it."""
    instances = json.loads((dataset.root / "annotations" / "instances_train2017.json").read_bytes())
    annotated = {annotation["image_id"] for annotation in instances["annotations"]}
    image = next(image for image in instances["images"] if image["id"] not in annotated)
    fixed = {"mask_path": "", "cls_name": "coco", "specie_name": "", "anomaly": 0}
    return {"img_path": f"train2017/{image['file_name']}", **fixed}


def test_every_code_of_the_catalogue_has_its_fault() -> None:
    assert BUILT.keys() | IN_OFFICIAL_LAYOUT.keys() | TESTED_ALONE == CATALOGUE.keys()


def test_a_fresh_build_is_sound_even_in_depth(built: Any) -> None:
    assert list(built.check(deep=True)) == []


def test_the_official_layout_is_sound_even_in_depth(official: Any) -> None:
    assert list(official.check(deep=True)) == []


def assert_found(dataset: Any, code: str, fault: Fault) -> None:
    inject, options, consequences = fault
    concerned = inject(dataset)
    found = dataset.check(**options).by_code()
    assert found.keys() == {code} | consequences
    if concerned is not None:
        assert {i for finding in found[code] for i in finding.ids} >= set(concerned)


@pytest.mark.parametrize("code", BUILT)
def test_a_fault_in_a_built_dataset_is_named_by_its_code_and_place_alone(built: Any, code: str) -> None:
    assert_found(built, code, BUILT[code])


@pytest.mark.parametrize("code", IN_OFFICIAL_LAYOUT)
def test_a_fault_in_the_official_layout_is_named_by_its_code_and_place_alone(
    official: Any, code: str
) -> None:
    assert_found(official, code, IN_OFFICIAL_LAYOUT[code])
