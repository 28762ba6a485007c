"""The frozen plain ViT: its levels, and that weights of every source load as they do for CNNs."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmark.layers.plain_vit import PlainViT, last
from benchmark.layers.tokens import level_to_tokens, tokens_to_level
from cocoad.base.errors import InputError


def away_from_initial(name: str) -> dict[str, Tensor]:
    torch.manual_seed(1)
    state = timm.create_model(name, num_classes=1000).state_dict()
    return {key: value + 0.01 * torch.rand(value.shape) for key, value in state.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """All of a small ViT's weights, classifier included."""
    save_file(away_from_initial("test_vit"), tmp_path / "vit.safetensors")
    return tmp_path / "vit.safetensors"


@pytest.mark.parametrize(
    ("name", "side", "blocks"),
    [
        ("test_vit", 4, [1, 3, 4, 6]),
        ("vit_tiny_patch16_224", 4, [3, 6, 9, 12]),
        ("vit_tiny_r_s16_p8_224", 2, [3, 6, 9, 12]),
        ("vit_wee_patch16_reg1_gap_256", 4, [3, 7, 10, 14]),
        ("eva02_tiny_patch14_224", 4, [3, 6, 9, 12]),
    ],
)
def test_a_family_gives_four_levels_of_patch_tokens(name: str, side: int, blocks: list[int]) -> None:
    size = 56 if "patch14" in name else 64
    encoder = PlainViT(name, size)
    levels = encoder(torch.rand(2, 3, size, size))
    assert encoder.blocks == blocks
    assert [tuple(level.shape) for level in levels] == [(2, encoder.width, side, side)] * 4


def test_levels_are_the_blocks_outputs_before_the_final_norm() -> None:
    encoder = PlainViT("test_vit", 64)
    whole = timm.create_model("test_vit", img_size=64, num_classes=0).eval()
    state = {key.removeprefix("model."): value for key, value in encoder.net.state_dict().items()}
    assert whole.load_state_dict(state, strict=False).unexpected_keys == []
    outputs: list[Tensor] = []
    for block in whole.blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        whole((images - encoder.mean) / encoder.std)
    for block_number, level in zip(encoder.blocks, encoder(images), strict=True):
        torch.testing.assert_close(level_to_tokens(level), outputs[block_number - 1][:, 1:])


@pytest.mark.parametrize(
    ("name", "special", "class_token"),
    [
        ("test_vit", 1, True),
        ("vit_wee_patch16_reg1_gap_256", 1, False),
        ("vit_tiny_patch16_dinov3_qkvb", 5, True),
        ("vit_base_patch16_siglip_224", 0, False),
    ],
)
def test_class_and_register_tokens_come_before_the_patches_on_request(
    name: str, special: int, class_token: bool
) -> None:
    encoder = PlainViT(name, 64, lambda depth: [2, 3])
    images = torch.rand(2, 3, 64, 64)
    assert (encoder.special, encoder.class_token) == (special, class_token)
    for tokens, level in zip(encoder.tokens(images), encoder(images), strict=True):
        assert tokens.shape == (2, special + 16, encoder.width)
        assert torch.equal(tokens[:, special:], level_to_tokens(level))


@pytest.mark.parametrize("norm", [False, True])
def test_it_is_built_up_to_the_last_block_that_is_used_and_normed_on_request(norm: bool) -> None:
    torch.manual_seed(0)
    chosen = PlainViT("test_vit", 64, lambda depth: [2, depth - 2], norm)
    assert chosen.blocks == [2, 4]
    assert len(chosen.net.model.blocks) == 4  # type: ignore[arg-type, union-attr]
    whole = timm.create_model("test_vit", img_size=64, num_classes=0).eval()
    state = {key.removeprefix("model."): value for key, value in chosen.net.state_dict().items()}
    missing, unexpected = whole.load_state_dict(state, strict=False)
    assert unexpected == []
    assert {name.split(".")[0] for name in missing} == {"blocks"} | (set() if norm else {"norm"})
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        x = whole._pos_embed(whole.patch_embed((images - chosen.mean) / chosen.std))
        for number, block in enumerate(whole.blocks[:4], 1):
            x = block(x)
            if number in chosen.blocks:
                expected = whole.norm(x) if norm else x
                torch.testing.assert_close(
                    chosen.tokens(images)[chosen.blocks.index(number)], expected, rtol=1e-4, atol=1e-5
                )


def test_the_final_norm_is_loaded_from_a_file_where_it_is_used(file: Path) -> None:
    encoder = PlainViT("test_vit", 64, last, norm=True)
    encoder.load(str(file))
    expected = away_from_initial("test_vit")["norm.weight"]
    assert torch.equal(encoder.net.state_dict()["model.norm.weight"], expected)


def test_a_vit_without_the_wanted_block_is_refused() -> None:
    with pytest.raises(InputError, match="'test_vit' has 6 blocks: a ViT of 8 at least is needed"):
        PlainViT("test_vit", 64, lambda depth: [3, 8])


def test_it_is_frozen_and_stays_in_eval_mode() -> None:
    encoder = PlainViT("test_vit", 64).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not encoder(torch.rand(1, 3, 64, 64, requires_grad=True))[0].requires_grad


@pytest.mark.parametrize("size", [160, 64])
def test_a_file_loads_into_every_tensor_and_positions_are_resampled_to_the_size(
    file: Path, size: int
) -> None:
    encoder = PlainViT("test_vit", size)
    encoder.load(str(file))
    state = away_from_initial("test_vit")
    for key, value in encoder.net.state_dict().items():
        original = state[key.removeprefix("model.")]
        if value.shape == original.shape:
            assert torch.equal(value, original), key
        else:
            assert key == "model.pos_embed"
            assert value.shape == (1, (size // 16) ** 2 + 1, 64)
            assert torch.equal(value[:, 0], original[:, 0])


def test_a_file_without_a_block_or_of_another_vit_is_refused(file: Path, tmp_path: Path) -> None:
    state = away_from_initial("test_vit")
    del state["blocks.5.mlp.fc1.weight"]
    save_file(state, tmp_path / "partial.safetensors")
    with pytest.raises(InputError, match=r"no weights of test_vit: 1 tensors missing, .*blocks\.5\.mlp\.fc1"):
        PlainViT("test_vit", 64).load(str(tmp_path / "partial.safetensors"))
    with pytest.raises(InputError, match=r"vit\.safetensors: no weights of vit_tiny_patch16_224"):
        PlainViT("vit_tiny_patch16_224", 64).load(str(file))


def test_offline_weights_are_refused() -> None:
    message = "holds tf_efficientnet_lite0 alone, not test_vit: where the method takes a CNN .* else"
    with pytest.raises(InputError, match=message):
        PlainViT("test_vit", 64).load("offline")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_enormous", 64, "timm has no model 'vit_enormous'"),
        ("resnet18", 64, "'resnet18' is no plain ViT"),
        ("swin_tiny_patch4_window7_224", 64, "'swin_tiny_patch4_window7_224' is no plain ViT"),
        ("mixer_s16_224", 64, "'mixer_s16_224' is no plain ViT"),
        ("vit_small_patch14_dinov2", 256, "takes image sizes divisible by 14, not 256"),
    ],
)
def test_a_backbone_that_cannot_serve_is_refused_with_the_reason(name: str, size: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        PlainViT(name, size)
    assert "\n" not in str(caught.value)


def test_a_level_becomes_tokens_row_by_row_and_comes_back() -> None:
    level = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    tokens = level_to_tokens(level)
    assert torch.equal(tokens[1, 7], level[1, :, 1, 2])
    assert torch.equal(tokens_to_level(tokens, 4), level)
