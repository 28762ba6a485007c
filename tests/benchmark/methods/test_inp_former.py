"""INP-Former beside its paper, taken literally."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.methods.inp_former import COHERENCE, INPFormer

SIZE, SIDE = 64, 4
BACKBONE = "vit_tiny_patch16_224"
REGISTERS = "vit_tiny_patch16_dinov3_qkvb"


def moved(method: INPFormer) -> INPFormer:
    """Move the weights away from where they start."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in method.named_parameters():
            if parameter.requires_grad and name != "queries":
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return method


def literally(
    literal: SimpleNamespace, method: INPFormer, image: Tensor
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Return the groups (side, side, C) of one image, their reconstructions and the coherence loss."""
    outputs = [tokens[0] for tokens in literal.block_outputs(method.backbone, image[None], SIZE)]
    targets = [outputs[block][method.backbone.special :] for block in range(2, 10)]
    features = torch.stack(targets).mean(0)
    extractor, heads = method.extractor, method.backbone.heads
    width = features.shape[1]
    each = width // heads
    prototypes = method.queries[0]
    q = literal.linear(literal.norm(prototypes, extractor.norms[0]), extractor.query)
    kv = literal.linear(literal.norm(features, extractor.norms[0]), extractor.key_value)
    seen = torch.zeros_like(prototypes)
    for head in range(heads):
        span = slice(head * each, (head + 1) * each)
        key, value = kv[:, :width][:, span], kv[:, width:][:, span]
        for index in range(6):
            logits = key @ q[index, span] / each**0.5
            weights = logits.exp() / logits.exp().sum()
            seen[index, span] = weights @ value
    prototypes = prototypes + literal.linear(seen, extractor.projection)
    prototypes = prototypes + literal.mlp(
        literal.norm(prototypes, extractor.norms[1]), extractor.feed_forward
    )
    nearest = [
        min(1 - F.cosine_similarity(feature, prototype, 0) for prototype in prototypes)
        for feature in features
    ]
    x = literal.mlp(features, method.bottleneck)
    decoded = []
    for block in method.decoder:
        q = literal.linear(literal.norm(x, block.norms[0]), block.query)
        kv = literal.linear(literal.norm(prototypes, block.norms[0]), block.key_value)
        mixed = torch.zeros_like(x)
        for head in range(heads):
            span = slice(head * each, (head + 1) * each)
            for token in range(len(x)):
                for index in range(6):
                    cosine = F.cosine_similarity(q[token, span], kv[index, :width][span], 0)
                    weight = F.relu(block.scale[head, 0, 0] * cosine)
                    mixed[token, span] += weight * kv[index, width:][span]
        x = literal.linear(mixed, block.projection)
        x = x + literal.mlp(literal.norm(x, block.norms[1]), block.feed_forward)
        decoded.append(x)
    decoded.reverse()
    groups = [
        [torch.stack(tokens[start : start + 4]).mean(0).reshape(SIDE, SIDE, -1) for start in (0, 4)]
        for tokens in (targets, decoded)
    ]
    return groups[0], groups[1], torch.stack(nearest).mean()


@pytest.mark.parametrize("backbone", [BACKBONE, REGISTERS])
def test_its_groups_maps_and_coherence_are_those_of_the_paper_taken_literally(
    literal: SimpleNamespace, backbone: str
) -> None:
    torch.manual_seed(0)
    method = moved(INPFormer(SIZE, backbone)).eval()
    image = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        targets, reconstructions, coherence = method.compared(image)
        maps, scores = method.predict(image)
        features, decoded, expected_coherence = literally(literal, method, image[0])
    for ours, theirs in zip([*targets, *reconstructions], [*features, *decoded], strict=True):
        torch.testing.assert_close(ours[0].permute(1, 2, 0), theirs, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(coherence, expected_coherence, rtol=1e-4, atol=1e-5)
    expected = literal.cosine_map(features, decoded, SIZE)
    torch.testing.assert_close(maps[0], expected, rtol=1e-4, atol=1e-5)
    highest = expected.flatten().sort(descending=True).values[:655]
    torch.testing.assert_close(scores[0], highest.mean(), rtol=1e-4, atol=1e-5)


def test_the_trainable_parameters_are_as_many_as_the_papers_dimensions_say() -> None:
    with torch.device("meta"):
        method = INPFormer()
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == 68_517_984


def test_the_gradient_of_a_place_is_weighed_by_the_cube_of_its_relative_distance() -> None:
    torch.manual_seed(1)
    method = moved(INPFormer(SIZE, BACKBONE))
    images = torch.rand(3, 3, SIZE, SIZE)
    loss = method.loss(images)
    loss.backward()
    ours = {name: p.grad for name, p in method.named_parameters() if p.requires_grad}
    method.zero_grad()
    targets, reconstructions, coherence = method.compared(images)
    losses = []
    for target, reconstruction in zip(targets, reconstructions, strict=True):
        distances = (1 - F.cosine_similarity(target, reconstruction)).detach()
        weight = (distances / distances.mean()) ** 3
        reconstruction.register_hook(lambda gradient, weight=weight: gradient * weight[:, None])
        losses += [
            1 - F.cosine_similarity(target[i].flatten(), reconstruction[i].flatten(), 0) for i in range(3)
        ]
    expected = torch.stack(losses).mean() + COHERENCE * coherence
    expected.backward()
    assert COHERENCE == 0.2
    torch.testing.assert_close(loss, expected)
    for name, parameter in method.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-3, atol=1e-7)


def test_only_patch_tokens_are_reconstructed() -> None:
    method = INPFormer(SIZE, REGISTERS)
    assert method.backbone.special == 5
    assert [tokens.shape[1] for tokens in method.encoded(torch.rand(1, 3, SIZE, SIZE))] == [SIDE**2] * 8
