"""The tidy table, the rankings and their forms."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest

from benchmark.leaderboard.board import leaderboard
from benchmark.leaderboard.published import CAVEATS, published_rows
from benchmark.runs.names import METRICS, parse_columns
from cocoad.base.errors import InputError
from cocoad.coco.partition import partition


def official(split: int) -> dict[str, Any]:
    counts = partition(split).official
    return {
        "train_normal": counts.train_normal,
        "test_normal": counts.test_normal,
        "test_anomalous": counts.test_anomalous,
    }


def runs_of(directory: Path) -> list[Path]:
    return [directory.parent]


# --- the tidy table


def test_the_csv_has_a_row_per_run_and_protocol_with_metrics_cost_versions_and_hash(make_run: Any) -> None:
    run = make_run("a", "invad", 0.5, exact=0.25, flags=["outlier-pixel"])
    rows = list(csv.DictReader(io.StringIO(leaderboard([run]).csv())))
    assert [row["protocol"] for row in rows] == ["ader", "exact"]
    assert [float(row["mad"]) for row in rows] == [0.5, 0.25]
    first = rows[0]
    assert all(first[name] == "0.5" for name in METRICS)
    assert first["dataset_hash"] == "0" * 64
    assert first["environment.packages.torch"] == "2.5.0"
    assert first["environment.git_commit"] == "abc"
    assert (first["train_seconds"], first["seed"], first["split"]) == ("120.0", "42", "0")
    assert (first["flags"], first["run"]) == ("outlier-pixel", str(run))


def test_an_undefined_metric_is_an_empty_cell_with_its_reason(make_run: Any) -> None:
    metrics = {"ader": {**dict.fromkeys(METRICS, 0.5), "image_auroc": None}}
    run = make_run("a", metrics=metrics, undefined={"ader/image_auroc": "no normal image"})
    (row,) = csv.DictReader(io.StringIO(leaderboard([run]).csv()))
    assert row["image_auroc"] == ""
    assert row["undefined"] == "image_auroc: no normal image"


def test_an_environment_that_nests_deeply_costs_no_leaderboard(make_run: Any) -> None:
    nested: Any = 1
    for _ in range(600):
        nested = {"a": nested}
    (row, _) = csv.DictReader(io.StringIO(leaderboard([make_run("a", environment={"deep": nested})]).csv()))
    (column,) = [name for name in row if name.startswith("environment.deep")]
    assert column == "environment.deep" + 7 * ".a"
    assert row[column].startswith('{"a": {"a": ')


def test_where_keeps_any_of_the_values_of_a_column_and_all_of_the_columns(make_run: Any) -> None:
    make_run("a", "invad", split=0)
    make_run("b", "invad", split=1)
    run = make_run("c", "rd", split=0)
    table = leaderboard(runs_of(run), ["split=0", "split=1", "method=invad", "protocol=ader"]).table
    assert sorted(table["split"]) == ["0", "1"]
    assert set(table["method"]) == {"invad"}


@pytest.mark.parametrize(
    ("condition", "message"), [("split", "column=value"), ("nonsense=1", "no column 'nonsense'")]
)
def test_a_wrong_condition_is_refused(make_run: Any, condition: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        leaderboard([make_run("a")], [condition])


# --- rankings


def test_a_ranking_is_sorted_by_mad_best_first(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "vitad", 0.6)
    (ranking,) = leaderboard(runs_of(run)).rankings()
    assert [entry.label for entry in ranking.entries] == ["vitad", "rd"]


def test_costs_sort_by_less_is_better(make_run: Any) -> None:
    make_run("a", "rd", 0.4, method_info={"parameters": 9})
    run = make_run("b", "vitad", 0.6, method_info={"parameters": 10})
    (ranking,) = leaderboard(runs_of(run)).rankings(metrics="mad,parameters", sort="parameters")
    assert [entry.label for entry in ranking.entries] == ["rd", "vitad"]


def test_a_mean_over_splits_and_a_deviation_over_seeds_of_the_splits_means(make_run: Any) -> None:
    for split, seed, score in [(0, 1, 0.2), (1, 1, 0.4), (0, 2, 0.4), (1, 2, 0.8)]:
        run = make_run(f"{split}{seed}", "invad", score, split=split, seed=seed)
    (ranking,) = leaderboard(runs_of(run)).rankings()
    value = ranking.entries[0].values["mad"]
    assert value.mean == pytest.approx(0.45)
    assert value.deviation == pytest.approx(math.sqrt((0.15**2) * 2))  # of 0.3 and 0.6, with n − 1
    assert ranking.entries[0].seeds == 2


def test_only_the_splits_that_all_methods_cover_are_averaged_and_it_is_said(make_run: Any) -> None:
    make_run("a", "invad", 0.2, split=0)
    make_run("b", "invad", 0.9, split=1)
    run = make_run("c", "rd", 0.3, split=0)
    (ranking,) = leaderboard(runs_of(run)).rankings()
    assert [entry.label for entry in ranking.entries] == ["rd", "invad"]
    assert "split 0" in ranking.title
    assert "left out of this ranking: split 1" in ranking.notes[0]


def test_methods_without_a_common_split_are_ranked_split_by_split(make_run: Any) -> None:
    make_run("a", "invad", split=0)
    run = make_run("b", "rd", split=1)
    first, second = leaderboard(runs_of(run)).rankings()
    assert "split 0" in first.title
    assert "split 1" in second.title
    assert "no split in common" in first.notes[0]


@pytest.mark.parametrize(
    "change", [{"hash": "f" * 64}, {"image_size": 512}, {"name": "mtd"}, {"classes": ["x"]}]
)
def test_other_data_hashes_resolutions_or_classes_are_never_in_one_ranking(
    make_run: Any, change: Any
) -> None:
    make_run("a", "invad")
    run = make_run("b", "rd", dataset=change)
    found = leaderboard(runs_of(run)).rankings()
    assert [len(ranking.entries) for ranking in found] == [1, 1]
    assert found[0].title != found[1].title


def test_two_versions_of_a_dataset_are_said_to_be_two(make_run: Any) -> None:
    make_run("a", "invad")
    run = make_run("b", "rd", dataset={"hash": "f" * 64})
    assert all("hashes differ" in ranking.notes[0] for ranking in leaderboard(runs_of(run)).rankings())


def test_protocols_are_ranked_apart(make_run: Any) -> None:
    run = make_run("a", "invad", 0.5, exact=0.25)
    board = leaderboard([run])
    assert [ranking.entries[0].values["mad"].mean for ranking in board.rankings("exact")] == [0.25]
    assert [ranking.protocol for ranking in board.rankings()] == ["ader"]


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({"method_info": {"backbone": "resnet18"}}, "invad (resnet18)"),
        ({"method_info": {"weights": "offline"}}, "invad (offline)"),
        ({"epochs": 10, "preset": "fast"}, "invad (fast, 10 epochs)"),
        ({"method_info": {"options": {"noise": 3}}}, "invad (noise=3)"),
        ({"config": {"recipe": {"batch_size": 8}}}, "invad (batch_size=8)"),
    ],
)
def test_variants_of_a_method_are_distinct_rows_named_by_what_differs(
    make_run: Any, change: Any, label: str
) -> None:
    make_run("a", "invad", 0.5)
    run = make_run("b", "invad", 0.6, **change)
    (ranking,) = leaderboard(runs_of(run)).rankings()
    assert ranking.entries[0].label == label
    assert len(ranking.entries) == 2


def test_a_repeated_run_counts_once_with_its_latest_score_and_a_note(make_run: Any) -> None:
    make_run("a", "invad", 0.9, finished_at="2026-01-01T00:00:00Z")
    run = make_run("b", "invad", 0.5, finished_at="2026-01-02T00:00:00Z")
    (ranking,) = leaderboard(runs_of(run)).rankings()
    assert ranking.entries[0].values["mad"].mean == 0.5
    assert "1 older run(s)" in ranking.notes[0]


def test_an_undefined_metric_of_one_split_leaves_the_mean_undefined_and_last(make_run: Any) -> None:
    make_run("a", "invad", 0.9, split=0)
    make_run("b", "invad", None, split=1)
    make_run("c", "rd", 0.1, split=0)
    run = make_run("d", "rd", 0.1, split=1)
    (ranking,) = leaderboard(runs_of(run)).rankings()
    assert [entry.label for entry in ranking.entries] == ["rd", "invad"]
    assert math.isnan(ranking.entries[1].values["mad"].mean)


def test_a_name_that_is_no_column_is_refused_with_the_known_ones(make_run: Any) -> None:
    with pytest.raises(InputError, match=r"unknown name 'auroc'; known: .*image_auroc"):
        parse_columns("auroc")
    with pytest.raises(InputError, match="--sort: unknown column 'auroc'"):
        leaderboard([make_run("a")]).rankings(sort="auroc")


# --- published rows


def test_published_rows_equal_the_reference_in_fractions(shared: Path) -> None:
    import pandas as pd

    given = pd.read_csv(shared / "published" / "coco_ad_means.csv")
    ours = published_rows().query("dataset == 'coco-ad' and split == 'mean'").reset_index(drop=True)
    assert list(ours["method"]) == list(given["method"])
    for name in METRICS:
        assert (ours[name] * 100).to_list() == pytest.approx(given[name].to_list(), nan_ok=True), name
    logs = pd.read_csv(shared / "published" / "ader_coco_ad_by_split.csv").query("epoch == 100")
    splits = published_rows().query("dataset == 'coco-ad' and split != 'mean'")
    assert len(splits) == len(logs)
    key = ["method", "split"]
    merged = splits.astype({"split": int}).merge(logs, on=key, suffixes=("", "_given"))
    assert len(merged) == len(logs)
    for name in set(METRICS) & set(logs.columns):
        assert (merged[name] * 100).to_list() == pytest.approx(merged[f"{name}_given"].to_list(), abs=1e-3), (
            name
        )


def test_means_of_published_rows_are_those_of_their_own_metrics() -> None:
    rows = published_rows()
    seven = ["image_auroc", "image_ap", "image_f1_max", "pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro"]
    assert (rows[seven].mean(axis=1) - rows["mad"]).abs().max() < 0.0006
    assert set(";".join(rows["caveats"]).split(";")) == set(CAVEATS)


def test_published_means_join_runs_on_the_official_counts_of_all_four_splits(make_run: Any) -> None:
    for split in range(4):
        run = make_run(f"{split}", "mine", 0.99, split=split, dataset=official(split))
    (ranking,) = leaderboard(runs_of(run), published=True).rankings()
    assert len(ranking.entries) == 1 + 24
    assert ranking.entries[0].label == "mine"
    assert "hash of their data is not known" in ranking.notes[0]


def test_published_rows_of_a_split_join_runs_on_that_split(make_run: Any) -> None:
    run = make_run("0", "mine", 0.99, split=1, dataset=official(1))
    (ranking,) = leaderboard([run], published=True).rankings()
    assert len(ranking.entries) == 1 + 11
    assert all("50-bin" in entry.caveats for entry in ranking.entries if entry.published)


def test_published_rows_stand_apart_from_a_dataset_built_otherwise_whatever_its_counts(make_run: Any) -> None:
    run = make_run("0", "mine", 0.99, split=1, dataset={**official(1), "unofficial": ["rasterizer=coco"]})
    ranking, *_ = leaderboard([run], published=True).rankings()
    assert [entry.published for entry in ranking.entries] == [False]
    assert "published rows stand apart: this dataset was built with rasterizer=coco" in ranking.notes


def test_published_rows_stand_apart_from_a_small_dataset_or_another_resolution(make_run: Any) -> None:
    small = make_run("a", "mine")
    first, second = leaderboard([small], published=True).rankings()
    assert [entry.published for entry in first.entries] == [False]
    assert "not the official numbers of images" in first.notes[0]
    assert all(entry.published for entry in second.entries)
    large = make_run("b", "mine", dataset={**official(0), "image_size": 512})
    assert "not scored at 512 px" in leaderboard([large], published=True).rankings()[0].notes[0]


def test_published_rows_of_other_datasets_join_by_name(make_run: Any) -> None:
    run = make_run("a", "mine", split=None, dataset={"name": "MVTec-AD"})
    ranking = leaderboard([run], published=True).rankings()[0]
    assert sorted(entry.label for entry in ranking.entries) == ["invad", "invad-lite", "mine"]
    assert "same name" in ranking.notes[0]


# --- forms


def test_markdown_has_the_best_bold_the_second_underlined_and_the_rest_plain(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    make_run("b", "uniad", 0.3)
    run = make_run("c", "vitad", 0.6)
    text = leaderboard(runs_of(run)).text("md", metrics="image_auroc,mad")
    assert "| vitad | run | **60.0** | **60.0** |" in text
    assert "| rd | run | <ins>40.0</ins> | <ins>40.0</ins> |" in text
    assert "| uniad | run | 30.0 | 30.0 |" in text


def test_values_that_look_equal_share_their_place(make_run: Any) -> None:
    make_run("a", "rd", 0.40001)
    make_run("b", "uniad", 0.4)
    run = make_run("c", "vitad", 0.3)
    text = leaderboard(runs_of(run)).text("md", metrics="mad")
    assert text.count("**40.0**") == 2
    assert "<ins>30.0</ins>" in text


def test_latex_uses_booktabs_and_escapes_names(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "my_method & co", 0.6)
    text = leaderboard(runs_of(run)).text("latex", metrics="mad")
    assert r"\toprule" in text
    assert r"my\_method \& co & run & \textbf{60.0} \\" in text
    assert r"rd & run & \underline{40.0} \\" in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1


def test_the_outlier_flag_is_shown_where_thresholds_hang_on_it_and_nowhere_else(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "draem", 0.3, flags=["outlier-pixel"])
    board = leaderboard(runs_of(run))
    text = board.text("md", metrics="image_auroc,pixel_auroc,pixel_f1_max,pixel_f1_.2_.8")
    assert "| draem | run | <ins>30.0</ins> | <ins>30.0</ins> | <ins>30.0†</ins> | <ins>30.0†</ins> |" in text
    assert "† hinges on one extreme pixel" in text
    exact = board.text("md", protocol="exact", metrics="pixel_f1_max,pixel_f1_.2_.8")
    assert "| draem | run | <ins>30.0</ins> | <ins>30.0†</ins> |" in exact


def test_names_with_control_characters_and_markup_cannot_disturb_the_tables(make_run: Any) -> None:
    run = make_run("a", "evil\n[bold]| x\x1b[31m")
    board = leaderboard([run])
    assert "\x1b" not in board.text("table") + board.text("md") + board.text("latex")
    assert r"evil \[bold\]\| x" in board.text("md")
    assert "evil [bold]| x" in board.text("table")


def test_deviation_and_seeds_are_shown(make_run: Any) -> None:
    make_run("a", "rd", 0.4, seed=1)
    run = make_run("b", "rd", 0.5, seed=2)
    assert "| rd | 2 seeds | 45.0 ±7.1 |" in leaderboard(runs_of(run)).text("md", metrics="mad")


def test_costs_are_shown_in_their_own_units(make_run: Any) -> None:
    text = leaderboard([make_run("a", "rd")]).text("md", metrics="costs")
    assert "| rd | run | 2.0 | – | – | 50.0 | 1.00 | – | – | – |" in text


def test_the_same_runs_give_the_same_bytes(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "uniad", 0.4)
    for form in ("csv", "md", "latex", "table"):
        first = leaderboard(runs_of(run), published=True).text(form)  # type: ignore[arg-type]
        assert first == leaderboard(runs_of(run), published=True).text(form)  # type: ignore[arg-type]
