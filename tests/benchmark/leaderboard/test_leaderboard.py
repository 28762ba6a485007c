"""The tidy table, the rankings and their forms."""

from __future__ import annotations

import csv
import io
import math
import runpy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmark.leaderboard.board import leaderboard
from benchmark.leaderboard.citations import REFERENCES
from benchmark.leaderboard.published import CAVEATS, TEMPLATE, published_rows
from benchmark.leaderboard.published.datasets import ABOUT
from benchmark.leaderboard.published.source import read_source
from benchmark.runs.columns import METRICS, parse_columns
from cocoad.base.errors import InputError
from cocoad.coco.partition import data_file, partition


def official(split: int) -> dict[str, Any]:
    counts = partition(split).official
    return {
        "train_normal": counts.train_normal,
        "test_normal": counts.test_normal,
        "test_anomalous": counts.test_anomalous,
    }


RECIPE = msgspec.json.decode((Path(__file__).parents[1] / "record.json").read_bytes())["config"]["recipe"]


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
    assert first["environment.packages.torch"] == "2.14.1"
    assert first["environment.commit"] == "7bdb7f3652b591380c3be872e1d26f2429e1ab4e"
    assert (first["train_seconds"], first["seed"], first["split"]) == ("120.0", "42", "0")
    assert (first["flags"], first["run"]) == ("outlier-pixel", str(run))


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("vanished-masks", "ader takes such images for normal"),
        ("partly-masked", "pixel metrics are over the others"),
    ],
)
def test_what_a_flag_says_of_the_masks_of_a_test_set_stands_above_its_ranking(
    flag: str, said: str, make_run: Any
) -> None:
    board = leaderboard([make_run("a", "invad", 0.5, flags=[flag]), make_run("b", "rd", 0.4, flags=[flag])])
    assert any(said in note for note in board.rankings()[0].notes)
    assert said in board.text("md")
    assert not any(said in note for note in leaderboard([make_run("c", "rd", 0.4)]).rankings()[0].notes)


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
        ({"config": {"recipe": {**RECIPE, "batch_size": 8}}}, "invad (batch_size=8)"),
        ({"method_info": {"version": 2}}, "invad (method version 2)"),
        ({"dataset": {"pipeline": 99}}, "invad (pixel pipeline version 99)"),
        ({"dataset": {"image_size": 448, "score_size": 256}}, "invad (448 px)"),
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

    means = pd.read_csv(shared / "published" / "coco_ad_means.csv").assign(dataset="coco-ad", split="mean")
    means["source"] = means["source"].str.replace(
        r"^(InvAD paper|ADer benchmark|MambaAD paper).*", r"\1", regex=True
    )
    split = pd.read_csv(shared / "published" / "mambaad_by_split.csv", dtype={"split": "str"})
    ours = published_rows()
    for given, factor, count in ((means, 100, 24), (split, 1, 24)):
        both = given.merge(ours, on=["source", "method", "dataset", "split"], suffixes=("", "_ours"))
        assert len(both) == len(given) == count
        for name in METRICS:
            difference = (both[name] / factor - both[f"{name}_ours"]).abs()
            assert not (difference > 0.0006).any(), name  # means (mad*) are rounded in the reference
            assert (both[name].isna() == both[f"{name}_ours"].isna()).all(), name


def test_every_caveat_of_a_published_row_is_explained_and_every_explanation_needed() -> None:
    assert set(";".join(published_rows()["caveats"]).split(";")) - {""} == set(CAVEATS)


def test_an_f1_below_that_of_calling_everything_anomalous_is_marked_as_impossible() -> None:
    rows = published_rows()
    known = rows[rows["test_anomalous"].notna() & rows["image_f1_max"].notna()]
    share = known["test_anomalous"].astype(float) / (known["test_anomalous"] + known["test_normal"]).astype(
        float
    )
    of_means = known["classes"].str.contains(";")  # a mean over classes of unlike shares has no such floor
    below = (
        known["image_f1_max"] < 2 * share / (1 + share) - 0.002
    )  # printed with one digit; split 2 is not confirmed
    marked = known["caveats"].str.contains("below-floor")
    assert set(known.index[below & ~of_means]) == set(known.index[marked])
    assert marked.sum() == 2


