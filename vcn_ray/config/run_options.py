"""Options of how the work is spread."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vcn_ray.config.group import OptionGroup


class RunOptions(OptionGroup):
    """How the work is spread. `device`, `threads_per_title` and `workers_per_title` change the result's last bits."""

    window_s: float = Field(
        20.0, ge=1, description="length of a shard of video; shorter spreads better, longer seeks less"
    )
    num_cpus: int | None = Field(None, ge=1, description="CPUs of the local Ray; default: all of the machine")
    address: str | None = Field(
        None, description="address of a running Ray cluster; default: start one on this machine"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where adaptation runs; auto: a GPU where Ray has one"
    )
    threads_per_title: int = Field(
        2,
        ge=1,
        le=64,
        description="threads of a title's adaptation, whatever else the machine does: the same number, the same bytes",
    )
    gpus_per_title: float | Literal["auto"] = Field(
        "auto",
        description="share of a GPU for each worker of a title, where adaptation runs on GPUs: 0.25 puts four titles "
        "on one (a share of time: Ray does not share out memory); auto: as many as its memory carries, eight at most, "
        "one where its kind or the network's need is not known",
    )
    workers_per_title: int = Field(
        1,
        ge=1,
        le=64,
        description="workers, each with a GPU of its own, that train one title together: for a few long titles, more "
        "GPUs than titles and depth full; with many titles one each is faster, and a head alone gains nothing",
    )
    max_titles_adapting: int | None = Field(
        None,
        ge=1,
        description="titles that may adapt at once; default: as many as the CPUs or GPUs of now carry; set it on a "
        "cluster that starts machines when asked",
    )

    dashboard: bool = Field(False, description="start Ray's dashboard on http://127.0.0.1:8265 with the local Ray")
    cpu_hour_cost: float | None = Field(
        None, ge=0, description="price of an hour of one CPU, in any currency; the summary of a run then tells its cost"
    )
    gpu_hour_cost: float | None = Field(
        None, ge=0, description="price of an hour of one GPU, without the CPUs of its machine; for the summary, too"
    )

    @field_validator("gpus_per_title", mode="before")
    @classmethod
    def _share_or_auto(cls, share: Any) -> Any:
        """One sentence for both kinds of value."""
        try:
            if share == "auto" or 0 < float(share) <= 1:
                return share
        except (TypeError, ValueError):
            pass
        raise PydanticCustomError("share", "takes auto, or a number above 0 and up to 1")

    @field_validator("workers_per_title")
    @classmethod
    def _whole_gpus(cls, workers: int, info: ValidationInfo) -> int:
        """NCCL refuses two workers of a group on one GPU, after minutes; say so now."""
        share = info.data.get("gpus_per_title", "auto")
        if workers > 1 and share != "auto" and share < 1:
            raise PydanticCustomError("whole_gpus", "takes 1 where gpus_per_title is below 1")
        return workers
