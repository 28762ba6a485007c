"""The order in which a training sees its images: a function of seed and epoch, the same for any processes."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Order:
    """Batches of shuffled indices, of which each process takes its share.

    Args:
        images: how many there are.
        batch_size: of all processes together.
        seed: of the shuffling.
        drop_last: drop a last batch that is not full; with several processes it always is.
        rank, processes: which share is this process's: every ``processes``-th image of a batch.
    """

    images: int
    batch_size: int
    seed: int
    drop_last: bool = True
    rank: int = 0
    processes: int = 1

    def __len__(self) -> int:
        full, rest = divmod(self.images, self.batch_size)
        return full + (rest > 0 and not self.drop_last and self.processes == 1)

    def epoch(self, epoch: int, skip: int = 0) -> list[list[int]]:
        """Return an epoch's batches without its first ``skip``."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        shuffled = torch.randperm(self.images, generator=generator).tolist()
        starts = range(skip * self.batch_size, len(self) * self.batch_size, self.batch_size)
        batches = [shuffled[start : start + self.batch_size] for start in starts]
        return [batch[self.rank :: self.processes] for batch in batches]
