"""The declaration of columns against the metrics, the record, and the page that documents them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import msgspec

from benchmark.metrics import AGGREGATES, METRICS
from benchmark.metrics.protocols import THRESHOLDS_ON_NORMALISED_MAPS
from benchmark.runs import columns
from benchmark.runs.columns import TIDY, at
from benchmark.runs.provenance import TRUST, pretraining
from benchmark.runs.record import Record

ROOT = Path(__file__).resolve().parents[3]


def test_every_metric_and_mean_has_a_column() -> None:
    assert set(columns.METRICS) == {*METRICS, *AGGREGATES}


def test_means_hinge_on_extremes_where_one_of_their_metrics_does() -> None:
    of_exact = {"pixel_f1_.2_.8", "pixel_acc_.2_.8", "pixel_iou_.2_.8", "mad_.2_.8"}
    of_ader = {*of_exact, "pixel_f1_max", "pixel_iou_max", "aupro", "mad_pixel", "mad"}
    found = THRESHOLDS_ON_NORMALISED_MAPS
    assert (found["exact"], found["ader"]) == (of_exact, of_ader)


def test_every_columns_path_leads_into_the_record() -> None:
    fields = _fields(Record)
    for name, column in TIDY.items():
        if column.path:
            first, _, rest = column.path.partition(".")
            assert first in fields, name
            inner = fields[first]
            if isinstance(inner, set):
                assert rest.split(".")[0] in inner, (name, column.path)


def _fields(kind: Any) -> dict[str, set[str] | None]:
    found: dict[str, set[str] | None] = {}
    for one in msgspec.structs.fields(kind):
        nested = isinstance(one.type, type) and issubclass(one.type, msgspec.Struct)
        found[one.name] = {inner.name for inner in msgspec.structs.fields(one.type)} if nested else None
    return found


def test_every_column_says_what_it_means_and_every_number_its_unit_and_heading() -> None:
    assert all(column.meaning for column in TIDY.values())
    for column in columns.COLUMNS.values():
        assert column.unit
        assert column.heading
        assert column.higher_is_better is not None


def test_a_path_that_leads_nowhere_gives_none() -> None:
    assert at({"a": {"b": 1}}, "a.b") == 1
    assert at({"a": {"b": 1}}, "a.c.d") is None


def test_the_page_of_the_documentation_is_that_of_the_declaration() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "scripts" / "leaderboard_columns.py"))
    assert (ROOT / script["PAGE"]).read_text("utf-8") == script["page"]()


def test_what_an_encoder_has_seen_is_told_from_its_names() -> None:
    for backbone, weights, found in (
        ("vit_small_patch16_224.dino", "imagenet", "ImageNet-1k, no labels"),
        ("vit_base_patch14_reg4_dinov2.lvd142m", "imagenet", "LVD-142M, no labels"),
        ("wide_resnet50_2.racm_in1k", "imagenet", "ImageNet-1k labels"),
        ("tf_efficientnet_b4.aa_in1k", "imagenet", "ImageNet-1k labels"),
        ("vit_large_patch14_clip_224.openai", "imagenet", "WIT-400M captions (CLIP)"),
        ("wide_resnet50_2.racm_in1k", "random", "none"),
        ("wide_resnet50_2.racm_in1k", "mine.safetensors sha256:01234567", ""),
        (None, "imagenet", "none"),
        (None, "external", ""),
    ):
        assert pretraining(backbone, weights) == found, (backbone, weights)
    assert list(TRUST) == ["reported", "rescored", "reproduced", "native"]
