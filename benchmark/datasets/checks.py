"""What must hold of a dataset of any layout read from plain files; all that is wrong is said at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from PIL import Image

from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.errors import InputError

SHOWN = 5
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
    """Return the dataset of these samples; its hash is over them all and the sizes of their files.

    Of an anomalous image and its mask the headers are read as well (:func:`check_headers` reads all).

    Raises:
        InputError: ``problems`` that the reader found, missing images or masks, masks of another size than
            their images, headers that cannot be read, two images of one id, a class without images to train
            or to test on.
    """
    train, test = tuple(train), tuple(test)
    samples = train + test
    masked = [sample for sample in samples if sample.mask is not None]
    _refuse(path, [*problems, *_absent(samples), *_empty(train, test)])
    _refuse(path, list(_bad_headers(masked)))
    return AnomalyDataset(name or path.name, layout, split, _hash(train, test), train, test)


def check_headers(path: Path, samples: Sequence[Sample], on_image: OnImage | None = None) -> None:
    """Read the header of each image and mask.

    Raises:
        InputError: some cannot be read, or a mask has another size than its image; all are counted.
    """
    problems: list[str] = []
    for done, sample in enumerate(samples, 1):
        problems += _bad_headers([sample])
        if on_image is not None:
            on_image("reading headers", done, len(samples))
    _refuse(path, problems)


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if not problems:
        return
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    raise InputError(f"{path}: {count}: {'; '.join(problems[:SHOWN])}{more}")


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


def _bad_headers(samples: Iterable[Sample]) -> Iterator[str]:
    for sample in samples:
        try:
            image = _size(sample.image)
            mask = image if sample.mask is None else _size(sample.mask)
        except InputError as error:
            yield str(error)
            continue
        if image != mask:
            yield f"{sample.id}: the mask is {mask[0]}x{mask[1]}, the image {image[0]}x{image[1]}"


def _size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise InputError(f"{file}: not a readable image") from None


def _hash(train: tuple[Sample, ...], test: tuple[Sample, ...]) -> str:
    digest = hashlib.sha256()
    for part, samples in (("train", train), ("test", test)):
        for sample in samples:
            about = f"{part}\0{sample.id}\0{sample.class_name}\0{sample.label}"
            digest.update(
                f"{about}\0{_file(sample.image)}\0{_file(sample.mask)}\n".encode("utf-8", "replace")
            )
    return digest.hexdigest()


def _file(file: Path | None) -> str:
    return "" if file is None else f"{file.name}\0{file.stat().st_size}"
