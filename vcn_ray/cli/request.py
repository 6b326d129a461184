"""What a user asks for on the command line, read and checked: options, times, folders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcn_ray.cli.printing import complain
from vcn_ray.errors import InputError, OptionError


@dataclass(frozen=True)
class Request:
    """What a user asks a run for."""

    videos: list[str]
    out: str
    title: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    part: tuple[float, float | None] = (0.0, None)
    executor: str = "ray"
    tracks: list[str] = field(default_factory=list)
    tracks_fps: float | None = None
    features: list[str] = field(default_factory=list)

    def arguments(self) -> dict[str, Any]:
        """Of `run_season` and `plan_season`. Complains about inputs that are no video."""
        from vcn_ray.inputs.resolve import find_season
        from vcn_ray.inputs.titles import TimeRange
        from vcn_ray.storage.store import Store

        if self.features:
            return self._of_features()
        if not self.videos:
            raise InputError("no video was given: name video files or folders, or --features")
        season = find_season(self.videos, self.title, self.tracks, self.tracks_fps)
        options, own = season.options(self.config, self.given)
        for _, sentence in season.refused:
            complain(sentence)
        store = Store(folder("--out", self.out))
        return {
            "season": season,
            "out": store,
            "options": options,
            "title_options": own,
            "part": TimeRange(*self.part),
        }

    def _of_features(self) -> dict[str, Any]:
        """As `arguments`, where embeddings are given in place of videos."""
        from vcn_ray.inputs.features import find_features
        from vcn_ray.inputs.titles import TimeRange
        from vcn_ray.pipeline.features.stages import FeatureStages, feature_options
        from vcn_ray.storage.store import Store

        if self.videos or self.tracks:
            raise OptionError("--features stand in place of videos and their tracks: leave those out")
        season = find_features(self.features, self.title)
        options, _ = season.options(self.config, self.given)
        return {
            "season": season,
            "out": Store(folder("--out", self.out)),
            "options": feature_options(options),
            "stages": FeatureStages(self.tracks_fps),
            "part": TimeRange(*self.part),
        }


def folder(flag: str, url: str) -> str:
    """The folder or URL, with a ~ resolved."""
    if not url:
        raise OptionError(f"{flag} is an empty text: name a folder, such as . for this one")
    if url.startswith("s3://"):
        return url
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://?", url):
        raise OptionError(f"{flag} {url}: write s3://BUCKET/PREFIX, or a folder")
    try:
        return str(Path(url).expanduser())
    except RuntimeError as error:  # ~name of nobody
        raise OptionError(f"{flag} {url}: {error}; write the whole path") from None


def file_or_folder(flag: str, path: str) -> str:
    """As `folder`; a '/' at the end stays, which tells a folder from a file."""
    return folder(flag, path) + "/" * (path.endswith("/") and not path.startswith("s3://"))


def executor_name(name: str | None, local: bool) -> str:
    """The executor's name; `OptionError` where two are asked for."""
    if local and name not in (None, "local"):
        raise OptionError(f"--local and --executor {name} both say who does the work: give one")
    return "local" if local else name or "ray"


def use_s3_endpoint(url: str | None) -> None:
    """From now on ``s3://`` URLs are of this server; None leaves it at what the environment says."""
    if url is None:
        return
    if not re.match(r"https?://[^/\s]+", url):
        raise OptionError(f"--s3-endpoint {url}: write it as http://HOST:PORT or https://HOST")
    os.environ["AWS_ENDPOINT_URL_S3"] = url


def given_options(assignments: list[str], flags: dict[str, Any]) -> dict[str, Any]:
    """Options of --set, over them the flags that were given."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise OptionError(f"--set {assignment}: write it as NAME=VALUE, such as --set sample_every_frames=6")
        settings[name.strip()] = value.strip()
    return settings | {name: value for name, value in flags.items() if value is not None}


def read_config(path: Path) -> dict[str, Any]:
    """Options of a YAML file: by name, or by name below their group as `season.json` has them."""
    import yaml

    from vcn_ray.config import option_names

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"--config {path}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"--config {path}: not valid YAML ({' '.join(str(error).split())}); mend it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"--config {path}: give options one a line, as `sample_every_frames: 6`")
    groups = set(option_names().values())
    flat: dict[str, Any] = {}
    for name, value in content.items():
        of_group = name in groups and isinstance(value, dict)
        flat |= {str(k): v for k, v in value.items()} if of_group else {str(name): value}
    return flat


def read_part(from_text: str, to_text: str | None) -> tuple[float, float | None]:
    """Start and end in seconds, of --from and --to."""
    from_s = _seconds("--from", from_text)
    to_s = None if to_text is None else _seconds("--to", to_text)
    if to_s is not None and to_s <= from_s:
        raise InputError(f"--to {to_text} is not after --from {from_text}; give a later time")
    return from_s, to_s


def _seconds(flag: str, text: str) -> float:
    """Seconds of '90', '1:30', '00:01:30' or '00:01:30.5'."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise OptionError(f"{flag} {text}: write a time as 90 (seconds), 1:30 or 00:01:30")
    seconds = 0.0
    for piece in text.split(":"):
        seconds = seconds * 60 + float(piece)
    return seconds
