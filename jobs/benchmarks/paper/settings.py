"""The settings that are searched: what paper and supplement leave open, one reading exchanged at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vcn_ray.config import make_options
from vcn_ray.errors import OptionError

#: Options beside `method: paper`, as texts, by the name of the setting.
Settings = Mapping[str, Mapping[str, str]]

#: Those of `method: paper` itself, and each of its readings exchanged for others.
SETTINGS: Settings = {
    "chosen": {},
    # iBOT's published values throughout, with 64 pairs a step
    "iBOT": {"random_head_scale": "0.39", "teacher_momentum": "0.996", "batch_pairs": "64", "matching": "gaussian"},
    "small head": {"random_head_scale": "0.39"},
    "large head": {"random_head_scale": "2"},
    "teacher .5": {"teacher_momentum": "0.5"},
    "teacher .97": {"teacher_momentum": "0.97"},
    "teacher .996": {"teacher_momentum": "0.996"},
    "teacher a copy": {"teacher_start": "copy"},
    "temperature .04": {"teacher_temperature": "0.04"},
    "temperature .1": {"teacher_temperature": "0.1"},
    "temperature .2": {"teacher_temperature": "0.2"},
    "student .1": {"student_temperature": "0.1"},
    "centre .99": {"centre_momentum": "0.99"},
    "batch 8": {"batch_pairs": "8"},
    "batch 32": {"batch_pairs": "32"},
    "batch 64": {"batch_pairs": "64"},
    "rate 3e-4": {"head_lr": "3e-4"},
    "rate 1e-3": {"head_lr": "1e-3"},
    "matches in either direction": {"matching": "gaussian"},
    "loss of mean outputs": {"merging": "literal means"},
    "median": {"quality_deviation": "median"},
    "scaled median": {"quality_deviation": "scaled_median"},
}


def choose_settings(wanted: Sequence[str]) -> Settings:
    """The settings of a command line: names of `SETTINGS`, or ``NAME:option=value,...``; none: all of `SETTINGS`.

    Raises `OptionError` where a name or an option is unknown or takes no such value.
    """
    if not wanted:
        return SETTINGS
    found: dict[str, Mapping[str, str]] = {}
    for text in wanted:
        name, colon, assignments = text.partition(":")
        if not colon and name not in SETTINGS:
            raise OptionError(
                f"--settings: no setting {name!r}; write NAME:option=value,option=value, or take one of "
                f"{'; '.join(SETTINGS)}"
            )
        options = dict(_assignment(text, part) for part in assignments.split(",") if part.strip())
        found[name.strip()] = options if colon else SETTINGS[name]
        make_options({"method": "paper", **options})
    return found


def _assignment(text: str, part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise OptionError(f"--settings {text}: write it as NAME:option=value,option=value")
    return name.strip(), value.strip()
