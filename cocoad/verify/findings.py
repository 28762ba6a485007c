"""What can be wrong with a dataset: the catalogue of stable codes, and the findings that use them."""

from __future__ import annotations

from dataclasses import replace

from cocoad.base import findings as base
from cocoad.base.findings import Finding, Rule

__all__ = ["CATALOGUE", "Finding", "Findings", "Rule"]

REBUILD = "build the dataset again: `cocoad build --coco-root DIR --overwrite`"
MAKE_AGAIN = (
    "make it again by the tool that made it, or by `cocoad build` and `cocoad export --layout official`"
)
RULES = (
    Rule("schema", "error", "a JSON file does not meet its schema", REBUILD),
    Rule("split-missing", "error", "a split's file is not there", REBUILD),
    Rule(
        "split-changed",
        "error",
        "a split's file is not the one that was built (its SHA-256 differs)",
        REBUILD,
    ),
    Rule(
        "counts-wrong",
        "error",
        "the recorded counts, or `equals_official`, are not those of the split's samples",
        REBUILD,
    ),
    Rule(
        "partition-wrong",
        "error",
        "the held-out categories are not those of this split of COCO-AD, or of the partition",
        REBUILD,
    ),
    Rule(
        "split-unlisted",
        "error",
        "a split's file or masks are there, but the dataset does not list it",
        "build or export the dataset again, or delete what is left of that split",
    ),
    Rule(
        "splits-absent",
        "warning",
        "the official layout has fewer than COCO-AD's four splits (an error with --official)",
        "none is needed if it was built with --split; else export it again",
    ),
    Rule("sample-order", "error", "the samples of a split do not ascend by image id", REBUILD),
    Rule(
        "id-two-images", "error", "an image id is of different files, or sizes, in different splits", REBUILD
    ),
    Rule(
        "image-misplaced",
        "error",
        "an image's path is not in its part's folder, or not in its plain form",
        REBUILD,
    ),
    Rule("sample-duplicate", "error", "an image is listed more than once in a split", REBUILD),
    Rule(
        "train-in-test",
        "error",
        "an image is both trained on and tested on (by its path, or byte for byte)",
        "take it out of the train file, and build again",
    ),
    Rule(
        "id-in-both",
        "warning",
        "an image id is both trained on and tested on, of two files",
        "none is needed where they are two images",
    ),
    Rule(
        "file-two-labels",
        "error",
        "one file is tested on as normal and as anomalous",
        "keep one of its two ids in the annotations, and build again",
    ),
    Rule("train-anomalous", "error", "an anomalous image is among the training images", REBUILD),
    Rule("test-sets-differ", "error", "the splits do not test on the same images", REBUILD),
    Rule("never-held-out", "error", "an annotated image is normal in all four splits", REBUILD),
    Rule("label-contradicts", "error", "label, mask and held-out categories do not agree", REBUILD),
    Rule(
        "split-empty",
        "error",
        "a split has nothing to train on, or no anomaly to find",
        "build from the whole of COCO 2017, or from a larger sample",
    ),
    Rule("path-unsafe", "error", "a path is absolute or leaves its root", REBUILD),
    Rule(
        "image-missing",
        "error",
        "an image is not under the COCO root",
        "download it again, or check --coco-root",
    ),
    Rule("image-unreadable", "error", "an image's header cannot be read", "download that image again"),
    Rule(
        "image-cut-off",
        "error",
        "an image is cut off: its end is missing, or zeros",
        "download or copy that image again",
    ),
    Rule(
        "sides-swapped",
        "error",
        "width and height are swapped in the annotations",
        "swap them in the annotation file (photos turned by EXIF: turn the pixels), and build again",
    ),
    Rule(
        "image-size", "error", "an image is not of the size in the annotations", "download that image again"
    ),
    Rule(
        "image-changed",
        "error",
        "an image is not the one that the dataset was built from (its SHA-256 differs)",
        "download that image again; if it is meant to differ, build the dataset again",
    ),
    Rule(
        "image-unhashed", "error", "some images have a SHA-256 in the dataset, and this one has none", REBUILD
    ),
    Rule("mask-misplaced", "error", "a mask is not the file of its own split and image", REBUILD),
    Rule("mask-missing", "error", "a mask is not there", REBUILD),
    Rule("mask-unreadable", "error", "a mask is no readable PNG", REBUILD),
    Rule(
        "mask-not-bilevel",
        "error",
        "a mask has values other than 0 and 255, or is not gray of 1 or 8 bits",
        REBUILD,
    ),
    Rule("mask-size", "error", "a mask is not of its image's size", REBUILD),
    Rule("mask-empty", "error", "a mask has no anomalous pixel", REBUILD),
    Rule(
        "mask-blank",
        "warning",
        "a mask has no anomalous pixel, and was built so",
        "none is needed: the image counts as anomalous all the same; or mend its annotations and build again",
    ),
    Rule("mask-area", "error", "a mask's anomalous pixels are not as many as recorded", REBUILD),
    Rule("mask-changed", "error", "a mask is not the one that was built (its digest differs)", REBUILD),
    Rule("stray-file", "warning", "a file does not belong to the dataset", "delete it, or move it elsewhere"),
    Rule(
        "images-unchecked", "warning", "the images were not checked", "give --coco-root DIR or set $COCO_ROOT"
    ),
    Rule(
        "image-absent", "warning", "an image is missing, as the build allowed", "download COCO's images again"
    ),
    Rule(
        "input-unchecked",
        "warning",
        "an annotation file is not there to compare",
        "put it back under the COCO root",
    ),
    Rule("input-changed", "error", "an annotation file is not the one that was built from", REBUILD),
    Rule(
        "deep-sample-missing",
        "error",
        "an image that the annotations put in this split is not in it",
        REBUILD,
    ),
    Rule("deep-sample-extra", "error", "an image is in this split against the annotations", REBUILD),
    Rule(
        "deep-image",
        "error",
        "a sample's image or its size is not what the annotations give for its id",
        REBUILD,
    ),
    Rule("deep-label", "error", "a label is not what the annotations give", REBUILD),
    Rule("deep-categories", "error", "the held-out categories are not what the annotations give", REBUILD),
    Rule("deep-mask", "error", "a mask is not what the annotations give", REBUILD),
    Rule(
        "deep-mask-border",
        "warning",
        "a mask differs from the annotations in a few pixels of its border, as OpenCV before 4.11 draws them",
        "rebuild with `cocoad build` for the same pixels as everybody; scores hardly depend on it",
    ),
    Rule(
        "deep-undrawable",
        "error",
        "an annotation cannot be drawn, so that a mask could not be compared",
        "unpack or download the annotation file again",
    ),
    Rule(
        "counts-not-official",
        "error",
        "the counts are not COCO-AD's official ones",
        "build from the whole of COCO 2017 with default options",
    ),
    Rule(
        "options-not-official",
        "error",
        "the dataset was built with options that are not COCO-AD's",
        "build from the whole of COCO 2017 with default options",
    ),
    Rule(
        "counts-unconfirmed",
        "warning",
        "the test counts of split 2 are not the paper's, which the public logs do not confirm",
        "please report it with the `cocoad verify --json` output",
    ),
)
CATALOGUE = {rule.code: rule for rule in RULES}


OTHERS = {  # remedies for a dataset that another tool may have made
    rule.code: replace(rule, remedy=MAKE_AGAIN) if rule.remedy == REBUILD else rule for rule in RULES
}


class Findings(base.Findings):
    """What is wrong with a dataset."""

    def __init__(self, built: bool = True) -> None:
        super().__init__(CATALOGUE if built else OTHERS)

    def __repr__(self) -> str:
        return f"Findings({self.errors} errors, {len(self) - self.errors} warnings)"

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return len(self.of_severity("error"))
