"""What a built dataset is, on disk and in memory: the contract between the toolkit and every program that reads it.

A built dataset is a directory::

    dataset.json                     DatasetManifest: options, hashed inputs, counts and hash of every split
    split_0.json … split_3.json      SplitManifest: every sample
    masks/split_0/000000000139.png   one bilevel PNG per anomalous test image, of the image's size
    coco-root.txt                    a hint (not hashed): where the COCO root lay when it was built

Their JSON Schemas, in ``splits/schemas/``, are made from these types (`cocoad.dataset.schemas`).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from cocoad.base.errors import InputError
from cocoad.base.files import sha256_file
from cocoad.coco.outlines import MAX_IMAGE_PIXELS, Rasterizer
from cocoad.coco.own import MAX_SPLITS, Slug
from cocoad.coco.partition import Category, CategoryId, Partition, PartitionSet, coco_ad

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION: Literal[1] = 1  # COCO-AD
OWN_FORMAT_VERSION: Literal[2] = (
    2  # with a partition of one's own or images' hashes, which version 1 does not know
)
FORMAT_VERSIONS = (FORMAT_VERSION, OWN_FORMAT_VERSION)
DATASET_FILE = "dataset.json"
HINT_FILE = "coco-root.txt"
COCO_ROOT_VARIABLE = "COCO_ROOT"
DEFAULT_DATASET = "coco-ad"

T = TypeVar("T")

_END = r"$(?!\n)"  # in a JSON Schema's dialect and in Python's, where "$" alone lets a line end pass
_Count = Annotated[int, Meta(ge=0)]
_Id = Annotated[int, Meta(ge=0, le=10**12 - 1)]
_Pixels = Annotated[int, Meta(ge=1, le=MAX_IMAGE_PIXELS)]
_SplitNumber = Annotated[int, Meta(ge=0, le=999)]
_SplitKey = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,2})" + _END)]
_FileName = Annotated[str, Meta(pattern=r"^(?!\.{1,2}$)[^/\x00]+" + _END)]
_Image = Annotated[str, Meta(pattern=r"^(train|val)(2017)?/.")]
_Mask = Annotated[str, Meta(pattern=r"^masks/split_[0-9]{1,3}/[0-9]{12}\.png" + _END)]
_Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + _END)]


class InputFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An annotation file that went into a build."""

    name: _FileName
    bytes: _Count
    sha256: _Sha256


class BuildOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The choices that change what is built; others, such as ``--jobs``, are not recorded."""

    rasterizer: Rasterizer = "ader"
    unannotated: Literal["exclude", "normal"] = "exclude"
    crowd: Literal["include", "exclude"] = "include"
    allow_missing_images: bool = False

    @property
    def unofficial(self) -> dict[str, str]:
        """The options that make it another benchmark than the published one, with their values."""
        official = BuildOptions(allow_missing_images=self.allow_missing_images)  # which changes no score
        names = (name for name in self.__struct_fields__ if getattr(self, name) != getattr(official, name))
        return {name: str(getattr(self, name)) for name in names}


class SplitSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One split's counts (images), whether they are the published ones, and its file's SHA-256."""

    train_normal: _Count
    test_normal: _Count
    test_anomalous: _Count
    equals_official: bool
    sha256: _Sha256


class OwnSplit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A split of one's own: its name and the ids of the categories that it holds out."""

    name: Slug
    held_out: Annotated[list[CategoryId], Meta(min_length=1)]


class OwnPartition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A partition that is not COCO-AD's: its name, its hash (`cocoad.coco.own.digest`), and its categories."""

    name: Slug
    sha256: _Sha256
    categories: list[Category]
    splits: Annotated[list[OwnSplit], Meta(min_length=1, max_length=MAX_SPLITS)]


