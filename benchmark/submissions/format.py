"""What a submission is: a folder with ``submission.json`` and, for each split, an atlas of maps and a table of images.

The JSON Schema is ``splits/schemas/submission.schema.json``, generated from these types (:func:`schema`). Metrics are
fractions. ``sha256`` fields are hashes: they find accidents and naive edits, and anybody can compute them again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from benchmark.runs.record import ByProtocol, Cost, DatasetInfo
from benchmark.submissions.codec import Codec
from cocoad.base.errors import InputError
from cocoad.base.files import write_atomic

SUBMISSION_FILE = "submission.json"
TAKEN_MB = 12  # of a file, by a leaderboard of docs/leaderboard-template
MOST_BYTES = 16 << 20  # of submission.json and of a run's record
# Points between a run's record and its kept maps, which are in half precision where that is enough for eyes.
SAME_RUN = 0.5
LIMIT = 0.05  # points by which a metric of the packed maps may differ from that of the full ones

Url = Annotated[str, Meta(pattern=r"^https?://[^\s<>\"]+$", max_length=500)]
Line = Annotated[str, Meta(pattern=r"^[^\n\r]+$", max_length=300)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$", max_length=100)]


class Reproduction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody else ran the method and got the same maps; added by whoever keeps the leaderboard."""

    by: Line
    where: Url  # what was run, and the agreement that was found


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose method it is and what it has seen; the part that a person writes."""

    method: Annotated[str, Meta(pattern=r"^[\w][\w.+-]*$", max_length=60)]
    pretraining: Line  # data that the encoder was trained on before: "ImageNet-1k labels", "LVD-142M", "none"
    encoder: Line | None = None
    authors: list[Line] = []
    contact: Line | None = None
    paper: Url | None = None
    code: Url | None = None
    weights: Url | None = None
    licence: Line | None = None  # of code and weights
    bibtex: Annotated[str, Meta(max_length=5_000)] | None = None
    extra_data: Line | None = None  # trained on beside the dataset's normal images
    several_test_images: bool = False  # scoring an image uses other test images (transductive)
    replaces: FileName | None = None  # an earlier submission's folder
    reproduced: Reproduction | None = None


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the folder."""

    name: FileName
    bytes: Annotated[int, Meta(ge=1)]
    sha256: Hash


class PackedSplit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test set: its maps, and the metrics that follow from them."""

    dataset: DatasetInfo
    codec: Codec
    maps: File  # PNG: grids in rows of ⌈√N⌉, images ascending by id
    images: File  # CSV: id, score, minimum, maximum; float32
    metrics: ByProtocol  # of these files: what the leaderboard shows
    full_metrics: ByProtocol  # of the maps before they were packed, as the submitter says
    difference: float  # the largest one between the two, in points (percent)
    lossy: bool = False  # packed although the difference is above LIMIT
    flags: list[str] = []
    cost: Cost = Cost()
    run: File | None = None  # the record of `bench run`

    @property
    def size(self) -> int:
        """Pixels, square, at which maps and masks are compared."""
        return self.dataset.resolution

    @property
    def title(self) -> str:
        """The dataset and its split in words."""
        return title_of(self.dataset)


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``submission.json``."""

    format: Literal["cocoad-submission"]
    format_version: Literal[1]
    about: About
    splits: Annotated[list[PackedSplit], Meta(min_length=1, max_length=100)]
    tool: Line  # what packed it: "cocoad 0.1.0"


def title_of(dataset: DatasetInfo) -> str:
    """Return a dataset and its split in words."""
    return dataset.name if dataset.split is None else f"{dataset.name}, split {dataset.split}"


def prefix_of(dataset: DatasetInfo) -> str:
    """Return what the names of a test set's files start with."""
    if dataset.split is not None:
        return f"split_{dataset.split}"
    return re.sub(r"[^A-Za-z0-9_+-]+", "-", dataset.name).strip("-") or "maps"


def read_submission(folder: Path) -> Submission:
    """Read ``folder/submission.json``.

    Raises:
        InputError: it is absent, too large, or not such a file.
    """
    path = folder / SUBMISSION_FILE
    try:
        return msgspec.json.decode(read_bounded(path, MOST_BYTES), type=Submission)
    except FileNotFoundError:
        raise InputError(f"{folder} holds no {SUBMISSION_FILE}; `bench pack` makes a submission") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a submission: {error}") from None


def write_submission(folder: Path, submission: Submission) -> None:
    """Write ``folder/submission.json``."""
    encoded = msgspec.json.encode(submission)
    write_atomic(folder / SUBMISSION_FILE, msgspec.json.format(encoded, indent=1) + b"\n")


def read_bounded(path: Path, most: int) -> bytes:
    """Read a regular file of at most ``most`` bytes.

    Raises:
        FileNotFoundError: there is none.
        InputError: it is longer, or no regular file.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise InputError(f"{path}: not a regular file")
    if size > most:
        raise InputError(f"{path}: {size:,} bytes, {most:,} are more than enough for it")
    return path.read_bytes()


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``submission.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "cocoad/submission/1",
        "title": "A method's results packed for a leaderboard (submission.json)",
        **msgspec.json.schema(Submission),
    }
