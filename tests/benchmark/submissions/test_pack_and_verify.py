"""What is packed is what is scored: from maps to a submission, and everything that verification refuses."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from benchmark.cli.pack import command as bench_pack
from benchmark.datasets.samples import AnomalyDataset
from benchmark.metrics import evaluate
from benchmark.runs.record import read_record
from benchmark.scoring.score import UnusableMapsError, score_maps
from benchmark.submissions.atlas import grids_of, table_of
from benchmark.submissions.codec import decoded
from benchmark.submissions.findings import CODES
from benchmark.submissions.format import About, read_submission
from benchmark.submissions.pack import Packed, about_of, pack_split, source_of, write_packed
from benchmark.submissions.truth import Truth, read_truths
from benchmark.submissions.verify import prints_beside, verify
from cocoad.base.errors import InputError

SaveMaps = Callable[..., Path]


def codes(folder: Path, truth: Truth, **options: Any) -> list[str]:
    return [finding.code for finding in verify(folder, [truth], **options).findings]


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change submission.json as an editor would."""
    path = folder / "submission.json"
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))


def put(folder: Path, which: str, data: bytes) -> None:
    """Replace a file and state its new size and hash, as somebody who wants to deceive would."""

    def state(content: dict[str, Any]) -> None:
        file = content["splits"][0][which]
        (folder / file["name"]).write_bytes(data)
        file |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    edit(folder, state)


def test_every_number_follows_from_the_files_bit_for_bit(submission: Path, truth: Truth) -> None:
    (split,) = read_submission(submission).splits
    table = table_of((submission / split.images.name).read_bytes(), [image.id for image in truth.images])
    levels = grids_of((submission / split.maps.name).read_bytes(), len(table.ids), split.codec)
    maps = decoded(levels, split.codec, table.minima, table.maxima, truth.size)
    labels = [image.label for image in truth.images]
    for protocol in ("ader", "exact"):
        found = evaluate(maps, truth.masks(slice(0, len(maps))), labels, protocol)
        assert found == {
            name: pytest.approx(value, abs=1e-12) for name, value in split.metrics[protocol].items()
        }
    verified = verify(submission, [truth])
    assert verified.findings == []
    assert verified.splits[0].rescored.metrics == split.metrics
    assert verified.trust == "rescored"


def test_the_difference_is_to_what_bench_score_gives_the_full_maps(
    packed: Packed, dataset: AnomalyDataset, tmp_path: Path
) -> None:
    directory = score_maps(tmp_path / "maps", dataset, "full", tmp_path / "runs", 128)
    full = read_record(directory).metrics
    assert packed.split.full_metrics == {
        protocol: pytest.approx(metrics, abs=1e-9) for protocol, metrics in full.items()
    }
    distances = [abs(full[p][m] - packed.split.metrics[p][m]) for p in full for m in full[p]]  # type: ignore[operator]
    assert packed.split.difference == pytest.approx(100 * max(distances), abs=1e-5)
    assert packed.split.difference <= 0.05


def test_packing_twice_gives_the_same_bytes(dataset: AnomalyDataset, save_maps: SaveMaps) -> None:
    source = source_of(save_maps(), None)
    assert pack_split(source, dataset, 128).files == pack_split(source, dataset, 128).files


def test_maps_that_were_not_smoothed_are_refused_at_64_and_taken_at_full_size(
    dataset: AnomalyDataset, save_maps: SaveMaps, truth: Truth, tmp_path: Path
) -> None:
    source = source_of(save_maps(blur=0, signal=0.5), None)
    with pytest.raises(InputError, match=r"another (ader|exact)/\w+, by [\d.]+ points .*--size 128.*--lossy"):
        pack_split(source, dataset, 128)
    fine = pack_split(source, dataset, 128, size=128)
    assert (fine.split.codec.size, fine.split.codec.bits, fine.split.lossy) == (128, 12, False)
    assert fine.split.difference < 0.05
    lossy = pack_split(source, dataset, 128, lossy=True)
    assert lossy.split.difference > 0.05
    write_packed(tmp_path / "lossy", About("mine", "none"), [lossy])
    assert codes(tmp_path / "lossy", truth) == []


