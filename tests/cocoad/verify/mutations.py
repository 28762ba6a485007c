"""Kinds of corruption of a built dataset, by what they do in words; each changes a `Mutant`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.cocoad.verify.mutant import Json, Mutant

Mutation = Callable[[Mutant], Any]
OF_ITS_MASK = ("mask", "mask_sha256", "categories", "anomalous_pixels")


def exchange(one: Json, other: Json, *fields: str) -> None:
    for field in fields:
        one[field], other[field] = other[field], one[field]


def exchange_files(one: Path, other: Path) -> None:
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def labels_images(m: Mutant) -> None:
    exchange(*m.one_size(m.samples(1), m.samples(0)), "image", *hashed(m))


def labels_images_everywhere(m: Mutant) -> None:
    one, other = (sample["id"] for sample in m.one_size(m.samples(1), m.samples(0)))
    for split in m.splits.values():
        by_id = {sample["id"]: sample for sample in split["test"]}
        exchange(by_id[one], by_id[other], "image", *hashed(m))


def hashed(m: Mutant) -> tuple[str, ...]:
    return ("image_sha256",) if "image_sha256" in m.split["train"][0] else ()


def held_out_image(m: Mutant, everywhere: bool = False) -> None:
    """Train on an image that shows what is held out, under the id of a normal one."""
    trained = {sample["id"] for sample in m.split["train"]}
    images = [i for i in m.instances["train"]["images"] if i["id"] not in trained]
    shown, normal = m.one_size(images, m.split["train"])
    for split in m.splits.values() if everywhere else [m.split]:
        for sample in split["train"]:
            if sample["id"] == normal["id"]:
                sample["image"] = f"train2017/{shown['file_name']}"


def test_image_trained(m: Mutant, spell: Callable[[str], str]) -> None:
    tested, trained = m.one_size(m.samples(), m.split["train"])
    trained["image"] = spell(tested["image"])


def make_normal(m: Mutant) -> None:
    sample = m.samples(1)[0]
    sample["label"] = 0
    for field in OF_ITS_MASK:
        sample.pop(field, None)


def make_anomalous(m: Mutant) -> None:
    """Call a normal image anomalous, with a mask and categories of another's kind."""
    sample, model = m.samples(0)[0], m.samples(1)[0]
    mask = f"{Path(model['mask']).parent}/{sample['id']:012d}.png"
    sample.update(label=1, mask=mask, mask_sha256=model["mask_sha256"])
    sample.update(categories=model["categories"], anomalous_pixels=1)
    pixels = np.zeros((sample["height"], sample["width"]), np.uint8)
    pixels[2:5, 2:5] = 255
    Image.fromarray(pixels).convert("1").save(m.directory / sample["mask"])


def train_on_anomalous(m: Mutant) -> None:
    """List a training image that shows what is held out."""
    trained = {sample["id"] for sample in m.split["train"]}
    image = next(i for i in m.instances["train"]["images"] if i["id"] not in trained)
    sample = dict(m.split["train"][0], id=image["id"], image=f"train2017/{image['file_name']}")
    sample.update(width=image["width"], height=image["height"])
    m.split["train"] = sorted([*m.split["train"], sample], key=lambda each: each["id"])


def drop_everywhere(m: Mutant, label: int) -> None:
    ident = m.samples(label)[0]["id"]
    for split in m.splits.values():
        for sample in [sample for sample in split["test"] if sample["id"] == ident]:
            split["test"].remove(sample)
            if sample["label"]:
                (m.directory / sample["mask"]).unlink()


def forget_split(m: Mutant, file: bool, entry: bool, masks: bool) -> None:
    if entry:
        del m.manifest["splits"]["3"]
    if file:
        m.split_path("3").unlink()
    if masks:
        shutil.rmtree(m.masks_of("3"))


def redraw(change: Callable[[np.ndarray], Any], mode: str | None = "1") -> Mutation:
    """Change the first mask of split 0: (H, W), uint8 of 0 and 255 → the same, saved in ``mode``."""

    def mutate(m: Mutant) -> None:
        pixels = Image.fromarray(np.ascontiguousarray(change(np.array(Image.open(m.mask()).convert("L")))))
        (pixels if mode is None else pixels.convert(mode)).save(m.mask())

    return mutate


def put(change: Callable[[Image.Image], Image.Image], **save: Any) -> Mutation:
    """Change the first training image, saved as a JPEG unless ``save`` says otherwise."""

    def mutate(m: Mutant) -> None:
        with Image.open(m.image()) as image:
            image.load()
        change(image).save(m.image(), **({"format": "JPEG", "quality": 90} | save))

    return mutate


