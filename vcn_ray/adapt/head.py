"""Heads that sit on the face-ID network's embedding and are trained on the title.

Both are 3-layer networks with GELU whose output is as long as the embedding (S 1.1). A head takes raw, unnormalised
embeddings and its output is used unnormalised (S 1.1).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Head(nn.Module):
    """A network from (n, D) embeddings to (n, D) outputs."""

    def __init__(self, embedding_dim: int):
        super().__init__()
        self.embedding_dim = embedding_dim
        self.layers = nn.Sequential(
            nn.Linear(embedding_dim, embedding_dim),
            nn.GELU(),
            nn.Linear(embedding_dim, embedding_dim),
            nn.GELU(),
            nn.Linear(embedding_dim, embedding_dim),
        )

    def linear_layers(self) -> list[nn.Linear]:
        """The three trained layers, from input to output."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


class PaperHead(Head):
    """Randomly initialised 3-layer MLP on the raw embedding (S 1.1).

    Which random weights is not said. They are PyTorch's own for a linear layer, weights and biases uniform within
    1 / sqrt(inputs), times `scale`. iBOT's (standard deviation 0.02, 0.39 of these at 128 inputs) are for a head that
    normalises before its last layer; without that, outputs differ by a twentieth of its temperature and say nothing.
    """

    def __init__(self, embedding_dim: int, generator: torch.Generator, scale: float = 1.0):
        super().__init__(embedding_dim)
        bound = scale / math.sqrt(embedding_dim)
        for layer in self.linear_layers():
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(n, D) -> (n, D)."""
        return self.layers(embeddings)


class ResidualHead(Head):
    """y + MLP(y) with the MLP's last layer zero, y the standardised embedding (docs/method.md, 2).

    Training so starts at the base model instead of at noise, which is what keeps it from collapsing. Temperatures are
    relative to the scale of the outputs, so y has a fixed one: the embedding is L2-normalised, the title's mean is
    taken off, and the rest is scaled to length sqrt(D).
    """

    mean: Tensor

    def __init__(self, embedding_dim: int, generator: torch.Generator, base_embeddings: Tensor):
        """Take the title's mean from the base model's (n, D) embeddings of its crops, all counting the same."""
        super().__init__(embedding_dim)
        *hidden, last = self.linear_layers()
        for layer in hidden:
            bound = 1.0 / math.sqrt(embedding_dim)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.register_buffer("mean", F.normalize(base_embeddings.float(), dim=1).mean(dim=0))

    def centre(self, base_embeddings: Tensor, weight: Tensor) -> None:
        """Take the title's mean anew: (n, D) base embeddings of its crops, which count as (n,) `weight` says.

        A lead who has most of the crops would have most of the mean as well: with it taken off, nothing of what the
        lead's faces share is left, and they look like strangers to one another.
        """
        self.mean.copy_((F.normalize(base_embeddings.float(), dim=1) * weight[:, None]).sum(dim=0) / weight.sum())

    def standardise(self, embeddings: Tensor) -> Tensor:
        """(n, D) raw embeddings -> (n, D) of length sqrt(D), centred on the title."""
        centred = F.normalize(embeddings.float(), dim=-1) - self.mean
        return F.normalize(centred, dim=-1) * math.sqrt(self.embedding_dim)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(n, D) -> (n, D)."""
        standardised = self.standardise(embeddings)
        return standardised + self.layers(standardised)
