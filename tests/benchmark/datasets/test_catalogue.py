"""The list of datasets."""

from __future__ import annotations

import json

from click.testing import CliRunner

from benchmark.cli.datasets import command
from benchmark.datasets import LAYOUTS
from benchmark.datasets.catalogue import CATALOGUE


def test_every_dataset_names_a_layout_that_there_is_where_to_get_it_and_its_terms() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    for entry in CATALOGUE:
        assert entry.layout in LAYOUTS
        assert entry.url.startswith("https://")
        assert all(entry)


def test_the_command_prints_them_for_people_and_for_programs() -> None:
    text = CliRunner().invoke(command, [], catch_exceptions=False).stdout
    listed = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).stdout)
    assert [entry["name"] for entry in listed] == [entry.name for entry in CATALOGUE]
    assert all(f"{entry.name}: " in text and entry.licence in text for entry in CATALOGUE)
