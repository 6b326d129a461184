"""Options of stage 3: quality, matching, clustering."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from vcn_ray.calibration import Calibration
from vcn_ray.config.group import OptionGroup


class ClusterOptions(OptionGroup):
    """Quality, matching and stage 3: parameter-free clustering."""

    merging: str = Field(
        "evidence",
        description="evidence: cut where the title's own pairs no longer speak for one character; literal and literal "
        "means: the paper's own-crop thresholds, by the loss over all pairs of crops or of mean outputs; or a method "
        "of the field, such as hac, on the base model's embeddings, to compare",
    )
    matching: Literal["members", "gaussian", "mutual"] = Field(
        "members",
        description="who trains together in the next iteration: tracks of one cluster, or the paper's Gaussian "
        "matches, in either direction (gaussian) or in both (mutual)",
    )
    quality_deviation: Literal["mean", "median", "scaled_median"] = Field(
        "mean", description="which MAD the quality filter uses (S eq. 1 does not say); median drops more tracks"
    )
    quality_factor: float = Field(
        2.7, gt=0, description="tracks this many deviations below the mean quality are filtered out (S eq. 1)"
    )
    low_quality: Literal["attach", "unknown"] = Field(
        "attach",
        description="filtered and unclear tracks join a character where the evidence suffices, or all stay Unknown as "
        "in the paper",
    )
    false_merge_cost: float = Field(
        1.0,
        gt=0,
        description="how many wrong splits one wrong merge is worth: 1 merges what is more probable than not; 10 wants "
        "odds of 10 to 1, so fewer characters hold two people and more people have two characters",
    )
    memory_mb: int = Field(
        1700,
        ge=64,
        description="memory for pairs of tracks: a title of more tracks than matrices of all pairs fit for (1700: "
        "4,000 tracks) is clustered by lists of each track's nearest, 8 to 64 as the memory lets them be; what tracks "
        "take one by one comes on top",
    )
    calibration: Calibration | None = Field(
        None,
        description="what is known of the face-ID network, as `python -m jobs.benchmarks calibration` prints it; "
        "default: that of the pack, or, for a network of your own, what the title itself lets guess",
    )

    @field_validator("calibration", mode="before")
    @classmethod
    def _from_text(cls, calibration: Any) -> Any:
        """On a command line it is written as JSON."""
        if not isinstance(calibration, str):
            return calibration
        try:
            return json.loads(calibration)
        except ValueError:
            raise PydanticCustomError("json", 'takes {"stranger_mean": 0.1, ...} on a command line') from None
