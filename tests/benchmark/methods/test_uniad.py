"""UniAD: what its tokens may see, when its features are jittered, and the sizes and backbones it takes."""

from __future__ import annotations

import pytest
import torch

from benchmark.layers.backbone import Backbone
from benchmark.methods.uniad import WIDTH, DecoderLayer, UniAD, jittered, neighbour_mask
from cocoad.base.errors import InputError


def test_a_token_is_blind_to_its_7_by_7_neighbourhood_alone() -> None:
    side = 10
    blind = neighbour_mask(side).reshape(side, side, side, side)
    for row, column in ((0, 0), (4, 5), (9, 2)):
        expected = torch.zeros(side, side, dtype=torch.bool)
        expected[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4] = True
        assert torch.equal(blind[row, column], expected)


@pytest.mark.parametrize("side", [2, 4, 6, 8, 16])
def test_every_token_is_blind_to_itself_and_sees_another_on_a_grid_of_any_size(side: int) -> None:
    blind = neighbour_mask(side)
    assert blind.diagonal().all()
    assert not blind.all(1).any()


def test_a_changed_token_changes_a_masked_layer_outside_its_neighbourhood_alone() -> None:
    torch.manual_seed(0)
    side, changed = 9, 4 * 9 + 1  # row 4, column 1
    layer, blind = DecoderLayer(side**2).eval(), neighbour_mask(side)
    memory, position = torch.randn(1, side**2, WIDTH), torch.randn(side**2, WIDTH)
    perturbed = memory.clone()
    perturbed[:, changed] += 5
    with torch.no_grad():
        before = layer(memory, memory, position, blind)
        after = layer(perturbed, perturbed, position, blind)
    same = torch.isclose(before, after, atol=1e-6).all(2)[0]
    assert torch.equal(same, blind[changed])


def test_a_token_s_own_features_do_not_reach_its_reconstruction_of_one_layer_pair() -> None:
    """The encoder's shortcut carries a token's features on to its own place, which no query there can see."""
    torch.manual_seed(0)
    method = UniAD(128, "test_resnet").eval()
    method.encoder, method.decoder = method.encoder[:0], method.decoder[:1]
    features = torch.randn(1, method.narrow.in_features, 8, 8)
    perturbed = features.clone()
    perturbed[:, :, 3, 3] += 5
    with torch.no_grad():
        change = (method.reconstruct(perturbed) - method.reconstruct(features)).abs().amax(1)[0]
    assert change[3, 3] < 1e-5
    assert change[7, 7] > 1e-4


def test_features_are_jittered_in_training_alone() -> None:
    method = UniAD(64, "test_resnet").eval()  # without dropout
    features = torch.randn(1, method.narrow.in_features, 4, 4)

    def reconstructions_differ(training: bool) -> bool:
        method.training = training
        return not torch.equal(method.reconstruct(features), method.reconstruct(features))

    assert reconstructions_differ(training=True)
    assert not reconstructions_differ(training=False)


def test_the_jitter_deviates_by_20_norms_over_the_channels() -> None:
    torch.manual_seed(0)
    tokens = torch.randn(2, 50, 400) * torch.tensor([1.0, 3.0]).view(2, 1, 1)
    noise = jittered(tokens) - tokens
    expected = 20 * tokens.norm(dim=2) / 400
    torch.testing.assert_close(noise.std(2), expected, rtol=0.2, atol=0)
    assert noise.mean().abs() < 0.05


def test_a_seed_decides_jitter_and_dropout() -> None:
    method = UniAD(64, "test_resnet").train()
    images = torch.rand(2, 3, 64, 64)

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return method(images).item()

    assert loss(1) == loss(1)
    assert loss(1) != loss(2)


def test_the_end_of_the_encoder_accounts_for_the_rest_of_the_published_parameters() -> None:
    """24.5 M are published: with the stages after stride 16, which give no feature and are not built here."""
    with torch.device("meta"):
        method = UniAD()
        whole = Backbone(str(UniAD.facts.default_backbone), (2, 4, 8, 16, 32))
    ours, built, all_of_it = (
        sum(p.numel() for p in m.parameters()) for m in (method, method.backbone, whole)
    )
    assert (ours - built + all_of_it) / 1e6 == pytest.approx(24.5, abs=0.1)


@pytest.mark.parametrize("size", [32, 96, 160])
def test_it_takes_image_sizes_divisible_by_32(size: int) -> None:
    maps, scores = UniAD(size, "test_resnet").eval().predict(torch.rand(2, 3, size, size))
    assert maps.shape == (2, size, size)
    assert scores.shape == (2,)
    assert maps.isfinite().all()


def test_the_score_of_a_map_is_the_largest_mean_of_a_16_by_16_window() -> None:
    maps = torch.zeros(1, 64, 64)
    maps[0, 3, 3] = 256.0
    assert UniAD(64, "test_resnet").image_scores(maps).item() == pytest.approx(1.0)


def test_levels_of_strides_2_to_16_are_joined_at_stride_16() -> None:
    method = UniAD(64, "test_efficientnet").eval()
    images = torch.rand(1, 3, 64, 64)
    levels = Backbone("test_efficientnet", (2, 4, 8, 16), 64).channels
    features = method.features(images)
    assert features.shape == (1, sum(levels), 4, 4)
    torch.testing.assert_close(features[:, -levels[-1] :], method.backbone(images)[3])


@pytest.mark.parametrize(
    ("size", "backbone", "message"),
    [
        (100, "test_resnet", "image sizes divisible by 32, not 100"),
        (64, "test_convnext", r"features at strides .*not at \[2"),
        (64, "vit_tiny_patch16_224", r"features at strides .*not at \[2"),
    ],
)
def test_a_size_or_backbone_that_cannot_serve_is_refused(size: int, backbone: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        UniAD(size, backbone)
