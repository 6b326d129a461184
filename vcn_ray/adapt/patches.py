"""Patch tokens of a vision transformer in the loss: masked image modelling, as iBOT has it.

The student sees global views with some patches painted over, the teacher sees them whole. At the patches that the
student does not see, its output is drawn to the teacher's for the same patch of the same view, by the head that class
tokens go through, too (S 1.1). iBOT replaces a masked patch's embedding by a learnt token; networks that were trained
without such a token are given grey pixels instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcn_ray.adapt.draws import Stream, uniforms
from vcn_ray.adapt.loss import ssl_loss, student_log_probabilities, teacher_probabilities, updated_centre
from vcn_ray.adapt.student_teacher import Branch
from vcn_ray.config import AdaptOptions
from vcn_ray.errors import ModelError

#: iBOT's published code: half of the views are masked, of those a share of the patches drawn from 0.3 +- 0.2.
_MASKED_VIEWS, _LEAST_SHARE, _MOST_SHARE = 0.5, 0.1, 0.5

#: Of a masked patch, 0..255: what centred pixels call zero.
_GREY = 127.5


@dataclass(frozen=True)
class PatchTerms:
    """What a batch's patches say, on the device."""

    loss: Tensor  # () sum over views of the mean L_ssl of their masked patches, iBOT's L_MIM
    masked_views: Tensor  # () how many views have masked patches
    targets_sum: Tensor  # (D,) sum of the teacher's outputs for all patches


class PatchLoss:
    """The loss of masked patches, and the running mean of the teacher's patch outputs, which is apart from the class
    token's as in iBOT."""

    def __init__(
        self, side: int, patch_px: int, embedding_dim: int, options: AdaptOptions, seed: int, device: torch.device
    ):
        """side: patches a side of the picture; patch_px: pixels a side of a patch."""
        self._side, self._patch_px, self._options, self._seed = side, patch_px, options, seed
        self._patches = side**2
        self.centre = torch.zeros(embedding_dim, device=device)

    @classmethod
    def of_network(
        cls, network: nn.Module, embedding_dim: int, options: AdaptOptions, seed: int, device: torch.device
    ) -> PatchLoss:
        """For a network whose patch tokens the head can take; `ModelError` says why it cannot take another's."""
        tokens = getattr(network, "tokens", None)
        if tokens is not None and tokens.embedded_by is not None:
            return cls(tokens.side, tokens.patch_px, embedding_dim, options, seed, device)
        reason = (
            "the face-ID network is no vision transformer, or its last hidden state was not found"
            if tokens is None
            else "the network's last layers take all tokens at once, and those are not as long as its embedding"
        )
        raise ModelError(f"option 'patch_loss': {reason}, so that patch tokens can share no head with it; set it to 0")

    def masks(self, keys: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """(n, patches) bool, True where a view is masked; from (seed, crop's key, number of the view) alone."""
        drawn = uniforms(self._seed, Stream.PATCH_MASK, keys, draws, 2 + self._patches)
        share = _LEAST_SHARE + (_MOST_SHARE - _LEAST_SHARE) * drawn[:, 1]
        count = np.where(drawn[:, 0] < _MASKED_VIEWS, np.maximum(1, np.round(share * self._patches)), 0)
        return drawn[:, 2:].argsort(axis=1).argsort(axis=1) < count[:, None]

    def painted_over(self, views: Tensor, masks: Tensor) -> Tensor:
        """(n, 3, h, w) views without the patches that (n, patches) `masks` says."""
        squares = masks.reshape(-1, 1, self._side, self._side)
        hidden = squares.repeat_interleave(self._patch_px, dim=2).repeat_interleave(self._patch_px, dim=3)
        height, width = (seen - whole for seen, whole in zip(views.shape[2:], hidden.shape[2:], strict=True))
        return torch.where(F.pad(hidden, (0, width, 0, height)), _GREY, views)

    def of_batch(
        self, student: Branch, teacher: Branch, wide: Tensor, keys: np.ndarray, draws: np.ndarray
    ) -> tuple[Tensor, Tensor, PatchTerms]:
        """The teacher's (n, D) outputs for whole views, the student's for the same masked, and the patches' terms.

        wide: (n, 3, h, w) global views; keys, draws: (n,) which they are.
        """
        masks = torch.from_numpy(self.masks(keys, draws)).to(wide.device)
        with torch.no_grad():
            targets, patch_targets = teacher.with_patches(wide)
        outputs, patches = student.with_patches(self.painted_over(wide, masks))
        p = teacher_probabilities(patch_targets, self.centre, self._options.teacher_temperature)
        terms = ssl_loss(p, student_log_probabilities(patches, self._options.student_temperature))
        of_views = (terms * masks).sum(dim=1) / masks.sum(dim=1).clamp(min=1)
        masked_views = masks.any(dim=1).float().sum()
        return targets, outputs, PatchTerms(of_views.sum(), masked_views, patch_targets.sum(dim=(0, 1)))

    def follow(self, targets_sum: Tensor, views: int) -> None:
        """Move the centre on after a batch of so many views, from the sum of the teacher's patch outputs."""
        count = views * self._patches
        self.centre = updated_centre(self.centre, targets_sum, count, self._options.centre_momentum)
