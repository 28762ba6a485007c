"""Where numbers come from: levels of trust, and what an encoder has seen before its method was trained."""

from __future__ import annotations

from typing import Any

from benchmark.runs.record import Record

TRUST = {
    "reported": "printed somewhere: there is a source, nothing that could be scored again",
    "rescored": "the numbers follow from anomaly maps that were scored here; who made the maps, and how, is their word",
    "reproduced": "rescored, and somebody else ran the method and got the same maps",
    "native": "run by `bench run`: configuration, versions and commit are in the record",
}
"""Levels of trust from the lowest on. A record's hash finds accidents and naive edits; anybody can compute it anew."""

SUBMISSION = "submission"  # where a record's configuration says what submission it is of
EXTERNAL = "external"  # the weights of a method that did not run here

# Marks in the names of timm's weights, the most telling first.
_PRETRAINING = (
    ("lvd142m", "LVD-142M, no labels"),
    ("lvd1689m", "LVD-1689M, no labels"),
    ("sat493m", "SAT-493M, no labels"),
    ("dinov3", "LVD-1689M, no labels"),
    ("dinov2", "LVD-142M, no labels"),
    (".dino", "ImageNet-1k, no labels"),
    ("mae", "ImageNet-1k, no labels"),
    ("openai", "WIT-400M captions (CLIP)"),
    ("laion", "LAION captions (CLIP)"),
    ("webli", "WebLI captions"),
    ("dfn", "DFN captions (CLIP)"),
    ("fb_wsl", "Instagram hashtags"),
    ("ig1b", "Instagram hashtags"),
    ("in21k", "ImageNet-21k labels"),
    ("in22k", "ImageNet-21k labels"),
    ("in12k", "ImageNet-12k labels"),
    ("in1k", "ImageNet-1k labels"),
)
_KNOWN = {  # backbones that are named without a mark
    "resnet18": "ImageNet-1k labels",
    "resnet34": "ImageNet-1k labels",
    "resnet50": "ImageNet-1k labels",
    "wide_resnet50_2": "ImageNet-1k labels",
    "tf_efficientnet_lite0": "ImageNet-1k labels",
    "tf_efficientnet_b5": "ImageNet-1k labels",
}


def pretraining(backbone: str | None, weights: str) -> str:
    """Return the data that an encoder was trained on before, as far as names tell it; empty: unknown.

    It matters on COCO-AD: a frozen encoder may have seen, and been told of, the very things that are held out.

    >>> pretraining("vit_base_patch14_reg4_dinov2.lvd142m", "imagenet"), pretraining("resnet34", "random")
    ('LVD-142M, no labels', 'none')
    """
    if weights == EXTERNAL:
        return ""
    if not backbone or weights == "random":
        return "none"
    if weights not in ("imagenet", "offline"):  # a file: what it holds is known by its own name alone
        backbone = weights.split(" sha256:")[0]
    found = next((data for mark, data in _PRETRAINING if mark in backbone.lower()), "")
    return found or _KNOWN.get(backbone.rpartition("/")[2].partition(".")[0], "")


def pretraining_of(record: Record) -> str:
    """Return what a record's encoder was trained on before: what its submitter says, else as far as names tell."""
    given = _submission(record).get("pretraining")
    return given if isinstance(given, str) else pretraining(record.method.backbone, record.method.weights)


def trust(record: Record) -> str:
    """Return how far a record's numbers can be relied on: a key of :data:`TRUST`.

    A verified submission's record says it; one that was scored here from maps is rescored, any other run native.
    """
    given = _submission(record).get("trust")
    if given in TRUST:
        return str(given)
    return "rescored" if record.method.weights == EXTERNAL else "native"


def _submission(record: Record) -> dict[str, Any]:
    """Return what `bench site` wrote down of the submission that a record was made of."""
    found = record.config.get(SUBMISSION)
    return found if isinstance(found, dict) else {}
