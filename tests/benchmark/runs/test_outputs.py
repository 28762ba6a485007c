"""Scores, curves and previews: what is written is what is read."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.runs.outputs import (
    ImageScore,
    read_curves,
    read_previews,
    read_scores,
    shrink,
    write_curves,
    write_map,
    write_previews,
    write_scores,
)
from cocoad.base.errors import InputError

texts = st.text(st.characters(exclude_categories=["C"], exclude_characters=";"), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(texts, texts, st.integers(0, 1), st.floats(allow_nan=False), st.lists(texts, max_size=2))
    )
)
def test_scores_survive_writing_and_reading_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int, float, list[str]]]
) -> None:
    directory = tmp_path_factory.mktemp("run")
    scores = [
        ImageScore(a, f"{a}.jpg", b, label, score, tuple(groups)) for a, b, label, score, groups in rows
    ]
    write_scores(directory, scores)
    assert read_scores(directory) == scores


HEADER = "id,image,class,label,score,groups\n"


@pytest.mark.parametrize(
    "text",
    ["", "id,label\na,0\n", HEADER + "a,b,c,2,0.5,\n", HEADER + "a\n", HEADER + "a,b,c,0,x,\n", "\x00,"],
)
def test_a_table_that_is_no_table_of_scores_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(InputError, match=r"scores\.csv: not a table"):
        read_scores(tmp_path)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_previews_keep_maps_of_any_scale_to_a_thousandth_of_their_range(tmp_path: Path, scale: float) -> None:
    random = np.random.default_rng(0)
    maps = (random.normal(size=(5, 64, 64)) * scale).astype(np.float32)
    masks = random.random((5, 64, 64)).astype(np.float32)
    write_previews(tmp_path, maps, masks)
    found = read_previews(tmp_path)
    assert np.abs(found.maps - maps).max() < np.ptp(maps) / 1000
    assert np.array_equal(found.masks, masks > 0.5)


def test_previews_of_constant_maps_and_of_none_can_be_kept(tmp_path: Path) -> None:
    write_previews(tmp_path, np.full((2, 64, 64), 3.5, np.float32), np.zeros((2, 64, 64), np.float32))
    assert (read_previews(tmp_path).maps == 3.5).all()
    write_previews(tmp_path, np.zeros((0, 64, 64), np.float32), np.zeros((0, 64, 64), np.float32))
    assert read_previews(tmp_path).maps.shape == (0, 64, 64)


def test_previews_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no previews\.npz"):
        read_previews(tmp_path)
    (tmp_path / "previews.npz").write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match="not an archive of previews"):
        read_previews(tmp_path)
    np.savez(
        tmp_path / "previews.npz",
        maps=np.zeros((1, 8, 8)),
        masks=np.zeros((1, 8, 1), np.uint8),
        scale=1,
        offset=0,
    )
    with pytest.raises(InputError, match="are not both"):
        read_previews(tmp_path)


@pytest.mark.parametrize("shape", [(10**12, 64, 64), (900_000, 64, 64), (2, 10**6, 64)])
def test_previews_whose_header_lies_allocate_nothing(tmp_path: Path, shape: tuple[int, ...]) -> None:
    header = io.BytesIO()
    entries = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, entries)
    with zipfile.ZipFile(tmp_path / "previews.npz", "w") as archive:
        archive.writestr("maps.npy", header.getvalue() + bytes(100))
    with pytest.raises(InputError, match=r"not an archive of previews: (shape|truncated)"):
        read_previews(tmp_path)


@pytest.mark.parametrize("size", [(256, 256), (64, 64), (100, 80), (32, 200)])
def test_shrinking_keeps_the_mean(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).random((3, *size)).astype(np.float32)
    small = shrink(images)
    assert small.shape == (3, 64, 64)
    assert small.mean() == pytest.approx(images.mean(), abs=0.02)


def test_shrinking_masks_gives_shares(tmp_path: Path) -> None:
    masks = np.zeros((1, 128, 128), bool)
    masks[0, 0, 0] = True
    assert shrink(masks)[0, 0, 0] == 0.25


@pytest.mark.parametrize(
    ("offset", "spread", "kind"),
    [(0, 1, "float16"), (0, 3e4, "float16"), (0, 1e-3, "float16"), (0, 1e5, "float32"), (0, 1e-8, "float32"),
     (1000, 0.05, "float32"), (-1000, 0.05, "float32"), (5, 0, "float32")],
)  # fmt: skip
def test_a_map_is_halved_where_a_thousand_steps_of_its_range_remain(
    tmp_path: Path, offset: float, spread: float, kind: str
) -> None:
    values = (offset + spread * np.random.default_rng(0).random((48, 48))).astype(np.float32)
    write_map(tmp_path, "a/b", values)
    kept = np.load(tmp_path / "a" / "b.npz")["map"]
    assert kept.dtype == kind
    assert np.abs(kept - values).max() <= spread / 1000
    assert kind == "float16" or np.array_equal(kept, values)


def test_curves_are_thinned_with_both_ends_kept_and_without_nan(tmp_path: Path) -> None:
    write_curves(
        tmp_path,
        {"ader": {"roc": {"x": np.linspace(0, 1, 5000), "y": [0.5, float("nan")], "n": np.int64(3)}}},
    )
    curve = read_curves(tmp_path)["ader"]["roc"]
    assert len(curve["x"]) == 1000
    assert (curve["x"][0], curve["x"][-1]) == (0.0, 1.0)
    assert curve["y"] == [0.5, None]
    assert json.loads((tmp_path / "curves.json").read_text())["ader"]["roc"]["n"] == 3


def test_the_curves_of_hundreds_of_classes_are_bounded(tmp_path: Path) -> None:
    curve = {"x": np.linspace(0, 1, 2000), "y": np.linspace(0, 1, 2000)}
    kinds = ("image_roc", "image_pr", "roc", "pr", "pro", "f1_iou")
    write_curves(tmp_path, {kind: {f"class {number}": curve for number in range(800)} for kind in kinds})
    assert (tmp_path / "curves.json").stat().st_size < 20e6
    kept = read_curves(tmp_path)["roc"]["class 799"]["x"]
    assert (len(kept), kept[0], kept[-1]) == (83, 0.0, 1.0)


def test_curves_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no curves\.json"):
        read_curves(tmp_path)
    for text, message in (("{", "not JSON"), ("[]", "not an object")):
        (tmp_path / "curves.json").write_text(text)
        with pytest.raises(InputError, match=message):
            read_curves(tmp_path)
