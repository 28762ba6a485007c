"""INP-Former: an image's own normal prototypes, found in its features, are all that its decoder may use."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import grouped_cosine_map, top_share_scores
from benchmark.layers.attention import NORM_EPS, feed_forward, initialise, join_heads, split_heads
from benchmark.layers.losses import flattened_cosine_loss, token_distances, weighted_gradient
from benchmark.layers.tokens import group_means, tokens_to_level
from benchmark.layers.vit_targets import GROUPS, TARGETS, decoded_groups, encoder_of_targets
from benchmark.methods.base import GradientMethod
from benchmark.methods.facts import INP_FORMER

MLP_RATIO = 4
PROTOTYPES = 6
COHERENCE = 0.2  # weight of the coherence loss
MINING = 3.0  # power of a place's relative distance, by which its gradient is multiplied
MAP_SIZE = 256  # pixels: maps are blurred and scored at this size, whatever the images'


class INPFormer(GradientMethod):
    """INP-Former: prototypes, bottleneck and decoder are trained, the encoder is frozen.

    Six learned tokens gather an image's intrinsic normal prototypes from its features (section 3.2), and a decoder
    that sees nothing but these reconstructs the features (3.3), compared in two groups as Dinomaly does. Patch
    tokens alone are used.

    Args:
        image_size: pixels, square, a multiple of the encoder's patch.
        backbone: a timm plain ViT of 10 blocks at least; the decoder has its width and heads.

    Raises:
        InputError: size or backbone do not serve.
    """

    facts: ClassVar[Facts] = INP_FORMER

    def __init__(self, image_size: int = 392, backbone: str | None = None) -> None:
        super().__init__()
        self.backbone = encoder_of_targets(backbone or str(self.facts.default_backbone), image_size)
        width, heads = self.backbone.width, self.backbone.heads
        self.queries = nn.Parameter(torch.randn(1, PROTOTYPES, width))
        self.extractor = Extractor(width, heads)
        self.bottleneck = feed_forward(width, MLP_RATIO * width, width)
        self.decoder = nn.ModuleList(GuidedBlock(width, heads) for _ in range(TARGETS))
        initialise(self.extractor, self.bottleneck, self.decoder)

    def encoded(self, images: Tensor) -> list[Tensor]:
        """Return the targets' patch tokens [(B, N, C)]."""
        return [tokens[:, self.backbone.special :] for tokens in self.backbone.tokens(images)]

    def decode(self, features: Tensor, prototypes: Tensor) -> list[Tensor]:
        """Return the decoder's outputs [(B, N, C)] of the targets' mean (B, N, C) and prototypes (B, M, C)."""
        tokens = self.bottleneck(features)
        outputs = []
        for block in self.decoder:
            tokens = block(tokens, prototypes)
            outputs.append(tokens)
        return outputs

    def compared(self, images: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return the groups' targets and reconstructions, float32 [(B, C, h, w)], and the coherence loss."""
        outputs = self.encoded(images)
        features = torch.stack(outputs).mean(0)
        prototypes = self.extractor(self.queries, features)
        decoded = decoded_groups(self.decode(features, prototypes))
        levels = [
            [tokens_to_level(tokens.float(), self.backbone.side) for tokens in groups]
            for groups in (group_means(outputs, GROUPS), decoded)
        ]
        return levels[0], levels[1], coherence_loss(features, prototypes)

    def loss(self, images: Tensor) -> Tensor:
        """Return the groups' mean of 1 − cosine of the flattened levels, and a share of the coherence loss.

        Hard places weigh more in the gradient: by the cube of their distance over the batch's mean distance.
        """
        targets, reconstructions, coherence = self.compared(images)
        mined = []
        for target, reconstruction in zip(targets, reconstructions, strict=True):
            distances = token_distances(target, reconstruction)
            weight = (distances / distances.mean()) ** MINING
            mined.append(weighted_gradient(reconstruction, weight[:, None]))
        return flattened_cosine_loss(targets, mined) / GROUPS + COHERENCE * coherence

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the groups' mean cosine distances (B, 256, 256), blurred."""
        targets, reconstructions, _ = self.compared(images)
        return grouped_cosine_map(targets, reconstructions, images.shape[-2:], (MAP_SIZE, MAP_SIZE))

    def image_scores(self, maps: Tensor) -> Tensor:
        """Return the mean (B,) of each map's highest hundredth."""
        return top_share_scores(maps)


class Extractor(nn.Module):
    """A pre-norm block whose queries look at an image's features; one norm serves both."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=NORM_EPS) for _ in range(2))
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.projection = nn.Linear(width, width)
        self.feed_forward = feed_forward(width, MLP_RATIO * width, width)

    def forward(self, queries: Tensor, features: Tensor) -> Tensor:
        """Return the prototypes (B, M, C) of queries (1, M, C) and features (B, N, C)."""
        query = split_heads(self.query(self.norms[0](queries)), self.heads)
        key, value = (
            split_heads(part, self.heads) for part in self.key_value(self.norms[0](features)).chunk(2, 2)
        )
        seen = F.scaled_dot_product_attention(query.expand(features.shape[0], -1, -1, -1), key, value)
        tokens = queries + self.projection(join_heads(seen))
        out: Tensor = tokens + self.feed_forward(self.norms[1](tokens))
        return out


class GuidedBlock(nn.Module):
    """A block made of an image's prototypes: no softmax, and no way around the attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=NORM_EPS) for _ in range(2))
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.scale = nn.Parameter(torch.ones(heads, 1, 1))
        self.projection = nn.Linear(width, width)
        self.feed_forward = feed_forward(width, MLP_RATIO * width, width)

    def forward(self, tokens: Tensor, prototypes: Tensor) -> Tensor:
        """Return (B, N, C) of tokens (B, N, C) and prototypes (B, M, C)."""
        query = split_heads(self.query(self.norms[0](tokens)), self.heads)
        key, value = (
            split_heads(part, self.heads) for part in self.key_value(self.norms[0](prototypes)).chunk(2, 2)
        )
        cosines = F.normalize(query, dim=3) @ F.normalize(key, dim=3).transpose(2, 3)
        tokens = self.projection(join_heads(F.relu(self.scale * cosines) @ value))
        out: Tensor = tokens + self.feed_forward(self.norms[1](tokens))
        return out


def coherence_loss(features: Tensor, prototypes: Tensor) -> Tensor:
    """Return the mean over features (B, N, C) of 1 − cosine to the nearest of the prototypes (B, M, C)."""
    cosines = F.normalize(features.float(), dim=2) @ F.normalize(prototypes.float(), dim=2).transpose(1, 2)
    return (1 - cosines).amin(2).mean()
