"""Options of stage 2: self-supervised adaptation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vcn_ray.config.group import OptionGroup
from vcn_ray.errors import OptionError

ViewsPrecision = Literal["float32", "bfloat16"]


class AdaptOptions(OptionGroup):
    """Stage 2: self-supervised adaptation of the face-ID network to the title."""

    max_iterations: int = Field(10, ge=0, le=50, description="limit on adaptation iterations; 0 keeps the base model")
    min_iterations: int = Field(
        2, ge=0, le=50, description="adapted iterations before the clusters may count as settled (paper, S 8: 5)"
    )
    settled_share: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="the clusters have settled when at most this share of the tracks changes its character (paper: 0)",
    )
    depth: Literal["auto", "head", "tail", "full", "full_on_gpu"] = Field(
        "auto",
        description="what is trained: the head on cached views, also the last linear layer, or the whole network (on a "
        "CPU 60 times the head's time); auto: the head, which was found best on GPUs, too, where the whole network "
        "merged people; full_on_gpu: the whole network on a GPU, the head on a CPU",
    )
    head: Literal["residual", "random"] = Field(
        "residual",
        description="residual starts at the base model; random is the paper's head, which may collapse",
    )
    random_head_scale: float = Field(
        1.0,
        gt=0,
        description="initial weights of the random head, as a multiple of PyTorch's own; small ones take many steps to "
        "say anything",
    )
    teacher_start: Literal["copy", "apart"] = Field(
        "copy", description="the teacher's head at the start: the student's, or random weights of its own (paper)"
    )
    teacher_temperature: float = Field(
        2.0,
        gt=0,
        description="softness of the teacher's targets; low is sharp: gains on some titles, collapses on others",
    )
    student_temperature: float = Field(
        2.0, gt=0, description="softness of the student's outputs; keep equal to the teacher's"
    )
    centre_momentum: float = Field(
        0.9, ge=0, lt=1, description="memory of the running mean of teacher outputs, per batch"
    )
    teacher_momentum: float = Field(
        0.9, ge=0, lt=1, description="share of the teacher that stays when it follows the student, per epoch"
    )
    first_epochs: int = Field(30, ge=1, description="epochs of the first iteration")
    later_epochs: int = Field(10, ge=1, description="epochs of each later iteration")
    head_only_epochs: int = Field(
        10, ge=0, description="first epochs that train the heads alone, where depth is more than the head"
    )
    warmup_epochs: int = Field(5, ge=0, description="epochs of each iteration over which the learning rate rises")
    head_lr: float = Field(1e-3, gt=0, description="highest learning rate of the head")
    network_lr: float = Field(1e-4, gt=0, description="highest learning rate of the network, where it is trained")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay")
    max_gradient_norm: float = Field(3.0, gt=0, description="gradients longer than this are shortened to it")
    balance_characters: bool = Field(
        True,
        description="all characters found before count the same in training, a lead as much as an extra, and Unknown "
        "tracks as their crops do; false: all crops count the same",
    )
    patch_loss: float = Field(
        0.0,
        ge=0,
        description="weight of masked patch tokens beside the class token in the loss (iBOT: 1), for a vision "
        "transformer at depth full; 0: the class token alone",
    )
    batch_pairs: int = Field(64, ge=1, description="pairs of crops a step; lower it where a GPU's memory is short")
    min_batches_per_epoch: int = Field(
        8, ge=1, description="an epoch takes each crop once, or more often where a short title would make fewer steps"
    )
    cached_global_views: int = Field(
        1,
        ge=1,
        description="wide views of each crop embedded beforehand, a fifth of a CPU's time each; more gain little",
    )
    cached_local_views: int = Field(
        2,
        ge=2,
        description="narrow views of each crop embedded beforehand, a fifth of a CPU's time each; more gain little",
    )
    max_crops_per_track: int = Field(
        12,
        ge=2,
        description="crops of a long track that are used, evenly spaced; more cost time and repeat one another",
    )
    views_precision: ViewsPrecision = Field(
        "float32",
        description="of the network that embeds crops and views; bfloat16 takes less than half the time on CPUs with "
        "AMX (`lscpu`: amx_bf16) and moves embeddings a little (six seasons kept their figures); holds for every "
        "machine of a run",
    )
    quality_passes: int = Field(5, ge=2, description="dropout passes from which a crop's quality is told")
    quality_dropout: float = Field(
        0.5, ge=0.01, le=0.95, description="share of the last layer's input that a quality pass leaves out"
    )

    @field_validator("patch_loss")
    @classmethod
    def _on_pixels(cls, weight: float, info: ValidationInfo) -> float:
        """Cached views and features are one vector a view: with its tokens they would take 50 to 200 times the room."""
        if weight and info.data.get("depth") not in ("full", "full_on_gpu", None):
            raise PydanticCustomError(
                "patch_loss", "takes 0 unless depth is full: what else is trained sees stored views, without tokens"
            )
        return weight

    def check_device(self, device: str) -> None:
        """`OptionError` where patch tokens are to be trained and this device ('cpu', 'cuda:0') trains a head alone."""
        if self.patch_loss and self.depth == "full_on_gpu" and not device.startswith("cuda"):
            raise OptionError(
                "option 'patch_loss': a CPU trains the head alone with depth full_on_gpu, on views that are embedded "
                "once and keep no patch tokens; set depth to full, or patch_loss to 0"
            )