def test_scores_of_ones_own_are_packed_as_float32(
    dataset: AnomalyDataset, save_maps: SaveMaps, truth: Truth, tmp_path: Path
) -> None:
    random = np.random.default_rng(3)
    own = {sample.id: float(random.normal()) for sample in dataset.test}
    table = tmp_path / "own.csv"
    table.write_text("id,score\n" + "".join(f"{ident},{score!r}\n" for ident, score in own.items()))
    packed = pack_split(source_of(save_maps(), table), dataset, 128)
    found = table_of(packed.files["split_0.images.csv"], [image.id for image in truth.images])
    assert found.scores.tolist() == [float(np.float32(own[ident])) for ident in found.ids]


def test_bad_maps_are_all_named_and_nothing_is_packed(dataset: AnomalyDataset, save_maps: SaveMaps) -> None:
    folder = save_maps()
    np.save(folder / "000000000001.npy", np.full((8, 8), np.nan))
    (folder / "000000000002.npy").write_bytes(b"nonsense")
    with pytest.raises(UnusableMapsError) as caught:
        pack_split(source_of(folder, None), dataset, 128)
    assert [problem.kind for problem in caught.value.problems] == ["not finite", "unreadable"]


def test_a_second_split_joins_the_first_and_a_repeated_one_replaces_it(
    packed: Packed, submission: Path, dataset: AnomalyDataset, save_maps: SaveMaps, truth: Truth
) -> None:
    other = replace(dataset, split=1, hash="b" * 64)
    second = pack_split(source_of(save_maps("more", seed=1), None), other, 128)
    write_packed(submission, About("mine", "none"), [second, packed])
    found = read_submission(submission)
    assert [split.dataset.split for split in found.splits] == [0, 1]
    assert verify(submission, [truth, Truth.of(other, 128)]).findings == []


def test_what_is_known_of_a_method_comes_from_the_file_the_folder_or_the_run(
    submission: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="pretraining: none"):
        about_of(None, "other", tmp_path / "new", [])
    assert about_of(None, None, submission, []) == About("mine", "none")
    (tmp_path / "a.yaml").write_text("method: dino\npretraining: LVD-142M\npaper: https://example.org/a\n")
    about = about_of(tmp_path / "a.yaml", None, submission, [])
    assert (about.method, about.pretraining, about.paper) == ("dino", "LVD-142M", "https://example.org/a")
    for wrong in ("paper: javascript:alert(1)", "methods: x", "method: ../up", "- a"):
        (tmp_path / "a.yaml").write_text(f"pretraining: none\n{wrong}\n" if ":" in wrong else wrong)
        with pytest.raises(InputError, match=r"a\.yaml"):
            about_of(tmp_path / "a.yaml", None, submission, [])


def metric(content: dict[str, Any], value: float) -> None:
    content["splits"][0]["metrics"]["ader"]["mad"] = value


