"""What all work on a title is given: its store, its options, and the face models that these name."""

from __future__ import annotations

from dataclasses import dataclass, field

from vcn_ray.config import Options
from vcn_ray.models.loading import FaceModels
from vcn_ray.storage.store import Store


@dataclass(frozen=True)
class TitleWork:
    """A title's work: where it is kept, and by what options and face models it is done."""

    store: Store  # the title's working store, with its ``tracks/`` tables
    options: Options
    models: FaceModels = field(default_factory=FaceModels)
    crops_per_chunk: int = 64  # of cached views: some 10 s of one CPU
