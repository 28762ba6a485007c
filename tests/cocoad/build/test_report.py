"""What a build says of its counts and options beside the official ones."""

from __future__ import annotations

from cocoad.build.report import SplitReport, official_warnings
from cocoad.coco.partition import Counts
from cocoad.dataset.manifest import BuildOptions


def test_counts_of_whole_coco_that_differ_are_warned_of_by_what_is_known() -> None:
    official = Counts(79083, 3328, 1624)
    shifted = {"2": SplitReport(Counts(79083, 3327, 1625), official, False)}
    wrong = {"2": SplitReport(Counts(79000, 3328, 1624), official, False)}
    whole = (118_287, 5_000)
    assert "please report this" in official_warnings(shifted, BuildOptions(), whole)[0]
    assert "split 2 differs from the official counts" in official_warnings(wrong, BuildOptions(), whole)[0]
    assert "the options change" in official_warnings(wrong, BuildOptions(crowd="exclude"), whole)[0]
    assert "not the whole COCO" in official_warnings(wrong, BuildOptions(), (80, 79))[0]


def test_other_options_are_warned_of_whatever_the_counts() -> None:
    official, whole = Counts(79083, 3328, 1624), (118_287, 5_000)
    equal = {"2": SplitReport(official, official, True)}
    other = BuildOptions(rasterizer="coco"), BuildOptions(unannotated="normal"), BuildOptions(crowd="exclude")
    for options in other:
        (warning,) = official_warnings(equal, options, whole)
        assert "scores on this dataset are not COCO-AD's" in warning
        assert (
            len(official_warnings({"2": SplitReport(Counts(1, 1, 1), official, False)}, options, (9, 9))) == 2
        )
    assert official_warnings(equal, BuildOptions(allow_missing_images=True), whole) == []
