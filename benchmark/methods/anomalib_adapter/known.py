"""What is known of anomalib's models without importing anomalib: names, papers, needs, and why some cannot work."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

from benchmark.config import Recipe
from benchmark.facts import Facts
from cocoad.base.errors import InputError

PREFIX = "anomalib:"  # and the name of one of the models
EPOCHS = 100  # as the bench trains methods, where anomalib states no number


class Known(NamedTuple):
    """A model.

    Attributes:
        source: paper, venue and year.
        backbone: anomalib's own; None: there is none to choose.
        backbone_option: the constructor's name for it.
        epochs: of the preset.
        fixed: it takes ``epochs``, whatever a recipe says: it only collects features.
        batch_size: of the preset.
        needs: what it needs beside a backbone's weights.
        refused: why it cannot work here.
        differs: how far anomalib's (2.7) is from its paper, where that is known.
    """

    source: str
    backbone: str | None = None
    backbone_option: str = "backbone"
    epochs: int = EPOCHS
    fixed: bool = False
    batch_size: int = 32
    needs: str = ""
    refused: str = ""
    differs: str = ""


def _one_pass(
    source: str, backbone: str, option: str = "backbone", epochs: int = 1, differs: str = ""
) -> Known:
    return Known(source, backbone, option, epochs, fixed=True, differs=differs)


NO_MAPS = "it scores whole images and gives no anomaly maps"
VIDEO = "it takes video clips, the datasets are of single images"
DINOMALY = "vit_base_patch14_reg4_dinov2"
WIDE = "wide_resnet50_2"

MODELS: dict[str, Known] = {
    "AiVad": Known("Reiss & Hoshen, AI-VAD, 2022", refused=VIDEO),
    "AnomalyDINO": _one_pass(
        "Damm et al., AnomalyDINO, WACV 2025",
        "vit_small_patch14_dinov2",
        "encoder_name",
        differs="its memory bank is float32, and one product compares it with all patches of a batch: 4 times the "
        "memory of `anomalydino` and more",
    ),
    "AnomalyVFM": Known(
        "AnomalyVFM, CVPR 2026",
        refused="it is zero-shot: it learns nothing from normal images, and its weights are one download",
    ),
    "CFM": Known(
        "Costanzino et al., Crossmodal Feature Mapping, CVPR 2024",
        refused="it takes a point cloud with each image",
    ),
    "Cfa": Known("Lee et al., CFA, IEEE Access 2022", WIDE),
    "Cflow": Known(
        "Gudovskiy et al., CFLOW-AD, WACV 2022",
        WIDE,
        differs="likelihoods are normalised by the highest of the batch, so that maps depend on the images beside; "
        "64 feature vectors a step instead of 256, rate 1e-4 instead of 2e-4",
    ),
    "Csflow": Known("Rudolph et al., Fully Convolutional Cross-Scale-Flows, WACV 2022"),
    "Dfkde": Known("Deep feature kernel density estimation, of anomalib", refused=NO_MAPS),
    "Dfm": _one_pass("Ahuja et al., Probabilistic Modeling of Deep Features, 2019", "resnet50"),
    "Dinomaly": Known(
        "Guo et al., Dinomaly, CVPR 2025",
        DINOMALY,
        "encoder_name",
        differs="the MLPs of bottleneck and decoder have no biases; the map is the one before it is resized and "
        "blurred, only the score sees that; use_context_recentering is not Dinomaly2's",
    ),
    "Draem": Known(
        "Zavrtanik et al., DRAEM, ICCV 2021",
        needs="textures: --set options.dtd_dir=FOLDER; --weights imagenet downloads DTD",
    ),
    "Dsr": Known(
        "Zavrtanik et al., DSR, ECCV 2022",
        needs="a pretrained codebook: --weights FILE; --weights imagenet downloads anomalib's",
    ),
    "EfficientAd": Known(
        "Batzner et al., EfficientAD, WACV 2024",
        batch_size=1,
        needs="a pretrained teacher (--weights FILE) and natural images in subfolders "
        "(--set options.imagenet_dir=FOLDER); --weights imagenet downloads both",
    ),
    "Fastflow": Known("Yu et al., FastFlow, 2021", "resnet18"),
    "FoundAD": Known("Zhai et al., FoundAD, ICLR 2026", "dinov2_vit_base_14", "encoder_name"),
    "Fre": Known("Ndiour et al., FRE, BMVC 2023", "resnet50"),
    "Fuvas": Known("FUVAS, ICASSP 2025", refused=VIDEO),
    "Ganomaly": Known("Akcay et al., GANomaly, ACCV 2018", refused=NO_MAPS),
    "GeneralAD": Known(
        "Sträter et al., GeneralAD, ECCV 2024", "vit_large_patch14_dinov2.lvd142m", epochs=160
    ),
    "Glass": Known("Chen et al., GLASS, ECCV 2024", WIDE),
    "InpFormer": Known(
        "Luo et al., INP-Former, CVPR 2025",
        DINOMALY,
        "encoder_name",
        epochs=200,
        differs="the map is blurred and scored at the input's size, not at 256 pixels",
    ),
    "L2BT": Known("Costanzino et al., L2BT, IEEE Access 2025"),
    "MHPatchcore": _one_pass(
        "Ferrari et al., Mahalanobis PatchCore, arXiv:2605.27748", "wide_resnet50_2.tv2_in1k", epochs=3
    ),
    "Padim": _one_pass("Defard et al., PaDiM, ICPR Workshops 2021", "resnet18"),
    "Patchcore": _one_pass("Roth et al., PatchCore, CVPR 2022", WIDE),
    "Patchflow": Known("PatchFlow, arXiv:2602.05238", "tf_efficientnet_b5"),
    "Rad": _one_pass("RAD, arXiv:2601.22763", "vit_base_patch16_dinov3"),
    "ReverseDistillation": Known("Deng & Li, Reverse Distillation, CVPR 2022", WIDE),
    "Stfpm": Known("Wang et al., STFPM, BMVC 2021", "resnet18"),
    "SuperADD": _one_pass("SuperADD, arXiv:2605.14808", "vit_huge_plus_patch16_dinov3"),
    "Supersimplenet": Known("Rolih et al., SuperSimpleNet, ICPR 2024", "wide_resnet50_2.tv_in1k"),
    "Uflow": Known("Tailanian et al., U-Flow, JMIV 2024", "mcait"),
    "UniNet": Known("Wei et al., UniNet, CVPR 2025", WIDE, "teacher_backbone"),
    "VlmAd": Known(
        "Vision language models, of anomalib",
        refused="it asks a language model about each image, and gives no anomaly maps",
    ),
    "WinClip": Known(
        "Jeong et al., WinCLIP, CVPR 2023",
        refused="it writes text prompts from the name of the one object that all images show",
    ),
}


def canonical(name: str) -> str:
    """Return a model's name as anomalib spells it, from any mixture of cases.

    Raises:
        InputError: there is no such model; the error lists those there are.
    """
    spelled = {known.casefold(): known for known in MODELS}
    if name.casefold() not in spelled:
        names = ", ".join(known for known, about in MODELS.items() if not about.refused)
        raise InputError(f"no model {name!r} of anomalib: there are {names}")
    return spelled[name.casefold()]


def facts_of(name: str) -> Facts:
    """Return what the model ``name``, in any mixture of cases, is as a method of this bench.

    Raises:
        InputError: there is no such model, it cannot work here (the error says why), or anomalib is missing.
    """
    name = canonical(name)
    known = MODELS[name]
    if known.refused:
        raise InputError(f"{PREFIX}{name} cannot work here: {known.refused}")
    if find_spec("anomalib") is None:
        raise InputError(
            f"{PREFIX}{name} needs an extra: pip install '.[anomalib]' in a clone of the repository"
        )
    recipe = Recipe(epochs=known.epochs, batch_size=known.batch_size, drop_last=False)
    fixed = known.epochs if known.fixed else None
    return Facts(known.source, {"paper": recipe}, known.backbone, training="own", fixed_epochs=fixed)


def installed() -> str | None:
    """Return the version of anomalib that is installed, None if none is."""
    try:
        return version("anomalib")
    except PackageNotFoundError:
        return None
