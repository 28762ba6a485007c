"""The partition's data, and who belongs to which part of a split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cocoad.coco.annotations import read_annotations
from cocoad.coco.partition import SPLITS, categories, partition
from cocoad.dataset.manifest import BuildOptions
from cocoad.dataset.membership import membership


def test_splits_hold_out_twenty_categories_each_in_the_order_of_their_ids() -> None:
    ordered = [category.id for category in categories()]
    assert len(ordered) == 80
    for split in SPLITS:
        assert [category.id for category in partition(split).held_out] == ordered[
            20 * split : 20 * split + 20
        ]
        assert {category.id for category in partition(split).normal} == set(ordered) - {
            category.id for category in partition(split).held_out
        }
    ends = [(partition(split).held_out[0].name, partition(split).held_out[-1].name) for split in SPLITS]
    assert ends == [
        ("person", "cow"), ("elephant", "bottle"), ("wine glass", "bed"), ("dining table", "toothbrush")
    ]  # fmt: skip


def test_official_counts_are_the_published_ones() -> None:
    found = [
        (split, p.official.train_normal, p.official.test_normal, p.official.test_anomalous, p.confirmed)
        for split in SPLITS
        for p in [partition(split)]
    ]
    assert found == [
        (0, 30438, 1291, 3661, True),
        (1, 65133, 2785, 2167, True),
        (2, 79083, 3328, 1624, False),
        (3, 77580, 3253, 1699, True),
    ]
    assert {normal + anomalous for _, _, normal, anomalous, _ in found} == {4952}


def test_categories_are_those_of_coco(shared: Path) -> None:
    path = shared / "data" / "coco-mini" / "annotations" / "instances_val2017.json"
    listed = json.loads(path.read_text())["categories"]
    assert [(c["id"], c["name"]) for c in listed] == [(c.id, c.name) for c in categories()]


@pytest.mark.parametrize(
    ("options", "member", "anomalous"),
    [
        (BuildOptions(), [1, 1, 1, 0], [0, 0, 1, 0]),
        (BuildOptions(unannotated="normal"), [1, 1, 1, 1], [0, 0, 1, 0]),
        (BuildOptions(crowd="exclude"), [1, 1, 0, 0], [0, 0, 0, 0]),
        (BuildOptions(crowd="exclude", unannotated="normal"), [1, 1, 1, 1], [0, 0, 0, 0]),
    ],
)
def test_options_say_whether_crowds_count_and_what_unannotated_images_are(
    tiny_coco: Any, options: BuildOptions, member: list[int], anomalous: list[int]
) -> None:
    val = read_annotations(tiny_coco.path("val"), segmentations=False)
    found = membership(
        val, partition(1).held_out, options
    )  # image 103 shows a crowd of elephants and nothing else
    assert found.member.tolist() == [bool(m) for m in member]
    assert found.anomalous.tolist() == [bool(a) for a in anomalous]
    assert val.annotation_rows[found.held_out].tolist() == ([2] if any(anomalous) else [])
