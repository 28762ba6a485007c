"""Scoring other people's maps: the record they get, and all the ways in which nothing is scored."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmark.comparison.compare import compare
from benchmark.datasets.samples import AnomalyDataset, Sample
from benchmark.leaderboard.board import leaderboard
from benchmark.metrics import evaluate
from benchmark.runs.outputs import read_curves, read_previews, read_scores
from benchmark.runs.record import read_record, read_status
from benchmark.scoring.score import UnusableMapsError, score_maps
from cocoad.base.errors import InputError

SIZE = 64
IMAGES = 40


@pytest.fixture
def dataset(tmp_path: Path) -> AnomalyDataset:
    """A test set of 40 images, two of three of them anomalous, with masks of 64×64 pixels."""
    samples = []
    for index in range(IMAGES):
        label = int(index % 3 > 0)
        mask = None
        if label:
            array = np.zeros((SIZE, SIZE), np.uint8)
            array[index : index + 9, 5:30] = 255
            mask = tmp_path / "masks" / f"{index}.png"
            mask.parent.mkdir(exist_ok=True)
            Image.fromarray(array).save(mask)
        identity = f"val2017/{index:012d}"
        groups = ("size:small",) if label else ()
        samples.append(Sample(identity, tmp_path / f"{identity}.jpg", "coco", label, mask, groups))
    return AnomalyDataset("coco-ad", "coco-ad", 0, "a" * 64, (samples[0],) * 3, tuple(samples))


def stack(dataset: AnomalyDataset) -> tuple[np.ndarray, np.ndarray]:
    """Return maps and masks of the whole test set, (N, 64, 64)."""
    masks = np.stack(
        [
            np.zeros((SIZE, SIZE), bool) if s.mask is None else np.asarray(Image.open(s.mask)) > 0
            for s in dataset.test
        ]
    )
    noise = np.random.default_rng(0).normal(size=masks.shape)
    return (noise + masks).astype(np.float32), masks


@pytest.fixture
def maps(dataset: AnomalyDataset, tmp_path: Path) -> Path:
    """A folder with a map of every test image."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for sample, values in zip(dataset.test, stack(dataset)[0], strict=True):
        np.save(folder / f"{sample.id.split('/')[1]}.npy", values)
    return folder


Score = Callable[..., Path]


@pytest.fixture
def score(dataset: AnomalyDataset, maps: Path, tmp_path: Path) -> Score:
    """A function that scores the maps as they are now."""

    def run(name: str = "mine", **options: bool) -> Path:
        return score_maps(maps, dataset, name, tmp_path / "runs", SIZE, **options)

    return run


def test_the_record_has_the_metrics_of_the_maps_under_both_protocols(
    score: Score, dataset: AnomalyDataset
) -> None:
    record = read_record(score())
    values, masks = stack(dataset)
    for protocol in ("ader", "exact"):
        expected = evaluate(values, masks, [s.label for s in dataset.test], protocol)
        assert record.metrics[protocol] == pytest.approx(expected)
    assert set(record.per_group) == {"size:small"}
    assert (record.dataset.test_normal, record.dataset.test_anomalous, record.dataset.train_normal) == (
        14,
        26,
        3,
    )
    assert (record.method.name, record.method.weights, record.dataset.hash) == ("mine", "external", "a" * 64)


def test_the_run_directory_is_like_any_other(score: Score, dataset: AnomalyDataset) -> None:
    directory = score()
    assert directory.name == "mine_coco-ad_split-0"
    values, masks = stack(dataset)
    scores = read_scores(directory)
    assert [s.id for s in scores] == [s.id for s in dataset.test]
    assert [s.score for s in scores] == pytest.approx(values.max(axis=(1, 2)).tolist())
    previews = read_previews(directory)
    assert np.array_equal(previews.masks, masks)
    assert np.abs(previews.maps - values).max() < 0.01
    assert "roc" in read_curves(directory)
    status = read_status(directory)
    assert status is not None
    assert status.state == "finished"


