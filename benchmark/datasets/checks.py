"""What must hold of a dataset of any layout read from plain files; all that is wrong is said at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.datasets.filefacts import FileFacts
from benchmark.datasets.identity import identities, used_bits, with_content
from benchmark.datasets.images import check_mode
from benchmark.datasets.masks import mask_files
from benchmark.datasets.problems import refuse
from benchmark.datasets.samples import AnomalyDataset, Sample
from cocoad.base.errors import InputError
from cocoad.base.images import open_image


def checked(
    path: Path,
    layout: str,
    train: Iterable[Sample],
    test: Iterable[Sample],
    *,
    name: str | None = None,
    split: int | None = None,
    problems: Sequence[str] = (),
    notes: Sequence[str] = (),
    named_images: bool = False,
    drawn: float | None = None,
) -> AnomalyDataset:
    """Return the dataset of these samples, identified by the content of all of their files.

    Of an anomalous image and its mask the headers are read as well (:func:`~benchmark.datasets.look.look` reads
    all of each).

    Args:
        path: of the dataset.
        layout: its name.
        train: its normal images to train on.
        test: its labelled images.
        name: of the dataset; None: the folder's.
        split: which, of COCO-AD.
        problems: what the reader found wrong.
        notes: what the reader took or left out that its user should know.
        named_images: the images' names and sizes stand for their content, as COCO's do.
        drawn: the share of normal images that the reader drew to test on.

    Raises:
        InputError: ``problems``, missing images or masks, masks of another size than their images, headers that
            cannot be read, two images of one id, names that ``scores.csv`` cannot hold, a class without images to
            train or to test on.
    """
    train, test = tuple(train), tuple(test)
    samples = train + test
    refuse(path, [*problems, *_bad_names(samples), *_absent(samples), *_empty(train, test)])
    refuse(path, list(_bad_headers(sample for sample in samples if sample.mask is not None)))
    of_masks = [file for sample in samples if sample.mask is not None for file in mask_files(sample.mask)]
    facts = FileFacts(path, of_masks if named_images else [*(sample.image for sample in samples), *of_masks])
    said = list(notes)
    if named_images:
        train, test = (tuple(_with_mask(sample, facts) for sample in part) for part in (train, test))
    else:
        train, test = (with_content(part, facts) for part in (train, test))
        if bits := used_bits(train, facts):
            train, test = (tuple(replace(sample, bits=bits) for sample in part) for part in (train, test))
            said.append(f"the gray images of 16 bits use {bits}: {(1 << bits) - 1:,} is taken for white")
        said += _repeated(train, test)
    said += _without_masks(test)
    whole, of_train = identities(train, test)
    return AnomalyDataset(
        name or path.name,
        layout,
        split,
        whole,
        train,
        test,
        train_hash=of_train,
        notes=tuple(said),
        drawn=drawn,
    )


def _with_mask(sample: Sample, facts: FileFacts) -> Sample:
    return sample if sample.mask is None else replace(sample, mask_sha256=facts.sha256(sample.mask))


def _absent(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        for what, file in (("image", sample.image), ("mask", sample.mask)):
            try:
                wrong = _wrong_with(what, file) if file is not None else ""
            except OSError as error:  # such as a name longer than a file system has
                wrong = f"{file}: {error.strerror}"
            if wrong:
                yield f"{sample.id}: {wrong}"
    for ident, count in Counter(sample.id for sample in samples).items():
        if count > 1:
            yield f"{ident}: {count} images of this name"


def _wrong_with(what: str, file: Path) -> str:
    if file.is_file() or (what == "mask" and file.is_dir()):
        return ""
    if file.is_symlink():
        return f"{file} is a link to {file.readlink()}, which is not there"
    return f"{file} is not a regular file" if file.exists() else f"no {what} {file}"


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


def _bad_headers(samples: Iterable[Sample]) -> Iterator[str]:
    for sample in samples:
        try:
            check_header(sample)
        except InputError as error:
            yield str(error)


def check_header(sample: Sample) -> None:
    """Read the headers of an image and its mask.

    Raises:
        InputError: one cannot be read, or they differ in size, or nobody knows which of the image's numbers is white.
    """
    with open_image(sample.image) as image:
        check_mode(image)
        width, height = image.size
    for file in mask_files(sample.mask) if sample.mask is not None else ():
        with open_image(file) as mask:
            if mask.size != (width, height):
                across, down = mask.size
                raise InputError(f"{sample.id}: the mask is {across}x{down}, the image {width}x{height}")


def _repeated(train: Sequence[Sample], test: Sequence[Sample]) -> Iterator[str]:
    """Say which images are there more than once, byte for byte."""
    trained = {sample.sha256: sample for sample in train}
    both = [sample for sample in test if sample.sha256 in trained]
    if both:
        yield (
            f"{len(both):,} test images are training images too, byte for byte: {both[0].id} first, which is "
            f"{trained[both[0].sha256].id}"
        )
    labels: dict[str, Sample] = {}
    for sample in test:
        other = labels.setdefault(sample.sha256, sample)
        if other.label != sample.label:
            yield f"{sample.id} and {other.id} are the same image, byte for byte: normal and anomalous"
    repeated = len(train) - len(trained)
    if repeated:
        yield f"{repeated:,} training images repeat another, byte for byte"


def _without_masks(test: Sequence[Sample]) -> Iterator[str]:
    anomalous = [sample for sample in test if sample.label]
    without = [sample for sample in anomalous if not sample.has_truth]
    if without and len(without) == len(anomalous):
        yield "no masks: image metrics only"
    elif without:
        yield (
            f"{len(without):,} of {len(anomalous):,} anomalous images have no mask, {without[0].id} first: pixel "
            "metrics are over the others"
        )
