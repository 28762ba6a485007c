"""Officially released checkpoints: their parameter names and shapes, mapped to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from benchmark.methods.invad.convolution import blur_kernel
from cocoad.base.errors import InputError

RENAMES = [  # official name -> ours, the first that matches
    (r"net_encoder\.(.+)", r"backbone.net.\1"),
    (r"net_fuser\.(downsamples\..+)", r"fuser.\1"),
    (r"net_fuser\.conv_cat\.(.+)", r"fuser.merge.\1"),
    (r"net_fuser\.conv_bottle\.0\.(.+)", r"fuser.bottleneck.\1"),
    (r"net_fuser\.convs\.(\d+\.\d+)\.\d+\.(weight|bias)", r"fuser.styles.\1.\2"),
    (r"net_decoder\.input\.input", r"decoder.constant"),
    (r"net_decoder\.conv1\.0\.\d+\.(weight|bias)", r"decoder.stem.\1"),
    (r"net_decoder\.convs_latent\.(\d+\.\d+)\.\d+\.(weight|bias)", r"decoder.style_maps.\1.\2"),
    (r"net_decoder\.convs\.(\d+\.\d+\.conv\d)\.conv\.((gamma|beta)\..+|weight)", r"decoder.stages.\1.\2"),
    (r"net_decoder\.convs\.(\d+\.\d+\.conv\d)\.activate\.bias", r"decoder.stages.\1.bias"),
    (r"net_decoder\.convs\.(\d+\.\d+)\.skip\.0\.weight", r"decoder.stages.\1.skip.weight"),
]


def from_official(official: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return ``official`` under our names; ``ours`` gives the names and shapes wanted.

    Raises:
        InputError: a name is missing or left over, a shape differs (all are counted, the first few named), or
            a stored blur kernel is not the one the network has built in.
    """
    renamed: dict[str, Tensor] = {}
    left_over: list[str] = []
    for name, tensor in official.items():
        if name.startswith("net_") and name.endswith(".kernel"):
            _check_blur(name, tensor)
        elif (mine := _our_name(name)) in ours and mine not in renamed:
            renamed[mine] = _plain(tensor, ours[mine].shape)
        else:
            left_over.append(name)
    problems = {
        "missing": [name for name in ours if name not in renamed],
        "left over": left_over,
        "of another shape": [
            f"{name} {tuple(tensor.shape)} instead of {tuple(ours[name].shape)}"
            for name, tensor in renamed.items()
            if tensor.shape != ours[name].shape
        ],
    }
    if any(problems.values()):
        told = "; ".join(f"{len(names)} {what}: {_few(names)}" for what, names in problems.items() if names)
        raise InputError(
            f"the checkpoint is not of this network ({told}): check --method, --backbone and --image-size"
        )
    return renamed


def _our_name(official: str) -> str:
    for pattern, replacement in RENAMES:
        if match := re.fullmatch(pattern, official):
            return match.expand(replacement)
    return official


def _plain(tensor: Tensor, shape: torch.Size) -> Tensor:
    """Drop the leading 1 of the official modulated kernels."""
    return tensor[0] if tensor.shape == (1, *shape) else tensor


def _check_blur(name: str, kernel: Tensor) -> None:
    expected = blur_kernel(1, kernel.float())[0, 0]
    if kernel.shape != expected.shape or not torch.allclose(kernel.float(), expected, atol=1e-3):
        raise InputError(f"the checkpoint is not of this network: {name} is not the blur of [1, 3, 3, 1]")


def _few(names: list[str], shown: int = 5) -> str:
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
