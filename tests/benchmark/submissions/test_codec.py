"""Maps as small grids: what the codec keeps, and what the forms beside it lose on real maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmark.datasets import load_dataset
from benchmark.metrics import Evaluator
from benchmark.scoring.mapfiles import read_map
from benchmark.submissions.codec import chosen_codec, decoded, enlarged, fitted, quantised
from benchmark.submissions.truth import Truth

Maps = npt.NDArray[np.float32]


def smooth(count: int, size: int, seed: int = 0, power: float = 1.0) -> Maps:
    random = np.random.default_rng(seed)
    noise = [
        cv2.GaussianBlur(random.normal(size=(size, size)), (0, 0), size / 32) * size / 8 for _ in range(count)
    ]
    return np.exp(power * np.stack(noise)).astype(np.float32)


def round_trip(maps: Maps, size: int) -> Maps:
    grids = fitted(maps, size)
    chosen = chosen_codec(grids, maps.shape[1])
    levels = quantised(grids, chosen)
    return decoded(levels, chosen, maps.min(axis=(1, 2)), maps.max(axis=(1, 2)), maps.shape[1])


def correlation(maps: Maps, others: Maps) -> float:
    return float(np.corrcoef(maps.reshape(-1), others.reshape(-1))[0, 1])


def ranked(maps: Maps) -> Maps:
    return maps.reshape(-1).argsort().argsort().astype(np.float32)


@pytest.mark.parametrize(("small", "large"), [(64, 256), (64, 128), (64, 100), (32, 256)])
def test_enlarging_is_bicubic_interpolation_as_others_define_it(small: int, large: int) -> None:
    grids = np.random.default_rng(0).normal(size=(2, small, small)).astype(np.float32)
    expected = [cv2.resize(grid, (large, large), interpolation=cv2.INTER_CUBIC) for grid in grids]
    assert np.abs(enlarged(grids, large) - expected).max() < 1e-5


def test_a_map_is_given_back_the_same_whatever_is_decoded_beside_it() -> None:
    maps = smooth(5, 128)
    grids = fitted(maps, 64)
    chosen = chosen_codec(grids, 128)
    levels, low, high = quantised(grids, chosen), maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    together = decoded(levels, chosen, low, high, 128)
    alone = [decoded(levels[[i]], chosen, low[[i]], high[[i]], 128)[0] for i in range(5)]
    assert np.array_equal(together, alone)


@example(65, 3.0, 1e-30, 0.0)  # whose third map lies below the lowest level
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.floats(0.01, 3),
    st.sampled_from([1e-30, 1.0, 1e20]),
    st.sampled_from([0.0, -5.0]),
)
def test_extremes_are_exact_and_everything_lies_between_them(
    seed: int, power: float, scale: float, shift: float
) -> None:
    maps = (smooth(3, 96, seed, power) * np.float32(scale) + np.float32(shift * scale)).astype(np.float32)
    back = round_trip(maps, 64)
    assert np.array_equal(back.min(axis=(1, 2)), maps.min(axis=(1, 2)))
    assert np.array_equal(back.max(axis=(1, 2)), maps.max(axis=(1, 2)))
    # A peak may be steeper than a grid of 64 can follow; the levels cost next to nothing beside that.
    assert correlation(back, maps) > min(correlation(enlarged(fitted(maps, 64), 96), maps) - 0.005, 0.995)


@pytest.mark.parametrize("seed", [74, 84, 1, 2, 3])
def test_the_order_of_low_scores_outlasts_peaks_a_hundred_thousand_times_as_high(seed: int) -> None:
    maps = smooth(3, 96, seed, 3)
    assert maps.max() > 1e5 * np.median(maps)
    assert correlation(ranked(round_trip(maps, 64)), ranked(maps)) > 0.85


@pytest.mark.parametrize("value", [0.0, -3.5, 1e30])
def test_constant_maps_stay_constant(value: float) -> None:
    maps = np.full((2, 128, 128), value, np.float32)
    assert np.array_equal(round_trip(maps, 64), maps)


def test_maps_that_are_mostly_zero_keep_their_zeros_and_their_peaks() -> None:
    maps = np.maximum(smooth(4, 128) - 2, 0).astype(np.float32)
    assert (maps == 0).mean() > 0.5
    back = round_trip(maps, 128)
    assert not back[maps == 0].any()
    assert np.abs(back - maps).max() < 2e-3 * maps.max()


def test_grids_as_large_as_the_maps_have_more_levels() -> None:
    maps = smooth(2, 128)
    assert chosen_codec(fitted(maps, 64), 128).bits == 8
    assert chosen_codec(fitted(maps, 128), 128).bits == 12


def scored(maps: Maps, images: npt.NDArray[np.float32], masks: npt.NDArray[np.bool_]) -> dict[str, float]:
    evaluator = Evaluator()
    for start in range(0, len(maps), 16):
        part = slice(start, start + 16)
        evaluator.update(maps[part], masks[part], image_scores=images[part])
    found = evaluator.compute().metrics
    return {f"{protocol}/{name}": value for protocol in found for name, value in found[protocol].items()}


def cut(back: Maps, maps: Maps) -> Maps:
    """Cut to each map's extremes and set its smallest and largest pixel to them, as the codec does."""
    low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    back = np.clip(back, low[:, None, None], high[:, None, None])
    for values, least, most in zip(back, low, high, strict=True):
        values.flat[values.argmin()], values.flat[values.argmax()] = least, most
    return back


