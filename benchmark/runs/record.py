"""The record of a run on disk (``result.json``): the contract between whatever makes runs and whatever reads them.

Its JSON Schema is ``splits/schemas/result.schema.json``. Metrics are fractions; an undefined one is ``null`` and
``undefined`` says why. ``sha256`` is the hash of the rest, so that an edited record is recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from benchmark.runs.thresholds import Threshold
from cocoad.base.errors import InputError
from cocoad.base.files import sha256_bytes, write_atomic

FORMAT_VERSION = 1
RESULT_FILE = "result.json"
STATUS_FILE = "status.json"
CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "weights.safetensors"  # the trained method's whole state dict
SCORES_FILE = "scores.csv"  # per image: id, image, class, label, score, groups (semicolon-separated)
CALIBRATION_FILE = "calibration.csv"  # the same of the normal images that were held out of training
CURVES_FILE = "curves.json"  # roc, pr, pro, f1_iou: down-sampled to at most 1,000 points
PREVIEWS_FILE = (
    "previews.npz"  # maps and masks (N, 64, 64) in the order of scores.csv: benchmark/runs/outputs.py
)
TRAIN_LOG_FILE = "train_log.csv"  # epoch, step, loss, learning_rate, images_per_s, data_wait_s, seconds
MAPS_DIR = "maps"
TENSORBOARD_DIR = "tensorboard"

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1 + 1e-9)]  # rounding included
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # what every reader's numbers hold
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e30)]
RecordedSize = Annotated[int, msgspec.Meta(ge=1, le=65_536)]
Metrics = dict[str, Fraction | None]
ByProtocol = Annotated[dict[str, Metrics], msgspec.Meta(min_length=1)]  # "ader" and "exact"


class MethodInfo(msgspec.Struct, frozen=True):
    """Which method, on which backbone and weights."""

    name: str
    backbone: str | None
    weights: str  # imagenet, offline, random, or "<file name> sha256:<first 8>"
    parameters: Count | None = None
    trainable_parameters: Count | None = None
    gmacs: Amount | None = None  # 1e9 multiply–accumulates for one image
    options: dict[str, Any] = {}
    trained_on: str | None = None  # whose normal images, where those were not this dataset's
    version: Count | None = None  # of the method's code; None: not of this bench, or of before there were any


class DatasetInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which data: ``hash`` identifies what it holds, wherever it lies; counts are images."""

    name: str  # coco-ad, or the folder's name
    layout: str
    split: int | None
    hash: str
    image_size: RecordedSize
    classes: list[str]
    train_normal: Count
    test_normal: Count
    test_anomalous: Count
    unofficial: list[str] = []  # options of `cocoad build` that make it another benchmark: rasterizer=coco
    pipeline: Count | None = None  # version of how files become pixels
    score_size: RecordedSize | None = None  # pixels at which maps and masks are compared; None: image_size
    tiles: list[Count] | None = None  # [side, overlap] in pixels of the images, where they are seen so
    per_class: bool = False  # one model per class, rather than one for all
    of_classes: list[str] = []  # all classes of the dataset where ``classes`` are some of them
    of_hash: str = ""  # and the hash of all of it
    train_hash: str = ""  # of the training images alone
    test_without_mask: Count = 0  # anomalous images that count for the image metrics alone
    drawn_test_share: float | None = None  # of the normal images, drawn since the dataset has no test set
    calibration_normal: Count = 0  # held out of training, to find thresholds with
    gray_bits: int | None = None  # that gray images use, where their files have room for more
    notes: list[str] = []  # what its reader took or left out

    @property
    def resolution(self) -> int:
        """Pixels at which maps and masks are compared: what makes runs comparable, whatever the methods see."""
        return self.score_size or self.image_size


class Cost(msgspec.Struct, frozen=True):
    """What it cost, on the machine that ``environment`` describes; seconds, bytes and images per second."""

    train_seconds: Amount | None = None
    test_seconds: Amount | None = None
    train_images_per_s: Amount | None = None
    test_images_per_s: Amount | None = None
    peak_memory_bytes: Count | None = None
    peak_gpu_memory_bytes: Count | None = None


class Record(msgspec.Struct, frozen=True):
    """``result.json``."""

    format: Literal["cocoad-run"]
    format_version: int
    method: MethodInfo
    dataset: DatasetInfo
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None
    preset: str | None
    epochs: Count | None
    metrics: ByProtocol
    per_class: dict[str, ByProtocol]
    per_group: dict[str, ByProtocol]  # "category:person", "size:small", "defect:crack"
    undefined: dict[str, str]  # "ader/image_auroc" -> why
    flags: list[str]  # e.g. "outlier-pixel": the normalised-threshold metrics hinge on one extreme pixel
    cost: Cost
    environment: dict[str, Any]  # package versions, device, driver, git commit, tool version
    config: dict[str, Any]
    finished_at: str  # ISO 8601, UTC
    per_item: Metrics = {}  # image metrics of things that several images show: Real-IAD's S-AUROC
    thresholds: list[Threshold] = []  # of images and pixels, with what they miss and raise on the test set
    files: dict[str, str] = {}  # SHA-256 of each file beside this one, and of "maps" as a whole
    sha256: str = ""


class Status(msgspec.Struct, frozen=True):
    """``status.json``: how far a run is, for `bench runs`, resuming and sweeps."""

    state: Literal["running", "finished", "failed"]
    epoch: Count = 0
    epochs: Count = 0
    message: str = ""
    pid: int | None = None


def record_hash(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record's canonical JSON with an empty ``sha256``, fields of later versions included."""
    return sha256_bytes(msgspec.json.encode({**content, "sha256": ""}, order="deterministic"))


def write_record(directory: Path, record: Record) -> Record:
    """Write ``record`` with its hash to ``directory/result.json``; return it with the hash."""
    hashed = msgspec.structs.replace(record, sha256=record_hash(msgspec.to_builtins(record)))
    write_atomic(directory / RESULT_FILE, msgspec.json.format(msgspec.json.encode(hashed), indent=1) + b"\n")
    return hashed


def read_record(directory: Path) -> Record:
    """Read a run's record.

    Raises:
        InputError: it is absent, does not meet the format, is of another version, or was edited.
    """
    path = directory / RESULT_FILE
    if not path.is_file():
        raise InputError(f"{directory} holds no finished run (no {RESULT_FILE})")
    return record_from(path.read_bytes(), path)


def record_from(data: bytes, path: Path) -> Record:
    """Return the record that ``data``, the content of the file ``path``, is; errors as :func:`read_record`."""
    try:
        content = msgspec.json.decode(data)
        record = msgspec.convert(content, Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a run record: {error}") from None
    if record.format_version != FORMAT_VERSION:
        raise InputError(f"{path}: record version {record.format_version}, this bench reads {FORMAT_VERSION}")
    if record_hash(content) != record.sha256:
        raise InputError(f"{path}: its content does not match its hash: it was edited after the run")
    return record


def write_status(directory: Path, status: Status) -> None:
    """Write ``directory/status.json``."""
    write_atomic(directory / STATUS_FILE, msgspec.json.encode(status))


def read_status(directory: Path) -> Status | None:
    """Read ``directory/status.json``; None when there is none or it cannot be read."""
    try:
        return msgspec.json.decode((directory / STATUS_FILE).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
