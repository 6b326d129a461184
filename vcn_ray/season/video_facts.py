"""What a finished season knows of its videos beside their tracks: place, length, rate, time code, sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vcn_ray.errors import VcnError
from vcn_ray.export.finished_season import VideoFacts
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY
from vcn_ray.storage.store import Store
from vcn_ray.tracks.container import footage_stream, open_container, sound_channels, timecode_tag
from vcn_ray.tracks.probe import video_fingerprint


def videos_of(title: str, results: Store) -> list[VideoFacts]:
    """The videos of a title, in order, as far as its working data is still there.

    Args:
        title: its id.
        results: its folder.
    """
    page: dict[str, dict[str, Any]] = {}
    if results.exists(f"work/{FACTS_KEY}"):
        page = {video["name"]: video for video in results.read_json(f"work/{FACTS_KEY}")["videos"]}
    records = {video["video"]: video for video in results.read_json("title.json")["videos"]}
    found = []
    for name in page or records:
        record = records.get(name, {})
        known = {key: page[name][key] for key in ("frames", "fps", "width_px", "height_px")} if page else {}
        known["duration_s"] = (page[name] if page else record).get("duration_s")
        code, channels = _of_the_file(record)
        found.append(
            VideoFacts(title, name, **known, path=record.get("path"), start_timecode=code, audio_channels=channels)
        )
    return found


def _of_the_file(record: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Start time code and channels of sound; asked of the file where a run of an earlier version did not, None where
    that has gone."""
    path, known = record.get("path"), (record.get("start_timecode"), record.get("audio_channels"))
    if None not in known or not path:
        return known
    try:
        if video_fingerprint(path) != record.get("fingerprint"):
            return known
        with open_container(path) as container:
            return timecode_tag(container, footage_stream(container, path)), sound_channels(container)
    except (VcnError, OSError):
        return known
