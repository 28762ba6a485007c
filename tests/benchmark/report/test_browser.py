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
