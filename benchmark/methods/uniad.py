"""UniAD: a transformer that cannot see a place's neighbourhood reconstructs the frozen features there."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import pooled_image_scores, upsampled_map
from benchmark.layers.backbone import Backbone
from benchmark.layers.patches import joined_levels
from benchmark.layers.tokens import level_to_tokens, tokens_to_level
from benchmark.methods.base import GradientMethod, check_size
from benchmark.methods.facts import UNIAD

STRIDE = 16  # of the tokens' grid
STRIDES = (2, 4, 8, 16)  # of the features; the encoder is not run any further
LAYERS, WIDTH, HEADS, FEED_FORWARD, DROPOUT = 4, 256, 8, 1024, 0.1
NEIGHBOURHOOD = 7  # tokens, square
JITTER_SCALE = 20.0


class UniAD(GradientMethod):
    """UniAD: the transformer is trained, the encoder is frozen.

    Args:
        image_size: pixels, square, a multiple of 32.
        backbone: a timm model with feature levels at strides 2, 4, 8 and 16.

    Raises:
        InputError: the size is no multiple of 32 or the backbone does not serve.
    """

    facts: ClassVar[Facts] = UNIAD

    blind: Tensor

    def __init__(self, image_size: int = 256, backbone: str | None = None) -> None:
        super().__init__()
        check_size("UniAD", image_size)
        self.backbone = Backbone(backbone or str(self.facts.default_backbone), STRIDES, image_size)
        self.side = image_size // STRIDE
        channels = sum(self.backbone.channels)
        self.rows = nn.Parameter(torch.rand(self.side, WIDTH // 2))
        self.columns = nn.Parameter(torch.rand(self.side, WIDTH // 2))
        self.narrow = nn.Linear(channels, WIDTH)
        self.encoder = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.decoder = nn.ModuleList(DecoderLayer(self.side**2) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, channels)
        self.register_buffer("blind", neighbour_mask(self.side), persistent=False)
        for part in (self.narrow, self.encoder, self.decoder, self.widen):
            for module in part.modules():
                if isinstance(module, nn.Linear):
                    nn.init.xavier_uniform_(module.weight)
                    nn.init.zeros_(module.bias)

    def features(self, images: Tensor) -> Tensor:
        """Return the encoder's levels joined at stride 16, float32 (B, ΣC, H / 16, W / 16)."""
        return joined_levels(self.backbone(images), (self.side, self.side))

    def reconstruct(self, features: Tensor) -> Tensor:
        """Return the reconstruction of features (B, C, H, W); in training they are jittered first."""
        tokens = level_to_tokens(features)
        if self.training:
            tokens = jittered(tokens)
        position = self.position()
        memory = self.narrow(tokens)
        for layer in self.encoder:
            memory = layer(memory, position, self.blind)
        x = memory
        for layer in self.decoder:
            x = layer(x, memory, position, self.blind)
        return tokens_to_level(self.widen(self.norm(x)), self.side)

    def position(self) -> Tensor:
        """Return the learned position embedding (H·W, width): half of it says the column, half the row."""
        columns = self.columns[None].expand(self.side, -1, -1)
        rows = self.rows[:, None].expand(-1, self.side, -1)
        return torch.cat([columns, rows], 2).flatten(0, 1)

    def loss(self, images: Tensor) -> Tensor:
        """Return the mean squared error of the reconstruction, in float32."""
        features = self.features(images)
        return F.mse_loss(self.reconstruct(features).float(), features)

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the upsampled Euclidean distances (B, H, W) of features and reconstructions."""
        features = self.features(images)
        distances = (self.reconstruct(features).float() - features).square().sum(1).sqrt()
        return upsampled_map(distances, images.shape[-2:], sigma=0)

    def image_scores(self, maps: Tensor) -> Tensor:
        """Return each map's maximum (B,) after 16×16 average pooling."""
        return pooled_image_scores(maps)


class EncoderLayer(nn.Module):
    """Masked self-attention and a feed-forward network, each added to its input and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = _attention()
        self.feed_forward = _feed_forward()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, position: Tensor, blind: Tensor) -> Tensor:
        """Return tokens (B, N, width) of tokens x; ``blind`` (N, N) is true where none may look."""
        placed = x + position
        seen = self.attention(placed, placed, x, attn_mask=blind, need_weights=False)[0]
        x = self.norms[0](x + self.dropout(seen))
        return cast(Tensor, self.norms[1](x + self.feed_forward(x)))


class DecoderLayer(nn.Module):
    """A learned query per place, which looks at the encoder's output and then at the layer before."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(places, WIDTH))
        self.attentions = nn.ModuleList(_attention() for _ in range(2))
        self.feed_forward = _feed_forward()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, memory: Tensor, position: Tensor, blind: Tensor) -> Tensor:
        """Return tokens (B, N, width) of the layer before's x and the encoder's memory."""
        query = self.query.expand(x.shape[0], -1, -1)  # len(x) would be a constant in an exported graph
        for attention, norm, source in zip(self.attentions, self.norms[:2], (memory, x), strict=True):
            placed = source + position
            seen = attention(query + position, placed, source, attn_mask=blind, need_weights=False)[0]
            query = norm(query + self.dropout(seen))
        return cast(Tensor, self.norms[2](query + self.feed_forward(query)))


def neighbour_mask(side: int) -> Tensor:
    """Return the mask (side², side²), true where two places of the grid lie in each other's neighbourhood.

    It is 7×7 on grids of 8×8 and more; on smaller ones it shrinks so far that every place still sees another.
    """
    radius = min(NEIGHBOURHOOD // 2, side // 2 - 1)
    places = torch.arange(side)
    near = (places[:, None] - places[None]).abs() <= radius
    return (near[:, None, :, None] & near[None, :, None, :]).reshape(side**2, side**2)


def jittered(tokens: Tensor) -> Tensor:
    """Return tokens (B, N, C) with Gaussian noise of deviation 20 · |token| / C, the feature jitter."""
    deviation = JITTER_SCALE * tokens.norm(dim=2, keepdim=True) / tokens.shape[2]
    noisy: Tensor = tokens + deviation * torch.randn_like(tokens)
    return noisy


def _attention() -> nn.MultiheadAttention:
    return nn.MultiheadAttention(WIDTH, HEADS, DROPOUT, batch_first=True)


def _feed_forward() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(WIDTH, FEED_FORWARD),
        nn.ReLU(),
        nn.Dropout(DROPOUT),
        nn.Linear(FEED_FORWARD, WIDTH),
        nn.Dropout(DROPOUT),
    )