def rewrite(path: Callable[[Mutant], Path], change: Callable[[bytes], bytes]) -> Mutation:
    return lambda m: path(m).write_bytes(change(path(m).read_bytes()))


def far_pixel(mask: np.ndarray) -> np.ndarray:
    """Set the pixel that lies farthest from the mask."""
    rows, columns = np.nonzero(mask)
    grid = np.indices(mask.shape)
    distance = np.min(
        [np.hypot(grid[0] - r, grid[1] - c) for r, c in zip(rows, columns, strict=True)], axis=0
    )
    mask[np.unravel_index(distance.argmax(), mask.shape)] = 255
    return mask


def noise(image: Image.Image) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (image.height, image.width, 3), dtype=np.uint8)
    )


def other_place(path: Path, make: Callable[[Path], Any]) -> None:
    path.unlink()
    make(path)


def one_train_edit(**fields: Any) -> Mutation:
    return lambda m: m.split["train"][0].update(fields)


def edit(change: Callable[[Json], Any]) -> Mutation:
    return lambda m: change(m.split)


def input_edit(**fields: Any) -> Mutation:
    """Change what is recorded of train's annotations, so that recomputing does not undo it."""

    def mutate(m: Mutant) -> None:
        m.manifest["inputs"]["train"].update(fields)

    return mutate


def annotate(change: Callable[[Json, Json], Any]) -> Mutation:
    """Change val's annotation of the first anomalous sample of split 0."""

    def mutate(m: Mutant) -> None:
        sample = m.samples(1)[0]
        found = m.instances["val"]["annotations"]
        change(m.instances["val"], next(a for a in found if a["image_id"] == sample["id"]))

    return mutate


def other_coco(m: Mutant) -> None:
    """Let the dataset remember a COCO whose images have the same names and sizes, and other pixels."""
    shutil.copytree(m.root, m.root.with_name("other"))
    for path in m.root.with_name("other").glob("*2017/*.jpg"):
        with Image.open(path) as image:
            noise(image).save(path)
    (m.directory / "coco-root.txt").write_text(str(m.root.with_name("other")))


def other_masks_folder(m: Mutant) -> None:
    shutil.rmtree(m.masks_of("1"))
    shutil.copytree(m.masks_of("0"), m.masks_of("1"))


def lonely_surrogate(m: Mutant) -> None:
    m.split["train"][0]["image"] = "train2017/\\ud800.jpg"