def test_the_mean_of_published_splits_is_the_published_mean() -> None:
    rows = published_rows().query("dataset == 'coco-ad' and source == 'MambaAD paper'")
    means = rows[rows["split"] == "mean"].set_index("method")["image_auroc"]
    splits = rows[rows["split"] != "mean"].groupby("method")["image_auroc"].mean()
    assert (means - splits).abs().max() < 0.0011


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("image_auroc: high", "not a published source"),
        ("cite: 3", "not a published source"),
        ("extra: 1", "not a published source"),
    ],
)
def test_a_source_that_is_none_is_refused(tmp_path: Path, change: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    key = change.partition(":")[0]
    lines = [line for line in TEMPLATE.read_text().splitlines() if not line.startswith(f"{key}:")]
    file.write_text("\n".join([*lines, change]))
    with pytest.raises(InputError, match=message):
        read_source(file)


def test_a_line_that_does_not_fit_its_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    for old, new in (("65.7", "165.7"), (", ~      ]", "]"), ("image_ap", "image_app")):
        file.write_text(TEMPLATE.read_text().replace(old, new))
        with pytest.raises(InputError, match=r"tables\[0\]"):
            read_source(file)


def test_the_template_and_every_source_meet_the_schema(tmp_path: Path) -> None:
    import jsonschema
    import yaml

    schema = msgspec.json.decode(data_file("schemas/published.schema.json").read_bytes())
    validator = jsonschema.Draft202012Validator(schema)
    files = sorted(TEMPLATE.parent.glob("*.yaml"))
    assert len(files) == 5
    for file in files:
        validator.validate(yaml.safe_load(file.read_text("utf-8")))
        assert read_source(file).cite in REFERENCES or file == TEMPLATE
    root = Path(__file__).resolve().parents[3]
    script = runpy.run_path(str(root / "docs" / "scripts" / "run_schemas.py"))
    assert script["schema"]("published") == schema


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
    by_source = [entry.source for entry in ranking.entries if entry.published]
    assert (by_source.count("ADer benchmark"), by_source.count("MambaAD paper")) == (11, 6)


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


def mvtec(**changes: Any) -> dict[str, Any]:
    """Return all that tells MVTec AD, in a folder of another name."""
    about = ABOUT["mvtec_ad"]
    found = {
        "name": "mvtec_anomaly_detection",
        "layout": "folder",
        "classes": list(about.classes),
        **about.counts(""),
    }
    return {**found, **changes}


def test_published_rows_join_by_classes_and_numbers_of_images_whatever_the_folders_name(
    make_run: Any,
) -> None:
    run = make_run("a", "mine", split=None, dataset=mvtec())
    ranking = leaderboard([run], published=True).rankings()[0]
    assert sorted(entry.label for entry in ranking.entries) == ["invad", "invad-lite", "mine"]
    assert "same classes and numbers of images" in ranking.notes[0]
    assert ranking.title == "mvtec_anomaly_detection, one model for all 15 classes, 256 px: MVTec AD"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"classes": ["bottle"]}, "they are about the 15 classes of MVTec AD, these runs about bottle"),
        (
            {"test_normal": 466},
            "these test sets have not the official numbers of images: 3,629 train, 466 + 1,258",
        ),
        ({"per_class": True}, "they are of one model for all classes"),
    ],
)
def test_published_rows_stand_apart_from_runs_of_some_classes_of_other_images_or_of_another_setting(
    make_run: Any, change: dict[str, Any], why: str
) -> None:
    run = make_run("a", "mine", split=None, dataset=mvtec(name="mvtec_ad", **change))
    ranking, alone = leaderboard([run], published=True, conditions=["dataset=mvtec_ad"]).rankings()
    assert [entry.label for entry in ranking.entries] == ["mine"]
    assert any(f"published rows stand apart: {why}" in note for note in ranking.notes)
    assert [entry.label for entry in alone.entries] == ["invad", "invad-lite"]
    assert alone.title.startswith("mvtec_ad, one model for all 15 classes")


