"""CFLOW-AD: its loss and maps beside their definitions, and what it keeps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from benchmark.layers.flow import sine_positions
from benchmark.methods.cflow import CFlow
from cocoad.base.errors import InputError

SIZE = 64


def test_loss_and_maps_are_those_of_the_paper_taken_literally() -> None:
    torch.manual_seed(0)
    method = CFlow(SIZE, "test_resnet", coupling_blocks=2).eval()
    with torch.no_grad():
        for parameter in method.flows.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    method.peaks.copy_(torch.tensor([-1.0, -1.2, -0.9]))
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        maps = method.anomaly_maps(images)
        loss, expected_map = torch.zeros(()), torch.zeros(2, 1, SIZE, SIZE)
        for number, level in enumerate(method.backbone(images)):
            _, channels, side, _ = level.shape
            assert side == SIZE // (8, 16, 32)[number]
            positions = sine_positions(128, side, side)
            density, terms = torch.zeros(2, 1, side, side), []
            for image in range(2):
                for row in range(side):
                    for column in range(side):
                        vector = level[image, :, row, column]
                        condition = positions[row * side + column]
                        log_p = method.flows[number](vector[None, None], condition[None])[0, 0] / channels
                        terms.append(-torch.log(1 / (1 + torch.exp(-log_p))))
                        density[image, 0, row, column] = torch.exp(
                            min(log_p - method.peaks[number], 0 * log_p)
                        )
            loss += torch.stack(terms).mean()
            expected_map += 1 - F.interpolate(density, SIZE, mode="bilinear", align_corners=True)
        torch.testing.assert_close(maps, expected_map[:, 0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(method.loss(images), loss, rtol=1e-4, atol=1e-5)
    assert 0 <= maps.min() <= maps.max() <= 3


def test_the_trainable_parameters_are_as_many_as_the_dimensions_say() -> None:
    """8 couplings a level: two linear layers (half the channels and 128 → twice as many → all channels), 2 vectors."""
    with torch.device("meta"):
        method = CFlow()
    expected = 0
    for channels in (512, 1024, 2048):
        inputs = channels // 2 + 128
        expected += 8 * ((inputs + 1) * 2 * inputs + (2 * inputs + 1) * channels + 2 * channels)
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == expected


def test_the_highest_likelihoods_of_training_become_the_peaks() -> None:
    torch.manual_seed(0)
    method, images = CFlow(SIZE, "test_resnet", 1).train(), torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        for _ in range(1000):
            method.loss(images)
        highest = [level.max() for level in method.log_likelihoods(images)]
    torch.testing.assert_close(method.peaks, torch.stack(highest), rtol=1e-3, atol=1e-3)


def test_a_map_does_not_depend_on_the_images_beside() -> None:
    torch.manual_seed(0)
    method, images = CFlow(SIZE, "test_resnet", 2).eval(), torch.rand(3, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(method.anomaly_maps(images)[1:2], method.anomaly_maps(images[1:2]))


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        (48, {}, "CFLOW takes image sizes divisible by 32, not 48"),
        (64, {"coupling_blocks": 0}, "CFLOW needs 1 coupling block at least, not 0"),
    ],
)
def test_what_does_not_serve_is_refused(size: int, options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CFlow(size, "test_resnet", **options)