class DatasetManifest(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``dataset.json``."""

    format: Literal["cocoad-dataset"]
    format_version: Literal[1, 2]
    tool_version: str
    options: BuildOptions
    inputs: dict[Literal["train", "val"], InputFile]
    splits: dict[_SplitKey, SplitSummary]
    notes: list[str]  # oddities of the input that were taken as the official generator takes them
    partition: OwnPartition | None = None  # None for COCO-AD's

    @property
    def unofficial(self) -> dict[str, str]:
        """What makes it another benchmark than the published one: a partition of its own, options."""
        own = (
            {}
            if self.partition is None
            else {"partition": f"{self.partition.name}@{self.partition.sha256[:12]}"}
        )
        return own | self.options.unofficial

    def partitions(self) -> PartitionSet:
        """Return the splits that the dataset may have."""
        return coco_ad() if self.partition is None else own_partitions(self.partition)

    def __repr__(self) -> str:
        return f"DatasetManifest(splits {', '.join(self.splits)}; {self.options})"

    def _repr_html_(self) -> str:
        from cocoad.base.notebook import html_table

        counts = ("train_normal", "test_normal", "test_anomalous", "equals_official")
        rows = [
            (split, *(getattr(summary, name) for name in counts)) for split, summary in self.splits.items()
        ]
        return html_table(("split", *counts), rows, repr(self))


class TrainSample(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A normal training image; ``image`` is relative to the COCO root, sizes in pixels."""

    id: _Id
    image: _Image
    width: _Pixels
    height: _Pixels
    image_sha256: _Sha256 | None = None  # of its file; version 2 alone, with `--hash-images`


class TestSample(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A test image: label 0 normal, 1 anomalous; an anomalous one has a mask (relative to the dataset)."""

    __test__ = False  # not a pytest class

    id: _Id
    image: _Image
    width: _Pixels
    height: _Pixels
    label: Literal[0, 1]
    mask: _Mask | None = None
    mask_sha256: _Sha256 | None = None  # of numpy.packbits(mask, axis=None): independent of the PNG encoder
    categories: tuple[CategoryId, ...] = ()  # held-out category ids present, ascending
    anomalous_pixels: _Count = 0
    image_sha256: _Sha256 | None = None  # as a training image's


class SplitManifest(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``split_K.json``; samples ascend by image id."""

    format: Literal["cocoad-split"]
    format_version: Literal[1, 2]
    split: _SplitNumber
    held_out: list[Category]
    train: list[TrainSample]
    test: list[TestSample]
    name: str = ""  # of a split of one's own

    def __repr__(self) -> str:
        anomalous = sum(sample.label for sample in self.test)
        return (
            f"SplitManifest(split {self.split}: {len(self.train):,} train, "
            f"{len(self.test) - anomalous:,} normal and {anomalous:,} anomalous test images)"
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each sample; ``part`` is train or test."""
        import pandas as pd

        parts = (("train", self.train), ("test", self.test))
        rows = [{"part": part, **msgspec.structs.asdict(each)} for part, some in parts for each in some]
        return pd.DataFrame(rows)


class _Header(msgspec.Struct):
    """What manifests of every version begin with."""

    format: Literal["cocoad-dataset", "cocoad-split"]
    format_version: int


def split_file(split: int) -> str:
    """Return the name of a split's file inside a built dataset."""
    return f"split_{split}.json"


def mask_path(split: int, image_id: int) -> str:
    """Return a mask's path relative to the built dataset."""
    return f"masks/split_{split}/{image_id:012d}.png"


def encode(value: msgspec.Struct) -> bytes:
    """Render a manifest as indented JSON, the same bytes every time."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def read_dataset(directory: str | Path) -> DatasetManifest:
    """Read ``dataset.json``; raise InputError when it is absent, unreadable or of another format version."""
    path = Path(directory) / DATASET_FILE
    if not path.is_file():
        raise InputError(
            f"{directory} is not a built dataset (no {DATASET_FILE}): "
            "build one with `cocoad build --coco-root DIR`"
        )
    return _decode(path, DatasetManifest)


def read_split(directory: str | Path, split: int) -> SplitManifest:
    """Read ``split_K.json`` of a built dataset.

    Raises:
        InputError: it is not the file that ``dataset.json`` describes, or contradicts itself.
    """
    dataset = read_dataset(directory)
    summary = dataset.splits.get(str(split))
    if summary is None:
        have = ", ".join(dataset.splits)
        raise InputError(f"{directory} has no split {split} (it has {have}): build it with `cocoad build`")
    path = Path(directory) / split_file(split)
    if not path.is_file():
        raise InputError(f"{path} is missing: run `cocoad verify {directory}`")
    if sha256_file(path) != summary.sha256:
        raise InputError(f"{path} was changed after the build: run `cocoad verify {directory}`")
    manifest = _decode(path, SplitManifest)
    for problem in _contradictions(manifest, dataset.partitions(), split):
        raise InputError(f"{path}: {problem}: run `cocoad verify {directory}`")
    return manifest


def _decode(path: Path, kind: type[T]) -> T:
    data = path.read_bytes()
    try:
        if problem := version_problem(msgspec.json.decode(data, type=_Header).format_version):
            raise InputError(f"{path}: {problem}: build it again")
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None


def version_problem(version: int) -> str | None:
    """Say that a manifest is of another format version than this cocoad's, if it is."""
    if version in FORMAT_VERSIONS:
        return None
    return f"format version {version}, this cocoad reads {' and '.join(map(str, FORMAT_VERSIONS))}"


@functools.lru_cache(maxsize=8)
def _resolved(encoded: bytes) -> PartitionSet:
    own = msgspec.json.decode(encoded, type=OwnPartition)
    splits = []
    for number, split in enumerate(own.splits):
        chosen = tuple(category for category in own.categories if category.id in split.held_out)
        rest = tuple(category for category in own.categories if category.id not in split.held_out)
        splits.append(Partition(number, chosen, rest, name=split.name))
    return PartitionSet(own.name, tuple(own.categories), tuple(splits), own.sha256)


def own_partitions(own: OwnPartition) -> PartitionSet:
    """Return the partitions that a manifest describes."""
    return _resolved(msgspec.json.encode(own))


def _contradictions(manifest: SplitManifest, partitions: PartitionSet, split: int) -> Iterator[str]:
    """Say what in a split's file cannot be true, beyond what its type says."""
    if manifest.split != split:
        yield f"it says that it is split {manifest.split}"
    if split >= len(partitions.splits):
        yield f"{partitions.name} has no split {split}"
    elif tuple(manifest.held_out) != partitions.splits[split].held_out:
        yield f"its held-out categories are not those of this split of {partitions.name}"
    for samples in (manifest.train, manifest.test):
        counted = Counter(sample.id for sample in samples)
        yield from (f"image {ident} is listed twice" for ident, times in counted.items() if times > 1)
    held_out = {category.id for category in manifest.held_out}
    for sample in manifest.test:
        yield from (f"image {sample.id}: {problem}" for problem in label_contradictions(sample, held_out))


class Labelled(Protocol):
    """A test sample of either layout; None where a layout does not say."""

    @property
    def label(self) -> int: ...
    @property
    def mask(self) -> str | None: ...
    @property
    def mask_sha256(self) -> str | None: ...
    @property
    def categories(self) -> tuple[int, ...] | None: ...
    @property
    def anomalous_pixels(self) -> int | None: ...


def label_contradictions(sample: Labelled, held_out: Set[int]) -> Iterator[str]:
    """Say where a test sample breaks the rule: anomalous ⇔ it has a mask ⇔ it shows held-out categories."""
    anomalous = bool(sample.label)
    if anomalous != (sample.mask is not None):
        yield "anomalous without a mask" if anomalous else "normal with a mask"
    if sample.mask_sha256 is not None and sample.mask is None:
        yield "the digest of a mask, but no mask"
    if sample.categories is not None:
        if sample.mask is not None and sample.mask_sha256 is None:
            yield "a mask without its digest"
        if anomalous != bool(sample.categories):
            yield "anomalous without a held-out category" if anomalous else "normal with held-out categories"
        if foreign := set(sample.categories) - held_out:
            yield f"categories {sorted(foreign)} are not held out in this split"
    if not anomalous and sample.anomalous_pixels:
        yield "normal with anomalous pixels"
