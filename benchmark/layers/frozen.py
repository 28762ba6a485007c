"""What all pretrained encoders from timm share: they are frozen, normalise images and load weights alike."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmark.layers.weights import check_loaded, not_downloaded, pretrained_tensors, unlike
from cocoad.base.console import hushed
from cocoad.base.errors import InputError, reason

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FrozenEncoder(nn.Module):
    """A timm network's feature levels, frozen: always in eval mode, without autograd, channels-last.

    A subclass finds timm's options for the levels that it wants, probes them, and then builds the network.

    Args:
        name: a timm model (optionally with a pretrained tag, ``resnet34.bt_in1k``).

    Raises:
        InputError: timm has no such model.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        self.name = name
        self._options: dict[str, Any] = {}
        if not timm.is_model(name.split(".")[0]):
            raise InputError(f"timm has no model {name!r}: `timm.list_models()` lists those it has")

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stay in eval mode: the encoder is frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the levels [(B, C_i, H_i, W_i)] of images (B, 3, H, W) in [0, 1]."""
        return list(cast("list[Tensor]", self.net(self.normalised(images))))

    def normalised(self, images: Tensor) -> Tensor:
        """Return images in [0, 1] by the mean and deviation that the network was pretrained with."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

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
        with torch.random.fork_rng(devices=[]), hushed("huggingface_hub", "timm"):  # retries, layers left out
            torch.manual_seed(0)
            untrained = self._create(pretrained=False)
            torch.manual_seed(0)
            try:
                loaded = self._create(pretrained=True, pretrained_cfg_overlay=overlay)
            except Exception as error:  # hub, socket and shape errors alike
                if overlay is not None:
                    why = unlike(overlay["state_dict"], untrained, error)
                    raise InputError(f"{weights}: no weights of {self.name}: {why}") from None
                raise not_downloaded(self.name, error) from None
        check_loaded(loaded, untrained, f"{weights}: no weights of {self.name}")
        self.net.load_state_dict(loaded.state_dict())

    def _create(self, **options: Any) -> nn.Module:
        import timm

        return timm.create_model(self.name, features_only=True, **self._options, **options)

    def _probe(self, image_size: int) -> tuple[Any, list[tuple[int, ...]]]:
        """Return the network and its levels' shapes without the batch; no memory is spent on it."""
        with torch.device("meta"), torch.no_grad():
            try:
                net = self._create(pretrained=False).eval()
                levels = net(torch.empty(1, 3, image_size, image_size))
            except Exception as error:  # whatever the family raises at a size it does not take
                raise InputError(
                    f"the backbone {self.name!r} does not take {image_size} pixels: {reason(error)}"
                ) from None
        return net, [tuple(level.shape[1:]) for level in levels]

    def _build(self) -> None:
        """Build the network with random weights, and freeze it."""
        self.net = self._create(pretrained=False).to(memory_format=torch.channels_last)
        cfg = cast(dict[str, Any], self.net.pretrained_cfg)
        stats = (cfg.get("mean", IMAGENET_MEAN), cfg.get("std", IMAGENET_STD))
        for key, value in zip(("mean", "std"), stats, strict=True):
            self.register_buffer(key, torch.tensor(value).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()
