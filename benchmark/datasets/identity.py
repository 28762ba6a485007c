"""What a dataset is: the content of its files, whatever they are called and wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmark.datasets.filefacts import FileFacts
from benchmark.datasets.masks import mask_files
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.files import sha256_bytes

FULL_BITS = 16


def identities(train: Sequence[Sample], test: Sequence[Sample]) -> tuple[str, str]:
    """Return the hash of a dataset and that of its training images, hex SHA-256.

    Each sample counts by its part, class, label, groups, and the hashes of its image and mask. Names of files and
    folders do not, and the name of a class only where there are several. Where COCO's names stand for the images
    (``Sample.sha256`` is ""), they and the files' sizes count in place of their hashes.
    """
    several = len({sample.class_name for sample in (*train, *test)}) > 1
    of_train, of_test = (sorted(_line(sample, several) for sample in part) for part in (train, test))
    return _digest(("train", *of_train, "test", *of_test)), _digest(("train", *of_train))


def with_classes(dataset: AnomalyDataset, classes: Sequence[str]) -> AnomalyDataset:
    """Return some of the classes of a dataset, as if there were no others."""
    train = tuple(sample for sample in dataset.train if sample.class_name in classes)
    test = tuple(sample for sample in dataset.test if sample.class_name in classes)
    whole, of_train = identities(train, test)
    some = replace(dataset, hash=whole, train_hash=of_train, train=train, test=test)
    return replace(some, of_classes=dataset.classes, of_hash=dataset.hash)


def with_content(samples: Iterable[Sample], facts: FileFacts) -> tuple[Sample, ...]:
    """Return samples that know the hashes of their files."""

    def of_mask(sample: Sample) -> str:
        if sample.mask is None:
            return ""
        hashes = [facts.sha256(file) for file in mask_files(sample.mask)]
        return hashes[0] if len(hashes) == 1 else _digest(sorted(hashes))

    return tuple(
        replace(sample, sha256=facts.sha256(sample.image), mask_sha256=of_mask(sample)) for sample in samples
    )


def used_bits(train: Sequence[Sample], facts: FileFacts) -> int | None:
    """Return how many bits the gray training images of 16-bit files use, if fewer; None: all, or there are none.

    All of them decide together, since one dark image has few bits as well.
    """
    largest = max((facts.largest(sample.image) for sample in train), default=0)
    bits = next((bits for bits in (8, 10, 12, 14) if largest < 1 << bits), FULL_BITS)
    return bits if largest and bits < FULL_BITS else None


def _line(sample: Sample, several: bool) -> str:
    image = sample.sha256 or f"{sample.image.name} {sample.image.stat().st_size}"
    name = sample.class_name if several else ""
    return "\0".join(
        (name, str(sample.label), *sorted(sample.groups), image, sample.mask_sha256, sample.item)
    )


def _digest(lines: Iterable[str]) -> str:
    return sha256_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
