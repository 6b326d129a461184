"""Every option, once: name with its unit, default, and why one would change it.

Options come in groups by the stage that they belong to; names are unique across groups, so a user can say
``--set sample_every_frames=6`` without naming the group. `method` picks the defaults: ``robust`` is what was found to
work, ``paper`` is VideoClusterNet to the letter. A stage's digest covers the options that its result depends on.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vcn_ray.errors import OptionError
from vcn_ray.storage import digest

Method = Literal["robust", "paper"]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelOptions(_Group):
    """Which face models to use."""

    pack: str = Field(
        "opencv-zoo",
        description="face detector and face-ID network by name (see `vcn-ray models`); the default is free for any use",
    )
    face_id_onnx: str | None = Field(
        None, description="ONNX file of another face-ID network (112x112 input) to use instead of the pack's own"
    )


class TrackOptions(_Group):
    """Stage 1: shots, faces, tracks, crops."""

    detect_every_frames: int = Field(
        1, ge=1, le=12, description="detect in every n-th frame; higher is faster and loses short or fast faces"
    )
    detect_max_side_px: int = Field(
        640,
        ge=160,
        le=4096,
        description="frames are scaled down to this longer side for detection; raise it for small faces",
    )
    sample_every_frames: int = Field(
        12, ge=1, description="one crop of a track every n frames (paper, S Alg. 1); lower gives more, similar crops"
    )
    min_crops: int = Field(
        4, ge=1, description="at least this many crops from a short track, where it has as many faces"
    )
    max_shot_s: float = Field(
        120.0,
        ge=5,
        description="long takes are tracked in pieces of this length, rejoined by overlap; bounds one task's time",
    )


class AdaptOptions(_Group):
    """Stage 2: self-supervised adaptation of the face-ID network to the title."""

    max_iterations: int = Field(10, ge=0, le=50, description="limit on adaptation iterations; 0 keeps the base model")


class ClusterOptions(_Group):
    """Quality, matching and stage 3: parameter-free clustering."""


class RunOptions(_Group):
    """How the work is spread. Nothing here changes the result."""

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


_GROUPS: dict[str, type[_Group]] = {
    "models": ModelOptions,
    "tracks": TrackOptions,
    "adapt": AdaptOptions,
    "cluster": ClusterOptions,
    "run": RunOptions,
}

#: Defaults that `method: paper` changes; each is an option of its own.
_PAPER: dict[str, Any] = {}


class Options(_Group):
    """All options of a run."""

    method: Method = Field("robust", description="robust: what was found to work; paper: VideoClusterNet to the letter")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of every random number; same seed, same clusters")
    models: ModelOptions = ModelOptions()
    tracks: TrackOptions = TrackOptions()
    adapt: AdaptOptions = AdaptOptions()
    cluster: ClusterOptions = ClusterOptions()
    run: RunOptions = RunOptions()

    def digest(self, *groups: str) -> str:
        """Digest of the named groups ('models', 'tracks', ...), with method and seed where adaptation is among them."""
        parts: dict[str, Any] = {name: getattr(self, name).model_dump() for name in groups}
        if "adapt" in groups or "cluster" in groups:
            parts |= {"method": self.method, "seed": self.seed}
        return digest(parts)


def option_names() -> dict[str, str]:
    """Name of every option with its group ('' for method and seed)."""
    names = {"method": "", "seed": ""}
    for group, model in _GROUPS.items():
        names |= dict.fromkeys(model.model_fields, group)
    return names


def make_options(settings: dict[str, Any] | None = None) -> Options:
    """Options from settings by flat name (``{"sample_every_frames": 6}``), the rest by the method's defaults.

    Values may be text, as from a command line. Raises `OptionError` that names the option, what it takes and, for an
    unknown name, the nearest known one.
    """
    settings = dict(settings or {})
    names = option_names()
    for name in settings:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise OptionError(f"unknown option {name!r}{hint} `vcn-ray config` lists all options")
    nested: dict[str, Any] = {}
    for name, value in ((_PAPER if settings.get("method") == "paper" else {}) | settings).items():
        if isinstance(value, str) and value.lower() in ("none", "null"):
            value = None
        group = names[name]
        (nested.setdefault(group, {}) if group else nested)[name] = value
    try:
        return Options.model_validate(nested)
    except ValidationError as error:
        first = cast(Any, error.errors()[0])
        name = str(first["loc"][-1]) if first["loc"] else "options"
        raise OptionError(
            f"option {name!r}: {first['msg'].lower()}, not {first['input']!r}; see `vcn-ray config`"
        ) from None
