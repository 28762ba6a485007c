"""AnomalyDINO beside its paper, taken literally, and its memory bank."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from benchmark.methods import anomalydino
from benchmark.methods.anomalydino import AnomalyDINO
from cocoad.base.errors import InputError

SIZE, SIDE = 64, 4
BACKBONE = "test_vit"


def normal_images(count: int, seed: int) -> Tensor:
    noise = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    return torch.linspace(0.2, 0.5, SIZE) + 0.1 * noise


def fitted(images: Tensor, backbone: str = BACKBONE) -> AnomalyDINO:
    torch.manual_seed(0)
    method = AnomalyDINO(SIZE, backbone).eval()
    with torch.no_grad():
        for batch in images.split(5):
            method.fit_batch(batch)
        method.fit_end(torch.Generator())
    return method


@pytest.mark.parametrize("backbone", [BACKBONE, "vit_tiny_patch16_dinov3_qkvb"])
def test_maps_and_scores_are_those_of_the_paper_taken_literally(
    literal: SimpleNamespace, backbone: str
) -> None:
    train, image = normal_images(4, 1), torch.rand(1, 3, SIZE, SIZE)
    method = fitted(train, backbone)
    final = method.backbone.net.model.norm

    def patches(one: Tensor) -> Tensor:
        tokens = literal.block_outputs(method.backbone, one[None], SIZE)[-1][0]
        return F.layer_norm(tokens, tokens.shape[-1:], final.weight, final.bias, final.eps)[
            method.backbone.special :
        ]

    with torch.no_grad():
        maps, scores = method.predict(image)
        bank = torch.cat([patches(one) for one in train])
        found = [
            min(1 - float(F.cosine_similarity(query, key, 0)) for key in bank) for query in patches(image[0])
        ]
    grid = torch.tensor(found).reshape(1, 1, SIDE, SIDE)
    upsampled = F.interpolate(grid, SIZE, mode="bilinear", align_corners=True)[0, 0]
    torch.testing.assert_close(
        maps[0], torch.from_numpy(gaussian_filter(upsampled.numpy(), 4.0)), rtol=1e-2, atol=2e-4
    )
    assert scores.item() == pytest.approx(max(found), abs=2e-4)  # a hundredth of 16 patches is one


def test_the_bank_holds_the_patches_of_all_images_in_half_precision() -> None:
    images = normal_images(12, 1)
    method = fitted(images)
    bank = torch.cat(method.bank)
    assert bank.shape == (12 * SIDE**2, method.backbone.width)
    assert bank.dtype == torch.float16
    assert sum(block.untyped_storage().nbytes() for block in method.bank) == bank.numel() * 2
    with torch.no_grad():
        assert method.distances(images).max() < 1e-3


def test_blocks_of_any_number_hold_and_survive_the_same_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    images, probe = normal_images(12, 1), torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        expected = fitted(images).distances(probe)
        for size in (7, 96, 192, 500):
            monkeypatch.setattr(anomalydino, "BLOCK", size)
            method = fitted(images)
            assert len(method.bank) == -(-12 * SIDE**2 // size)
            found = method.distances(probe)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
            other = AnomalyDINO(SIZE, BACKBONE).eval()
            other.load_state_dict(method.state_dict())
            assert torch.equal(other.distances(probe), found)
            other.load_state_dict(fitted(images[:3]).state_dict())
            assert sum(map(len, other.bank)) == 3 * SIDE**2


def test_an_obvious_anomaly_stands_out_where_it_is() -> None:
    method, images = fitted(normal_images(20, 1)), normal_images(6, 2)
    images[3:, :, 16:48, 16:48] = 1.0
    with torch.no_grad():
        maps, scores = method.predict(images)
    assert maps.shape == (6, SIZE, SIZE)
    assert scores[3:].min() > scores[:3].max()
    assert maps[3:, 24:40, 24:40].mean() > 2 * maps[3:, :8, :8].mean()


def test_a_score_is_that_of_the_patches_whatever_the_maps_size() -> None:
    method, images = fitted(normal_images(4, 1)), torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        maps, scores = method.predict(images)
        smaller, same = method.predict(images, 32)
    assert torch.equal(scores, same)
    expected = F.interpolate(maps[:, None], 32, mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(smaller, expected)


def test_without_training_it_says_so() -> None:
    with pytest.raises(InputError, match="empty memory bank: it was not trained"):
        AnomalyDINO(SIZE, BACKBONE).predict(torch.rand(1, 3, SIZE, SIZE))
