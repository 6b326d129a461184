"""The records of a run: what a title is made of, what the season's titles are, what failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from vcn_ray.config import Options
from vcn_ray.corrections.correction_file import corrections_digest, read_corrections
from vcn_ray.pipeline.layout import MARKER, RESULTS
from vcn_ray.pipeline.stages import Stages
from vcn_ray.pipeline.title_state import TitleState
from vcn_ray.season.outcome import SeasonOutcome


def title_record(state: TitleState) -> dict[str, Any]:
    """What ``title.json`` holds."""
    return {
        "title": state.title.id,
        "videos": [
            {
                "path": video.url,
                "video": video.name,
                "fingerprint": video.fingerprint,
                "frames": video.frames_in_file,
                "first_frame": video.first_frame,
                "end_frame": video.end_frame,
                "duration_s": video.duration_s,
                "warnings": list(video.warnings),
                **({} if video.start_timecode is None else {"start_timecode": video.start_timecode}),
                **({} if video.audio_channels is None else {"audio_channels": video.audio_channels}),
                **({"tracks": {"given": video.given.url, "digest": video.given.digest}} if video.given else {}),
            }
            for video in state.videos
        ],
    }


def write_season_record(
    outcome: SeasonOutcome,
    states: Mapping[str, TitleState],
    options: Options,
    given: Options,
    device: str,
    stages: Stages,
) -> list[str]:
    """Write the season's record, errors, tables and page; not when all is there already.

    `given` are the options as the user gave them, which the record tells. Gives a sentence for each correction that no
    longer fits.
    """
    out, errors = outcome.out, outcome.errors()
    done = [title for title in outcome.titles if title.error is None]
    record = {
        "titles": [asdict(title) | {"worked": None} for title in outcome.titles],
        "options": given.model_dump(exclude={"run"}),
        "device": device,
        "threads_per_title": options.run.threads_per_title,
        "digests": {title.slug: states[title.id].results_digest for title in done},
        "errors": errors,
        "corrections": corrections_digest(read_corrections(out)),
    }
    if (
        not any(title.worked for title in outcome.titles)
        and out.exists("season.json")
        and json.dumps(out.read_json("season.json"), sort_keys=True) == json.dumps(record, sort_keys=True)
    ):
        return []
    out.delete("season.json")  # until all that it vouches for is there
    out.write_json("errors.json", errors)
    problems = stages.finish_season(out, [title.slug for title in done], options, errors, outcome.seconds)
    for title in done:  # the season may have moved tracks
        title.counts = states[title.id].work.read_json(f"{RESULTS}{MARKER}")["counts"]
    out.write_json("season.json", record | {"titles": [asdict(title) | {"worked": None} for title in outcome.titles]})
    return problems
