"""Anomaly maps against the golden files, scipy and the literal definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve, gaussian_filter
from torch import Tensor

from benchmark.layers.anomaly_maps import (
    gaussian_blur,
    multi_level_cosine_map,
    per_level_cosine_map,
    pooled_image_scores,
    top_share_scores,
    window_blur,
)


@pytest.fixture(params=["invad_tiny", "invad_lite_tiny"])
def golden(request: pytest.FixtureRequest, shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "golden" / f"{request.param}.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files if not name.startswith("state/")}


def levels(golden: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    features = [golden[f"input/feature_{level}"] for level in range(3)]
    return features, [golden[f"output/reconstruction_{level}"] for level in range(3)]


def random_levels(dtype: torch.dtype = torch.float32) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 8, 16, 12), (2, 16, 8, 6), (2, 32, 4, 3)]
    a, b = ([torch.randn(shape, generator=generator).to(dtype) for shape in shapes] for _ in range(2))
    return a, b


@pytest.mark.parametrize(("sigma", "name"), [(4.0, "anomaly_map_sigma4"), (0.0, "anomaly_map_no_blur")])
def test_the_multi_level_map_equals_the_golden_one(
    golden: dict[str, Tensor], sigma: float, name: str
) -> None:
    maps = multi_level_cosine_map(*levels(golden), size=64, sigma=sigma)
    torch.testing.assert_close(maps, golden[f"output/{name}"], rtol=1e-5, atol=1e-5)


def test_the_per_level_map_equals_the_golden_one(golden: dict[str, Tensor]) -> None:
    maps = per_level_cosine_map(*levels(golden), size=64)
    torch.testing.assert_close(maps, golden["output/anomaly_map_per_level_mean_sigma4"], rtol=1e-5, atol=1e-5)


def test_adding_up_levels_equals_joining_them_along_the_channels() -> None:
    features, reconstructions = random_levels()

    def joined(tensors: list[Tensor]) -> Tensor:
        resized = (
            F.interpolate(F.normalize(t, dim=1), (16, 12), mode="bilinear", align_corners=True)
            for t in tensors
        )
        return torch.cat(list(resized), dim=1)

    distance = 1 - F.cosine_similarity(joined(features), joined(reconstructions), dim=1)
    expected = F.interpolate(distance[:, None], (64, 48), mode="bilinear", align_corners=True)[:, 0]
    maps = multi_level_cosine_map(features, reconstructions, (64, 48), sigma=0)
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-6)


def test_a_perfect_reconstruction_scores_zero_and_an_opposite_one_two() -> None:
    features, _ = random_levels()
    for make_map, opposite in ((multi_level_cosine_map, 2.0), (per_level_cosine_map, 2 / 3)):
        assert make_map(features, features, 32).abs().max() < 1e-5
        flipped = make_map(features, [-feature for feature in features], 32)
        torch.testing.assert_close(flipped, torch.full((2, 32, 32), opposite))


def test_features_of_zeros_give_finite_maps() -> None:
    features, reconstructions = random_levels()
    zeros = [torch.zeros_like(feature) for feature in features]
    for make_map in (multi_level_cosine_map, per_level_cosine_map):
        assert torch.isfinite(make_map(features, zeros, 32)).all()
        assert torch.isfinite(make_map(zeros, zeros, 32)).all()
    assert torch.isfinite(reconstructions[0]).all()


def test_maps_of_half_precision_features_are_float32_under_autocast() -> None:
    features, reconstructions = random_levels(torch.bfloat16)
    exact = multi_level_cosine_map([f.float() for f in features], [r.float() for r in reconstructions], 64)
    with torch.autocast("cpu", torch.bfloat16):
        maps = multi_level_cosine_map(features, reconstructions, 64)
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, exact)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 70)),
    sigma=st.sampled_from([0.3, 1.0, 2.5, 4.0, 9.0]),
    seed=st.integers(0, 2**31),
)
def test_the_blur_equals_scipy_at_any_size(shape: tuple[int, int, int], sigma: float, seed: int) -> None:
    maps = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    expected = np.stack([gaussian_filter(one.astype(np.float64), sigma) for one in maps])
    np.testing.assert_allclose(gaussian_blur(torch.from_numpy(maps), sigma).numpy(), expected, atol=1e-5)


def test_a_blur_first_made_in_inference_mode_can_be_used_with_autograd() -> None:
    with torch.inference_mode():
        gaussian_blur(torch.rand(1, 23, 29), 3.25)
    maps = torch.rand(1, 23, 29, requires_grad=True)
    gaussian_blur(maps, 3.25).sum().backward()
    assert maps.grad is not None
    torch.testing.assert_close(maps.grad.mean(), torch.tensor(1.0))


def test_the_pooled_score_is_the_highest_mean_of_any_window() -> None:
    maps = torch.rand(3, 40, 37, generator=torch.Generator().manual_seed(1))
    windows = maps.unfold(1, 16, 1).unfold(2, 16, 1).mean((-1, -2))
    torch.testing.assert_close(pooled_image_scores(maps, 16), windows.flatten(1).amax(1))


def test_the_pooled_score_of_a_map_smaller_than_the_window_is_its_mean() -> None:
    maps = torch.rand(2, 8, 12)
    torch.testing.assert_close(pooled_image_scores(maps, 16), maps.mean((1, 2)))


def test_the_blur_in_a_window_equals_a_convolution_with_zeros_around() -> None:
    maps = torch.rand(2, 20, 31, generator=torch.Generator().manual_seed(0))
    offsets = np.arange(-2, 3)
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 4.0**2))
    for one, blurred in zip(maps, window_blur(maps), strict=True):
        expected = convolve(one.double().numpy(), kernel / kernel.sum(), mode="constant")
        np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-6)


@given(st.integers(1, 300), st.floats(0.001, 1.0), st.integers(0, 1000))
def test_the_score_of_a_share_is_the_mean_of_as_many_of_the_highest_values(
    pixels: int, share: float, seed: int
) -> None:
    values = torch.randn(3, pixels, 1, generator=torch.Generator().manual_seed(seed))
    count = max(1, int(pixels * share))
    expected = [sum(sorted(one.flatten().tolist())[-count:]) / count for one in values]
    torch.testing.assert_close(top_share_scores(values, share), torch.tensor(expected), atol=1e-5, rtol=1e-4)
