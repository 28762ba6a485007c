"""Where tensors lie, tested without a GPU: fake tensors have a device and no memory.

An operation on tensors of two devices raises, and so does one that needs a tensor's values on the host, for which a
GPU would have to be waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmark.methods.anomalydino import AnomalyDINO
from benchmark.methods.base import GradientMethod, Method
from benchmark.methods.patchcore import PatchCore
from benchmark.methods.registry import create

SIZE = 64
TRAINED = {
    "invad": "test_resnet",
    "invad-lite": "test_resnet",
    "rd": "resnet18",
    "uniad": "tf_efficientnet_b0",
    "vitad": "test_vit",
    "cflow": "test_resnet",
}
ONE_PASS = {
    "padim": "test_resnet",
    "patchcore": "test_resnet",
    "anomalydino": "test_vit",
    "feature-distance": "test_resnet",
    "mean-image": None,
}


@contextmanager
def on_a_fake_gpu(method: Method) -> Iterator[Tensor]:
    """Move the method there; yield a batch of images."""
    with FakeTensorMode() as mode:
        for module in method.modules():
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None:
                        tensors[name] = mode.from_tensor(tensor).to("cuda")
        yield torch.rand(4, 3, SIZE, SIZE, device="cuda")


def assert_scored_there(method: Method, images: Tensor) -> None:
    with torch.no_grad():
        maps, scores = method.eval().predict(images)
    assert maps.is_cuda
    assert maps.shape == (4, SIZE, SIZE)
    assert scores.is_cuda
    assert scores.shape == (4,)


@pytest.mark.parametrize(("name", "backbone"), TRAINED.items())
def test_training_and_scoring_leave_nothing_on_the_host_and_wait_for_no_value(
    name: str, backbone: str
) -> None:
    method = create(name, SIZE, backbone)
    assert isinstance(method, GradientMethod)
    with on_a_fake_gpu(method) as images:
        assert method.train().loss(images).is_cuda
        assert_scored_there(method, images)


@pytest.mark.parametrize(("name", "backbone"), ONE_PASS.items())
def test_methods_of_one_pass_score_without_anything_on_the_host(name: str, backbone: str | None) -> None:
    method = create(name, SIZE, backbone)
    if isinstance(method, PatchCore):
        method.bank = torch.rand(10, method.bank.shape[1])
    if isinstance(method, AnomalyDINO):
        method.fit_batch(torch.rand(1, 3, SIZE, SIZE))
    with on_a_fake_gpu(method) as images:
        assert_scored_there(method, images)


def test_a_tensor_on_the_host_would_be_found() -> None:
    method = create("invad-lite", SIZE, "test_resnet")
    with on_a_fake_gpu(method) as images:
        method.backbone.mean = torch.zeros(1, 3, 1, 1)
        with pytest.raises(RuntimeError, match="at least two devices"):
            method.predict(images)