def linear(maps: Maps, size: int) -> Maps:
    """As the codec, but with 256 equal steps of the scores."""
    grids = fitted(maps, size)
    low, step = grids.min(), np.ptp(grids) / 255
    return cut(enlarged((np.rint((grids - low) / step) * step + low).astype(np.float32), maps.shape[1]), maps)


def log_without_extremes(maps: Maps) -> Maps:
    grids = fitted(maps, 64)
    chosen = chosen_codec(grids, maps.shape[1])
    return enlarged(chosen.values()[quantised(grids, chosen)], maps.shape[1])


def ranks(maps: Maps) -> Maps:
    """256 levels that as many values of the area means share each, at their medians; enlarged bilinearly."""
    grids = np.stack([cv2.resize(one, (64, 64), interpolation=cv2.INTER_AREA) for one in maps])
    values = np.quantile(grids, (np.arange(256) + 0.5) / 256).astype(np.float32)
    levels = np.searchsorted(np.quantile(grids, np.arange(1, 256) / 256), grids)
    return np.stack(
        [cv2.resize(one, maps.shape[1:], interpolation=cv2.INTER_LINEAR) for one in values[levels]]
    )


@pytest.mark.slow
def test_on_real_maps_the_form_moves_the_metrics_least_of_those_of_its_size(
    real_run: Path, real_dataset: Path
) -> None:
    truth = Truth.of(load_dataset(real_dataset, split=0), 256)
    masks = truth.masks(slice(0, len(truth.images)))
    maps = np.stack([read_map(real_run / "maps" / f"{image.id}.npz") for image in truth.images])
    images = maps.max(axis=(1, 2))
    full = scored(maps, images, masks)
    forms: dict[str, Callable[[Maps], Maps]] = {
        "8-bit log 64², fitted, bicubic, extremes kept": lambda maps: round_trip(maps, 64),
        "the same without the extremes": log_without_extremes,
        "8-bit linear 64², fitted, bicubic, extremes kept": lambda maps: linear(maps, 64),
        "8-bit linear 32², fitted, bicubic, extremes kept": lambda maps: linear(maps, 32),
        "8-bit rank 64², area means, bilinear": ranks,
        "8-bit linear 256² (maps saved as PNG)": lambda maps: linear(maps, 256),
        "12-bit log 256²": lambda maps: round_trip(maps, 256),
    }
    moved = {}
    for form, make in forms.items():
        back = scored(make(maps), images, masks)
        moved[form] = max(abs(back[name] - full[name]) for name in full) * 100
        print(f"{form}: {moved[form]:.3f} points")
    ours, *others, full_size = moved
    assert moved[ours] < 0.05
    assert moved[full_size] < 0.05
    assert all(moved[form] > 2 * moved[ours] for form in others)
