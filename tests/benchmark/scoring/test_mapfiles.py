"""Maps by strangers: whose is which, and what is refused."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmark.scoring.mapfiles import MapError, read_map, resized_map
from benchmark.scoring.matching import match_maps

IDS = ["val2017/000000000139", "val2017/000000000285"]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    "pattern",
    ["{}.npy", "val2017/{}.png", "deep/er/val2017/{}.tiff", "{}.jpg.npy", "val2017/{}.jpg.npz", "VAL.{}"],
)
def test_a_map_is_found_by_its_images_id_or_any_end_of_its_path(tmp_path: Path, pattern: str) -> None:
    names = [pattern.format(identity.split("/")[1]) for identity in IDS]
    touch(tmp_path, *names)
    matched, problems = match_maps(tmp_path, IDS)
    if pattern == "VAL.{}":
        assert [problem.kind for problem in problems] == ["missing", "missing"]
    else:
        assert problems == []
        assert matched == {identity: tmp_path / name for identity, name in zip(IDS, names, strict=True)}


def test_missing_and_extra_maps_are_all_named(tmp_path: Path) -> None:
    touch(tmp_path, "000000000139.npy", "000000000777.npy", "notes.txt")
    _, problems = match_maps(tmp_path, IDS)
    assert [str(problem) for problem in problems] == [
        f"extra: {tmp_path / '000000000777.npy'}",
        "missing: val2017/000000000285",
    ]


def test_two_maps_of_one_image_are_ambiguous(tmp_path: Path) -> None:
    touch(tmp_path, "000000000139.npy", "000000000139.png", "000000000285.npy")
    matched, problems = match_maps(tmp_path, IDS)
    assert [(problem.kind, problem.what) for problem in problems] == [("ambiguous", IDS[0])]
    assert list(matched) == [IDS[1]]


def test_one_map_for_two_images_of_the_same_name_is_ambiguous_but_full_paths_are_not(tmp_path: Path) -> None:
    ids = ["good/000", "crack/000"]
    touch(tmp_path, "000.npy")
    assert [problem.kind for problem in match_maps(tmp_path, ids)[1]] == ["ambiguous", "ambiguous"]
    (tmp_path / "000.npy").unlink()
    touch(tmp_path, "good/000.npy", "crack/000.npy")
    matched, problems = match_maps(tmp_path, ids)
    assert problems == []
    assert matched["crack/000"] == tmp_path / "crack/000.npy"


RAMP = np.linspace(0, 1, 48 * 32).reshape(48, 32)


def write_as(path: Path, form: str) -> np.ndarray:
    """Write RAMP in ``form`` and return what it should be read as."""
    if form == "npy64":
        np.save(path, RAMP)
        return RAMP
    if form == "npy_channels":
        np.save(path, RAMP[None, None].astype(np.float16))
        return RAMP.astype(np.float16)
    if form == "npy_fortran":
        np.save(path, np.asfortranarray(RAMP))
        return RAMP
    if form == "npz":
        np.savez_compressed(path, anything=RAMP)
        return RAMP
    if form == "npz_named":
        np.savez(path, map=RAMP, threshold=np.zeros(3))
        return RAMP
    values = {
        "png8": (RAMP * 255).astype(np.uint8),
        "png16": (RAMP * 65535).astype(np.uint16),
        "tiff8": (RAMP * 255).astype(np.uint8),
        "tiff16": (RAMP * 65535).astype(np.uint16),
        "tiff32": RAMP.astype(np.float32),
    }[form]
    Image.fromarray(values).save(path)
    return values


FORMS = {
    "npy64": "a.npy", "npy_channels": "a.npy", "npy_fortran": "a.npy", "npz": "a.npz", "npz_named": "a.npz",
    "png8": "a.png", "png16": "a.png", "tiff8": "a.tif", "tiff16": "a.tiff", "tiff32": "a.TIFF",
}  # fmt: skip


def test_the_colour_folder_of_mvtec_3d_may_be_left_out(tmp_path: Path) -> None:
    ids = [f"rope/test/{kind}/rgb/{number:03}" for kind in ("good", "hole") for number in range(2)]
    touch(tmp_path, *(f"{identity.replace('/rgb', '')}.tiff" for identity in ids))
    matched, problems = match_maps(tmp_path, ids)
    assert problems == []
    assert matched[ids[3]] == tmp_path / "rope/test/hole/001.tiff"


def test_maps_of_images_that_are_left_out_are_no_extras_and_no_rivals_of_others(tmp_path: Path) -> None:
    touch(tmp_path, "a/000.npy", "b/000.npy", "c/000.npy")
    matched, problems = match_maps(tmp_path, ["a/000"], ["b/000"])
    assert matched == {"a/000": tmp_path / "a/000.npy"}
    assert [problem.what for problem in problems] == [str(tmp_path / "c/000.npy")]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_read_and_resized_bilinearly(tmp_path: Path, form: str) -> None:
    path = tmp_path / FORMS[form]
    expected = write_as(path, form).astype(np.float32)
    found = resized_map(read_map(path), 64)
    assert (found.shape, found.dtype) == ((64, 64), np.float32)
    assert np.array_equal(found, cv2.resize(expected, (64, 64), interpolation=cv2.INTER_LINEAR))


def test_a_map_of_the_right_size_is_not_changed(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    assert np.array_equal(resized_map(read_map(tmp_path / "a.npy"), 64), values)


def refused(path: Path) -> tuple[str, str]:
    with pytest.raises(MapError) as caught:
        read_map(path)
    return caught.value.kind, str(caught.value)


def npy_header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (np.zeros((3, 8, 8)), "wrong size", "expected one channel"),
        (np.zeros(8), "wrong size", "expected one channel"),
        (np.zeros((0, 8)), "wrong size", "0×8"),
        (np.full((8, 8), np.nan), "not finite", "64 of 64 pixels"),
        (np.full((8, 8), np.inf), "not finite", "64 of 64 pixels"),
        (np.full((8, 8), 1e300), "not finite", "too large for float32"),
        (np.zeros((8, 8), complex), "unreadable", "complex128"),
        (np.array([["a"]]), "unreadable", "expected numbers"),
    ],
)
def test_an_array_that_is_no_map_is_refused(
    tmp_path: Path, values: np.ndarray, kind: str, words: str
) -> None:
    np.save(tmp_path / "a.npy", values)
    found, message = refused(tmp_path / "a.npy")
    assert found == kind
    assert words in message


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    np.save(tmp_path / "a.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    assert refused(tmp_path / "a.npy")[0] == "unreadable"
    assert not (tmp_path / "sprung").exists()


def test_a_header_that_promises_more_than_there_is_allocates_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy_header((10**6, 10**6)))
    assert refused(tmp_path / "a.npy")[0] == "wrong size"
    (tmp_path / "a.npy").write_bytes(npy_header((8000, 8000)) + b"1234")
    kind, message = refused(tmp_path / "a.npy")
    assert kind == "unreadable"
    assert "truncated" in message


def test_an_npz_with_a_lying_or_huge_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("map.npy", npy_header((50_000, 50_000)) + bytes(1000))
    assert refused(tmp_path / "a.npz")[0] == "wrong size"
    np.savez(tmp_path / "b.npz", one=RAMP, two=RAMP)
    assert "2 arrays" in refused(tmp_path / "b.npz")[1]


def test_pictures_with_colours_or_pages_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "rgb.png")
    assert refused(tmp_path / "rgb.png") == ("wrong size", "colour mode RGB: expected one channel of numbers")
    Image.new("L", (8, 8)).save(tmp_path / "pages.tif", save_all=True, append_images=[Image.new("L", (8, 8))])
    assert refused(tmp_path / "pages.tif") == ("wrong size", "several pages: expected one")
    (tmp_path / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    assert refused(tmp_path / "noise.png")[0] == "unreadable"


def test_a_tiff_of_many_pages_is_refused_without_reading_them_all(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = [Image.fromarray(np.zeros((2, 2), np.uint8))] * 2_000
    pages[0].save(path, save_all=True, append_images=pages[1:])
    whole = path.read_bytes()
    second = struct.unpack_from("<I", whole, struct.unpack_from("<I", whole, 4)[0] + 2 + 12 * 8)[0]
    assert refused(path) == ("wrong size", "several pages: expected one")
    path.write_bytes(
        whole[: second + 400]
    )  # the third page's place lies beyond the end, and nobody looks there
    assert refused(path) == ("wrong size", "several pages: expected one")


def test_files_made_to_do_harm_end_in_one_line_and_bounded_memory(shared: Path, tmp_path: Path) -> None:
    for name in ("attack-image.tiff", "attack-image.webp"):
        for suffix in (".tiff", ".png"):
            copy = tmp_path / f"a{suffix}"
            copy.write_bytes((shared / "cases" / name).read_bytes())
            tracemalloc.start()
            kind, message = refused(copy)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert kind == "unreadable"
            assert message.startswith("damaged: ")
            assert "\n" not in message
            assert peak < 10 << 20


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_damaged_files_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, form: str, place: int, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("maps") / FORMS[form]
    write_as(path, form)
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place : place + len(noise)] = noise
    path.write_bytes(data[: len(data) - place % 3])
    with contextlib.suppress(MapError):  # anything else is a crash
        assert np.isfinite(read_map(path)).all()