OF_SAMPLES: dict[str, Mutation] = {
    "images of a normal and an anomalous sample exchanged": labels_images,
    "the same in every split": labels_images_everywhere,
    "a held-out image trained on under a normal id": held_out_image,
    "the same in every split that has the id": lambda m: held_out_image(m, everywhere=True),
    "a test image trained on under a normal id": lambda m: test_image_trained(m, str),
    "the same, its path with ./": lambda m: test_image_trained(m, lambda path: path.replace("/", "/./")),
    "the same, its path with //": lambda m: test_image_trained(m, lambda path: path.replace("/", "//")),
    "the same, its path by the other folder": lambda m: test_image_trained(
        m, lambda path: f"train2017/../{path}"
    ),
    "a training image that shows what is held out": train_on_anomalous,
    "a training image listed twice": edit(lambda v: v["train"].insert(0, v["train"][0])),
    "a test image listed twice": edit(lambda v: v["test"].insert(0, v["test"][0])),
    "a training image left out": edit(lambda v: v["train"].pop(3)),
    "all but one training image left out": edit(lambda v: v.update(train=v["train"][:1])),
    "a test image left out of a split": edit(lambda v: v["test"].pop(0)),
    "a normal test image left out of all splits": lambda m: drop_everywhere(m, 0),
    "an anomalous test image left out of all splits": lambda m: drop_everywhere(m, 1),
    "an anomalous sample called normal, its mask kept": lambda m: m.samples(1)[0].update(label=0),
    "an anomalous sample made normal altogether": make_normal,
    "a normal sample made anomalous altogether": make_anomalous,
    "two samples' masks exchanged": lambda m: exchange(
        *m.one_size(m.samples(1), m.samples(1)), "mask", "mask_sha256", "anomalous_pixels"
    ),
    "another sample's mask named": lambda m: m.samples(1)[0].update(
        {field: m.samples(1)[1][field] for field in OF_ITS_MASK}
    ),
    "a category left out": lambda m: next(s for s in m.samples(1) if len(s["categories"]) > 1)[
        "categories"
    ].pop(),
    "a held-out category named that is not there": lambda m: m.samples(1)[0].update(
        categories=[c["id"] for c in m.split["held_out"]]
    ),
    "a category named that is not held out": lambda m: m.samples(1)[0].update(categories=[90]),
    "a width of another": one_train_edit(width=7),
    "the samples in another order": edit(lambda v: v["train"].reverse()),
    "an id that the annotations do not know": lambda m: m.split["train"][-1].update(id=10**9),
    "ids of two training samples exchanged": lambda m: exchange(*m.split["train"][:2], "id"),
    "a path that leaves the root": one_train_edit(image="train2017/../../x.jpg"),
    "a path of another folder": one_train_edit(image="val2017/000000000001.jpg"),
    "a path of a file that is not there": one_train_edit(image="train2017/none.jpg"),
    "a path of no text that a file system has": lonely_surrogate,
    "an unknown field": one_train_edit(weight=2),
    "a field without its value": edit(lambda v: v["train"][0].pop("width")),
    "a label of 2": lambda m: m.samples(1)[0].update(label=2),
    "a hash left out": edit(lambda v: v["train"][0].pop("image_sha256")),
}
OF_SPLITS: dict[str, Mutation] = {
    "held-out categories left out": edit(lambda v: v["held_out"].pop()),
    "held-out categories in another order": edit(lambda v: v["held_out"].reverse()),
    "held-out categories of another split": lambda m: m.split.update(held_out=m.splits["1"]["held_out"]),
    "a split's number": lambda m: m.split.update(split=1),
    "two splits' files exchanged": lambda m: m.splits.update({"0": m.splits["1"], "1": m.splits["0"]}),
    "a split's version": lambda m: m.split.update(format_version=1),
    "a split's name": lambda m: m.split.update(name="mine"),
    "a split's file deleted": lambda m: forget_split(m, True, False, False),
    "a split taken off the list": lambda m: forget_split(m, False, True, False),
    "a split deleted, its masks left": lambda m: forget_split(m, True, True, False),
    "a split deleted altogether": lambda m: forget_split(m, True, True, True),
    "the masks of one split in place of another's": other_masks_folder,
    "equals_official": lambda m: m.manifest["splits"]["0"].update(equals_official=True),
    "the rasteriser": lambda m: m.manifest["options"].update(rasterizer="coco"),
    "what becomes of unannotated images": lambda m: m.manifest["options"].update(unannotated="normal"),
    "whether crowds count": lambda m: m.manifest["options"].update(crowd="exclude"),
    "whether images may be missing": lambda m: m.manifest["options"].update(allow_missing_images=True),
    "an unknown option": lambda m: m.manifest["options"].update(color="red"),
    "the tool's version": lambda m: m.manifest.update(tool_version="0.0.0"),
    "the notes": lambda m: m.manifest.update(notes=["all is well"]),
    "the name of an annotation file": input_edit(name="other.json"),
    "an annotation file not named": lambda m: m.manifest["inputs"].pop("val"),
    "a format of another name": lambda m: m.manifest.update(format="cocoad-data"),
    "a version of the future": lambda m: m.manifest.update(format_version=99),
}
OF_MASKS: dict[str, Mutation] = {
    "a mask deleted": lambda m: m.mask().unlink(),
    "a mask cut off": rewrite(Mutant.mask, lambda data: data[: len(data) // 2]),
    "a mask that is no image": rewrite(Mutant.mask, lambda data: b"mask"),
    "a mask that is a JPEG": lambda m: Image.open(m.mask()).convert("L").save(m.mask(), "JPEG"),
    "a mask without an anomalous pixel": redraw(np.zeros_like),
    "a mask of anomalous pixels alone": redraw(lambda mask: np.full_like(mask, 255)),
    "a mask inverted": redraw(lambda mask: 255 - mask),
    "a mask moved by a pixel": redraw(lambda mask: np.roll(mask, 1, axis=1)),
    "a mask mirrored": redraw(lambda mask: mask[:, ::-1]),
    "a mask turned by 180 degrees": redraw(lambda mask: mask[::-1, ::-1]),
    "a mask resized": redraw(lambda mask: mask[1:]),
    "one far pixel of a mask": redraw(far_pixel),
    "a mask's box in place of its outline": redraw(
        lambda mask: np.where(mask.any(0)[None] & mask.any(1)[:, None], 255, 0).astype(np.uint8)
    ),
    "a mask of 16 bits": redraw(lambda mask: mask.astype(np.uint16) * 257, None),
    "a mask in colours": redraw(lambda mask: np.dstack([mask] * 3), None),
    "a mask in colours with transparency": redraw(lambda mask: np.dstack([mask] * 4), None),
    "a mask with a palette": redraw(lambda mask: mask, "P"),
    "a mask of 0 and 1": redraw(lambda mask: mask // 255, None),
    "a mask of 0 and 254": redraw(lambda mask: mask - (mask > 0), None),
    "two masks' files exchanged": lambda m: exchange_files(
        *(m.directory / s["mask"] for s in m.one_size(m.samples(1), m.samples(1)))
    ),
    "a mask that is a link to another": lambda m: other_place(
        m.mask(), lambda path: path.symlink_to(sorted(path.parent.iterdir())[-1])
    ),
    "a mask of nobody": lambda m: (m.mask().with_name("000000999999.png")).write_bytes(m.mask().read_bytes()),
}
OF_IMAGES: dict[str, Mutation] = {
    "an image deleted": lambda m: m.image().unlink(),
    "an image cut off": rewrite(Mutant.image, lambda data: data[:-200]),
    "an image that ends in zeros": rewrite(Mutant.image, lambda data: data[:-200] + bytes(200)),
    "an image that is empty": rewrite(Mutant.image, lambda data: b""),
    "an image that is none": rewrite(Mutant.image, lambda data: b"<html>404</html>"),
    "an image resized": put(lambda image: image.resize((9, 9))),
    "an image that is a folder": lambda m: other_place(m.image(), Path.mkdir),
    "an image that is a named pipe": lambda m: other_place(m.image(), os.mkfifo),
    "an image that is a link to itself": lambda m: other_place(m.image(), lambda path: path.symlink_to(path)),
    "a test image's file in place of a training image's": lambda m: shutil.copyfile(
        *(m.root / s["image"] for s in m.one_size(m.samples(), m.split["train"]))
    ),
}
OF_PIXELS: dict[str, Mutation] = {
    "an image encoded anew": put(lambda image: image, quality=40),
    "an image turned by 180 degrees": put(lambda image: image.rotate(180)),
    "an image replaced by noise": put(noise),
    "an image in gray": put(lambda image: image.convert("L")),
    "an image that is a PNG by the same name": put(lambda image: image, format="PNG"),
    "an image with bytes behind its end": rewrite(Mutant.image, lambda data: data + b"more"),
    "two training images' files exchanged": lambda m: exchange_files(
        *(m.root / s["image"] for s in m.one_size(m.split["train"], m.split["train"]))
    ),
    "a normal and an anomalous test image's files exchanged": lambda m: exchange_files(
        *(m.root / s["image"] for s in m.one_size(m.samples(1), m.samples(0)))
    ),
    "another COCO's images": other_coco,
}
OF_ANNOTATIONS: dict[str, Mutation] = {
    "an annotation of another category": annotate(
        lambda value, a: a.update(category_id=1 if a["category_id"] > 60 else 90)
    ),
    "an outline moved": annotate(lambda value, a: a.update(segmentation=[[0, 0, 8, 0, 8, 8, 0, 8]])),
    "an annotation deleted": annotate(lambda value, a: value["annotations"].remove(a)),
    "an outline that cannot be drawn": annotate(lambda value, a: a.update(segmentation=[[0, 0, 8]])),
    "an image of another size": annotate(lambda value, a: value["images"][0].update(width=10)),
    "an image of another file": annotate(
        lambda value, a: exchange(value["images"][0], value["images"][1], "file_name")
    ),
    "an annotation file deleted": lambda m: m.annotations("val").unlink(),
    "an annotation file that is no JSON": lambda m: m.annotations("val").write_text("{"),
}
MUTATIONS = OF_SAMPLES | OF_SPLITS | OF_MASKS | OF_IMAGES | OF_PIXELS | OF_ANNOTATIONS

# What the official layout has no place for: sizes, categories, hashes, an order, a list of splits, options.
NOT_IN_THE_OFFICIAL_LAYOUT = {
    "a category left out",
    "a held-out category named that is not there",
    "a category named that is not held out",
    "a width of another",
    "the samples in another order",
    "an id that the annotations do not know",
    "ids of two training samples exchanged",
    "a hash left out",
    "another COCO's images",
    *OF_SPLITS.keys() - {"a split's file deleted", "the masks of one split in place of another's"},
}
OF_THE_OFFICIAL_LAYOUT = {
    name: mutation for name, mutation in MUTATIONS.items() if name not in NOT_IN_THE_OFFICIAL_LAYOUT
} | {"a split deleted altogether": lambda m: forget_split(m, True, False, True)}
