"""A frozen pretrained encoder from timm: feature levels at given strides."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmark.layers.weights import one_line, pretrained_tensors
from cocoad.errors import InputError, ResourceError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A timm network's feature levels, frozen: always in eval mode, without autograd, channels-last.

    Args:
        name: a timm model (optionally with a pretrained tag, ``resnet34.bt_in1k``).
        strides: the feature levels wanted, by their reduction.
        image_size: pixels, square; families with a fixed input size are built for it.

    Raises:
        InputError: timm has no such model, or its features do not lie at these strides.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, strides: Sequence[int] = (4, 8, 16), image_size: int = 256) -> None:
        super().__init__()
        import timm

        self.name = name
        self.strides = list(strides)
        if not timm.is_model(name.split(".")[0]):
            raise InputError(f"timm has no model {name!r}: `timm.list_models()` lists those it has")
        self._options = _feature_options(name, self.strides, image_size)
        self.channels, self._channels_last_levels = self._probe(image_size)
        self.net = self._create(pretrained=False).to(memory_format=torch.channels_last)
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
        normalised = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        levels = cast(list[Tensor], self.net(normalised))
        return [level.permute(0, 3, 1, 2) for level in levels] if self._channels_last_levels else list(levels)

    def load(self, weights: str) -> None:
        """Load pretrained weights: ``imagenet`` (downloaded), ``offline``, ``random`` or a file's path.

        Raises:
            InputError: a file that is missing, unreadable or of another architecture.
            ResourceError: the download failed.
        """
        if weights == "random":
            return
        overlay = None if weights == "imagenet" else {"state_dict": pretrained_tensors(self.name, weights)}
        # Both networks start from the same random weights: what is still equal afterwards was not loaded.
        with torch.random.fork_rng(devices=[]), _quiet_hub():
            torch.manual_seed(0)
            untrained = self._create(pretrained=False)
            torch.manual_seed(0)
            try:
                loaded = self._create(pretrained=True, pretrained_cfg_overlay=overlay)
            except Exception as error:  # hub, socket and shape errors alike
                if overlay is not None:
                    raise InputError(f"{weights}: no weights of {self.name}: {one_line(error)}") from None
                raise ResourceError(
                    f"could not download the weights of {self.name} ({one_line(error, 120)}): "
                    "give --weights PATH to a file you have, or --weights random"
                ) from None
        if missing := _not_loaded(loaded, untrained):
            raise InputError(
                f"{weights}: no weights of {self.name}: {len(missing)} tensors missing, {missing[0]} first"
            )
        self.net.load_state_dict(loaded.state_dict())

    def _create(self, **options: Any) -> nn.Module:
        import timm

        net = timm.create_model(self.name, features_only=True, **self._options, **options)
        _drop_unused_blocks(net)
        return net

    def _probe(self, image_size: int) -> tuple[list[int], bool]:
        """Return the levels' channels and whether they come as (B, H, W, C); no memory is spent on it."""
        with torch.device("meta"), torch.no_grad():
            net = self._create(pretrained=False).eval()
            try:
                levels = net(torch.empty(1, 3, image_size, image_size))
            except Exception as error:  # whatever the family's forward raises at a size it does not take
                raise InputError(
                    f"the backbone {self.name!r} does not take {image_size} pixels: {one_line(error)}"
                ) from None
        shapes = [tuple(level.shape[1:]) for level in levels]
        channels = list(cast(Any, net).feature_info.channels())
        sides = [image_size // stride for stride in self.strides]
        for last, expected in (
            (False, [(c, side, side) for c, side in zip(channels, sides, strict=True)]),
            (True, [(side, side, c) for c, side in zip(channels, sides, strict=True)]),
        ):
            if shapes == expected:
                return channels, last
        raise InputError(
            f"the backbone {self.name!r} gives levels {shapes} at {image_size} pixels, not of sides {sides}"
        )


def _feature_options(name: str, strides: list[int], image_size: int) -> dict[str, Any]:
    """Return timm's options that give the levels at ``strides`` for images of ``image_size``."""
    import timm

    try:
        with torch.device("meta"):
            probe: Any = timm.create_model(name, pretrained=False, features_only=True)
    except Exception as error:  # timm raises whatever the family's builder raises
        raise InputError(f"the backbone {name!r} gives no feature levels: {one_line(error)}") from None
    reductions = list(probe.feature_info.reduction())
    if missing := [stride for stride in strides if stride not in reductions]:
        raise InputError(f"the backbone {name!r} has features at strides {reductions}, not at {missing}")
    options: dict[str, Any] = {"out_indices": [reductions.index(stride) for stride in strides]}
    if probe.pretrained_cfg.get("fixed_input_size"):
        options["img_size"] = image_size
    return options


def _drop_unused_blocks(net: nn.Module) -> None:
    """Cut the stages after the last wanted level, which timm keeps and runs in the EfficientNet family."""
    from timm.models.efficientnet import EfficientNetFeatures
    from timm.models.mobilenetv3 import MobileNetV3Features

    if isinstance(net, EfficientNetFeatures | MobileNetV3Features):
        last = max(cast(list[int], cast(Any, net).feature_info.get(key="stage")))
        net.blocks = net.blocks[:last]


def _not_loaded(loaded: nn.Module, untrained: nn.Module) -> list[str]:
    """Return the names of weights that are still random, and of batch norms without statistics."""
    fresh = dict(untrained.named_parameters())
    names = [
        name
        for name, weight in loaded.named_parameters()
        if weight.ndim >= 2 and torch.equal(weight, fresh[name])
    ]
    for name, module in loaded.named_modules():
        mean, variance = getattr(module, "running_mean", None), getattr(module, "running_var", None)
        if mean is not None and variance is not None and not mean.any() and bool((variance == 1).all()):
            names.append(f"{name}.running_mean")
    return names


@contextlib.contextmanager
def _quiet_hub() -> Iterator[None]:
    """Keep the hub's client from telling each of its retries on stderr, and timm which layers it left out."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "timm")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
