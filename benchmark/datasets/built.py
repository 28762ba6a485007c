"""A dataset built by `cocoad build`: one split of COCO-AD."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.files import inside, sha256_bytes
from cocoad.dataset.images import Images, find_images
from cocoad.dataset.manifest import DATASET_FILE, TestSample, read_dataset, read_split

CLASS = "coco"
SMALL, MEDIUM = 32**2, 96**2  # pixels: COCO's size classes, here of an image's whole anomalous area


def is_built(path: Path) -> bool:
    """Say whether ``path`` holds a built dataset."""
    return (path / DATASET_FILE).is_file()


def built_splits(path: Path) -> list[int]:
    """Return the numbers of the splits that ``path`` holds.

    Raises:
        InputError: its manifest is damaged.
    """
    return sorted(int(split) for split in read_dataset(path).splits)


def read_built(path: Path, split: int, coco_root: Path | None) -> AnomalyDataset:
    """Read a split; its hash is that of the split's file, which covers samples and masks.

    Raises:
        InputError: the split is absent or was changed, or COCO's images are not to be found.
    """
    manifest = read_split(path, split)
    names_of_images = [s.image for s in manifest.train] + [s.image for s in manifest.test]
    images = find_images(path, names_of_images, coco_root)
    names = {category.id: category.name for category in manifest.held_out}
    train = tuple(Sample(_ident(s.image), images.path(s.image), CLASS) for s in manifest.train)
    test = tuple(_test_sample(path, images, sample, names) for sample in manifest.test)
    dataset = read_dataset(path)
    digest = dataset.splits[str(split)].sha256
    unofficial = tuple(f"{name}={value}" for name, value in dataset.unofficial.items())
    of_train = sha256_bytes("\n".join(sample.id for sample in train).encode())
    name = dataset.partitions().name
    return AnomalyDataset(name, "built", split, digest, train, test, unofficial, train_hash=of_train)


def _ident(image: str) -> str:
    return str(Path(image).with_suffix(""))


def _test_sample(path: Path, images: Images, sample: TestSample, names: dict[int, str]) -> Sample:
    image = images.path(sample.image)
    if not sample.label or sample.mask is None:
        return Sample(_ident(sample.image), image, CLASS)
    pixels = sample.anomalous_pixels
    size = "small" if pixels < SMALL else "medium" if pixels < MEDIUM else "large"
    groups = (*(f"category:{names[ident]}" for ident in sample.categories), f"size:{size}")
    mask, digest = inside(path, sample.mask), sample.mask_sha256 or ""
    return Sample(_ident(sample.image), image, CLASS, 1, mask, groups, mask_digest=digest)