def test_scored_maps_take_their_place_in_leaderboard_and_comparison(score: Score) -> None:
    first, second = score("mine"), score("other")
    (ranking,) = leaderboard([first.parent]).rankings()
    assert [entry.label for entry in ranking.entries] == ["mine", "other"]
    assert {d.found.difference for d in compare(first, second, samples=100).overall.differences} == {0.0}


def test_maps_of_any_resolution_are_resized(score: Score, dataset: AnomalyDataset, maps: Path) -> None:
    same = read_record(score("same")).metrics["exact"]["pixel_auroc"]
    for sample, values in zip(dataset.test, stack(dataset)[0], strict=True):
        np.save(maps / f"{sample.id.split('/')[1]}.npy", np.kron(values, np.ones((3, 3), np.float32)))
    larger = read_record(score("larger")).metrics["exact"]["pixel_auroc"]
    assert larger == pytest.approx(same, abs=1e-6)  # every third pixel is the old one


def test_everything_that_is_wrong_is_listed_and_nothing_is_scored(
    score: Score, maps: Path, tmp_path: Path
) -> None:
    np.save(maps / "000000000000.npy", np.full((SIZE, SIZE), np.nan))
    np.save(maps / "000000000001.npy", np.zeros((3, SIZE, SIZE)))
    (maps / "000000000002.npy").write_bytes(b"nonsense")
    (maps / "000000000003.npy").unlink()
    (maps / "000000000039.npy").rename(maps / "000000009999.npy")
    with pytest.raises(UnusableMapsError) as caught:
        score()
    assert [(p.kind, Path(p.what).name.split(".")[0]) for p in caught.value.problems] == [
        ("extra", "000000009999"),
        ("missing", "000000000003"),
        ("missing", "000000000039"),
        ("not finite", "000000000000"),
        ("unreadable", "000000000002"),
        ("wrong size", "000000000001"),
    ]
    assert "1 extra, 2 missing, 1 not finite, 1 unreadable, 1 wrong size" in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_finished_run_is_not_replaced_unasked(score: Score) -> None:
    record = score() / "result.json"
    before = record.read_bytes()
    with pytest.raises(InputError, match="holds a finished run"):
        score()
    assert record.read_bytes() == before
    score(overwrite=True)
    assert record.read_bytes() != before  # at least its time


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_name_that_is_no_folder_name_is_refused(score: Score, name: str) -> None:
    with pytest.raises(InputError, match="--name"):
        score(name)


