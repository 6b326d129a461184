"""Several processes that train one title together, and what they say to one another: tensors, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


class PeerLostError(Exception):
    """Another process of the group has died or does not answer, so that this one cannot go on."""


@dataclass(frozen=True)
class Workers:
    """Processes that train one title together; each takes its share of every batch.

    All of them take the same steps in the same order. The first (rank 0) alone clusters, decides and writes.
    """

    rank: int = 0
    count: int = 1
    #: Adds a tensor up over all of them, as `torch.distributed.all_reduce` does.
    sum_in_place: Callable[[Tensor], object] = lambda tensor: None
    #: Whether the machine of one of them will be taken away soon. All ask equally often and get the same answer.
    leaving: Callable[[], bool] = lambda: False

    def sum_all(self, tensors: list[Tensor]) -> None:
        """Add up many tensors of one type in place, in one exchange: a network has hundreds of small ones."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        self.sum_in_place(flat)
        for tensor, summed in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(summed.view_as(tensor))

    def from_first(self, values: Tensor) -> Tensor:
        """The first one's tensor, given to all; the others' must have its shape and type, and count for nothing."""
        if self.count == 1:
            return values
        shared = values.clone() if self.rank == 0 else torch.zeros_like(values)
        self.sum_in_place(shared)
        return shared


#: A title that one process trains.
ALONE = Workers()


def in_process_group(leaving: Callable[[], bool] = lambda: False) -> Workers:
    """The workers of the process group that `torch.distributed` has been given; its collectives raise `PeerLostError`.

    With the same number of processes a sum has the same bytes each time, on all of them: gloo's order of summation
    depends on ranks and sizes alone, and so does NCCL's on the same machines.
    """
    import torch.distributed as dist

    def sum_in_place(tensor: Tensor) -> None:
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:  # what every backend raises when a process of the group is gone
            raise PeerLostError(str(error)) from error

    return Workers(dist.get_rank(), dist.get_world_size(), sum_in_place, leaving)
