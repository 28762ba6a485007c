"""The sliders over the threshold, as data and in a browser."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from benchmark.report.page import write_report
from benchmark.runs.outputs import read_scores
from benchmark.runs.thresholds import Rate, Threshold

MakeRun = Any
F1 = Threshold("image", "f1", 0.4, "test set", 60, None, Rate(3, 40, 0.02, 0.2), Rate(2, 20, 0.03, 0.3))


@pytest.fixture
def written(make_scored_run: MakeRun, tmp_path: Path) -> tuple[Path, Path]:
    directory = make_scored_run("a", thresholds=[F1])
    return directory, write_report([directory], tmp_path / "report", advance=lambda *_: None).path


def test_a_slider_has_all_scores_and_stands_at_the_records_threshold(written: tuple[Path, Path]) -> None:
    directory, page = written
    text = page.read_text()
    (rows,) = re.findall(r'data-rows="(.*?)"', text)
    scores = read_scores(directory)
    found = json.loads(unescape(rows))
    assert [row[0] for row in found] == pytest.approx(sorted(row.score for row in scores), rel=1e-6)
    assert sum(row[1] for row in found) == sum(row.label for row in scores)
    below = sum(row.score <= 0.4 for row in scores)
    assert f'max="60" value="{below}"' in text
    assert "f1, 0.4 (from the test set): misses 3 of 40: 7.5 % [2.0, 20.0]" in text


@pytest.mark.browser
def test_moving_the_slider_counts_and_names_misses_and_false_alarms(
    written: tuple[Path, Path], browser: Any
) -> None:
    directory, page = written
    browser.get(page.as_uri())
    scores = read_scores(directory)

    def texts() -> list[str]:
        return [
            browser.find_element("css selector", f".decision [data-put={name}]").text
            for name in ("misses", "alarms")
        ]

    misses = sum(row.score <= 0.4 for row in scores if row.label)
    alarms = sum(row.score > 0.4 for row in scores if not row.label)
    assert texts() == [f"{misses} of 40", f"{alarms} of 20"]
    browser.execute_script(
        "const s = document.querySelector('.decision input'); s.value = 60; s.dispatchEvent(new Event('input'));"
    )
    assert texts() == ["40 of 40", "0 of 20"]
    browser.execute_script(
        "document.querySelector('.decision button').click()"
    )  # the page's bar may lie over it
    assert texts() == [f"{misses} of 40", f"{alarms} of 20"]
    assert browser.get_log("browser") == []
