"""What is known beforehand of a face-ID network: how alike two tracks are, by how clearly their faces are seen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class Calibration(BaseModel):
    """Where the cosine of two tracks' embeddings lies, for strangers and for one person, as clarity rises.

    Clarity is the length of the network's raw embedding, which falls as faces get blurred, dark, small or turned away
    (of two tracks: the geometric mean). One person's tracks are the less alike the less clear they are, and below a
    certain clarity strangers begin to look alike, too. Means and spreads hold at `typical_clarity`; x is clarity
    relative to it, kept within `lowest_clarity` and `highest_clarity`, beyond which nothing was measured.

    The defaults are those of SFace without its mean face, fitted to pairs of tracks of labelled footage
    (docs/method.md). All slopes at zero make a network that says nothing of clarity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stranger_mean: float = Field(0.046, ge=-1, le=1)
    stranger_std: float = Field(0.111, gt=0)
    same_mean: float = Field(0.50, ge=-1, le=1)
    same_std: float = Field(0.184, gt=0)
    typical_clarity: float = Field(10.0, gt=0)
    lowest_clarity: float = Field(0.60, gt=0, le=1)  # of the typical one
    highest_clarity: float = Field(1.36, ge=1)
    dim_clarity: float = 0.8  # of the typical one: below it strangers begin to look alike
    stranger_mean_rise: float = 3.5  # mean + rise (dim - x)^2 below dim
    stranger_std_rise: float = 1.9  # std exp(rise (dim - x)) below dim
    same_mean_slope: float = 0.61  # mean + slope (x - 1)
    same_std_slope: float = -0.48  # std exp(slope (x - 1))

    @model_validator(mode="after")
    def _people_are_told_apart(self) -> Calibration:
        if self.same_mean <= self.stranger_mean:
            raise PydanticCustomError("apart", "same_mean has to be above stranger_mean")
        return self
