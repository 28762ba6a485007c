"""Dinomaly and Dinomaly2: a decoder without focus reconstructs the middle blocks of a frozen DINOv2."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.facts import Facts
from benchmark.layers.anomaly_maps import grouped_cosine_map, top_share_scores
from benchmark.layers.attention import NORM_EPS, LinearAttention, feed_forward, initialise
from benchmark.layers.losses import flattened_cosine_loss, loosened, token_distances
from benchmark.layers.optimizers import Group
from benchmark.layers.tokens import group_means, tokens_to_level
from benchmark.layers.vit_targets import GROUPS, TARGETS, decoded_groups, encoder_of_targets
from benchmark.methods.base import GradientMethod
from benchmark.methods.facts import DINOMALY, DINOMALY2
from cocoad.base.errors import InputError

MLP_RATIO = 4
EASY_SHARE = 0.9  # of all places: those whose gradient is cut, in the end
EASY_STEPS = 1000  # over which that share rises from 0
EASY_FACTOR = 0.1  # by which their gradient is multiplied
NARROW = 256  # channels, of Dinomaly2's bottleneck
ENTRY_RATE = 0.1  # of its first linear layer, relative to the others'
MAP_SIZE = 256  # pixels: maps are blurred and scored at this size, whatever the images'


class Dinomaly(GradientMethod):
    """Dinomaly: bottleneck and decoder are trained, the encoder is frozen.

    Of a ViT of 12 blocks, 3 to 10 are reconstructed, in two groups (section 3.4), from their mean, through a
    bottleneck that is noisy by dropout (3.2) and eight blocks of linear attention (3.3). Class and register
    tokens stay among the tokens until features are compared.

    Args:
        image_size: pixels, square, a multiple of the encoder's patch.
        backbone: a timm plain ViT of 10 blocks at least; the decoder has its width and heads.
        dropout: of the bottleneck; 0.2 for MVTec AD and VisA in the paper, 0.4 for more varied data.
        narrow: the bottleneck goes through 256 channels first, as Dinomaly2's does.
        recentred: targets are patch tokens minus the class token, normalised, as Dinomaly2's are.

    Raises:
        InputError: size, backbone or dropout do not serve.
    """

    facts: ClassVar[Facts] = DINOMALY

    easy: Tensor

    def __init__(
        self,
        image_size: int = 392,
        backbone: str | None = None,
        dropout: float = 0.4,
        narrow: bool = False,
        recentred: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise InputError(f"a dropout from 0 to below 1 is needed, not {dropout}")
        self.backbone = encoder_of_targets(backbone or str(self.facts.default_backbone), image_size)
        self.narrowed, self.recentred = narrow, recentred
        if recentred and not self.backbone.class_token:
            raise InputError(f"recentring needs a class token: the backbone {self.backbone.name!r} has none")
        width = self.backbone.width
        entry = [nn.Linear(width, NARROW)] if narrow else []
        inner = feed_forward(NARROW if narrow else width, MLP_RATIO * width, width, dropout)
        self.bottleneck = nn.Sequential(*entry, nn.Dropout(dropout), *inner)
        self.decoder = nn.ModuleList(DecoderBlock(width, self.backbone.heads) for _ in range(TARGETS))
        self.register_buffer("easy", torch.zeros((), dtype=torch.float64), persistent=False)
        initialise(self.bottleneck, self.decoder)

    def compared(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the groups' targets and their reconstructions, float32 [(B, C, h, w)]."""
        outputs = self.backbone.tokens(images)
        tokens = self.bottleneck(torch.stack(outputs).mean(0))
        decoded = []
        for block in self.decoder:
            tokens = block(tokens)
            decoded.append(tokens)
        targets = [self._target(group.float()) for group in group_means(outputs, GROUPS)]
        return self._levels(targets), self._levels(decoded_groups(decoded))

    def _target(self, group: Tensor) -> Tensor:
        if not self.recentred:
            return group
        return F.layer_norm(group - group[:, :1], group.shape[-1:], eps=NORM_EPS)

    def _levels(self, groups: list[Tensor]) -> list[Tensor]:
        patches = (group.float()[:, self.backbone.special :] for group in groups)
        return [tokens_to_level(tokens, self.backbone.side) for tokens in patches]

    def on_step(self, step: int, steps: int) -> None:
        """Let the share of easy places rise over the first thousand steps."""
        self.easy.fill_(min(EASY_SHARE * step / EASY_STEPS, EASY_SHARE))

    def loss(self, images: Tensor) -> Tensor:
        """Return the groups' mean of 1 − cosine of the flattened levels; easy places weigh little in its gradient."""
        targets, reconstructions = self.compared(images)
        loose = [
            loosened(reconstruction, token_distances(target, reconstruction), self.easy, EASY_FACTOR)
            for target, reconstruction in zip(targets, reconstructions, strict=True)
        ]
        return flattened_cosine_loss(targets, loose) / GROUPS

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the groups' mean cosine distances (B, 256, 256), blurred."""
        targets, reconstructions = self.compared(images)
        return grouped_cosine_map(targets, reconstructions, images.shape[-2:], (MAP_SIZE, MAP_SIZE))

    def image_scores(self, maps: Tensor) -> Tensor:
        """Return the mean (B,) of each map's highest hundredth."""
        return top_share_scores(maps)


class Dinomaly2(Dinomaly):
    """Dinomaly2: a narrower bottleneck, targets around the class token, a constant rate.

    Args:
        image_size, backbone, dropout, narrow, recentred: as :class:`Dinomaly`.

    Raises:
        InputError: size, backbone or dropout do not serve.
    """

    facts: ClassVar[Facts] = DINOMALY2

    def __init__(
        self,
        image_size: int = 392,
        backbone: str | None = None,
        dropout: float = 0.4,
        narrow: bool = True,
        recentred: bool = True,
    ) -> None:
        super().__init__(image_size, backbone, dropout, narrow, recentred)

    def groups(self) -> list[Group]:
        """Return the parameters, the first linear layer of a narrow bottleneck at a tenth of the rate."""
        slow = list(self.bottleneck[0].parameters())
        rest = [
            parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad and not name.startswith("bottleneck.0.")
        ]
        return [Group(rest), *([Group(slow, ENTRY_RATE)] if slow else [])]


class DecoderBlock(nn.Module):
    """A pre-norm transformer block whose attention is linear."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=NORM_EPS) for _ in range(2))
        self.attention = LinearAttention(width, heads)
        self.feed_forward = feed_forward(width, MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, N, width)."""
        tokens = tokens + self.attention(self.norms[0](tokens))
        out: Tensor = tokens + self.feed_forward(self.norms[1](tokens))
        return out
