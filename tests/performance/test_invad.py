"""InvAD's training step against a literal implementation of the same network, side by side in one run.

The literal one does what the definitions say, one after the other: every modulated convolution repeats its
kernel per sample and runs as a grouped convolution, scales multiply the weights, the learned constant is
repeated over the batch, upsampling inserts zeros, memory is contiguous, numbers are float32.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.methods.invad.convolution import ScaledConv2d, blur_kernel
from benchmark.methods.invad.method import InvAD, InvADLite
from benchmark.methods.invad.style import StyleBlock, StyleConv2d

SQRT2 = math.sqrt(2)
Step = Callable[[Tensor], Tensor]


def literal_convolve(conv: ScaledConv2d, x: Tensor, weight: Tensor, groups: int = 1) -> Tensor:
    """Convolve x (B, in, H, W) with the scaled ``weight``; grouped: (1, groups·in, H, W)."""
    kernel = weight.shape[-1]
    if not conv.upsample:
        return F.conv2d(x, weight, padding=kernel // 2, groups=groups)
    outs, ins = weight.shape[0] // groups, weight.shape[1]
    transposed = (
        weight.view(groups, outs, ins, kernel, kernel).transpose(1, 2).reshape(-1, outs, kernel, kernel)
    )
    y = F.conv_transpose2d(x, transposed, stride=2, groups=groups)
    return F.conv2d(
        y, blur_kernel(y.shape[1], y).contiguous(), padding=1 if kernel == 3 else 2, groups=y.shape[1]
    )


def literal_conv(conv: ScaledConv2d, x: Tensor) -> Tensor:
    y = literal_convolve(conv, x, conv.weight * (conv.scale * conv.weight_scale))
    return y if conv.bias is None else SQRT2 * F.leaky_relu(y + conv.bias.view(1, -1, 1, 1), 0.2)


def literal_style_conv(conv: StyleConv2d, x: Tensor, style: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    x = F.layer_norm(x, x.shape[1:])
    if conv.modulated:
        gamma, beta = (
            F.conv2d(style, part.weight * conv.style_scale, padding=1) + part.bias.view(1, -1, 1, 1)
            for part in (conv.gamma, conv.beta)
        )
        x = x * gamma + beta
    kernel = (conv.weight * conv.scale)[None].repeat(batch, 1, 1, 1, 1).flatten(0, 1)
    y = literal_convolve(conv, x.reshape(1, batch * channels, height, width), kernel, groups=batch)
    y = y.view(batch, -1, *y.shape[-2:])
    assert conv.bias is not None
    return SQRT2 * F.leaky_relu(y + conv.bias.view(1, -1, 1, 1), 0.2)


def literal_block(block: StyleBlock, x: Tensor, style: Tensor) -> Tensor:
    y = literal_style_conv(block.conv2, literal_style_conv(block.conv1, x, style), style)
    return (y + literal_conv(block.skip, x)) / SQRT2


def literal_reconstruct(method: InvAD, features: Sequence[Tensor]) -> list[Tensor]:
    fuser, decoder = method.fuser, method.decoder
    levels = [down(level.contiguous()) for down, level in zip(fuser.downsamples, features, strict=True)]
    code = fuser.bottleneck(F.relu(fuser.merge(torch.cat(levels, 1))))
    x = literal_conv(decoder.stem, decoder.constant.repeat(len(code), 1, 1, 1))
    outputs = []
    for style_convs, style_map, blocks in zip(fuser.styles, decoder.style_maps, decoder.stages, strict=True):
        for conv in style_convs:  # type: ignore[union-attr]
            code = literal_conv(conv, code)
        style = code
        for conv in style_map:  # type: ignore[union-attr]
            style = literal_conv(conv, style)
        for block in blocks:  # type: ignore[union-attr]
            x = literal_block(block, x, style)
        outputs.append(x)
    return outputs[::-1]


def literal_loss(method: InvAD, images: Tensor) -> Tensor:
    with torch.no_grad():
        backbone = method.backbone
        features = backbone.net((images - backbone.mean) / backbone.std)
    pairs = zip(literal_reconstruct(method, features), features, strict=True)
    return method.loss_weight * torch.stack([F.mse_loss(r, f) for r, f in pairs]).sum()


@pytest.mark.parametrize("kind", [InvAD, InvADLite])
def test_the_literal_implementation_has_the_same_loss_and_gradients(kind: type[InvAD]) -> None:
    torch.manual_seed(0)
    method = kind(64, "test_resnet").double().eval()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    names = [name for name, p in method.named_parameters() if p.requires_grad]
    parameters = [p for p in method.parameters() if p.requires_grad]
    features = method.backbone(images)
    for ours, theirs in zip(method.reconstruct(features), literal_reconstruct(method, features), strict=True):
        torch.testing.assert_close(ours, theirs)

    def gradients(reconstructions: list[Tensor]) -> tuple[Tensor, ...]:
        loss = torch.stack([F.mse_loss(r, f) for r, f in zip(reconstructions, features, strict=True)]).sum()
        return torch.autograd.grad(loss, parameters)

    ours = gradients(method.reconstruct(features))
    theirs = gradients(literal_reconstruct(method, features))
    for name, a, b in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}")


def seconds_per_step(method: InvAD, loss: Step, images: Tensor, steps: int) -> list[float]:
    """Time whole training steps after one to warm up: encoder, loss, gradients, Adam."""
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], 0.004, (0.0, 0.99))
    times = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        optimizer.zero_grad()
        loss(images).backward()
        optimizer.step()
        if images.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return times[1:]


@pytest.mark.performance
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("kind", "backbone", "size", "batch"),
    [(InvAD, "wide_resnet50_2", 128, 2), (InvADLite, "resnet34", 128, 8)],
    ids=["invad", "invad-lite"],
)
def test_a_training_step_on_the_cpu_is_no_slower_than_the_literal_one(
    kind: type[InvAD], backbone: str, size: int, batch: int
) -> None:
    torch.manual_seed(0)
    images = torch.rand(batch, 3, size, size)
    ours, literal = kind(size, backbone).train(), kind(size, backbone).train()
    literal.to(memory_format=torch.contiguous_format)
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(5):  # in turn, so that other load on the machine meets both
        mine += seconds_per_step(ours, ours, images, 1)
        theirs += seconds_per_step(literal, partial(literal_loss, literal), images, 1)
    a, b = statistics.median(mine), statistics.median(theirs)
    print(f"{kind.__name__} {size}² batch {batch}: {a:.3f} s a step, literal {b:.3f} s, {b / a:.2f} times")
    assert a <= b


@pytest.mark.gpu
@pytest.mark.performance
@pytest.mark.parametrize(
    ("kind", "backbone"),
    [(InvAD, "wide_resnet50_2"), (InvADLite, "resnet34")],
    ids=["invad", "invad-lite"],
)
def test_training_on_a_gpu_is_three_times_as_fast_as_the_literal_one(
    kind: type[InvAD], backbone: str
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images = torch.rand(32, 3, 256, 256, device="cuda")
    literal = kind(256, backbone).train().to("cuda", memory_format=torch.contiguous_format)
    b = statistics.median(seconds_per_step(literal, partial(literal_loss, literal), images, 10))
    del literal
    ours = kind(256, backbone).train().to("cuda")
    compiled: Step = torch.compile(ours)

    def autocast_loss(x: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16):
            return compiled(x)

    a = statistics.median(seconds_per_step(ours, autocast_loss, images, 10))
    print(f"{kind.__name__} 256² batch 32: {32 / a:.0f} images/s, literal {32 / b:.0f}, {b / a:.2f} times")
    assert b >= 3 * a
