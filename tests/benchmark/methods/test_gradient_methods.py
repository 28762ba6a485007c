"""Rivals trained by gradient descent: their size, that they learn, and that an obvious anomaly stands out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.layers.losses import flattened_cosine_loss
from benchmark.methods.base import GradientMethod
from benchmark.methods.registry import create, method_class
from cocoad.base.errors import InputError

SIZE = 64
SMALL = {"rd": "resnet18", "uniad": "test_efficientnet", "vitad": "test_vit", "cflow": "test_resnet"}
STEPS = {"cflow": 80}  # that it takes to learn a few images, where those of others do not suffice
PUBLISHED_MILLIONS = {"rd": 80.6}  # teacher included; UniAD's and ViTAD's: see their tests


def normal_images(count: int) -> Tensor:
    noise = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return torch.linspace(0.2, 0.5, SIZE) + 0.1 * noise


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


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_a_few_images_and_an_obvious_anomaly_stands_out(name: str) -> None:
    torch.manual_seed(0)
    method = create(name, SIZE, SMALL[name])
    assert isinstance(method, GradientMethod)
    method.train()
    optimizer, images, losses = method.optimizer(method.facts.presets["paper"]), normal_images(8), []
    for _ in range(STEPS.get(name, 25)):
        loss = method(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    method.eval()
    anomalous = images.clone()
    anomalous[:, :, 16:40, 24:48] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    with torch.no_grad():
        normal, maps = method.anomaly_maps(images), method.anomaly_maps(anomalous)
    assert maps.shape == (8, SIZE, SIZE)
    assert method.image_scores(maps).mean() > method.image_scores(normal).mean()
    assert (maps - normal)[:, 20:36, 28:44].mean() > (maps - normal)[:, 48:, :16].mean()


@pytest.mark.parametrize("name", SMALL)
def test_the_encoder_stays_frozen_in_training(name: str) -> None:
    method = create(name, SIZE, SMALL[name]).train()
    encoder = {key: value.clone() for key, value in method.backbone.state_dict().items()}
    assert isinstance(method, GradientMethod)
    optimizer = method.optimizer(method.facts.presets["paper"])
    method(normal_images(4)).backward()
    optimizer.step()
    assert not any(module.training for module in method.backbone.modules())
    assert all(torch.equal(value, encoder[key]) for key, value in method.backbone.state_dict().items())


@pytest.mark.parametrize("name", SMALL)
def test_a_state_dict_holds_all_that_decides_the_maps(name: str) -> None:
    first, second = (create(name, SIZE, SMALL[name]).eval() for _ in range(2))
    images = normal_images(2)
    with torch.no_grad():
        assert not torch.equal(first.anomaly_maps(images), second.anomaly_maps(images))
        second.load_state_dict(first.state_dict())
        assert torch.equal(first.anomaly_maps(images), second.anomaly_maps(images))


@pytest.mark.parametrize("name", SMALL)
def test_the_recipe_is_published_and_the_fast_one_shorter(name: str) -> None:
    paper, fast = (method_class(name).facts.presets[preset] for preset in ("paper", "fast"))
    assert (paper.epochs, paper.decay_at, paper.decay_factor, paper.gradient_clip_norm) == (100, 0.8, 0.1, 5)
    assert (fast.epochs, fast.precision) == (10, "bf16-mixed")


def test_the_flattened_cosine_loss_is_0_for_equal_and_2_for_opposite_levels() -> None:
    levels = [torch.randn(3, 4, 5, 5), torch.randn(3, 8, 2, 2)]
    assert flattened_cosine_loss(levels, levels).item() == pytest.approx(0, abs=1e-5)
    opposite = [-level for level in levels]
    assert flattened_cosine_loss(levels, opposite).item() == pytest.approx(4, abs=1e-5)
