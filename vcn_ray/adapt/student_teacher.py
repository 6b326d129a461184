"""Student and teacher: two branches of one shape, of which the teacher follows the student."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from vcn_ray.adapt.draws import Stream, torch_generator
from vcn_ray.adapt.head import Head, PaperHead, ResidualHead
from vcn_ray.config import AdaptOptions


class Branch(nn.Module):
    """The trained part of the network (nothing where the head alone is trained) and a head on it."""

    def __init__(self, backbone: nn.Module, head: Head):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of the backbone -> (n, D) outputs."""
        return self.head(self.backbone(inputs))

    def with_patches(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) crops -> (n, D) outputs and (n, patches, D) of the patch tokens, by the one head (S 1.1)."""
        embeddings, patches = self.backbone.with_patches(crops)  # type: ignore[operator]
        return self.head(embeddings), self.head(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])


def make_branches(
    backbone: nn.Module, base_embeddings: Tensor, options: AdaptOptions, seed: int, device: torch.device
) -> tuple[Branch, Branch]:
    """Student and teacher: copies of the base model, each with a head (S Alg. 1).

    The teacher's head is a copy of the student's or has weights of its own (S 1.1). Neither branch is ever in training
    mode: BatchNorm keeps the base model's statistics, since a batch of one title's faces is no sample of what they were
    taken from. The teacher takes no gradient.
    """

    def head(stream: Stream) -> Head:
        dim, generator = base_embeddings.shape[1], torch_generator(seed, stream)
        if options.head == "residual":
            return ResidualHead(dim, generator, base_embeddings)
        return PaperHead(dim, generator, options.random_head_scale)

    own = Stream.TEACHER_HEAD if options.teacher_start == "apart" else Stream.STUDENT_HEAD
    student = Branch(copy.deepcopy(backbone), head(Stream.STUDENT_HEAD)).eval().to(device)
    teacher = Branch(copy.deepcopy(backbone), head(own)).eval().to(device).requires_grad_(False)
    return student, teacher


@torch.no_grad()
def follow(teacher: Branch, student: Branch, momentum: float) -> None:
    """theta_t <- m theta_t + (1 - m) theta_s, after every epoch (S 1.3); buffers are copied."""
    for mine, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
        mine.lerp_(theirs, 1.0 - momentum)
    for kept, current in zip(teacher.buffers(), student.buffers(), strict=True):
        kept.copy_(current)


def make_optimizer(student: Branch, options: AdaptOptions) -> torch.optim.AdamW:
    """AdamW (S 1.3) with the head's and the network's parameters in groups of their own, in this order."""
    groups = [{"params": list(student.head.parameters()), "peak_lr": options.head_lr}]
    network = list(student.backbone.parameters())
    if network:
        groups.append({"params": network, "peak_lr": options.network_lr})
    return torch.optim.AdamW(groups, lr=options.head_lr, weight_decay=options.weight_decay)
