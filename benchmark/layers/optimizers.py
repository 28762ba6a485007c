"""Optimisers by a recipe, and the one of them that torch does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer

from benchmark.config import Recipe


class Group(NamedTuple):
    """Parameters that learn at ``rate`` times the recipe's learning rate."""

    parameters: Sequence[nn.Parameter]
    rate: float = 1.0


def optimizer_of(groups: Iterable[Group], recipe: Recipe) -> Optimizer:
    """Return the recipe's optimiser over groups of parameters."""
    rate, decay = recipe.scaled_learning_rate, recipe.weight_decay
    given: list[dict[str, Any]] = [
        {"params": list(group.parameters), "lr": rate * group.rate} for group in groups
    ]
    betas = (float(recipe.betas[0]), float(recipe.betas[1]))
    adaptive: dict[str, Any] = {"betas": betas, "eps": recipe.eps, "amsgrad": recipe.amsgrad}
    # One pass over memory instead of a dozen; but with scaled gradients it would unscale them after the clipping.
    fused = recipe.precision != "16-mixed"
    if recipe.optimizer == "adam":
        return torch.optim.Adam(given, rate, weight_decay=decay, fused=fused, **adaptive)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(given, rate, weight_decay=decay, fused=fused, **adaptive)
    if recipe.optimizer == "stable-adamw":
        return StableAdamW(given, rate, weight_decay=decay, **adaptive)
    return torch.optim.SGD(given, rate, weight_decay=decay, fused=fused)


class StableAdamW(Optimizer):
    """AdamW whose step is shortened, tensor by tensor, where gradients are larger than their past lets expect.

    Wortsman et al., Stable and low-precision training for large-scale vision-language models, 2023, section 3.5:
    the learning rate is divided by max(1, RMS(gradient / denominator)).

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: of the running means of gradients and of their squares.
        eps: added to the denominator.
        weight_decay: decoupled.
        amsgrad: divide by the largest mean of squares so far.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group)
        return loss

    def _step(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if not state:
            state["step"] = 0
            for name in ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])):
                state[name] = torch.zeros_like(parameter)
        state["step"] += 1
        (first, second), mean, squares = group["betas"], state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - first)
        squares.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        if group["amsgrad"]:
            torch.maximum(state["max_exp_avg_sq"], squares, out=state["max_exp_avg_sq"])
            squares = state["max_exp_avg_sq"]
        denominator = (squares / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        surprise = (gradient / denominator).square_().mean().sqrt_().clamp_(min=1)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(
            mean, denominator.mul_(surprise), value=-group["lr"] / (1 - first ** state["step"])
        )