Change = Callable[[dict[str, Any]], None]
EDITS: dict[str, tuple[Change, str]] = {
    "a better metric": (lambda c: metric(c, 0.99), "claims"),
    "a metric slightly better": (
        lambda c: metric(c, c["splits"][0]["metrics"]["ader"]["mad"] + 2e-6),
        "claims",
    ),
    "a metric left out": (lambda c: c["splits"][0]["metrics"]["exact"].pop("aupro"), "claims"),
    "a nicer difference": (lambda c: c["splits"][0].update(difference=0.0), "difference"),
    "an unknown field": (lambda c: c.update(rank=1), "schema"),
    "another version": (lambda c: c.update(format_version=2), "schema"),
    "a link that is code": (lambda c: c["about"].update(code="javascript:alert(1)"), "schema"),
    "a path that leaves": (lambda c: c["splits"][0]["maps"].update(name="../maps.png"), "schema"),
    "no split": (lambda c: c.update(splits=[]), "schema"),
    "a split twice": (lambda c: c["splits"].append(c["splits"][0]), "schema"),
    "another dataset": (lambda c: c["splits"][0]["dataset"].update(hash="b" * 64), "dataset"),
    "fewer images": (lambda c: c["splits"][0]["dataset"].update(test_normal=3), "dataset"),
    "another resolution": (lambda c: c["splits"][0]["dataset"].update(image_size=64), "dataset"),
    "another curve": (lambda c: c["splits"][0]["codec"].update(scale=2.0), "claims"),
    "another size of maps": (lambda c: c["splits"][0]["codec"].update(size=128), "maps"),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edited_submission_is_refused(submission: Path, truth: Truth, what: str) -> None:
    change, code = EDITS[what]
    edit(submission, lambda content: (change(content), None)[1])
    assert code in codes(submission, truth)


def test_changed_missing_linked_and_unnamed_files_are_refused(submission: Path, truth: Truth) -> None:
    table = submission / "split_0.images.csv"
    original = table.read_bytes()
    table.write_bytes(original.replace(b"0", b"1"))
    assert codes(submission, truth) == ["file"]
    table.unlink()
    assert codes(submission, truth) == ["file"]
    (submission.parent / "elsewhere.csv").write_bytes(original)
    table.symlink_to(submission.parent / "elsewhere.csv")
    assert codes(submission, truth) == ["folder", "file"]
    table.unlink()
    table.write_bytes(original)
    os.mkfifo(submission / "pipe")
    (submission / "notes.txt").write_text("hello")
    assert codes(submission, truth) == ["folder", "folder"]
    assert codes(submission, truth, most_bytes=1_000) == ["folder", "folder", "too-large"]


TABLES: dict[str, Callable[[bytes], bytes]] = {
    "no number": lambda data: data.replace(b",0.", b",zero.", 1),
    "not finite": lambda data: data[: data.rindex(b",")] + b",inf\n",
    "an image less": lambda data: data[: data[:-1].rindex(b"\n") + 1],
    "another image": lambda data: data.replace(b"val2017/000000000001", b"val2017/000000009999"),
    "another order": lambda data: b"\n".join([*sorted(data.split(b"\n"), reverse=True)[:-1], b""]),
    "no table": lambda data: b"\xff\xfe",
    "nothing": lambda data: b"id,score,minimum,maximum\n",
}


@pytest.mark.parametrize("what", TABLES)
def test_a_table_that_is_none_is_refused_though_its_hash_is_right(
    submission: Path, truth: Truth, what: str
) -> None:
    put(submission, "images", TABLES[what]((submission / "split_0.images.csv").read_bytes()))
    assert codes(submission, truth) == ["images"]


def test_an_atlas_that_is_none_is_refused_though_its_hash_is_right(submission: Path, truth: Truth) -> None:
    whole = (submission / "split_0.maps.png").read_bytes()
    wide = bytearray(whole)
    wide[16:20] = (1 << 30).to_bytes(4, "big")  # the width of the header
    for data in (
        b"nonsense",
        whole[: len(whole) // 2],
        bytes(wide),
        whole[:8] + whole[8:].replace(b"IHDR", b"iHDR"),
    ):
        put(submission, "maps", data)
        assert codes(submission, truth) == ["maps"]


def forged(dataset: AnomalyDataset, folder: Path, make: Callable[[int, np.ndarray], np.ndarray]) -> Path:
    """Write a sound submission of maps that no detector makes."""
    truth = Truth.of(dataset, 128)
    (folder / "maps").mkdir(parents=True)
    for index, (image, mask) in enumerate(zip(truth.images, truth.masks(slice(0, 99)), strict=True)):
        np.save(folder / "maps" / f"{image.id.split('/')[1]}.npy", make(index, mask).astype(np.float32))
    packed = pack_split(source_of(folder / "maps", None), dataset, 128, lossy=True)
    write_packed(folder / "forged", About("forged", "none"), [packed])
    return folder / "forged"


def test_constant_copied_and_forged_maps_are_suspect(
    dataset: AnomalyDataset, truth: Truth, tmp_path: Path
) -> None:
    import cv2

    noise = np.random.default_rng(0).normal(size=(60, 128, 128))
    fakes: dict[str, Callable[[int, np.ndarray], np.ndarray]] = {
        "constant-maps": lambda index, mask: noise[index] if index % 5 else np.full((128, 128), index),
        "copied-maps": lambda index, mask: noise[index // 2],
        "follows-masks": lambda index, mask: (
            cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 3) + 0.02 * noise[index]
        ),
    }
    for code, make in fakes.items():
        assert codes(forged(dataset, tmp_path / code, make), truth) == [code]
        assert CODES[code].severity == "suspect"


def test_the_maps_of_another_submission_are_known_again(
    submission: Path, packed: Packed, truth: Truth, tmp_path: Path
) -> None:
    write_packed(tmp_path / "results" / "honest", About("honest", "none"), [packed])
    others = prints_beside(tmp_path / "results", [submission])
    (finding,) = verify(submission, [truth], others).findings
    assert (finding.code, finding.detail) == ("copied-maps", "30 of 30 maps are those of honest")
    assert prints_beside(tmp_path / "results", [tmp_path / "results" / "honest"]) == {}


def test_the_truth_is_the_same_from_its_file_and_a_damaged_one_is_refused(
    truth: Truth, tmp_path: Path
) -> None:
    path = tmp_path / "split_0.truth.npz"
    truth.write(path)
    first = path.read_bytes()
    (again,) = read_truths(tmp_path)
    assert (again.dataset, again.images) == (truth.dataset, truth.images)
    assert np.array_equal(again.masks(slice(0, 99)), truth.masks(slice(0, 99)))
    truth.write(path)
    assert path.read_bytes() == first
    for damaged in (b"nonsense", first[: len(first) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not the ground truth"):
            read_truths(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="bench truth"):
        read_truths(tmp_path / "empty")


@pytest.mark.slow
def test_a_real_run_is_packed_verified_and_native_until_its_record_is_changed(
    real_run: Path, real_dataset: Path, tmp_path: Path
) -> None:
    from benchmark.datasets import load_dataset

    data = load_dataset(real_dataset, split=0)
    source = source_of(real_run, None)
    packed = pack_split(source, data, 256)
    assert packed.split.difference < 0.05
    assert packed.size / len(data.test) * 4952 < 12e6  # bytes of a split of COCO-AD
    about = About("feature-distance", "ImageNet-1k labels")
    write_packed(tmp_path / "mine", about, [packed])
    truth = Truth.of(data, 256)
    verified = verify(tmp_path / "mine", [truth])
    assert (verified.findings, verified.trust) == ([], "native")
    put(
        tmp_path / "mine",
        "run",
        (tmp_path / "mine" / "split_0.run.json").read_bytes().replace(b"0.5", b"0.9", 1),
    )
    assert codes(tmp_path / "mine", truth) == ["record"]
    strange = replace(data, hash="c" * 64)
    with pytest.raises(InputError, match="hashes differ"):
        pack_split(source, strange, 256)
    assert source.record is not None
    better = {protocol: dict.fromkeys(found, 0.99) for protocol, found in source.record.metrics.items()}
    other = replace(source, record=msgspec.structs.replace(source.record, metrics=better))
    with pytest.raises(InputError, match=r"another .* than its record, by .* --scores .*scores\.csv"):
        pack_split(other, data, 256, lossy=True)


def test_the_schema_on_disk_is_that_of_the_types(submission: Path) -> None:
    import jsonschema

    from benchmark.submissions.format import schema
    from cocoad.coco.partition import data_file

    on_disk = json.loads(data_file("schemas/submission.schema.json").read_bytes())
    assert on_disk == json.loads(msgspec.json.encode(schema()))
    jsonschema.validate(json.loads((submission / "submission.json").read_bytes()), on_disk)


def test_the_page_lists_every_code_as_it_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "submit.md").read_text()
    for name, code in CODES.items():
        assert f"| `{name}` | {code.severity} | {code.means} | {code.remedy} |" in page


def test_a_file_that_leaderboards_do_not_take_is_said_while_packing(
    real_run: Path, real_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [str(real_run), "--dataset", str(real_dataset), "--out", str(tmp_path / "mine")]
    said = CliRunner().invoke(bench_pack, words, catch_exceptions=False)
    assert said.exit_code == 0
    assert "note:" not in said.stderr
    monkeypatch.setattr("benchmark.submissions.format.TAKEN_MB", 0)
    said = CliRunner().invoke(bench_pack, words, catch_exceptions=False)
    assert "a leaderboard made of the template takes 0" in said.stderr
