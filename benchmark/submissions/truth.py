"""The ground truth of a test set in one small file, so that a submission can be scored where no dataset is.

``bench truth`` writes it from a dataset; of COCO-AD it is a few MB a split (masks at 256×256, packed to bits).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from benchmark.datasets.masks import load_mask
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.runs.arrays import Shape, read_npz_member
from benchmark.runs.record import DatasetInfo
from benchmark.submissions.format import title_of
from cocoad.base.errors import InputError
from cocoad.base.files import open_atomic

SUFFIX = ".truth.npz"
MOST_TEXT = 256 << 20  # bytes
MOST_IMAGES, MOST_SIDE = 1_000_000, 4_096

BoolArray = npt.NDArray[np.bool_]


class TruthImage(msgspec.Struct, frozen=True, array_like=True):
    """A test image: ``label`` is the dataset's own."""

    id: str
    class_name: str
    label: int
    groups: tuple[str, ...]
    has_truth: bool = True  # whether it is known which of its pixels are anomalous

    def sample(self) -> Sample:
        """Return it as scoring takes images; its pixels and mask are not files here."""
        here = Path(self.id)
        return Sample(
            self.id, here, self.class_name, self.label, here if self.has_truth else None, self.groups
        )


class _Header(msgspec.Struct, frozen=True):
    format: str
    format_version: int
    dataset: DatasetInfo
    images: list[TruthImage]


class Truth:
    """A test set's images, ascending by id, and their masks.

    Args:
        dataset: what it is; masks are of its ``image_size``.
        images: ascending by id.
        packed: masks, rows packed to bits, uint8 (N, S, ⌈S/8⌉).
    """

    def __init__(
        self, dataset: DatasetInfo, images: Sequence[TruthImage], packed: npt.NDArray[np.uint8]
    ) -> None:
        self.dataset = dataset
        self.images = list(images)
        self._packed = packed

    @property
    def size(self) -> int:
        """S, of the masks."""
        return int(self._packed.shape[1])

    @property
    def title(self) -> str:
        """The dataset and its split in words."""
        return title_of(self.dataset)

    def masks(self, places: slice) -> BoolArray:
        """Return the masks of some images, bool (B, S, S)."""
        return np.unpackbits(self._packed[places], axis=2, count=self.size).astype(bool)

    @classmethod
    def of(cls, dataset: AnomalyDataset, size: int) -> Truth:
        """Return the truth of a dataset at ``size`` pixels.

        Raises:
            InputError: a mask cannot be read, or there are no test images.
        """
        if not dataset.test:
            raise InputError(f"the dataset {dataset.name} has no test images")
        samples = sorted(dataset.test, key=lambda sample: sample.id)
        packed = np.stack([np.packbits(load_mask(s, size), axis=1) for s in samples])
        images = [TruthImage(s.id, s.class_name, s.label, s.groups, s.has_truth) for s in samples]
        return cls(dataset.info(size), images, packed)

    def write(self, path: Path) -> None:
        """Write it to ``path``."""
        header = _Header("cocoad-truth", 1, self.dataset, self.images)
        text = np.frombuffer(msgspec.json.encode(header), np.uint8)
        with open_atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, header=text, masks=self._packed)

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read such a file.

        Raises:
            InputError: it is absent or not such a file.
        """
        try:
            text = read_npz_member(path, "header", _check_text)
            header = msgspec.json.decode(text.astype(np.uint8).tobytes(), type=_Header)
            if (header.format, header.format_version) != ("cocoad-truth", 1):
                raise ValueError(f"format {header.format} {header.format_version}")
            packed = read_npz_member(path, "masks", _check_masks).astype(np.uint8)
            size = packed.shape[1]
            if packed.shape != (len(header.images), size, -(-size // 8)):
                raise ValueError(f"masks of shape {packed.shape} for {len(header.images)} images")
        except (OSError, ValueError, KeyError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: not the ground truth of a test set: {error}") from None
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InputError(f"{path}: not the ground truth of a test set: {error}") from None
        return cls(header.dataset, header.images, packed)


def read_truths(path: Path) -> list[Truth]:
    """Read a file of ground truth, or all in a folder.

    Raises:
        InputError: there is none, or one is damaged.
    """
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files:
        raise InputError(
            f"{path} holds no *{SUFFIX}; `bench truth --dataset coco-ad --out {path}` writes them"
        )
    return [Truth.read(file) for file in files]


def _check_text(shape: Shape) -> None:
    if len(shape) != 1 or shape[0] > MOST_TEXT:
        raise ValueError(f"a header of shape {shape}")


def _check_masks(shape: Shape) -> None:
    if len(shape) != 3 or shape[0] > MOST_IMAGES or max(shape[1:]) > MOST_SIDE:
        raise ValueError(f"masks of shape {shape}")
