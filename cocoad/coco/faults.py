"""What can be wrong with a COCO: the catalogue of stable codes, each taken, repairable or fatal."""

from __future__ import annotations

from cocoad.base import findings as base
from cocoad.base.errors import InputError
from cocoad.base.findings import Finding, Rule

SHOWN_IDS = 5
MEND = "mend the file, or get annotations_trainval2017.zip again"
PARTITION = (
    "for COCO-AD give COCO's instances files; for a benchmark of your own categories `--partition FILE`"
)
RULES = (
    Rule("file-broken", "fatal", "an annotation file cannot be read", "unpack or download it again"),
    Rule(
        "file-other",
        "fatal",
        "an annotation file is not COCO instances",
        "give --train-annotations, --val-annotations",
    ),
    Rule("field-wrong", "fatal", "a field is missing, or not what it must be", MEND),
    Rule(
        "numbers-as-floats",
        "taken",
        "whole numbers are written as floats, or flags as booleans",
        "none is needed: taken as the numbers that they are",
    ),
    Rule("category-twice", "fatal", "a category id occurs more than once", MEND),
    Rule("category-foreign", "fatal", "categories are not COCO's 80", PARTITION),
    Rule(
        "categories-by-name",
        "taken",
        "COCO's 80 categories have other ids",
        "none is needed: they are known by their names",
    ),
    Rule("image-twice", "fatal", "an image id occurs more than once", MEND),
    Rule("image-empty", "fatal", "an image has no pixels", MEND),
    Rule("image-too-large", "fatal", "an image has more pixels than are taken", "cut it into smaller ones"),
    Rule("name-unsafe", "fatal", "a file_name leaves the image folder", MEND),
    Rule(
        "names-with-folder",
        "taken",
        "file names have their folder in them, backslashes, or ./",
        "none is needed: the name alone is used",
    ),
    Rule("file-shared", "taken", "images share their file with another one", "none is needed"),
    Rule(
        "file-two-labels",
        "fatal",
        "a file has two image ids, which show different categories",
        "keep one of the two, with all annotations",
    ),
    Rule("annotation-twice", "fatal", "an annotation id occurs more than once", MEND),
    Rule("image-unknown", "fatal", "an annotation is of an image that the file does not list", MEND),
    Rule("category-unknown", "fatal", "an annotation is of a category that the file does not list", MEND),
    Rule("outline-wrong", "fatal", "an outline cannot be drawn", MEND),
    Rule(
        "outlines-normalised",
        "fatal",
        "outlines are in 0 … 1 instead of pixels",
        "multiply x by the image's width and y by its height",
    ),
    Rule(
        "outline-odd",
        "taken",
        "outlines are unusual",
        "none is needed: drawn as the official generator draws them",
    ),
    Rule(
        "area-far",
        "taken",
        "an outline covers another area than the file says",
        "look at `cocoad show`; drawn as it is",
    ),
    Rule(
        "id-in-both",
        "taken",
        "an image id is in train and in val",
        "none is needed where they are two images",
    ),
    Rule(
        "images-missing",
        "repairable",
        "images are missing",
        "give --train-images, --val-images, get them from https://cocodataset.org/#download, or --allow-missing-images",
    ),
    Rule(
        "image-unreadable",
        "repairable",
        "an image's header cannot be read",
        "download or copy that image again",
    ),
    Rule(
        "image-cut-off",
        "repairable",
        "an image is cut off: its end is missing, or zeros",
        "download or copy that image again",
    ),
    Rule("image-damaged", "repairable", "an image cannot be decoded", "download or copy that image again"),
    Rule(
        "sides-swapped",
        "repairable",
        "width and height are swapped in the annotations",
        "swap them in the file (photos turned by EXIF: turn the pixels)",
    ),
    Rule(
        "image-size",
        "repairable",
        "an image is not of the size in the annotations",
        "download or copy that image again",
    ),
    Rule(
        "train-in-test",
        "fatal",
        "the same image, byte for byte, is in train and in val",
        "take it out of the train file",
    ),
    Rule(
        "image-duplicate",
        "taken",
        "the same image, byte for byte, is there more than once",
        "none is needed; it counts as often",
    ),
    Rule(
        "litter",
        "taken",
        "files of operating systems and notebooks lie among the images",
        "none is needed: they are ignored",
    ),
)
CATALOGUE = {rule.code: rule for rule in RULES}


class Faults(base.Findings):
    """What is wrong with a COCO."""

    def __init__(self) -> None:
        super().__init__(CATALOGUE)

    def refuse(self) -> None:
        """Raise InputError with every fatal fault in one line, if there are any."""
        fatal = self.of_severity("fatal")
        if len(fatal) == 1:
            raise InputError(_line(fatal[0]))
        if fatal:
            lines = "; ".join(map(_line, fatal))
            raise InputError(
                f"{len(fatal)} kinds of faults, which `cocoad check` lists with all ids: {lines}"
            )

    def notes(self) -> list[str]:
        """Return what was unusual but taken, in words."""
        return [f.detail for f in self.of_severity("taken") if f.detail]


def add_normalised(where: str, ids: list[int], polygons: int, faults: Faults) -> bool:
    """Note outlines in 0 … 1, if most are; a few may be specks in a corner. Say whether they were noted."""
    if 2 * len(ids) <= polygons:
        return False
    detail = (
        f"{len(ids):,} of {polygons:,} outlines lie within 0 … 1, as shares of the image instead of pixels"
    )
    faults.add_all("outlines-normalised", where, sorted(set(ids)), detail)
    return True


def _line(finding: Finding) -> str:
    line = f"{finding.where}: {finding.detail}"
    if len(finding.ids) < 2:
        return line
    shown = ", ".join(map(str, finding.ids[:SHOWN_IDS])) + (", …" if len(finding.ids) > SHOWN_IDS else "")
    return f"{line} ({len(finding.ids):,} of the kind: {shown})"