# --- one model per class


def of_class(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "tiles", "classes": [name], "per_class": True, "of_classes": ["a", "b"], "of_hash": "e" * 64,
        "hash": name * 64, **changes,
    }  # fmt: skip


def test_one_model_per_class_is_one_row_the_mean_of_all_classes(make_run: Any) -> None:
    make_run("a", "rd", 0.4, split=None, dataset=of_class("a"))
    run = make_run("b", "rd", 0.8, split=None, dataset=of_class("b"))
    (ranking,) = leaderboard(runs_of(run)).rankings("ader", "mad,train_seconds,peak_memory_bytes")
    (entry,) = ranking.entries
    assert ranking.title == "tiles, one model per class, mean of 2 classes, 256 px"
    assert entry.values["mad"].mean == pytest.approx(0.6)
    assert entry.values["train_seconds"].mean == 240.0
    assert entry.values["peak_memory_bytes"].mean == 1 << 30


def test_without_all_classes_there_is_no_mean_and_what_lacks_is_named(make_run: Any) -> None:
    run = make_run("a", "rd", 0.4, split=None, dataset=of_class("a"))
    (ranking,) = leaderboard([run]).rankings()
    assert ranking.title == "tiles: class a of 2, 256 px"
    assert ranking.notes == ["rd on tiles, one model per class: 1 of 2 classes, so no mean; lacking b"]


def test_one_model_per_class_and_one_for_all_never_stand_in_one_ranking(make_run: Any) -> None:
    make_run("a", "rd", 0.4, split=None, dataset=of_class("a"))
    make_run("b", "rd", 0.8, split=None, dataset=of_class("b"))
    whole = {"name": "tiles", "classes": ["a", "b"], "hash": "e" * 64}
    run = make_run("c", "rd", 0.9, split=None, dataset=whole)
    titles = {ranking.title: len(ranking.entries) for ranking in leaderboard(runs_of(run)).rankings()}
    assert titles == {
        "tiles, one model for all 2 classes, 256 px": 1,
        "tiles, one model per class, mean of 2 classes, 256 px": 1,
    }


def test_a_class_that_was_scored_by_other_code_makes_no_mean(make_run: Any) -> None:
    make_run("a", "rd", 0.4, split=None, dataset=of_class("a"), method_info={"version": 1})
    run = make_run("b", "rd", 0.8, split=None, dataset=of_class("b"), method_info={"version": 2})
    titles = [ranking.title for ranking in leaderboard(runs_of(run)).rankings()]
    assert titles == ["tiles: class a of 2, 256 px", "tiles: class b of 2, 256 px"]


# --- budgets and versions


def test_runs_of_different_code_are_rows_of_their_own_and_it_is_said(make_run: Any) -> None:
    make_run("a", "padim", 0.4, method_info={"version": 1}, seed=1)
    run = make_run("b", "padim", 0.6, method_info={"version": 2}, seed=2)
    (ranking,) = leaderboard(runs_of(run)).rankings()
    assert [entry.label for entry in ranking.entries] == [
        "padim (method version 2)",
        "padim (method version 1)",
    ]
    assert "padim: method versions 1, 2 are rows of their own, never averaged" in ranking.notes


