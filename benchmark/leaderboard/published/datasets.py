"""What published rows are about: each dataset's classes and numbers of images, to tell it from its namesakes.

Counts are those of the datasets' papers: Bergmann et al., IJCV 2021 (MVTec AD); Zou et al., ECCV 2022 (VisA, the
one-class split); Bergmann et al., VISAPP 2022 (MVTec 3D-AD); Wang et al., CVPR 2024 (Real-IAD, all views); Zhang et
al., 2024 (COCO-AD; and Uni-Medical as it is used there).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cocoad.coco.partition import SPLITS, partition

COCO_AD = "coco-ad"


@dataclass(frozen=True)
class PublishedDataset:
    """A dataset that published rows are about.

    ``train_normal`` lists the numbers that are used: some count the validation images of MVTec 3D-AD in.
    """

    key: str
    name: str
    classes: tuple[str, ...]
    train_normal: tuple[int, ...] = ()
    test_normal: int = 0
    test_anomalous: int = 0

    def counts(self, split: str) -> dict[str, int]:
        """Return the tidy table's numbers of images; empty for a mean over splits."""
        if self.key == COCO_AD:
            if split not in map(str, SPLITS):
                return {}
            official = partition(int(split)).official
            return {
                "train_normal": official.train_normal,
                "test_normal": official.test_normal,
                "test_anomalous": official.test_anomalous,
            }
        return {
            "train_normal": self.train_normal[0],
            "test_normal": self.test_normal,
            "test_anomalous": self.test_anomalous,
        }

    def differs(self, classes: Collection[str], counts: tuple[int, int, int], split: str) -> str:
        """Return why runs are not on this dataset, or nothing.

        ``counts`` are normal images to train on, normal and anomalous ones to score.
        """
        own = self.counts(split)
        if not own:
            return f"{self.name} has no split {split or '(none)'}"
        if self.key != COCO_AD and set(classes) != set(self.classes):
            return f"they are about the {len(self.classes)} classes of {self.name}, these runs about {_few(classes)}"
        train = self.train_normal or (own["train_normal"],)
        if counts[0] not in train or counts[1:] != (own["test_normal"], own["test_anomalous"]):
            return (
                f"these test sets have not the official numbers of images: {_counts(counts)} instead of "
                f"{_counts((train[0], own['test_normal'], own['test_anomalous']))}"
            )
        return ""


def _few(classes: Collection[str]) -> str:
    named = sorted(classes)
    return ", ".join(named[:3]) + (f" … ({len(named)})" if len(named) > 3 else "")


def _counts(counts: tuple[int, int, int]) -> str:
    return f"{counts[0]:,} train, {counts[1]:,} + {counts[2]:,} test"


ABOUT = {
    dataset.key: dataset
    for dataset in (
        PublishedDataset(COCO_AD, "COCO-AD", ()),
        PublishedDataset(
            "mvtec_ad", "MVTec AD",
            ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw",
             "tile", "toothbrush", "transistor", "wood", "zipper"),
            (3629,), 467, 1258,
        ),
        PublishedDataset(
            "visa", "VisA",
            ("candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2", "pcb1", "pcb2", "pcb3",
             "pcb4", "pipe_fryum"),
            (8659,), 962, 1200,
        ),
        PublishedDataset(
            "mvtec_3d_ad_rgb", "MVTec 3D-AD (colour images)",
            ("bagel", "cable_gland", "carrot", "cookie", "dowel", "foam", "peach", "potato", "rope", "tire"),
            (2656, 2950), 249, 948,
        ),
        PublishedDataset(
            "real_iad", "Real-IAD",
            ("audiojack", "bottle_cap", "button_battery", "end_cap", "eraser", "fire_hood", "mint", "mounts", "pcb",
             "phone_battery", "plastic_nut", "plastic_plug", "porcelain_doll", "regulator", "rolled_strip_base",
             "sim_card_set", "switch", "tape", "terminalblock", "toothbrush", "toy", "toy_brick", "transistor1",
             "u_block", "usb", "usb_adaptor", "vcpill", "wooden_beads", "woodstick", "zipper"),
            (36465,), 63256, 51329,
        ),
        PublishedDataset("uni_medical", "Uni-Medical", ("brain", "liver", "retinal"), (13339,), 2514, 4499),
    )
}  # fmt: skip


def of_published(key: str) -> PublishedDataset | None:
    """Return what rows published under a dataset's key are about; None where it is not declared."""
    return ABOUT.get(key)


def named_like(name: str) -> PublishedDataset | None:
    """Return the published dataset that a folder's name suggests, by which nothing is decided."""
    plain = _plain(name)
    return next((about for key, about in ABOUT.items() if _plain(key) == plain), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
