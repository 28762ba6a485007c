"""The pixel cache: the same bytes as decoding, whatever interrupted it."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.datasets import cache as cache_module
from benchmark.datasets.batches import DecodedRows, LoadedPixels, ResidentPixels
from benchmark.datasets.cache import CachedRows, PixelCache, cache_of
from benchmark.datasets.samples import Sample
from cocoad.base.errors import InputError, ResourceError

SIZE = 32
CPU = torch.device("cpu")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    random = np.random.default_rng(0)
    found = []
    for index in range(9):
        path = tmp_path / "data" / ("train" if index < 5 else "test") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (40 + index, 50) if index == 3 else (40 + index, 50, 3)  # the fourth is gray
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
        found.append(Sample(str(index), path, "tiles"))
    return found


@pytest.fixture
def cache(samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PixelCache:
    monkeypatch.setattr(cache_module, "CHUNK", 2)
    return cache_of(tmp_path / "data", samples, SIZE, tmp_path / "home")


def decoded(samples: Sequence[Sample]) -> np.ndarray:
    return DecodedRows(samples, SIZE).rows(range(len(samples)))


def cached(cache: PixelCache, samples: Sequence[Sample]) -> np.ndarray:
    return CachedRows(cache, samples).rows(range(len(samples)))


@pytest.mark.parametrize("workers", [0, 2])
def test_cached_pixels_are_the_decoded_ones_bit_for_bit(
    workers: int, cache: PixelCache, samples: list[Sample]
) -> None:
    assert cache.needed_bytes(samples) == 9 * SIZE * SIZE * 3
    assert cache.fill(samples, workers) == 9
    assert np.array_equal(cached(cache, samples), decoded(samples))
    assert cache.damaged(samples) == []


def test_decoded_cached_and_resident_sources_give_the_same_batches(
    cache: PixelCache, samples: list[Sample]
) -> None:
    cache.fill(samples, 0)
    order = [[3, 1], [8, 0, 5]]
    sources = [
        LoadedPixels(DecodedRows(samples, SIZE), 0, CPU),
        LoadedPixels(DecodedRows(samples, SIZE), 2, CPU),
        LoadedPixels(CachedRows(cache, samples), 0, CPU),
        ResidentPixels(CachedRows(cache, samples), CPU, chunk=4),
    ]
    first, *others = [list(source.batches(order)) for source in sources]
    assert [tuple(batch.shape) for batch in first] == [(2, 3, SIZE, SIZE), (3, 3, SIZE, SIZE)]
    for other in others:
        assert all(torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_splits_share_what_is_cached(cache: PixelCache, samples: list[Sample]) -> None:
    assert cache.fill(samples[:6], 0) == 6
    assert cache.fill(samples[3:], 0) == 3
    assert cache.fill(samples, 0) == 0
    assert np.array_equal(cached(cache, samples), decoded(samples))


def test_a_killed_fill_goes_on_where_it_was(
    cache: PixelCache, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fill(samples, 0, killed)
    with (cache.directory / "pixels.u8").open("ab") as pixels:
        pixels.write(b"half a row")
    with (cache.directory / "index.tsv").open("ab") as index:
        index.write(b"0000")
    assert cache.fill(samples, 0) == 5
    assert np.array_equal(cached(cache, samples), decoded(samples))


@pytest.mark.parametrize("rows", [0, 4.5, None])
def test_rows_whose_pixels_are_gone_are_damaged_and_decoded_again(
    rows: float | None, cache: PixelCache, samples: list[Sample]
) -> None:
    cache.fill(samples, 0)
    path = cache.directory / "pixels.u8"
    if rows is None:
        path.unlink()
    else:
        os.truncate(path, int(rows * cache.row_bytes))
    whole = int(rows or 0)
    assert cache.damaged(samples) == [sample.id for sample in samples[whole:]]
    assert cache.fill(samples, 0) == 9 - whole
    assert np.array_equal(cached(cache, samples), decoded(samples))
    assert cache.damaged(samples) == []


def test_some_of_a_dataset_s_images_have_the_cache_of_all(
    cache: PixelCache, samples: list[Sample], tmp_path: Path
) -> None:
    cache.fill(samples, 0)
    some = cache_of(tmp_path / "data", samples[6:], SIZE, tmp_path / "home")
    assert some.missing(samples[6:]) == []


def test_images_that_lie_outside_of_their_datasets_share_a_cache(
    samples: list[Sample], tmp_path: Path
) -> None:
    caches = [
        cache_of(tmp_path / name, samples, SIZE, tmp_path / "home") for name in ("built", "official", "data")
    ]
    assert len({cache.directory for cache in caches}) == 1


def test_an_image_that_changed_is_decoded_again(cache: PixelCache, samples: list[Sample]) -> None:
    cache.fill(samples, 0)
    Image.new("RGB", (70, 70), (1, 2, 3)).save(samples[2].image)
    assert cache.fill(samples, 0) == 1
    assert np.array_equal(cached(cache, samples), decoded(samples))


def test_a_flipped_bit_is_found_by_the_check(cache: PixelCache, samples: list[Sample]) -> None:
    cache.fill(samples, 0)
    path = cache.directory / "pixels.u8"
    content = bytearray(path.read_bytes())
    content[4 * SIZE * SIZE * 3 + 7] ^= 1
    path.write_bytes(content)
    assert cache.damaged(samples) == ["4"]


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    cache: PixelCache, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(0, 0, 1000))
    with pytest.raises(
        ResourceError, match=r"needs 0\.0 GB more in .* give --cache DIR on a larger disk, or --no-cache"
    ):
        cache.fill(samples, 0)
    assert not (cache.directory / "pixels.u8").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_all_unreadable_images_are_named_and_the_others_kept(
    workers: int, cache: PixelCache, samples: list[Sample]
) -> None:
    bad = [samples[5], samples[2], samples[8]]
    for sample in bad:
        content = sample.image.read_bytes()
        sample.image.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="3 problems: ") as error:
        cache.fill(samples, workers)
    assert all(str(sample.image) in str(error.value) for sample in bad)
    assert "\n" not in str(error.value)
    good = [sample for sample in samples if sample not in bad]
    assert cache.fill(good, 0) == 0
    assert np.array_equal(cached(cache, good), decoded(good))


def test_images_that_are_not_there_are_named_together(cache: PixelCache, samples: list[Sample]) -> None:
    for sample in samples[3:5]:
        sample.image.unlink()
    with pytest.raises(InputError, match=r"2 problems: .*3.png is missing; .*4.png is missing"):
        cache.fill(samples, 0)


def test_a_row_that_differs_from_its_checksum_is_decoded_again_before_it_is_used(
    cache: PixelCache, samples: list[Sample]
) -> None:
    cache.fill(samples, 0)
    path = cache.directory / "pixels.u8"
    content = bytearray(path.read_bytes())
    content[6 * SIZE * SIZE * 3 + 100] ^= 255
    path.write_bytes(content)
    assert cache.fill(samples, 0) == 1
    assert np.array_equal(cached(cache, samples), decoded(samples))


def test_a_damaged_index_is_refused(cache: PixelCache, samples: list[Sample]) -> None:
    cache.fill(samples, 0)
    (cache.directory / "index.tsv").write_text("nonsense\n")
    with pytest.raises(InputError, match="is damaged: delete"):
        cache.fill(samples, 0)