def test_unlike_budgets_are_shown_and_said(make_run: Any) -> None:
    make_run("a", "rd", 0.4, epochs=10, preset="fast")
    make_run("b", "uniad", 0.5, epochs=100, preset=None)
    run = make_run("c", "vitad", 0.6, method_info={"weights": "random"})
    board = leaderboard(runs_of(run))
    (ranking,) = board.rankings()
    assert ranking.budget == ("epochs", "weights", "pretraining")
    assert "budgets differ (epochs, weights): the ranks are not those of methods alone" in ranking.notes
    text = board.text("md", metrics="mad")
    assert "| Method | Source | mAD | Epochs | Weights | Pretraining |" in text
    assert "| RD‡ [3] | native | 40.0 | 10 | imagenet | ImageNet-1k labels |" in text
    assert (
        "‡ not trained by its paper's recipe (a changed recipe, an encoder of random weights, preset fast)"
        in text
    )


def test_like_budgets_need_no_columns(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "uniad", 0.5)
    text = leaderboard(runs_of(run)).text("md", metrics="mad")
    assert "| Method | Source | mAD |" in text
    assert "budgets differ" not in text


# --- forms


def test_markdown_has_the_best_bold_the_second_underlined_and_the_rest_plain(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    make_run("b", "uniad", 0.3)
    run = make_run("c", "vitad", 0.6)
    text = leaderboard(runs_of(run)).text("md", metrics="image_auroc,mad")
    assert "| ViTAD [1] | native | **60.0** | **60.0** |" in text
    assert "| RD [2] | native | <ins>40.0</ins> | <ins>40.0</ins> |" in text
    assert "| UniAD [3] | native | 30.0 | 30.0 |" in text


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
    assert r"my\_method \& co & native & \textbf{60.0} \\" in text
    assert r"RD~\cite{deng2022rd} & native & \underline{40.0} \\" in text
    assert r"\label{tab:coco-ad-256-px-split-0-ader}" in text
    assert "@inproceedings{deng2022rd," in leaderboard(runs_of(run)).text("bib")
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1


def test_the_outlier_flag_is_shown_where_thresholds_hang_on_it_and_nowhere_else(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "draem", 0.3, flags=["outlier-pixel"])
    board = leaderboard(runs_of(run))
    text = board.text("md", metrics="image_auroc,pixel_auroc,pixel_f1_max,pixel_f1_.2_.8")
    assert (
        "| DRAEM [2] | native | <ins>30.0</ins> | <ins>30.0</ins> | <ins>30.0†</ins> | <ins>30.0†</ins> |"
        in text
    )
    assert "† hinges on one extreme pixel" in text
    exact = board.text("md", protocol="exact", metrics="pixel_f1_max,pixel_f1_.2_.8")
    assert "| DRAEM [2] | native | <ins>30.0</ins> | <ins>30.0†</ins> |" in exact


def test_names_with_control_characters_and_markup_cannot_disturb_the_tables(make_run: Any) -> None:
    run = make_run("a", "evil\n[bold]| x\x1b[31m")
    board = leaderboard([run])
    assert "\x1b" not in board.text("table") + board.text("md") + board.text("latex")
    assert r"evil \[bold\]\| x" in board.text("md")
    assert "evil [bold]| x" in board.text("table")


def test_deviation_and_seeds_are_shown(make_run: Any) -> None:
    make_run("a", "rd", 0.4, seed=1)
    run = make_run("b", "rd", 0.5, seed=2)
    assert "| RD [1] | native, 2 seeds | 45.0 ±7.1 |" in leaderboard(runs_of(run)).text("md", metrics="mad")


def test_costs_are_shown_in_their_own_units(make_run: Any) -> None:
    text = leaderboard([make_run("a", "rd")]).text("md", metrics="costs")
    assert "| RD [1] | native | 2.0 | – | – | 50.0 | 1.00 | – | – | – | – |" in text


def test_the_same_runs_give_the_same_bytes(make_run: Any) -> None:
    make_run("a", "rd", 0.4)
    run = make_run("b", "uniad", 0.4)
    for form in ("csv", "md", "latex", "table"):
        first = leaderboard(runs_of(run), published=True).text(form)  # type: ignore[arg-type]
        assert first == leaderboard(runs_of(run), published=True).text(form)  # type: ignore[arg-type]
