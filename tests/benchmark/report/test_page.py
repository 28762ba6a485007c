"""The page as a whole: what is on it, what may not be, how large it is."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from benchmark.cli.report import command
from benchmark.leaderboard.published.datasets import ABOUT
from benchmark.report.testsets import MOST_METHODS
from benchmark.runs.columns import METRICS
from benchmark.runs.evaluations import Look, write_evaluations
from benchmark.runs.outputs import read_scores, write_scores
from benchmark.runs.record import MethodInfo, read_record, write_record
from cocoad.base.errors import InputError

MakeRun = Callable[..., Path]

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'
GROUPS = {
    name: {"ader": {"image_auroc": value, "aupro": value}, "exact": {"image_auroc": value, "aupro": value}}
    for name, value in {"category:person": 0.812, "category:car": 0.343, "size:small": 0.271}.items()
}


class _Elements(HTMLParser):
    """Counts elements and collects attributes of a page as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def report(runs: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(runs), "--out", str(out), *options])


def page_of(runs: Path, out: Path, *options: str) -> str:
    result = report(runs, out, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    return (out / "index.html").read_text(encoding="utf-8")


def test_the_page_has_a_row_per_method_and_protocol_and_every_kind_of_figure(
    make_whole_run: MakeRun, tmp_path: Path
) -> None:
    make_whole_run("good", signal=2.0, score=0.8125, per_group=GROUPS)
    make_whole_run("poor", signal=0.2, score=0.4375, seed=2, per_group=GROUPS)
    page = page_of(tmp_path / "runs", tmp_path / "out")
    board = page[page.index('id="leaderboard"') : page.index('id="cost"')]
    assert board.count('<th scope="row" title="good">good</th>') == 2
    assert board.count('<th scope="row" title="poor">poor</th>') == 2
    assert board.index(">good<") < board.index(">poor<")
    assert "81.2" in board
    assert "43.8" in board
    for heading in (
        "ROC of images", "ROC of pixels", "Precision and recall of pixels", "Per-region overlap",
        "F1 of pixels over threshold", "IoU of pixels over threshold", "Scores of images",
        "mAD over Test img/s", "Loss", "person (20)", "False alarms", "Misses", "Best", "Worst",
    ):  # fmt: skip
        assert heading in page, heading
    assert page.count('class="exhibit"') == 16
    assert page.count('class="heat"') == 16 * 2
    assert page.count("data:image/jpeg;base64,") == 16


def test_the_page_asks_for_nothing_outside_itself(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    page = page_of(tmp_path / "runs", tmp_path / "out", "--published")
    assert not re.search(r"https?://|@import|<link|<iframe", page)
    attributes = _Elements(page).attributes
    sources = [value for _, name, value in attributes if name in ("src", "href")]
    assert sources
    assert all(value.startswith(("data:image/", "#")) for value in sources)
    assert any(value.startswith("default-src 'none'; img-src data:;") for _, _, value in attributes)


def test_names_from_records_and_scores_are_shown_and_never_run(
    make_whole_run: MakeRun, tmp_path: Path
) -> None:
    directory = make_whole_run("calm")
    scripts = _Elements(page_of(tmp_path / "runs", tmp_path / "a")).tags.count("script")
    write_scores(
        directory,
        [
            dataclasses.replace(row, id=row.id + HOSTILE, groups=(f"category:{HOSTILE}",))
            for row in read_scores(directory)
        ],
    )
    record = read_record(directory)
    changed = msgspec.structs.replace(
        record,
        method=MethodInfo(HOSTILE, HOSTILE, HOSTILE),
        dataset=msgspec.structs.replace(record.dataset, name=HOSTILE),
        environment={"device": HOSTILE},
        per_group={f"category:{HOSTILE}": GROUPS["size:small"]},
    )
    write_record(directory, changed)
    page = page_of(tmp_path / "runs", tmp_path / "b")
    elements = _Elements(page)
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert elements.tags.count("script") == scripts
    assert not [name for _, name, _ in elements.attributes if name.startswith("on")]


def test_photographs_stay_out_on_request_and_when_they_are_gone(
    make_whole_run: MakeRun, tmp_path: Path
) -> None:
    make_whole_run("one")
    assert "data:image/jpeg" not in page_of(tmp_path / "runs", tmp_path / "a", "--no-images")
    (tmp_path / "photo.png").unlink()
    page = page_of(tmp_path / "runs", tmp_path / "b")
    assert "data:image/jpeg" not in page
    assert "no image" in page


def test_a_file_that_is_no_image_is_not_put_on_the_page(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    (tmp_path / "photo.png").write_text("a secret")
    assert "data:image/jpeg" not in page_of(tmp_path / "runs", tmp_path / "out")


def test_five_methods_on_four_splits_make_a_page_below_ten_megabytes(
    make_whole_run: MakeRun, tmp_path: Path
) -> None:
    for number in range(5):
        for split in range(4):
            directory = make_whole_run(f"m{number}-{split}", seed=number, split=split, per_group=GROUPS)
            assert directory.is_dir()
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert page.count('class="testset"') == 4
    assert len(page.encode()) < 10e6


def test_the_same_runs_give_the_same_bytes(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    assert page_of(tmp_path / "runs", tmp_path / "a") == page_of(tmp_path / "runs", tmp_path / "b")


def test_runs_on_different_data_do_not_stand_in_one_chart(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    make_whole_run("two", dataset={"hash": "f" * 64})
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert page.count('class="testset"') == 2
    assert "data ffffffff" in page


def test_a_run_with_a_record_only_is_listed_and_what_it_lacks_is_said(
    make_run: MakeRun, tmp_path: Path
) -> None:
    make_run("bare", "bare")
    result = report(tmp_path / "runs", tmp_path / "out")
    assert result.exit_code == 0
    assert "no scores.csv" in result.stderr
    assert "no scores.csv" in (tmp_path / "out" / "index.html").read_text()


def test_curves_and_logs_that_make_no_sense_are_left_out(make_whole_run: MakeRun, tmp_path: Path) -> None:
    run = make_whole_run("one")
    (run / "curves.json").write_text(
        '{"roc": {"coco": {"fpr": [0, "x"], "tpr": 3}}, "pr": [], "f1_iou": null}'
    )
    (run / "train_log.csv").write_bytes(b"epoch,loss\n1,\xff\nnan,inf\n")
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert "ROC of pixels" not in page
    assert "<summary>Training" not in page


def test_an_edited_record_is_refused_and_the_exit_code_says_so(
    make_whole_run: MakeRun, edit_record: Callable[..., None], tmp_path: Path
) -> None:
    make_whole_run("honest")
    edit_record(make_whole_run("edited"), seed=7)
    result = report(tmp_path / "runs", tmp_path / "out")
    assert result.exit_code == 1
    assert "edited after the run" in result.stderr
    assert "edited after the run" in (tmp_path / "out" / "index.html").read_text()


def test_without_a_sound_run_no_page_is_written(
    make_run: MakeRun, edit_record: Callable[..., None], tmp_path: Path
) -> None:
    edit_record(make_run("edited"), seed=7)
    result = report(tmp_path / "runs", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("score", [0.0, 5.0, 1e16, 1e-320, 1e308, float("inf"), float("nan")])
def test_scores_of_any_size_are_drawn_or_left_out(
    make_whole_run: MakeRun, tmp_path: Path, score: float
) -> None:
    run = make_whole_run("one")
    rows = read_scores(run)
    write_scores(run, [dataclasses.replace(row, score=score * (1 if row.label else -1)) for row in rows])
    page = page_of(tmp_path / "runs", tmp_path / "a")
    assert ("Scores of one" in page) == (abs(score) < 1e100)
    write_scores(run, [dataclasses.replace(row, score=score) for row in rows])
    assert ("Scores of one" in page_of(tmp_path / "runs", tmp_path / "b")) == (abs(score) < 1e100)


@pytest.mark.parametrize("value", ["-3", "1e308", "1e400", "0", "true"])
def test_curves_of_any_numbers_are_survived(make_whole_run: MakeRun, tmp_path: Path, value: str) -> None:
    run = make_whole_run("one")
    columns = dict.fromkeys(("fpr", "tpr", "f1", "iou", "threshold", "pro"), f"[{value}, {value}]")
    curve = "{" + ", ".join(f'"{name}": {numbers}' for name, numbers in columns.items()) + "}"
    (run / "curves.json").write_text(f'{{"roc": {{"coco": {curve}}}, "f1_iou": {{"coco": {curve}}}}}')
    (run / "train_log.csv").write_text(f"epoch,loss,learning_rate\n{value},{value},{value}\n")
    assert "nan" not in re.sub(r"base64,[^\"')]*", "", page_of(tmp_path / "runs", tmp_path / "out"))


@pytest.mark.parametrize("image", ["x" * 5000 + ".jpg", "/dev/zero", "..", "", "a\\b.png"])
def test_paths_that_name_no_image_are_survived(make_whole_run: MakeRun, tmp_path: Path, image: str) -> None:
    run = make_whole_run("one")
    write_scores(run, [dataclasses.replace(row, image=image) for row in read_scores(run)])
    assert "data:image/jpeg" not in page_of(tmp_path / "runs", tmp_path / "out")


def test_published_rows_are_marked_with_their_source(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    assert ">Source<" not in page_of(tmp_path / "runs", tmp_path / "a")
    page = page_of(tmp_path / "runs", tmp_path / "b", "--published")
    assert ">Source<" in page
    assert '<tr class="published" data-trust="reported"' in page


def test_headings_say_what_they_mean_and_ranks_stand_first(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert f'title="{METRICS["aupro"].meaning} (percent; more is better)"' in page
    row = page[page.index("<tbody>") : page.index("</tr>", page.index("<tbody>"))]
    assert (
        row.index('class="rank"') < row.index('<th scope="row"') < row.index(' best" data-value="50.0">50.0')
    )


def test_seeds_are_one_row_one_legend_and_one_column_with_a_spread(
    make_whole_run: MakeRun, tmp_path: Path
) -> None:
    for seed, score in ((1, 0.4), (2, 0.5)):
        groups = {"category:person": {"ader": {"image_auroc": score}}}
        run = make_whole_run(f"run{seed}", score=score, per_group=groups)
        record = read_record(run)
        method = msgspec.structs.replace(record.method, name="mine")
        write_record(run, msgspec.structs.replace(record, method=method, seed=seed))
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert page.count("data-series=") == 1
    assert page.count("45.0 ± 7.1") > 1
    breakdown = page[page.index('class="breakdown"') :]
    assert breakdown.index(">45.0 ± 7.1<") > 0
    assert "mine, seed 1" in page


def test_the_best_method_is_compared_with_those_behind_it(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("good", signal=3.0, score=0.8)
    make_whole_run("poor", signal=0.2, score=0.4, seed=2)
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert "<strong>good is better than poor</strong>" in page
    assert "not the seed of training" in page


def test_one_protocol_is_shown_at_a_time(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    page = page_of(tmp_path / "runs", tmp_path / "out")
    choice = page[page.index('id="protocol"') : page.index("</select>")]
    assert re.findall(r"<option>(\w+)</option>", choice) == ["ader", "exact"]


def test_caveats_are_said_in_words(make_whole_run: MakeRun, tmp_path: Path) -> None:
    make_whole_run("one")
    page = page_of(tmp_path / "runs", tmp_path / "out", "--published")
    assert "a: pixel AUROC, AP and AUPRO from 50-bin histograms" in page
    assert "reported: printed somewhere" in page


@pytest.mark.parametrize(
    ("image", "why"),
    [("/gone/away.png", "its file is not here"), ("notes.txt", "its path names no image")],
)
def test_no_image_is_said_with_its_reason(
    make_whole_run: MakeRun, tmp_path: Path, image: str, why: str
) -> None:
    run = make_whole_run("one")
    write_scores(run, [dataclasses.replace(row, image=image) for row in read_scores(run)])
    assert f"no image: {why}" in page_of(tmp_path / "runs", tmp_path / "a")
    assert "no image: photographs were left out" in page_of(tmp_path / "runs", tmp_path / "b", "--no-images")


def test_a_test_set_of_normal_images_has_a_sentence_and_no_empty_table(
    make_whole_run: MakeRun, tmp_path: Path
) -> None:
    run = make_whole_run("one", score=None, dataset={"test_anomalous": 0}, method_info={"gmacs": None})
    write_scores(run, [dataclasses.replace(row, label=0, groups=()) for row in read_scores(run)])
    page = page_of(tmp_path / "runs", tmp_path / "out")
    board = page[page.index('id="leaderboard"') : page.index('id="set-1"')]
    assert "<table" not in board
    assert "No metric is defined on this test set" in board
    assert "The test set has only normal images" in page


def test_looks_during_the_training_are_drawn(make_whole_run: MakeRun, tmp_path: Path) -> None:
    run = make_whole_run("one")
    metrics = {"ader": dict.fromkeys(METRICS, 0.5)}
    assert "on the test set during the training" not in page_of(tmp_path / "runs", tmp_path / "a")
    write_evaluations(run, [Look(epoch, 30 * epoch, metrics, {}) for epoch in (1, 2)])
    page = page_of(tmp_path / "runs", tmp_path / "b")
    assert "mAD on the test set during the training" in page
    assert "log of the ADer benchmark" not in page


def test_public_logs_stand_beside_looks_on_the_same_data(make_whole_run: MakeRun, tmp_path: Path) -> None:
    counts = ABOUT["coco-ad"].counts("1")
    run = make_whole_run("rd", split=1, dataset=counts)
    write_evaluations(run, [Look(epoch, 30, {"ader": dict.fromkeys(METRICS, 0.5)}, {}) for epoch in (1, 2)])
    page = page_of(tmp_path / "runs", tmp_path / "out")
    assert page.count("rd (log of the ADer benchmark)") == 4  # mAD, I-AUROC, P-AUROC, AUPRO
    assert "vitad (log of" not in page


def test_of_many_methods_the_best_are_drawn_and_it_is_said(make_run: MakeRun, tmp_path: Path) -> None:
    for number in range(MOST_METHODS + 4):
        make_run(str(number), f"m{number}", number / 100)
    result = report(tmp_path / "runs", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "16 of 20 runs are drawn" in result.stderr
    assert page.count("data-series=") == MOST_METHODS
    assert page[: page.index('id="cost"')].count('<th scope="row"') == 2 * (MOST_METHODS + 4)
