"""The page in headless Chromium, opened from disk: it draws, sorts, filters, enlarges, and asks for nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmark.cli.report import command

pytestmark = pytest.mark.browser

MakeRun = Callable[..., Path]

WIDE, NARROW = (1280, 900), (500, 900)


@pytest.fixture
def page(make_whole_run: MakeRun, tmp_path: Path, browser: Any) -> Any:
    """A browser that shows the report of two runs."""
    make_whole_run("good", signal=2.0, score=0.75)
    make_whole_run("poor<b>", signal=0.2, score=0.25, seed=2)
    result = CliRunner().invoke(command, [str(tmp_path / "runs"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    browser.set_window_size(*WIDE)
    browser.get((tmp_path / "out" / "index.html").as_uri())
    return browser


def all_of(page: Any, selector: str) -> list[Any]:
    found: list[Any] = page.find_elements("css selector", selector)
    return found


def methods(page: Any) -> list[str]:
    """Return the methods of the first board, as they stand."""
    rows = all_of(page, ".board:not([hidden]) tbody tr:not([hidden]) th")
    return [row.text for row in rows][:2]


def test_the_page_loads_without_errors_and_without_requests(page: Any) -> None:
    import json

    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert page.get_log("browser") == []
    assert [url for url in sent if not url.startswith(("file:", "data:"))] == []
    assert all_of(page, "svg.chart polyline")
    assert methods(page) == ["good", "poor<b>"]


def test_every_picture_is_decoded(page: Any) -> None:
    images = all_of(page, "img.heat")
    widths = page.execute_script(
        "return [...document.querySelectorAll('img.heat')].map((i) => i.naturalWidth)"
    )
    assert len(images) == len(widths) > 0
    assert set(widths) == {64}


def test_a_heading_sorts_and_sorts_back_by_keyboard(page: Any) -> None:
    heading = next(
        head for head in all_of(page, ".board thead th") if head.get_attribute("aria-sort") == "descending"
    )
    button = heading.find_element("css selector", "button")
    button.send_keys("\ue007")  # Enter
    assert methods(page) == ["poor<b>", "good"]
    assert heading.get_attribute("aria-sort") == "ascending"
    button.send_keys(" ")
    assert methods(page) == ["good", "poor<b>"]


def test_the_filter_leaves_rows_that_hold_the_words(page: Any) -> None:
    field = page.find_element("id", "filter")
    field.send_keys("poor coco-ad")
    assert set(methods(page)) == {"poor<b>"}
    field.send_keys(" nonsense")
    assert methods(page) == []
    assert page.find_element("id", "nothing").is_displayed()


def test_a_legend_hides_a_methods_lines(page: Any) -> None:
    button = all_of(page, ".legend button")[0]
    lines = f".testset .chart .k{button.get_attribute('data-series')}"
    assert all_of(page, lines)[0].is_displayed()
    button.send_keys("\ue007")
    assert button.get_attribute("aria-pressed") == "false"
    assert not any(line.is_displayed() for line in all_of(page, lines))


def test_the_gallery_opens_turns_and_closes_by_keyboard(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    first, second = all_of(page, ".exhibit")[:2]
    first.send_keys(Keys.ENTER)
    viewer, name = page.find_element("id", "viewer"), page.find_element("id", "viewer-name")
    assert viewer.is_displayed()
    assert name.text in first.text
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert name.text in second.text
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not viewer.is_displayed()
    # the browser gives the focus back to the first at once, and the page to the second when it hears of the closing
    WebDriverWait(page, 5).until(lambda page: page.switch_to.active_element == second)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_nothing_is_wider_than_the_window(page: Any, size: tuple[int, int]) -> None:
    page.set_window_size(*size)
    page.find_element("id", "extra").click()
    across, window = page.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert window <= size[0]
    assert across <= window


def test_dark_mode_follows_the_system(page: Any) -> None:
    colours = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        colours.append(page.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert colours[0] == "rgb(255, 255, 255)"
    assert colours[1] != colours[0]


def saved(page: Any, button: Any) -> tuple[str, str]:
    """Press an export's button; return the name and the text of what would be saved."""
    page.execute_script(
        "window.kept = null; HTMLAnchorElement.prototype.click = function () {"
        " window.kept = [this.download, null]; };"
        "const make = URL.createObjectURL; URL.createObjectURL = (blob) => {"
        " blob.text().then((text) => { window.text = text; }); return make.call(URL, blob); };"
    )
    page.execute_script("arguments[0].click()", button)
    page.execute_async_script("setTimeout(arguments[0], 100)")
    name, text = page.execute_script("return [window.kept[0], window.text]")
    return str(name), str(text)


def test_a_table_is_saved_as_csv_with_the_rows_that_are_shown(page: Any) -> None:
    name, text = saved(page, all_of(page, ".board .csv")[0])
    assert (name.startswith("coco-ad-256-px-split-0"), name.endswith(".csv")) == (True, True)
    heading, first, second = text.splitlines()
    assert heading.startswith("#,Method,mAD,I-AUROC")
    assert first.startswith("1,good,75.0,")
    assert second.startswith("2,poor<b>,25.0,")


def test_a_chart_is_saved_as_svg_with_its_colours(page: Any) -> None:
    name, text = saved(page, all_of(page, ".testset .plot .svg")[0])
    assert name == "roc-of-images.svg"
    assert text.startswith("<svg ")
    assert 'xmlns="http://www.w3.org/2000/svg"' in text
    assert "stroke: rgb(0, 114, 178)" in text


def test_the_switch_shows_the_other_protocol_everywhere(page: Any) -> None:
    from selenium.webdriver.support.select import Select

    def shown() -> set[str]:
        tags = [tag for tag in all_of(page, ".board .tag") if tag.is_displayed()]
        return {tag.text for tag in tags}

    assert shown() == {"ader"}
    Select(page.find_element("id", "protocol")).select_by_visible_text("exact")
    assert shown() == {"exact"}


def test_rank_method_and_mad_are_in_sight_on_a_phone(page: Any) -> None:
    page.set_window_size(*NARROW)
    row = all_of(page, ".board tbody tr")[0]
    for selector in ("td.rank", "th", "td.best"):
        cell = row.find_element("css selector", selector)
        assert cell.rect["x"] >= 0
        assert cell.rect["x"] + cell.rect["width"] <= 400, selector
