"""The training that anomalib means for a model: its Lightning module in a Lightning trainer."""

from __future__ import annotations

import contextlib
import functools
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmark.config import Recipe
from benchmark.methods.anomalib_adapter.weights import replaced
from benchmark.methods.base import CHECK_EVERY, Epochs
from cocoad.base.console import hushed
from cocoad.base.errors import CocoadError

LOGGERS = ("anomalib", "lightning", "lightning.pytorch", "lightning.fabric", "timm", "huggingface_hub")
OURS = ("max_epochs", "devices")  # arguments of a model's trainer that are the bench's to decide


def train(
    module: Any,
    batches: Epochs,
    recipe: Recipe,
    device: torch.device,
    heard: Callable[[int, int, Tensor], None],
) -> None:
    """Train an anomalib module in place on ``device``; of ``recipe`` take epochs, batch size and precision.

    Raises:
        CocoadError: the loss stopped being a finite number.
    """
    from lightning.pytorch import Trainer

    own = {name: value for name, value in module.trainer_arguments.items() if name not in OURS}
    gpu = device.type == "cuda"
    arguments = own | {
        "accelerator": "gpu" if gpu else "cpu",
        "devices": [device.index or 0] if gpu else 1,
        "max_epochs": recipe.epochs,
        "precision": recipe.precision,
        "benchmark": torch.backends.cudnn.benchmark,
        "num_sanity_val_steps": 0,
        "check_val_every_n_epoch": recipe.epochs,  # once, at the end: some models complete their state there
        "limit_val_batches": 1,
        "inference_mode": False,  # what a validation computes is kept, moved and loaded again
        "callbacks": [_listener(heard, recipe.epochs * len(batches))],
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    with quiet(), _interruptible():
        Trainer(**arguments).fit(module, datamodule=_datamodule(batches, recipe.batch_size))


def _listener(heard: Callable[[int, int, Tensor], None], total: int) -> Any:
    from lightning.pytorch import Callback

    class Listener(Callback):  # type: ignore[misc, unused-ignore]
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
            loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
            loss = torch.as_tensor(0.0 if loss is None else loss).detach().float().mean()
            done = trainer.current_epoch * trainer.num_training_batches + index + 1
            if (done % CHECK_EVERY == 0 or done == total) and not torch.isfinite(loss):
                raise CocoadError(
                    f"the loss became {float(loss)} by step {done}: {type(module).__name__} does not learn from "
                    "these images with these weights; try another --batch-size, or options of the model"
                )
            heard(done, total, loss)
            if done == total:  # so that the record counts what was trained
                for parameter in module.parameters():
                    parameter.requires_grad_(parameter.grad is not None)

    return Listener()


def _datamodule(batches: Epochs, batch_size: int) -> Any:
    """Return the images as anomalib wants them: all normal. They serve as validation images, too."""
    from anomalib.data import ImageBatch
    from lightning.pytorch import LightningDataModule

    class Loader:
        def __len__(self) -> int:
            return len(batches)

        def __iter__(self) -> Iterator[Any]:
            for images in batches:
                normal = torch.zeros(len(images), dtype=torch.bool, device=images.device)
                masks = torch.zeros((len(images), *images.shape[-2:]), dtype=torch.bool, device=images.device)
                # ours lie in memory as (B, H, W, 3), which not all models take
                yield ImageBatch(image=images.contiguous(), gt_label=normal, gt_mask=masks)

    class DataModule(LightningDataModule):  # type: ignore[misc, unused-ignore]
        train_batch_size = batch_size

        def train_dataloader(self) -> Any:
            return Loader()

        def val_dataloader(self) -> Any:
            return Loader()

    return DataModule()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C through as it is: Lightning makes an exit of it, and turns further ones off."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep anomalib, Lightning, timm and the hub's client from talking: the bench tells how it goes on."""
    import tqdm

    no_bar = functools.partialmethod(tqdm.tqdm.__init__, disable=True)
    silence = replaced(tqdm.tqdm, "__init__", no_bar)
    with hushed(*LOGGERS), warnings.catch_warnings(), silence:
        warnings.simplefilter("ignore")
        yield
