"""Out of memory: recognised, and answered with the batch size that would fit."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import torch

from benchmark.methods.base import Method
from cocoad.base.errors import ResourceError

CPU_ALLOCATOR = "DefaultCPUAllocator"


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether ``error`` is a failed allocation, on whatever device."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or CPU_ALLOCATOR in str(error)


def memory_error(error: BaseException, method: Method, shape: Sequence[int]) -> BaseException:
    """Return what to raise for an ``error`` in a step on images of ``shape`` (B, 3, S, S): itself, or a clear one."""
    if not is_out_of_memory(error):
        return error
    traceback.clear_frames(error.__traceback__)  # they hold what the step has allocated so far
    batch = shape[0]
    if not method.facts.has_steps:  # how much its training takes is known to it alone
        return ResourceError(f"out of memory with {batch} images in a batch: give a smaller --batch-size")
    device = next(iter([*method.parameters(), *method.buffers()])).device
    fits = largest_batch(method, shape[1:], device, batch - 1)
    advice = f"give --batch-size {fits}, which fits" if fits else "not even a batch of 1 fits"
    return ResourceError(f"out of memory on {device.type} with {batch} images in a process's batch: {advice}")


def memory_error_at_the_end(error: BaseException, method: Method) -> BaseException:
    """Return what to raise for an ``error`` while a method solves for its state after the last batch."""
    if not is_out_of_memory(error):
        return error
    traceback.clear_frames(error.__traceback__)
    return ResourceError(
        f"out of memory while {type(method).__name__} takes together what it saw of all images: give a smaller "
        "--image-size, or options of the method that keep less (docs/reference/methods.md)"
    )


def largest_batch(method: Method, shape: Sequence[int], device: torch.device, most: int) -> int:
    """Return the largest power of two up to ``most`` whose batch of random images (3, S, S) fits; 0 if none does."""
    fits = 1 << max(most, 0).bit_length() >> 1
    while fits:
        method.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            method.rehearse(torch.rand(fits, *shape, device=device))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits //= 2
        else:
            break
    method.zero_grad(set_to_none=True)
    return fits
