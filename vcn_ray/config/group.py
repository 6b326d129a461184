"""What all groups of options share: frozen, no other keys, no endless numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class OptionGroup(BaseModel):
    """Options that belong together; names are unique across groups."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
