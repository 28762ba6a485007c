"""Rivals trained by gradient descent: their sizes and recipes, and that an obvious anomaly stands out."""

from __future__ import annotations

import pytest
import torch

from benchmark.layers.losses import flattened_cosine_loss
from benchmark.methods.registry import create, method_class
from benchmark.testing import Subject, learn, maps_of
from cocoad.base.errors import InputError

PUBLISHED_MILLIONS = {"rd": 80.6}  # teacher included; UniAD's and ViTAD's: see their tests


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_the_full_size_has_the_published_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        method = create(name, 256)
    millions = sum(parameter.numel() for parameter in method.parameters()) / 1e6
    assert millions == pytest.approx(PUBLISHED_MILLIONS[name], abs=0.1)


@pytest.mark.parametrize("size", [16, 48, 100])
def test_rd_takes_multiples_of_32_only(size: int) -> None:
    with pytest.raises(InputError, match=f"RD takes image sizes divisible by 32, not {size}"):
        create("rd", size, "resnet18")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("rd", 25), ("uniad", 25), ("vitad", 25), ("cflow", 80)])
def test_an_obvious_anomaly_stands_out_even_on_random_features(name: str, steps: int) -> None:
    subject = Subject(method_class(name))
    method, size = subject.fresh(), subject.sizes[0]
    noise = torch.rand(8, 3, size, size, generator=torch.Generator().manual_seed(1))
    images = torch.linspace(0.2, 0.5, size) + 0.1 * noise
    learn(method, [images] * steps)
    anomalous = images.clone()
    anomalous[:, :, 16:40, 24:48] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    normal, maps = maps_of(method, images), maps_of(method, anomalous)
    assert method.image_scores(maps).mean() > method.image_scores(normal).mean()
    assert (maps - normal)[:, 20:36, 28:44].mean() > (maps - normal)[:, 48:, :16].mean()


@pytest.mark.parametrize("name", ["rd", "uniad", "vitad"])
def test_the_recipe_is_published_and_the_fast_one_shorter(name: str) -> None:
    paper, fast = (method_class(name).facts.presets[preset] for preset in ("paper", "fast"))
    assert (paper.epochs, paper.decay_at, paper.decay_factor, paper.gradient_clip_norm) == (100, 0.8, 0.1, 5)
    assert (fast.epochs, fast.precision) == (10, "bf16-mixed")


def test_the_flattened_cosine_loss_is_0_for_equal_and_2_for_opposite_levels() -> None:
    levels = [torch.randn(3, 4, 5, 5), torch.randn(3, 8, 2, 2)]
    assert flattened_cosine_loss(levels, levels).item() == pytest.approx(0, abs=1e-5)
    opposite = [-level for level in levels]
    assert flattened_cosine_loss(levels, opposite).item() == pytest.approx(4, abs=1e-5)