def test_no_folder_and_no_test_images_are_refused(dataset: AnomalyDataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder of maps"):
        score_maps(tmp_path / "nowhere", dataset, "mine", tmp_path / "runs")
    empty = AnomalyDataset("x", "folder", None, "b" * 64, (), ())
    with pytest.raises(InputError, match="no test images"):
        score_maps(tmp_path, empty, "mine", tmp_path / "runs")


def test_only_normal_images_leave_metrics_undefined_with_the_reason(
    dataset: AnomalyDataset, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    normal = tuple(sample for sample in dataset.test if not sample.label)
    for sample in dataset.test:
        if sample.label:
            (maps / f"{sample.id.split('/')[1]}.npy").unlink()
    only = AnomalyDataset("coco-ad", "coco-ad", 0, "a" * 64, (), normal)
    record = read_record(score_maps(maps, only, "mine", tmp_path / "runs", SIZE))
    said = capsys.readouterr().err.splitlines()
    assert all(line.startswith("warning: undefined under the protocol") for line in said)
    assert any("no anomalous image" in line for line in said)
    assert record.metrics["ader"]["image_auroc"] is None
    assert "no anomalous image" in record.undefined["ader/image_auroc"]


def table(path: Path, dataset: AnomalyDataset, values: list[float]) -> Path:
    lines = [f"{s.id}.jpg,{value!r},x" for s, value in zip(dataset.test, values, strict=True)]
    path.write_text("\n".join(["id,score,more", *reversed(lines)]) + "\n")
    return path


def test_image_scores_of_ones_own_replace_the_maxima_and_nothing_else(
    dataset: AnomalyDataset, maps: Path, tmp_path: Path
) -> None:
    values, _ = stack(dataset)
    own = [float(np.sort(one.reshape(-1))[-41:].mean()) for one in values]  # the mean of the top 1 %
    labels = [sample.label for sample in dataset.test]
    given = table(tmp_path / "own.csv", dataset, own)
    record = read_record(score_maps(maps, dataset, "own", tmp_path / "runs", SIZE, scores=given))
    plain = read_record(score_maps(maps, dataset, "plain", tmp_path / "runs", SIZE))
    assert record.metrics["exact"]["image_auroc"] == pytest.approx(roc_auc_score(labels, own))
    assert plain.metrics["exact"]["image_auroc"] == pytest.approx(
        roc_auc_score(labels, values.max(axis=(1, 2)))
    )
    assert record.metrics["exact"]["pixel_ap"] == plain.metrics["exact"]["pixel_ap"]
    assert [row.score for row in read_scores(tmp_path / "runs/own_coco-ad_split-0")] == own


def test_scores_alone_give_image_metrics_and_leave_those_of_pixels_undefined(
    dataset: AnomalyDataset, tmp_path: Path
) -> None:
    own = np.random.default_rng(1).normal(size=IMAGES).tolist()
    given = table(tmp_path / "own.csv", dataset, own)
    directory = score_maps(None, dataset, "own", tmp_path / "runs", SIZE, scores=given)
    record = read_record(directory)
    labels = [sample.label for sample in dataset.test]
    for protocol in ("ader", "exact"):
        found = record.metrics[protocol]
        assert found["image_auroc"] == pytest.approx(roc_auc_score(labels, own))
        assert found["mad_image"] is not None
        assert {found[name] for name in ("pixel_auroc", "aupro", "mad_pixel", "mad")} == {None}
        assert "no maps" in record.undefined[f"{protocol}/pixel_auroc"]
    assert record.per_group["size:small"]["exact"]["image_auroc"] is not None
    assert set(read_curves(directory)) == {"image_roc", "image_pr"}
    assert not (directory / "previews.npz").exists()
    assert "–" in leaderboard([directory]).text("table")


def test_every_wrong_line_of_scores_is_listed_and_nothing_is_scored(
    dataset: AnomalyDataset, maps: Path, tmp_path: Path
) -> None:
    given = table(tmp_path / "own.csv", dataset, [0.5] * IMAGES)
    lines = given.read_text().splitlines()
    lines[1], lines[2], lines[3] = lines[4], lines[2].replace("0.5", "high"), lines[3].replace("0.5", "nan")
    given.write_text("\n".join(lines))
    with pytest.raises(
        UnusableMapsError, match="1 ambiguous, 1 missing, 1 not finite, 1 unreadable"
    ) as caught:
        score_maps(maps, dataset, "own", tmp_path / "runs", SIZE, scores=given)
    found = {problem.kind: problem for problem in caught.value.problems}
    assert found["ambiguous"].what == dataset.test[36].id
    assert found["missing"].what == dataset.test[39].id
    assert str(found["unreadable"]) == f"unreadable: {given}:3 (score 'high' is no number)"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name,score\n", "must name the columns id and score, not name, score"),
        (b"", "not none"),
        (b"\xff\xfe\n", "not a table in UTF-8"),
    ],
)
def test_a_file_that_is_no_table_of_scores_is_refused(
    dataset: AnomalyDataset, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(InputError, match=words):
        score_maps(None, dataset, "own", tmp_path / "runs", SIZE, scores=tmp_path / "own.csv")
    with pytest.raises(InputError, match="give --maps FOLDER, --scores FILE or both"):
        score_maps(None, dataset, "own", tmp_path / "runs", SIZE)


def test_scoring_never_imports_torch() -> None:
    modules = "benchmark.scoring.score, benchmark.cli.score, benchmark.datasets"
    program = f"import sys, {modules}; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
