"""What must hold of a dataset of any layout read from plain files; all that is wrong is said at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from benchmark.datasets.images import check_mode, read_mask
from benchmark.datasets.problems import refuse
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.errors import InputError
from cocoad.base.files import sha256_file
from cocoad.base.images import open_image

OnImage = Callable[[str, int, int], None]  # (what, done, of how many)


def checked(
    path: Path,
    layout: str,
    train: Iterable[Sample],
    test: Iterable[Sample],
    *,
    name: str | None = None,
    split: int | None = None,
    problems: Sequence[str] = (),
) -> AnomalyDataset:
    """Return the dataset of these samples; its hash is over them all, the sizes of images and the masks.

    Of an anomalous image and its mask the headers are read as well, and one mask of each defect, since masks
    that are 0 and 1 come in numbers (:func:`check_files` reads all).

    Raises:
        InputError: ``problems`` that the reader found, missing images or masks, masks of another size than
            their images or without a value that counts, headers that cannot be read, two images of one id,
            names that ``scores.csv`` cannot hold, a class without images to train or to test on.
    """
    train, test = tuple(train), tuple(test)
    samples = train + test
    masked = [sample for sample in samples if sample.mask is not None]
    refuse(path, [*problems, *_bad_names(samples), *_absent(samples), *_empty(train, test)])
    refuse(path, _complaints(_check_header, masked))
    refuse(path, _complaints(_has_black_mask, _one_of_each_defect(masked)))
    return AnomalyDataset(name or path.name, layout, split, _hash(train, test), train, test)


def check_files(path: Path, samples: Sequence[Sample], on_image: OnImage | None = None) -> list[str]:
    """Read the header of each image and all of each mask; return the ids of those whose mask is all black.

    Raises:
        InputError: some cannot be read, or a mask has another size than its image or no value that counts; all
            are counted.
    """
    problems, black = [], []
    for done, sample in enumerate(samples, 1):
        try:
            _check_header(sample)
            if _has_black_mask(sample):
                black.append(sample.id)
        except InputError as error:
            problems.append(str(error))
        if on_image is not None:
            on_image("reading headers and masks", done, len(samples))
    refuse(path, problems)
    return black


def _absent(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        if not sample.image.is_file():
            yield f"{sample.id}: no image {sample.image}"
        if sample.mask is None and sample.label:
            yield f"{sample.id}: anomalous but without a mask"
        elif sample.mask is not None and not sample.mask.is_file():
            yield f"{sample.id}: no mask {sample.mask}"
    for ident, count in Counter(sample.id for sample in samples).items():
        if count > 1:
            yield f"{ident}: {count} images of this name"


def _empty(train: Sequence[Sample], test: Sequence[Sample]) -> Iterator[str]:
    trained, tested = ({sample.class_name for sample in part} for part in (train, test))
    if not trained | tested:
        yield "no images"
    for name in sorted(trained ^ tested):
        yield f"class {name}: no images to {'train' if name in tested else 'test'} on"


def _bad_names(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        try:
            "".join((sample.id, sample.class_name, str(sample.image), *sample.groups)).encode()
        except UnicodeEncodeError:
            yield f"{str(sample.image)!r}: a name that is not UTF-8, which scores.csv is: rename it"
    for group in dict.fromkeys(group for sample in samples for group in sample.groups):
        if ";" in group:
            yield f"{group!r}: a name with the ; that separates groups in scores.csv: rename it"


def _one_of_each_defect(masked: Sequence[Sample]) -> Iterable[Sample]:
    greys = [sample for sample in masked if sample.mask_threshold is None]
    return {(sample.class_name, sample.groups): sample for sample in greys}.values()


def _complaints(check: Callable[[Sample], object], samples: Iterable[Sample]) -> list[str]:
    """Return what ``check`` raises of each sample."""
    found = []
    for sample in samples:
        try:
            check(sample)
        except InputError as error:
            found.append(str(error))
    return found


def _check_header(sample: Sample) -> None:
    with open_image(sample.image) as image:
        check_mode(image)
        width, height = image.size
    if sample.mask is None:
        return
    with open_image(sample.mask) as mask:
        if mask.size != (width, height):
            across, down = mask.size
            raise InputError(f"{sample.id}: the mask is {across}x{down}, the image {width}x{height}")


def _has_black_mask(sample: Sample) -> bool:
    return sample.mask is not None and read_mask(sample.mask, sample.mask_threshold).getbbox() is None


def _hash(train: tuple[Sample, ...], test: tuple[Sample, ...]) -> str:
    digest = hashlib.sha256()
    for part, samples in (("train", train), ("test", test)):
        for sample in samples:
            about = (part, sample.id, sample.class_name, str(sample.label), *_files(sample))
            digest.update(("\0".join(about) + "\n").encode())
    return digest.hexdigest()


def _files(sample: Sample) -> tuple[str, str, str]:
    image, mask = sample.image, sample.mask
    return image.name, str(image.stat().st_size), sha256_file(mask) if mask is not None else ""
