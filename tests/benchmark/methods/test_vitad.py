"""ViTAD: how encoder and decoder mirror each other, and the sizes and backbones it takes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmark.methods.vitad import ViTAD
from cocoad.base.errors import InputError


class Counting(nn.Module):
    """A block that adds one to every token."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + 1


@pytest.mark.parametrize(
    ("backbone", "targets", "exits"),
    [("vit_tiny_patch16_224", [3, 6, 9], [9, 6, 3]), ("test_vit", [1, 3, 4], [5, 3, 2])],
)
def test_the_decoder_mirrors_the_encoder(backbone: str, targets: list[int], exits: list[int]) -> None:
    method = ViTAD(64, backbone)
    assert method.backbone.blocks[:-1] == targets
    assert len(method.decoder) == exits[0]
    method.decoder = nn.ModuleList(Counting() for _ in method.decoder)
    nn.init.zeros_(method.fusion.weight)
    nn.init.zeros_(method.position)
    with torch.no_grad():
        levels = method.reconstruct(torch.randn(1, method.backbone.width, 4, 4))
    assert [level.unique().item() for level in levels] == exits


def test_reconstructions_have_the_shapes_of_their_targets() -> None:
    method = ViTAD(96, "test_vit")
    *targets, last = method.backbone(torch.rand(2, 3, 96, 96))
    assert [level.shape for level in method.reconstruct(last)] == [level.shape for level in targets]


@pytest.mark.parametrize(("backbone", "size"), [("test_vit", 32), ("test_vit", 112), ("test_vit3", 160)])
def test_it_takes_image_sizes_divisible_by_the_patch(backbone: str, size: int) -> None:
    maps, scores = ViTAD(size, backbone).eval().predict(torch.rand(2, 3, size, size))
    assert maps.shape == (2, size, size)
    assert scores.shape == (2,)
    assert maps.isfinite().all()


def test_every_trainable_parameter_takes_part() -> None:
    method = ViTAD(64, "test_vit").train()
    method(torch.rand(2, 3, 64, 64)).backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is not None and parameter.grad.any().item()) == (
            not name.startswith("backbone.")
        ), name


def test_two_classifiers_and_a_patch_embedding_account_for_the_rest_of_the_published_parameters() -> None:
    """39.0 M are published, what is described has 37.9 M: such parts would compute nothing, and are not built."""
    with torch.device("meta"):
        method = ViTAD()
        unused = [nn.Linear(384, 1000), nn.Linear(384, 1000), nn.Conv2d(3, 384, 16)]
    ours, more = (sum(p.numel() for part in parts for p in part.parameters()) for parts in ([method], unused))
    assert ours / 1e6 == pytest.approx(37.9, abs=0.05)
    assert (ours + more) / 1e6 == pytest.approx(39.0, abs=0.1)


@pytest.mark.parametrize(
    ("size", "backbone", "message"),
    [
        (64, "test_resnet", "'test_resnet' is no plain ViT"),
        (64, "hiera_tiny_224", "'hiera_tiny_224' is no plain ViT"),
        (100, "vit_tiny_patch16_224", "takes image sizes divisible by 16, not 100"),
        (100, "test_vit", r"100 pixels.*divisible by patch size \(16\)"),
    ],
)
def test_a_size_or_backbone_that_cannot_serve_is_refused(size: int, backbone: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ViTAD(size, backbone)
