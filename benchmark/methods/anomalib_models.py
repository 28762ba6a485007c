"""anomalib's models: built and trained by anomalib, on this bench's datasets, and scored by this bench.

``anomalib:NAME`` is the class NAME of ``anomalib.models`` (https://anomalib.readthedocs.io), one model for all
classes of a dataset. Its own Lightning module trains it; options (``options.NAME``) are its constructor's.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple
from unittest import mock

import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.config import Preset, Recipe
from benchmark.layers.weights import one_line, pretrained_tensors
from benchmark.methods.base import Epochs, Method, SelfTrainedMethod
from benchmark.methods.registry import ANOMALIB
from cocoad.errors import InputError, ResourceError

BACKBONE_OPTIONS = ("backbone", "encoder_name")  # what anomalib's models call their encoder
EPOCHS = 100  # as the benchmark trains all methods; models that only collect features see each image once
BATCH_SIZES = {"EfficientAd": 1}  # anomalib allows no other


class Known(NamedTuple):
    """What is known of a model: its paper, and what it needs beyond timm's weights or why it cannot work here."""

    source: str
    needs: str = ""
    fails: str = ""


MODELS: dict[str, Known] = {}


class AnomalibMethod(SelfTrainedMethod):
    """A model of anomalib. Of the recipe, ``epochs``, ``batch_size`` and ``precision`` are heeded.

    Args:
        image_size: pixels, square; a vision transformer is given the next smaller multiple of its patches.
        backbone: a timm model for those that have one to choose, else None.
        options: of the model's constructor.

    Raises:
        InputError: options that the model does not take.
    """

    model: ClassVar[type[Any]]
    backbone_option: ClassVar[str | None]

    def __init__(self, image_size: int = 256, backbone: str | None = None, **options: Any) -> None:
        super().__init__()
        if backbone is not None:
            if self.backbone_option is None:
                raise InputError(f"{ANOMALIB}{self.model.__name__} has no backbone to choose")
            options[self.backbone_option] = backbone
        self.backbone_name, self.options = backbone, options
        patch = re.search(r"patch(\d+)", backbone or "")
        self.input_size = image_size // int(patch[1]) * int(patch[1]) if patch else image_size
        self.module = self._built("random")

    def load_backbones(self, weights: str) -> None:
        """Build the model again, on pretrained ``weights`` this time."""
        if weights != "random":
            self.module = self._built(weights)

    def fit(self, batches: Epochs, recipe: Recipe, heard: Callable[[int, int, Tensor], None]) -> None:
        """Train with anomalib's module in a Lightning trainer that neither logs, saves nor prints."""
        from lightning.pytorch import Trainer

        device = next(self.parameters()).device
        defaults = {k: v for k, v in self.module.trainer_arguments.items() if k not in ("max_epochs", "devices")}
        with _quiet():
            trainer = Trainer(
                **defaults
                | {
                    "accelerator": "cpu" if device.type == "cpu" else "gpu",
                    "devices": 1 if device.type == "cpu" else [device.index or 0],
                    "max_epochs": recipe.epochs,
                    "precision": recipe.precision,
                    "num_sanity_val_steps": 0,
                    "check_val_every_n_epoch": recipe.epochs,
                    "limit_val_batches": 1,
                    "callbacks": [_listener(heard, recipe.epochs * len(batches))],
                    "logger": False,
                    "enable_checkpointing": False,
                    "enable_progress_bar": False,
                    "enable_model_summary": False,
                }
            )
            trainer.fit(self.module, datamodule=_datamodule(batches, recipe.batch_size))

    def anomaly_maps(self, images: Tensor) -> Tensor:
        """Return the model's maps, brought to the images' size by bilinear interpolation."""
        return self.predict(images)[0]

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps and the model's own image scores, which need not be the maps' maxima."""
        found = self.module.model(self.module.pre_processor(images))
        if found.anomaly_map is None:
            raise InputError(f"{ANOMALIB}{self.model.__name__} gives no anomaly maps: it scores whole images only")
        maps = found.anomaly_map.reshape(len(images), 1, *found.anomaly_map.shape[-2:]).float()
        if maps.shape[-2:] != images.shape[-2:]:
            maps = F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)
        maps = maps.squeeze(1)
        return maps, self.image_scores(maps) if found.pred_score is None else found.pred_score.flatten().float()

    def _built(self, weights: str) -> Any:
        with _quiet(), _encoders(weights):
            try:
                return self.model(
                    pre_processor=self._pre_processor(),
                    post_processor=False,
                    evaluator=False,
                    visualizer=False,
                    **self.options,
                )
            except TypeError as error:
                raise InputError(f"{ANOMALIB}{self.model.__name__}: {one_line(error)}") from None

    def _pre_processor(self) -> Any:
        """Return the model's own preparation for this input size, but without a crop."""
        from anomalib.pre_processing import PreProcessor
        from torchvision.transforms.v2 import Compose, Normalize, Resize

        own = self.model.configure_pre_processor().transform
        steps = own.transforms if isinstance(own, Compose) else [own]
        kept = [step for step in steps if isinstance(step, Normalize)]
        return PreProcessor(Compose([Resize((self.input_size, self.input_size), antialias=True), *kept]))


