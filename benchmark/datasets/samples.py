"""What the harness knows of a dataset, whatever its layout on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.datasets.catalogue import name_of
from benchmark.datasets.images import PIPELINE_VERSION
from benchmark.runs.record import DatasetInfo
from benchmark.tiling import Box, Tiling
from cocoad.base.notebook import html_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Sample:
    """One image. ``id`` is unique in its dataset and names the image's score map (``val2017/000000000139``)."""

    id: str
    image: Path
    class_name: str
    label: int = 0  # 0 normal, 1 anomalous
    mask: Path | None = (
        None  # a file of the image's size, or a folder of several; None: nothing anomalous, or unknown
    )
    groups: tuple[str, ...] = ()  # "category:person", "size:small", "defect:crack"
    sha256: str = ""  # of the image's file; "" where COCO's names stand for the images
    mask_sha256: str = ""  # of the mask's file or files
    mask_digest: str = ""  # of the mask's pixels, as a build recorded it: checked whenever the mask is read
    bits: int | None = None  # that a gray image uses, where its file has room for more
    item: str = ""  # the thing that several images show from several sides
    box: Box | None = None  # the tile of the image that this is; None: all of it

    @property
    def has_truth(self) -> bool:
        """Whether it is known which of its pixels are anomalous."""
        return self.mask is not None or not self.label


@dataclass(frozen=True)
class AnomalyDataset:
    """Normal images to train on and labelled images to test on."""

    name: str  # coco-ad, or the folder's name
    layout: str
    split: int | None
    hash: str  # hex SHA-256 of what it holds, wherever it lies (benchmark/datasets/identity.py)
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    unofficial: tuple[str, ...] = ()  # options of the build that make it another benchmark: rasterizer=coco
    of_classes: tuple[str, ...] = ()  # all classes there are, where these samples are of some
    of_hash: str = ""  # and the hash of all of it
    train_hash: str = ""  # the same of the training images alone: what trained weights depend on
    notes: tuple[str, ...] = ()  # what a reader took or left out that its user should know
    drawn: float | None = None  # the share of normal images drawn to test on; None: the dataset says which
    calibration: tuple[Sample, ...] = ()  # normal images held out of ``train``, to find thresholds with

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, sorted."""
        return tuple(sorted({sample.class_name for sample in self.train + self.test}))

    @property
    def known_as(self) -> str | None:
        """The name of the dataset of the field that it is, in the catalogue; None: one of one's own."""
        return name_of(self.layout, self.of_classes or self.classes)

    def __repr__(self) -> str:
        split = "" if self.split is None else f" split {self.split}"
        anomalous = sum(sample.label for sample in self.test)
        return (
            f"AnomalyDataset({self.name}{split}, {self.layout}: {len(self.train):,} train, "
            f"{len(self.test) - anomalous:,} normal and {anomalous:,} anomalous test images)"
        )

    def _repr_html_(self) -> str:
        found = {name: [0, 0, 0] for name in self.classes}
        for sample in self.train:
            found[sample.class_name][0] += 1
        for sample in self.test:
            found[sample.class_name][1 + sample.label] += 1
        rows = [(name, *counts) for name, counts in found.items()]
        return html_table(("class", "train", "test normal", "test anomalous"), rows, repr(self))

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each sample; ``part`` is train or test."""
        import pandas as pd

        parts = (("train", self.train), ("test", self.test))
        return pd.DataFrame([{"part": part, **vars(sample)} for part, some in parts for sample in some])

    def info(
        self, image_size: int, score_size: int | None = None, tiling: Tiling | None = None
    ) -> DatasetInfo:
        """Return what a record says of it, seen at ``image_size`` pixels (in tiles), scored at ``score_size``."""
        anomalous = sum(sample.label for sample in self.test)
        return DatasetInfo(
            name=self.name,
            layout=self.layout,
            split=self.split,
            hash=self.hash,
            image_size=image_size,
            classes=list(self.classes),
            train_normal=len(self.train),
            test_normal=len(self.test) - anomalous,
            test_anomalous=anomalous,
            unofficial=list(self.unofficial),
            pipeline=PIPELINE_VERSION,
            per_class=bool(self.of_classes) and len(self.classes) == 1,
            of_classes=list(self.of_classes),
            of_hash=self.of_hash,
            train_hash=self.train_hash,
            test_without_mask=sum(not sample.has_truth for sample in self.test),
            drawn_test_share=self.drawn,
            calibration_normal=len(self.calibration),
            gray_bits=self.train[0].bits if self.train else None,
            notes=list(self.notes),
            score_size=None if score_size == image_size else score_size,
            tiles=None if tiling is None else [tiling.size, tiling.overlap],
        )
