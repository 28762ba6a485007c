"""A leaderboard's site: what is shown, what is refused, and that nobody's text becomes the page's."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.datasets.samples import AnomalyDataset
from benchmark.leaderboard.board import leaderboard
from benchmark.submissions.format import About, Reproduction, read_submission
from benchmark.submissions.pack import pack_split, source_of, write_packed
from benchmark.submissions.site import write_site
from benchmark.submissions.truth import Truth
from benchmark.submissions.unpack import unpack
from benchmark.submissions.verify import verify
from cocoad.base.errors import InputError

pytest.importorskip("jinja2")

Submit = Callable[..., Path]


@pytest.fixture
def submit(dataset: AnomalyDataset, save_maps: Callable[..., Path], tmp_path: Path) -> Submit:
    """A function that adds a submission to ``tmp_path/results``."""

    def add(name: str, seed: int = 0, signal: float = 0.7, **about: Any) -> Path:
        packed = pack_split(
            source_of(save_maps(f"maps-{name}", seed, signal), None), dataset, 128, lossy=True
        )
        folder = tmp_path / "results" / name
        write_packed(folder, About(**{"method": name, "pretraining": "LVD-142M", **about}), [packed])
        return folder

    return add


def test_the_site_ranks_what_is_sound_and_names_what_is_refused(
    submit: Submit, truth: Truth, tmp_path: Path
) -> None:
    submit("good", signal=1.5, code="https://example.org/code", bibtex="@misc{good}")
    submit("fair", 1, reproduced=Reproduction("a lab", "https://example.org/where"))
    bad = submit("bad", 2) / "submission.json"
    content = json.loads(bad.read_bytes())
    content["splits"][0]["metrics"]["ader"]["mad"] = 0.999
    bad.write_text(json.dumps(content))
    site = write_site(tmp_path / "results", [truth], tmp_path / "site")
    assert ([one.name for one in site.shown], [one.name for one in site.refused]) == (
        ["fair", "good"],
        ["bad"],
    )
    page = site.path.read_text()
    assert page.index('<th scope="row" title="good">good') < page.index('<th scope="row" title="fair">fair')
    assert "bad: error [claims] coco-ad, split 0: ader/mad is claimed to be 99.90000 %" in page
    assert '<a class="link" href="https://example.org/code">code</a>' in page
    assert 'data-trust="reproduced" data-pretraining="LVD-142M"' in page
    assert "Per-region overlap" in page
    assert ">dog" in page  # a held-out category
    assert "MambaAD paper" in page
    rows = list(csv.DictReader((tmp_path / "site" / "leaderboard.csv").open()))
    own = {row["method"]: row for row in rows if row["source"] == "run" and row["protocol"] == "ader"}
    assert {name: row["trust"] for name, row in own.items()} == {"good": "rescored", "fair": "reproduced"}
    claimed = read_submission(tmp_path / "results" / "good").splits[0].metrics["ader"]["mad"]
    assert float(own["good"]["mad"]) == claimed
    assert "@misc{good}" in (tmp_path / "site" / "leaderboard.bib").read_text()


def test_the_same_submissions_give_the_same_bytes(submit: Submit, truth: Truth, tmp_path: Path) -> None:
    submit("one")
    for name in ("a", "b"):
        write_site(tmp_path / "results", [truth], tmp_path / name)
    for file in ("index.html", "leaderboard.csv", "leaderboard.bib"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert str(tmp_path) not in (tmp_path / "a" / "index.html").read_text()


def test_a_replaced_submission_is_not_shown(submit: Submit, truth: Truth, tmp_path: Path) -> None:
    submit("old")
    submit("new", 1, method="old", replaces="old")
    site = write_site(tmp_path / "results", [truth], tmp_path / "site", published=False)
    assert [one.name for one in site.shown] == ["new"]


def test_nothing_of_a_submission_becomes_part_of_the_page(
    submit: Submit, truth: Truth, tmp_path: Path
) -> None:
    attack = "<script>alert(1)</script>"
    folder = submit(
        "one", encoder=attack, pretraining=attack, authors=[attack], bibtex=attack, licence=attack
    )
    folder.rename(folder.with_name("<img src=x>"))
    page = write_site(tmp_path / "results", [truth], tmp_path / "site").path.read_text()
    assert attack not in page
    assert "<img src=x>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_site_of_nothing_is_refused_or_has_the_published_rows_alone(truth: Truth, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(InputError, match="no sound submission"):
        write_site(tmp_path / "results", [truth], tmp_path / "site", published=False)
    assert "ADer benchmark" in write_site(tmp_path / "results", [], tmp_path / "site").path.read_text()


def test_an_unpacked_submission_is_a_run_like_any_other(submit: Submit, truth: Truth, tmp_path: Path) -> None:
    verified = verify(submit("one", encoder="vit"), [truth])
    (directory,) = unpack(verified, tmp_path / "runs")
    (ranking,) = leaderboard([directory]).rankings()
    (entry,) = ranking.entries
    assert (entry.method, entry.trust, entry.budget["pretraining"]) == ("one", "rescored", "LVD-142M")


@pytest.mark.browser
def test_the_page_filters_by_splits_trust_and_pretraining_without_any_request(
    submit: Submit, truth: Truth, tmp_path: Path, browser: Any
) -> None:
    submit("first", pretraining="none", code="https://example.org/code")
    submit("second", 1, reproduced=Reproduction("a lab", "https://example.org/where"))
    site = write_site(tmp_path / "results", [truth], tmp_path / "site")
    browser.set_window_size(1280, 900)
    browser.get(site.path.as_uri())
    assert browser.get_log("browser") == []

    def shown() -> set[str]:
        rows = browser.find_elements("css selector", ".board:not([hidden]) tbody tr:not([hidden]) th")
        return {row.text.split()[0] for row in rows if row.is_displayed()}

    def choose(selector: str, value: str) -> None:
        from selenium.webdriver.support.select import Select

        Select(browser.find_element("css selector", selector)).select_by_visible_text(value)

    assert {"first", "second", "vitad"} <= shown()  # split 0, that of the submissions
    choose("select[data-by=trust]", "reproduced")
    assert shown() == {"second"}
    choose("select[data-by=trust]", "any")
    choose("select[data-by=pretraining]", "none")
    assert "first" in shown()
    assert not {"second", "vitad"} & shown()
    choose("select[data-by=pretraining]", "any")
    choose("select[data-of=part]", "mean")
    assert "first" not in shown()
    assert "vitad" in shown()
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    browser.set_window_size(500, 900)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
