"""All options of a run: defaults by method, by flat name, with what is said of a wrong one."""

from __future__ import annotations

import difflib
from typing import Any, Literal, NamedTuple, cast

from pydantic import Field, ValidationError

from vcn_ray.calibration import Calibration
from vcn_ray.config.adapt_options import AdaptOptions
from vcn_ray.config.cluster_options import ClusterOptions
from vcn_ray.config.group import OptionGroup
from vcn_ray.config.model_options import ModelOptions
from vcn_ray.config.run_options import RunOptions
from vcn_ray.config.track_options import TrackOptions
from vcn_ray.errors import OptionError
from vcn_ray.storage.store import digest

Method = Literal["robust", "paper"]

_GROUPS: dict[str, type[OptionGroup]] = {
    "models": ModelOptions,
    "tracks": TrackOptions,
    "adapt": AdaptOptions,
    "cluster": ClusterOptions,
    "run": RunOptions,
}

#: Defaults that `method: paper` changes; each is an option of its own.
_PAPER: dict[str, Any] = {
    # S 1.1: random 3-layer head, the teacher's drawn apart; S 1.3: one learning rate. The rest is iBOT's published
    # training, which S 1.3 points to; its student temperature (0.1) is not taken: the paper's loss has none. Its
    # teacher's momentum is per step, the paper's per epoch: this one, the pairs of a step and matches in both
    # directions are what comes nearest to the paper's course over iterations (docs/method.md).
    "head": "random",
    "teacher_start": "apart",
    "depth": "full_on_gpu",  # the paper trains all of it; a CPU would take 60 times the head's time
    "teacher_temperature": 0.07,
    "student_temperature": 1.0,
    "teacher_momentum": 0.9,
    "batch_pairs": 16,
    "head_lr": 1e-4,
    "weight_decay": 0.04,
    "min_iterations": 5,  # S 8
    "settled_share": 0.0,  # S Alg. 1: until nothing changes
    "balance_characters": False,
    # P 3.5, 3.7, S eq. 1
    "merging": "literal",
    "matching": "mutual",
    "low_quality": "unknown",
}


class Options(OptionGroup):
    """All options of a run."""

    method: Method = Field("robust", description="robust: what was found to work; paper: VideoClusterNet as published")
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


class OptionInfo(NamedTuple):
    """What there is to say about an option."""

    group: str  # '' for method and seed
    name: str
    default: Any
    paper_default: Any  # with `method: paper`
    description: str


def describe_options() -> list[OptionInfo]:
    """Every option with its defaults and why one would change it, in the order of the groups."""
    groups: dict[str, type[OptionGroup]] = {"": Options, **_GROUPS}
    return [
        OptionInfo(group, name, field.default, _PAPER.get(name, field.default), field.description or "")
        for group, model in groups.items()
        for name, field in model.model_fields.items()
        if name not in _GROUPS
    ]


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
            raise OptionError(f"unknown option {name!r}{hint or '.'} `vcn-ray config` lists all options")
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
        name = next((str(part) for part in first["loc"] if part in names), "options")
        keys = first["loc"][first["loc"].index(name) + 1 :] if name in first["loc"] else ()
        if keys and first["type"] == "extra_forbidden":
            known = list(Calibration.model_fields)
            near = difflib.get_close_matches(str(keys[0]), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise OptionError(f"option {name!r} has no key {str(keys[0])!r}; {hint}") from None
        where = f"{name!r}: {keys[0]}" if keys else f"{name!r}"
        raise OptionError(
            f"option {where}: {first['msg'].lower()}, not {first['input']!r}; see `vcn-ray config`"
        ) from None