def adapted(name: str) -> type[Method]:
    """Return the method of anomalib's model ``name``.

    Raises:
        InputError: anomalib is not installed, has no such model, or the model cannot work here (it says why).
    """
    try:
        with _quiet():
            import anomalib.models
            from anomalib.models.components import MemoryBankMixin
    except ImportError as error:
        raise InputError(f"{ANOMALIB}{name} needs an extra: pip install 'cocoad[anomalib]' ({one_line(error)})") from None
    known = MODELS.get(name, Known("anomalib"))
    if known.fails:
        raise InputError(f"{ANOMALIB}{name} cannot work here: {known.fails}")
    model = getattr(anomalib.models, name, None)
    if not inspect.isclass(model):
        raise InputError(f"anomalib has no model {name!r}: there are {', '.join(sorted(anomalib.models.__all__))}")
    parameters = inspect.signature(model).parameters
    option = next((each for each in BACKBONE_OPTIONS if each in parameters), None)
    epochs = 1 if issubclass(model, MemoryBankMixin) else EPOCHS
    recipe = Recipe(epochs=epochs, batch_size=BATCH_SIZES.get(name, 32), drop_last=False)
    presets: dict[Preset, Recipe] = {"paper": recipe}
    attributes = {
        "model": model,
        "backbone_option": option,
        "source": known.source,
        "default_backbone": parameters[option].default if option else None,
        "presets": presets,
    }
    return type(name, (AnomalibMethod,), attributes)


def _listener(heard: Callable[[int, int, Tensor], None], total: int) -> Any:
    from lightning.pytorch import Callback

    class Listener(Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            done = trainer.current_epoch * trainer.num_training_batches + index + 1
            heard(done, total, torch.as_tensor(0.0 if loss is None else loss).detach().mean())

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
                masks = normal[:, None, None].expand(-1, *images.shape[-2:])
                yield ImageBatch(image=images, gt_label=normal, gt_mask=masks)

    class DataModule(LightningDataModule):
        train_batch_size = batch_size

        def train_dataloader(self) -> Any:
            return Loader()

        def val_dataloader(self) -> Any:
            return Loader()

    return DataModule()


@contextlib.contextmanager
def _encoders(weights: str) -> Iterator[None]:
    """Decide where the encoders that a model builds get their weights: anomalib leaves no other way."""
    create = timm.create_model
    asked: list[str] = []

    def create_with(name: str, *args: Any, pretrained: bool = False, **options: Any) -> Any:
        if not pretrained or weights == "random":
            return create(name, *args, pretrained=False, **options)
        asked.append(name)
        if weights != "imagenet":
            options["pretrained_cfg_overlay"] = {"state_dict": pretrained_tensors(name, weights)}
        return create(name, *args, pretrained=True, **options)

    with mock.patch.object(timm, "create_model", create_with):
        try:
            yield
        except (OSError, RuntimeError) as error:
            if not asked:
                raise
            if weights != "imagenet":
                raise InputError(f"{weights}: no weights of {asked[-1]}: {one_line(error)}") from None
            raise ResourceError(
                f"could not download the weights of {asked[-1]} ({one_line(error, 120)}): "
                "give --weights PATH to a file you have, or --weights random"
            ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep anomalib, Lightning, timm and the hub's client from talking: the bench tells how it goes on."""
    names = ("anomalib", "lightning.pytorch", "pytorch_lightning", "lightning", "timm", "huggingface_hub")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
