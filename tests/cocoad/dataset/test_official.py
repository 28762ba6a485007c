"""The names of the official layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocoad.dataset.official import image_id, meta_file, splits_in


@pytest.mark.parametrize(
    ("image", "ident"),
    [
        ("val2017/000000000139.jpg", 139),
        ("a/b/7.png", 7),
        ("cat.jpg", None),
        ("x/12a.jpg", None),
        ("1" * 13 + ".jpg", None),
        ("1.jpg\n", None),
    ],
)
def test_an_image_is_known_by_the_number_that_it_is_called(image: str, ident: int | None) -> None:
    assert image_id(image) == ident


def test_a_folder_has_the_splits_that_it_has_lists_of(tmp_path: Path) -> None:
    for name in (meta_file(3), meta_file(0), "meta_20_10.json", "meta_20_x.json"):
        (tmp_path / name).touch()
    assert splits_in(tmp_path) == [0, 3]
