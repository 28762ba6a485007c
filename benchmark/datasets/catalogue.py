"""The datasets of the field that are read as their downloads unpack: where to get them, and on what terms."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class KnownDataset(NamedTuple):
    """A dataset."""

    name: str
    layout: str  # of `bench dataset --layout`
    classes: int
    unpacked: str  # what to give as --dataset
    url: str
    licence: str
    citation: str


MVTEC = "https://www.mvtec.com/company/research/datasets"
CATALOGUE = (
    KnownDataset(
        "COCO-AD", "built", 1, "what `cocoad build` makes of COCO 2017", "https://cocodataset.org",
        "annotations CC BY 4.0; the images' own",
        "Zhang et al., Learning Feature Inversion for Multi-class Anomaly Detection under General-purpose COCO-AD "
        "Benchmark, arXiv:2404.10760, 2024; Lin et al., Microsoft COCO, ECCV 2014",
    ),
    KnownDataset(
        "MVTec AD", "folder", 15, "the folder of bottle/ … zipper/", f"{MVTEC}/mvtec-ad", "CC BY-NC-SA 4.0",
        "Bergmann et al., MVTec AD, CVPR 2019",
    ),
    KnownDataset(
        "VisA", "visa", 12, "the folder of candle/ … and split_csv/", "https://github.com/amazon-science/spot-diff",
        "CC BY 4.0", "Zou et al., SPot-the-Difference Self-Supervised Pre-training for Anomaly Detection and "
        "Segmentation, ECCV 2022",
    ),
    KnownDataset(
        "MVTec 3D-AD", "mvtec-3d", 10, "the folder of bagel/ … tire/", f"{MVTEC}/mvtec-3d-ad", "CC BY-NC-SA 4.0",
        "Bergmann et al., The MVTec 3D-AD Dataset for Unsupervised 3D Anomaly Detection and Localization, "
        "VISAPP 2022",
    ),
    KnownDataset(
        "Real-IAD", "real-iad", 30, "the folder of realiad_256/ and realiad_jsons/; --layout real-iad-sv: one view",
        "https://realiad4ad.github.io/Real-IAD/", "CC BY-NC-SA 4.0", "Wang et al., Real-IAD, CVPR 2024",
    ),
    KnownDataset(
        "Real-IAD Variety", "real-iad", 160, "the folder of realiadvariety_raw/ and realiadvariety_jsons/",
        "https://huggingface.co/datasets/Real-IAD/Real-IAD_Variety", "as its page says", "Real-IAD Variety, 2025",
    ),
    KnownDataset(
        "Uni-Medical", "uni-medical", 3, "the folder of brain/, liver/, retinal/",
        "https://github.com/DorisBao/BMAD", "those of BMAD's sources",
        "Zhang et al., Exploring Plain ViT Reconstruction for Multi-class Unsupervised Anomaly Detection, 2023; Bao "
        "et al., BMAD, CVPR Workshops 2024",
    ),
    KnownDataset(
        "MVTec LOCO AD", "folder", 5, "the folder of breakfast_box/ … splicing_connectors/", f"{MVTEC}/mvtec-loco",
        "CC BY-NC-SA 4.0", "Bergmann et al., Beyond Dents and Scratches: Logical Constraints in Unsupervised Anomaly "
        "Detection and Localization, IJCV 2022",
    ),
    KnownDataset(
        "MVTec AD 2", "folder", 8, "the folder of can/ … walnuts/: its public test set", f"{MVTEC}/mvtec-ad-2",
        "CC BY-NC-SA 4.0", "Heckler-Kram et al., The MVTec AD 2 Dataset, arXiv:2503.21622, 2025",
    ),
    KnownDataset(
        "BTAD", "folder", 3, "BTech_Dataset_transformed/", "https://github.com/pankajmishra000/VT-ADL",
        "CC BY-NC-SA 4.0", "Mishra et al., VT-ADL: A Vision Transformer Network for Image Anomaly Detection and "
        "Localization, ISIE 2021",
    ),
    KnownDataset(
        "MPDD", "folder", 6, "the folder of bracket_black/ … tubes/", "https://github.com/stepanje/MPDD",
        "CC BY-NC-SA 4.0", "Jezek et al., Deep learning-based defect detection of metal parts, ICUMT 2021",
    ),
)  # fmt: skip
COCO_AD, MVTEC_AD = "COCO-AD", "MVTec AD"
_BY_LAYOUT = {"built": COCO_AD, "official": COCO_AD, "mvtec-3d": "MVTec 3D-AD", "uni-medical": "Uni-Medical"}
_MVTEC_AD_CLASSES = frozenset(
    (
        "bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw", "tile",
        "toothbrush", "transistor", "wood", "zipper",
    )
)  # fmt: skip


def name_of(layout: str, classes: Collection[str]) -> str | None:
    """Return the name of the dataset that a layout and its classes tell; None: one of one's own, as far as they say.

    >>> name_of("folder", ["bottle", "screw"]), name_of("folder", ["tiles"])
    ('MVTec AD', None)
    """
    if layout == "folder" and classes and set(classes) <= _MVTEC_AD_CLASSES:
        return MVTEC_AD
    return _BY_LAYOUT.get(layout)
