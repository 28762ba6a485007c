"""The literal implementation that a training step is timed beside computes what ours does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from literal_invad import literal_reconstruct
from torch import Tensor

from benchmark.methods.invad.method import InvAD, InvADLite


@pytest.mark.parametrize("kind", [InvAD, InvADLite])
def test_the_literal_implementation_has_the_same_loss_and_gradients(kind: type[InvAD]) -> None:
    torch.manual_seed(0)
    method = kind(64, "test_resnet").double().eval()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    names = [name for name, p in method.named_parameters() if p.requires_grad]
    parameters = [p for p in method.parameters() if p.requires_grad]
    features = method.backbone(images)
    for ours, theirs in zip(method.reconstruct(features), literal_reconstruct(method, features), strict=True):
        torch.testing.assert_close(ours, theirs)

    def gradients(reconstructions: list[Tensor]) -> tuple[Tensor, ...]:
        loss = torch.stack([F.mse_loss(r, f) for r, f in zip(reconstructions, features, strict=True)]).sum()
        return torch.autograd.grad(loss, parameters)

    own = gradients(method.reconstruct(features))
    literal = gradients(literal_reconstruct(method, features))
    for name, a, b in zip(names, own, literal, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-12, msg=f"{name}: {{}}".format)
