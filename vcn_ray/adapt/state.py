"""Checkpoints of an adaptation: safetensors, nothing pickled."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from vcn_ray.errors import OutputError

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def to_bytes(
    student: nn.Module,
    teacher: nn.Module,
    centre: Tensor,
    optimizer: torch.optim.AdamW,
    counters: tuple[int, int],
) -> bytes:
    """Everything that training changes; `counters` is (iteration, epochs done in it)."""
    tensors = {"centre": centre, "counters": torch.tensor(counters, dtype=torch.int64)}
    for name, module in (("student", student), ("teacher", teacher)):
        tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": moments[key] for key in _MOMENTS}
    return save_safetensors({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def from_bytes(
    content: bytes, student: nn.Module, teacher: nn.Module, centre: Tensor, optimizer: torch.optim.AdamW
) -> tuple[Tensor, tuple[int, int]]:
    """Put a checkpoint into student, teacher and optimiser; returns centre and counters.

    Raises `OutputError` when the content is damaged or of another network, head or depth.
    """
    try:
        tensors = load_safetensors(content)
        centre_then = tensors.pop("centre").to(centre.device)
        iteration, epochs_done = tensors.pop("counters").tolist()
        if centre_then.shape != centre.shape:
            raise ValueError(f"its centre is {list(centre_then.shape)}, not {list(centre.shape)}")
        for name, module in (("student", student), ("teacher", teacher)):
            module.load_state_dict(_below(tensors, name))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, "optimizer").items():
            index, moment = key.split(".")
            moments.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise OutputError(
            f"the adaptation's checkpoint cannot be used ({reason}); delete the title's work/adapt folder and run again"
        ) from None
    return centre_then, (iteration, epochs_done)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + ".")}
