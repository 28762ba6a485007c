"""Dinomaly and Dinomaly2 beside their papers, taken literally."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.layers.losses import loosened
from benchmark.methods.dinomaly import Dinomaly, Dinomaly2
from cocoad.base.errors import InputError

SIZE, SIDE = 64, 4
BACKBONE = "vit_tiny_patch16_224"
REGISTERS = "vit_tiny_patch16_dinov3_qkvb"


def moved(method: Dinomaly) -> Dinomaly:
    """Move the weights away from where they start, where attention hardly matters."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in method.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return method


def literally(literal: SimpleNamespace, method: Dinomaly, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return the groups (side, side, C) of one image and their reconstructions."""
    outputs = [tokens[0] for tokens in literal.block_outputs(method.backbone, image[None], SIZE)]
    targets = [outputs[block] for block in range(2, 10)]
    x = torch.stack(targets).mean(0)
    if method.narrowed:
        x = literal.linear(x, method.bottleneck[0])
    x = literal.mlp(x, method.bottleneck[1:] if method.narrowed else method.bottleneck)
    decoded = []
    for block in method.decoder:
        x = x + attended(literal, literal.norm(x, block.norms[0]), block.attention)
        x = x + literal.mlp(literal.norm(x, block.norms[1]), block.feed_forward)
        decoded.append(x)
    decoded.reverse()
    special = method.backbone.special
    encoder_groups, decoder_groups = [], []
    for group in ((0, 1, 2, 3), (4, 5, 6, 7)):
        feature = torch.stack([targets[index] for index in group]).mean(0)
        patches = feature[special:]
        if method.recentred:
            centred = patches - feature[0]
            centred = centred - centred.mean(-1, keepdim=True)
            patches = centred / (centred.square().mean(-1, keepdim=True) + 1e-8).sqrt()
        encoder_groups.append(patches.reshape(SIDE, SIDE, -1))
        reconstruction = torch.stack([decoded[index] for index in group]).mean(0)
        decoder_groups.append(reconstruction[special:].reshape(SIDE, SIDE, -1))
    return encoder_groups, decoder_groups


def attended(literal: SimpleNamespace, x: Tensor, attention: Any) -> Tensor:
    """Return the linear attention of tokens (N, C), head by head and token by token."""
    count, width = x.shape
    heads = attention.heads
    each = width // heads
    qkv = literal.linear(x, attention.qkv)
    out = torch.zeros(count, width)
    for head in range(heads):
        q, k, v = (qkv[:, part * width + head * each :][:, :each] for part in range(3))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        for token in range(count):
            weights = k @ q[token]
            out[token, head * each : (head + 1) * each] = (weights / weights.sum()) @ v
    return literal.linear(out, attention.projection)


@pytest.mark.parametrize("kind", [Dinomaly, Dinomaly2])
@pytest.mark.parametrize("backbone", [BACKBONE, REGISTERS])
def test_its_groups_and_maps_are_those_of_the_paper_taken_literally(
    literal: SimpleNamespace, kind: type[Dinomaly], backbone: str
) -> None:
    torch.manual_seed(0)
    method = moved(kind(SIZE, backbone)).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        targets, reconstructions = method.compared(images)
        maps, scores = method.predict(images)
        for index, image in enumerate(images):
            features, decoded = literally(literal, method, image)
            for ours, theirs in zip([*targets, *reconstructions], [*features, *decoded], strict=True):
                torch.testing.assert_close(ours[index].permute(1, 2, 0), theirs, rtol=1e-4, atol=1e-4)
            expected = literal.cosine_map(features, decoded, SIZE)
            torch.testing.assert_close(maps[index], expected, rtol=1e-4, atol=1e-5)
            highest = expected.flatten().sort(descending=True).values[:655]
            torch.testing.assert_close(scores[index], highest.mean(), rtol=1e-4, atol=1e-5)


def test_the_trainable_parameters_are_as_many_as_the_papers_dimensions_say() -> None:
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in kind().parameters() if p.requires_grad) for kind in (Dinomaly, Dinomaly2)
        ]
    assert counts == [61_425_408, 60_049_408]


def test_blocks_3_to_10_of_12_are_the_targets_and_every_other_from_5_of_24() -> None:
    with torch.device("meta"):
        base, large = Dinomaly(), Dinomaly(backbone="vit_large_patch14_reg4_dinov2")
    assert base.backbone.blocks == [3, 4, 5, 6, 7, 8, 9, 10]
    assert large.backbone.blocks == [5, 7, 9, 11, 13, 15, 17, 19]
    assert len(base.backbone.net.model.blocks) == 10
    assert (base.backbone.special, base.backbone.side) == (5, 28)


@pytest.mark.parametrize("step", [0, 1, 500, 1000, 3000])
def test_the_gradient_of_the_easiest_places_is_a_tenth_and_their_share_grows_to_nine_tenths(
    step: int,
) -> None:
    torch.manual_seed(step)
    method = moved(Dinomaly(SIZE, BACKBONE, dropout=0.0))
    images = torch.rand(3, 3, SIZE, SIZE)
    method.on_step(step, 50_000)
    loss = method.loss(images)
    loss.backward()
    ours = {name: p.grad for name, p in method.named_parameters() if p.requires_grad}
    method.zero_grad()
    targets, reconstructions = method.compared(images)
    losses, share = [], min(0.9 * step / 1000, 0.9)
    for target, reconstruction in zip(targets, reconstructions, strict=True):
        distances = (1 - F.cosine_similarity(target, reconstruction)).detach()
        kept = int(distances.numel() * (1 - share))
        threshold = distances.flatten().topk(kept).values[-1]
        reconstruction.register_hook(
            lambda gradient, easy=distances < threshold: torch.where(easy[:, None], 0.1 * gradient, gradient)
        )
        losses.append(
            torch.stack(
                [
                    1 - F.cosine_similarity(target[i].flatten(), reconstruction[i].flatten(), 0)
                    for i in range(3)
                ]
            ).mean()
        )
    expected = torch.stack(losses).mean()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-4, atol=1e-7)


def test_loosening_leaves_values_and_hard_places_as_they_are() -> None:
    reconstruction = torch.randn(1, 2, 1, 10, requires_grad=True)
    distances = torch.arange(10.0).reshape(1, 1, 10)
    loose = loosened(reconstruction, distances, torch.tensor(0.7, dtype=torch.float64), 0.1)
    assert torch.equal(loose, reconstruction)
    loose.sum().backward()
    assert reconstruction.grad is not None
    torch.testing.assert_close(reconstruction.grad[0, 0, 0], torch.tensor([0.1] * 7 + [1.0] * 3))


def test_the_entry_of_dinomaly2s_bottleneck_learns_at_a_tenth_of_the_rate() -> None:
    method = Dinomaly2(SIZE, BACKBONE)
    optimizer = method.optimizer(method.facts.presets["paper"])
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert set(rates) == {p for p in method.parameters() if p.requires_grad}
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            expected = 2e-4 if name.startswith("bottleneck.0.") else 2e-3
            assert rates[parameter] == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("kind", "amsgrad", "schedule"), [(Dinomaly, True, "cosine"), (Dinomaly2, False, "constant")]
)
def test_the_recipe_is_the_published_one_for_varied_data(
    kind: type[Dinomaly], amsgrad: bool, schedule: str
) -> None:
    recipe, facts = kind.facts.presets["paper"], kind.facts
    assert (recipe.optimizer, recipe.amsgrad, recipe.eps, recipe.weight_decay) == (
        "stable-adamw", amsgrad, 1e-10, 1e-4,
    )  # fmt: skip
    assert (recipe.learning_rate, recipe.warmup_iterations, recipe.schedule) == (2e-3, 100, schedule)
    assert (recipe.gradient_clip_norm, recipe.batch_size) == (0.1, 16)
    assert (facts.image_size, facts.score_size) == (392, 256)


def test_weights_start_small_and_biases_at_zero() -> None:
    method = Dinomaly(SIZE, BACKBONE)
    weights = torch.cat([p.flatten() for n, p in method.decoder.named_parameters() if p.ndim == 2])
    assert weights.abs().max() <= 0.03
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert not any(p.any() for n, p in method.decoder.named_parameters() if n.endswith("bias"))


def test_the_bottleneck_is_noisy_in_training_alone() -> None:
    method, images = Dinomaly(SIZE, BACKBONE), torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        assert not torch.equal(method.train().compared(images)[1][0], method.compared(images)[1][0])
        assert torch.equal(method.eval().compared(images)[1][0], method.compared(images)[1][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "test_vit"}, "has 6 blocks: a ViT of 10 at least is needed"),
        ({"backbone": "resnet18"}, "is no plain ViT"),
        ({"backbone": "vit_small_patch14_dinov2"}, "divisible by 14, not 64"),
        ({"backbone": BACKBONE, "dropout": 1.0}, "a dropout from 0 to below 1 is needed, not 1.0"),
        ({"backbone": "vit_wee_patch16_reg1_gap_256", "recentred": True}, "recentring needs a class token"),
    ],
)
def test_what_does_not_serve_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dinomaly(SIZE, **options)
