"""InvAD against its golden files, its stated sizes, and itself by other routes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.layers.anomaly_maps import multi_level_cosine_map
from benchmark.methods.invad.convolution import blur_kernel, upsample_twice
from benchmark.methods.invad.decoder import Decoder
from benchmark.methods.invad.fuser import Fuser
from benchmark.methods.invad.method import InvAD, InvADLite
from benchmark.methods.invad.official import from_official
from benchmark.methods.invad.style import StyleBlock, normalise_sample
from benchmark.methods.registry import create
from cocoad.base.errors import InputError

TINY = {"invad_tiny": ((8, 16, 32), (2, 2, 2)), "invad_lite_tiny": ((6, 10, 16), (4, 4, 4))}
Golden = tuple[nn.ModuleDict, dict[str, Tensor]]


@pytest.fixture(params=list(TINY))
def golden(request: pytest.FixtureRequest, shared: Path) -> Golden:
    """The tiny networks with the golden parameters, and the golden tensors."""
    with np.load(shared / "golden" / f"{request.param}.npz") as file:
        tensors = {name: torch.from_numpy(file[name]) for name in file.files}
    channels, blocks = TINY[request.param]
    networks = nn.ModuleDict(
        {"fuser": Fuser(channels, style_channels=8), "decoder": Decoder(channels, blocks, 4, 8, 4)}
    )
    official = {name.removeprefix("state/"): t for name, t in tensors.items() if name.startswith("state/")}
    networks.load_state_dict(from_official(official, networks.state_dict()))
    return networks.eval(), tensors


def features_of(tensors: dict[str, Tensor]) -> list[Tensor]:
    return [tensors[f"input/feature_{level}"] for level in range(3)]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_networks_equal_the_golden_files(golden: Golden, memory_format: torch.memory_format) -> None:
    networks, tensors = golden
    networks.to(memory_format=memory_format)
    features = [feature.contiguous(memory_format=memory_format) for feature in features_of(tensors)]
    with torch.no_grad():
        codes = networks["fuser"](features)
        reconstructions = networks["decoder"](codes)
    for level, code in enumerate(codes):
        assert relative_error(code, tensors[f"output/style_code_{level}"]) < 1e-5
    for level, reconstruction in enumerate(reconstructions):
        assert relative_error(reconstruction, tensors[f"output/reconstruction_{level}"]) < 1e-5
    loss = sum(F.mse_loss(r, f) for r, f in zip(reconstructions, features, strict=True))
    torch.testing.assert_close(torch.as_tensor(loss).double(), tensors["output/mse_sum"], rtol=1e-5, atol=0)
    maps = multi_level_cosine_map(features, reconstructions, 64)
    assert relative_error(maps, tensors["output/anomaly_map_sigma4"]) < 1e-5


@pytest.mark.parametrize(
    ("method", "fuser", "decoder", "backbone"),
    [(InvAD, 3_492_032, 67_276_528, "wide_resnet50_2"), (InvADLite, 452_864, 8_523_376, "resnet34")],
)
def test_the_full_size_parameter_counts_are_the_published_ones(
    method: type[InvAD], fuser: int, decoder: int, backbone: str
) -> None:
    with torch.device("meta"):
        network = method(256, backbone)
    assert sum(p.numel() for p in network.fuser.parameters()) == fuser
    assert sum(p.numel() for p in network.decoder.parameters()) == decoder
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == fuser + decoder


def test_the_default_backbones_are_the_published_ones() -> None:
    assert InvAD.facts.default_backbone == "wide_resnet50_2.racm_in1k"
    assert InvADLite.facts.default_backbone == "resnet34.bt_in1k"


def test_the_paper_recipe_is_the_published_one() -> None:
    paper, fast = InvAD.facts.presets["paper"], InvAD.facts.presets["fast"]
    assert paper.scaled_learning_rate == pytest.approx(0.004)
    assert (paper.epochs, paper.batch_size, paper.betas) == (100, 32, (0.0, 0.99))
    assert (paper.decay_at, paper.decay_factor, paper.precision) == (0.8, 0.1, "32-true")
    assert (paper.gradient_clip_norm, paper.weight_decay, paper.drop_last) == (5.0, 0.0, True)
    assert (fast.epochs, fast.precision) == (10, "bf16-mixed")


@pytest.mark.parametrize("backbone", ["test_convnext", "test_efficientnet", "swinv2_tiny_window8_256"])
def test_any_backbone_with_the_strides_trains_and_maps(backbone: str) -> None:
    method = create("invad-lite", 64, backbone)
    images = torch.rand(2, 3, 64, 64)
    method.loss(images).backward()  # type: ignore[operator]
    trained = {name for name, p in method.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained == {name for name, p in method.named_parameters() if p.requires_grad}
    with torch.no_grad():
        maps = method.eval().anomaly_maps(images)
    assert maps.shape == (2, 64, 64)
    assert torch.isfinite(maps).all()
    assert 0 <= maps.min() <= maps.max() <= 2


@pytest.mark.parametrize("size", [32, 96, 160])
def test_any_image_size_divisible_by_32_works(size: int) -> None:
    method = InvADLite(size, "test_resnet").eval()
    with torch.no_grad():
        assert method.anomaly_maps(torch.rand(1, 3, size, size)).shape == (1, size, size)


@pytest.mark.parametrize("size", [0, -32, 100, 224 + 16])
def test_another_image_size_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="divisible by 32"):
        InvADLite(size, "test_resnet")


def test_lite_weighs_its_loss_five_times() -> None:
    torch.manual_seed(0)
    lite = InvADLite(64, "test_resnet").eval()
    images = torch.rand(2, 3, 64, 64)
    features = lite.backbone(images)
    plain = sum(F.mse_loss(r, f) for r, f in zip(lite.reconstruct(features), features, strict=True))
    torch.testing.assert_close(lite.loss(images), 5 * torch.as_tensor(plain))


def test_a_few_steps_of_the_recipe_lower_the_loss() -> None:
    torch.manual_seed(0)
    method = InvADLite(64, "test_resnet").train()
    optimizer = torch.optim.Adam(
        [p for p in method.parameters() if p.requires_grad], lr=0.004, betas=(0.0, 0.99)
    )
    images = torch.rand(4, 3, 64, 64)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = method(images)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


# Fast paths: each must compute what the plain definition does.


def test_bilinear_upsampling_with_zero_edges_is_zero_insertion_and_blur() -> None:
    x = torch.randn(2, 3, 5, 7)
    spread = x.new_zeros(2, 3, 9, 13)
    spread[:, :, ::2, ::2] = x
    expected = F.conv2d(spread, blur_kernel(3, x), padding=2, groups=3)
    torch.testing.assert_close(upsample_twice(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_sample_norm_is_layer_norm_over_channels_and_space(memory_format: torch.memory_format) -> None:
    x = (3 * torch.randn(2, 6, 5, 4) + 1).contiguous(memory_format=memory_format)
    expected = F.layer_norm(x.contiguous(), x.shape[1:], eps=1e-5)
    torch.testing.assert_close(normalise_sample(x), expected)


def test_the_sample_norm_keeps_channels_last_memory_and_half_precision() -> None:
    x = torch.randn(2, 6, 5, 4, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        y = normalise_sample(x)
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_loss_and_maps_are_float32_and_close_under_autocast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    method = InvADLite(64, "test_resnet").eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        loss, maps = method.loss(images), method.anomaly_maps(images)
        with torch.autocast("cpu", dtype):
            half_loss, half_maps = method.loss(images), method.anomaly_maps(images)
    assert half_loss.dtype == half_maps.dtype == torch.float32
    torch.testing.assert_close(half_loss, loss, rtol=0.03, atol=0)
    torch.testing.assert_close(half_maps, maps, rtol=0.03, atol=0.03)


def test_nothing_of_the_encoder_is_kept_for_a_gradient() -> None:
    method = InvADLite(64, "test_resnet")
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    method.loss(images).backward()
    assert images.grad is None
    assert all(p.grad is None for p in method.backbone.parameters())


def test_the_network_is_one_graph_to_the_compiler() -> None:
    method = InvADLite(64, "test_resnet").eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for function in (method.loss, method.anomaly_maps):
            captured = torch.compile(function, fullgraph=True, backend="eager")
            torch.testing.assert_close(captured(images), function(images))


@pytest.mark.slow
def test_a_compiled_upsampling_block_gives_the_same_maps_loss_and_gradients() -> None:
    torch.manual_seed(0)
    block = StyleBlock(8, 6, 4, upsample=True)
    x, style, feature = torch.randn(2, 8, 8, 8), torch.randn(2, 4, 16, 16), torch.randn(2, 6, 16, 16)

    def forward() -> tuple[Tensor, Tensor]:
        reconstruction = block(x, style)
        maps = multi_level_cosine_map([feature], [reconstruction], 32)
        return F.mse_loss(reconstruction, feature), maps.detach()

    def run(function: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
        loss, maps = function()
        return loss.detach(), maps, *torch.autograd.grad(loss, list(block.parameters()))

    for ours, theirs in zip(run(torch.compile(forward)), run(forward), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


# Officially released checkpoints.


@pytest.fixture(params=[("invad", InvAD, "wide_resnet50_2"), ("invad_lite", InvADLite, "resnet34")])
def official(request: pytest.FixtureRequest, shared: Path) -> tuple[InvAD, dict[str, Tensor]]:
    """A full-size network without memory, and an official state dict of it, without memory too."""
    name, method, backbone = request.param
    shapes = json.loads((shared / "golden" / "ader_invad_state_keys.json").read_text())[name]
    with torch.device("meta"):
        network = method(256, backbone)
        state = {key: torch.empty(shape) for key, shape in shapes.items()}
    state = {key: blur_kernel(1, torch.ones(1))[0, 0] if "kernel" in key else t for key, t in state.items()}
    encoder = {f"net_encoder.{key}": t for key, t in network.backbone.net.state_dict().items()}
    return network, {**encoder, **state}


def test_every_official_name_and_shape_finds_its_place(official: tuple[InvAD, dict[str, Tensor]]) -> None:
    network, state = official
    ours = network.state_dict()
    assert from_official(state, ours).keys() == ours.keys()


def test_what_is_missing_left_over_or_misshapen_is_named(official: tuple[InvAD, dict[str, Tensor]]) -> None:
    network, state = official
    state["net_student.weight"] = torch.empty(1)
    state["net_decoder.input.input"] = torch.empty(1, 3, 32, 32)
    del state["net_fuser.conv_cat.conv.weight"]
    with pytest.raises(InputError) as caught:
        network.load_foreign_state(state)
    message = str(caught.value)
    assert "1 missing: fuser.merge.conv.weight" in message
    assert "1 left over: net_student.weight" in message
    assert "1 of another shape: decoder.constant (1, 3, 32, 32) instead of (1, " in message


def test_another_blur_is_refused(official: tuple[InvAD, dict[str, Tensor]]) -> None:
    network, state = official
    state["net_fuser.convs.1.0.1.kernel"] = torch.ones(4, 4)
    with pytest.raises(InputError, match=r"net_fuser\.convs\.1\.0\.1\.kernel is not the blur"):
        network.load_foreign_state(state)


def test_a_method_without_official_checkpoints_says_so() -> None:
    from benchmark.methods.base import Method

    with pytest.raises(InputError, match="knows no officially released"):
        Method.load_foreign_state(InvADLite(64, "test_resnet"), {})
