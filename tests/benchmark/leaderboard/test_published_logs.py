"""The public training logs that the package carries."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmark.leaderboard.published import published_log
from benchmark.metrics import METRICS


@pytest.mark.parametrize("dataset", ["mvtec_ad", "coco-ad"])
def test_a_log_has_every_metric_as_a_fraction(dataset: str) -> None:
    log = published_log(dataset)
    assert set(log.columns) == {"source", "method", "dataset", "part", "epoch", *METRICS}
    assert log[list(METRICS)].stack().between(0, 1).all()
    assert not log.duplicated(["source", "method", "part", "epoch"]).any()


def test_the_mean_of_the_logged_classes_is_the_logged_mean() -> None:
    log = published_log("mvtec_ad")
    classes, means = log[log["part"] != "mean"], log[log["part"] == "mean"]
    ours = classes.groupby(["method", "epoch"])[list(METRICS)].mean()
    theirs = means.set_index(["method", "epoch"])[list(METRICS)]
    assert (ours - theirs).abs().max().max() < 5e-4


@pytest.mark.parametrize(
    ("name", "dataset", "keys"),
    [
        ("ader_mvtec_by_class.csv", "mvtec_ad", ["method", "class", "epoch"]),
        ("ader_coco_ad_by_split.csv", "coco-ad", ["method", "split", "epoch"]),
    ],
)
def test_the_logs_are_the_published_ones(shared: Path, name: str, dataset: str, keys: list[str]) -> None:
    given = pd.read_csv(shared / "published" / name, dtype={"split": "str"})
    given = (
        given.rename(columns={keys[1]: "part"}).set_index(["method", "part", "epoch"])[list(METRICS)] / 100
    )
    ours = published_log(dataset).set_index(["method", "part", "epoch"])[list(METRICS)]
    assert (given.sort_index() - ours.sort_index()).abs().max().max() < 1e-6
