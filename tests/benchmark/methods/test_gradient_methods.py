"""Rivals trained by gradient descent: their sizes and recipes, and that an obvious anomaly stands out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmark.layers.anomaly_maps import resized_maps
from benchmark.layers.losses import flattened_cosine_loss
from benchmark.methods.registry import create, method_class
from benchmark.testing import Subject, images, learn, maps_of
from cocoad.base.errors import InputError

STEPS = {  # in which a method learns a few images
    "rd": 60,
    "uniad": 25,
    "vitad": 25,
    "dinomaly": 25,
    "dinomaly2": 25,
    "inp-former": 80,
    "cflow": 80,
}
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
@pytest.mark.parametrize(("name", "steps"), STEPS.items())
def test_an_obvious_anomaly_stands_out_even_on_random_features(name: str, steps: int) -> None:
    subject = Subject(method_class(name))
    method, size = subject.fresh(), subject.sizes[0]
    noise = torch.rand(8, 3, size, size, generator=torch.Generator().manual_seed(1))
    normal_images = torch.linspace(0.2, 0.5, size) + 0.1 * noise
    learn(method, [normal_images] * steps)
    anomalous = normal_images.clone()
    anomalous[:, :, 16:40, 24:48] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    normal, maps = maps_of(method, normal_images), maps_of(method, anomalous)
    assert method.image_scores(maps).mean() > method.image_scores(normal).mean()
    change = resized_maps(maps - normal, size)
    assert change[:, 20:36, 28:44].mean() > change[:, 48:, :16].mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_its_loss_is_one_graph_to_the_compiler_and_stays_so_from_step_to_step(name: str) -> None:
    subject, graphs = Subject(method_class(name)), 0
    method = subject.fresh().eval()  # without dropout and jitter
    batch = images(subject.sizes[0])

    def counted(graph: Any, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return graph.forward

    torch.compiler.reset()
    compiled = torch.compile(method.loss, fullgraph=True, backend=counted)
    for step in (0, 1, 500, 2000):
        method.on_step(step, 10_000)
        torch.testing.assert_close(compiled(batch), method.loss(batch), rtol=1e-4, atol=1e-5)
    assert graphs == 1


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
