"""Whole commands `vcn-ray run`, their output kept in a file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from vcn_ray.config import make_options, option_names
from vcn_ray.errors import VcnError
from vcn_ray.storage.store import Store


def run_titles(titles: Mapping[str, Sequence[str]], out: Store, log: Path, settings: Sequence[str] = ()) -> float:
    """Run titles of these videos in one process; seconds that it took.

    Args:
        titles: videos of each title.
        out: for the results.
        log: file that the command's output is appended to.
        settings: NAME=VALUE, of options.

    Raises `VcnError` naming the log where it failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    season = log.with_suffix(".yaml")
    entries = [{"title": title, "videos": list(videos)} for title, videos in titles.items()]
    season.write_text(yaml.safe_dump({"titles": entries}, allow_unicode=True), encoding="utf-8")
    command = [sys.executable, "-m", "vcn_ray", "run", str(season), "--out", out.url, "--local"]
    command += [argument for setting in settings for argument in ("--set", setting)]
    started = time.perf_counter()
    with log.open("ab") as sink:
        code = subprocess.run(command, stdout=sink, stderr=sink, check=False).returncode  # noqa: S603  # ourselves
    if code != 0:
        raise VcnError(f"the command ended with exit code {code}; what it said is in {log}")
    return time.perf_counter() - started


def run_again(out: Store, log: Path) -> float:
    """The run that wrote these results, once more over them; seconds that it took. Errors as for `run_titles`."""
    record = out.read_json("season.json")
    titles = {title["id"]: title["videos"] for title in record["titles"]}
    return run_titles(titles, out, log, changed_settings(record["options"]))


def copy_results(season: Store, to: Store) -> None:
    """Copy all of a season's results, the working data too."""
    for key in season.keys():  # noqa: SIM118  # a store, no mapping
        to.write_bytes(key, season.read_bytes(key))


def changed_settings(options: Mapping[str, Any]) -> list[str]:
    """NAME=VALUE of the options of a season's record that are not the defaults."""
    usual = make_options({"method": options["method"]}).model_dump()
    changed = [f"method={options['method']}"]
    for name, group in option_names().items():
        if name == "method" or group == "run":
            continue
        value, default = ((source[group] if group else source)[name] for source in (options, usual))
        if value != default:
            changed.append(f"{name}={json.dumps(value) if isinstance(value, dict) else value}")
    return changed
