"""The floors: what they compute, and that an obvious anomaly stands out."""

from __future__ import annotations

import pytest
import torch

from benchmark.layers.running import RunningMoments
from benchmark.methods.base import OnePassMethod
from benchmark.methods.registry import create


def test_moments_of_many_batches_are_those_of_all_samples() -> None:
    samples = 1e3 + torch.randn(100, 3, 4, generator=torch.Generator().manual_seed(0))
    moments = RunningMoments((3, 4))
    for batch in samples.split([1, 30, 60, 9]):
        moments.update(batch)
    assert int(moments.count) == 100
    torch.testing.assert_close(moments.mean, samples.double().mean(0).float())
    expected = samples.double().var(0, correction=0).float()
    torch.testing.assert_close(moments.variance, expected, rtol=1e-3, atol=1e-4)


def test_the_mean_image_method_measures_the_distance_to_the_mean() -> None:
    method = create("mean-image", 32)
    assert isinstance(method, OnePassMethod)
    for value in (0.2, 0.4, 0.6):
        method.fit_batch(torch.full((2, 3, 32, 32), value))
    method.fit_end(torch.Generator())
    maps = method.anomaly_maps(torch.full((1, 3, 32, 32), 0.9))
    torch.testing.assert_close(maps, torch.full((1, 32, 32), 0.5 * 3**0.5))


@pytest.mark.parametrize("name", ["mean-image", "feature-distance"])
def test_a_floor_survives_its_state_dict(name: str, fitted: OnePassMethod) -> None:
    again = create(name, 64, "test_resnet").eval()
    again.load_state_dict(fitted.state_dict())
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(again.anomaly_maps(images), fitted.anomaly_maps(images))


@pytest.fixture
def fitted(name: str) -> OnePassMethod:
    torch.manual_seed(0)
    method = create(name, 64, "test_resnet").eval()
    assert isinstance(method, OnePassMethod)
    for _ in range(3):
        method.fit_batch(torch.rand(4, 3, 64, 64))
    method.fit_end(torch.Generator().manual_seed(0))
    return method
