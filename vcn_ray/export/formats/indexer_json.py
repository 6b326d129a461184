"""JSON in the shape of a cloud video indexer's: people with appearances, thumbnails and share of screen time.

The keys are those of Azure AI Video Indexer's insights
(https://learn.microsoft.com/azure/azure-video-indexer/video-indexer-output-json-v2), as far as they are about faces.
Thumbnails have one more, `url`, which holds the picture, so that nothing has to be fetched.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vcn_ray.export.finished_season import FinishedSeason
from vcn_ray.export.formats.by_video import VideoTracks, videos_with_tracks
from vcn_ray.export.formats.face_pictures import FacePictures
from vcn_ray.export.formats.presence import (
    NOBODY,
    Presence,
    duration_s,
    frame_duration_s,
    presences_of,
)

_THUMBNAILS = 6  # of a person in a video

#: Of a title's track: how sure it is that it is its character's, and how many faces it has.
_Confidences = Mapping[tuple[str, int], tuple[float | None, int]]


class _Place(NamedTuple):
    """A video in the list of videos, which plays one after another: that time is called adjusted."""

    video_id: str
    offset_s: float

    def span(self, start_s: float, end_s: float) -> dict[str, str]:
        """A time range of the video."""
        adjusted = {
            "adjustedStart": time_text(self.offset_s + start_s),
            "adjustedEnd": time_text(self.offset_s + end_s),
        }
        return adjusted | {"start": time_text(start_s), "end": time_text(end_s)}


class _Seen(NamedTuple):
    """A person in a video: what the file says, and when."""

    place: _Place
    face: dict[str, Any]
    presences: list[Presence]


def write_indexer_json(season: FinishedSeason, path: Path) -> list[str]:
    """Write one file of all videos. Unknown tracks are left out; who has no name is called as on the season's page.

    Raises `OptionError` where there are no tracks.
    """
    rows = season.tracks.select(["title", "track_id", "confidence", "faces"]).to_pylist()
    confidences = {(row["title"], row["track_id"]): (row["confidence"], row["faces"] or 1) for row in rows}
    pictures, videos, seen, offset_s = FacePictures(season.crops), [], list[_Seen](), 0.0
    for video in videos_with_tracks(season):
        place = _Place(_digest(video.facts.title, video.facts.video), offset_s)
        people = _people(video, place, pictures, confidences)
        seen += people
        length_s = duration_s(video)
        videos.append(_video(video, place, [person.face for person in people], length_s))
        offset_s += length_s
    titles = list(dict.fromkeys(row["title"] for row in rows))
    name = titles[0] if len(titles) == 1 else f"{titles[0]} and {len(titles) - 1} more"
    head = {"id": _digest(*titles), "name": name, "privacyMode": "Private"}
    summary = head | {"duration": {"time": time_text(offset_s), "seconds": round(offset_s, 3)}}
    summary["faces"] = _summary(seen, offset_s)
    index = head | {"state": "Processed", "isBase": len(videos) == 1, "durationInSeconds": round(offset_s, 3)}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(index | {"summarizedInsights": summary, "videos": videos}, file, ensure_ascii=False, indent=1)
        file.write("\n")
    if not seen:
        return [NOBODY]
    blind = sum(not person.face["thumbnails"] for person in seen)
    return [f"pictures are gone (crops.parquet): no thumbnail of {blind} of {len(seen)} people"] if blind else []


def time_text(seconds: float) -> str:
    """H:MM:SS.mmm, without zeros at its end, as Video Indexer writes times."""
    whole, milliseconds = divmod(round(1000 * seconds), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" + (f".{milliseconds:03}".rstrip("0") if milliseconds else "")


def _people(video: VideoTracks, place: _Place, pictures: FacePictures, confidences: _Confidences) -> list[_Seen]:
    """Who is seen in a video, by the first time."""
    by_name = defaultdict[str, list[Presence]](list)
    for one in presences_of(video):
        by_name[one.who].append(one)
    numbers: dict[str | None, int | None] = {}
    for who, cast_id in zip(video.who, video.faces["cast_id"].to_pylist(), strict=True):
        numbers.setdefault(who, cast_id)
    return [
        _Seen(place, _face(video, place, numbers[who], own, pictures, confidences), own) for who, own in by_name.items()
    ]


def _face(
    video: VideoTracks,
    place: _Place,
    number: int | None,
    own: list[Presence],
    pictures: FacePictures,
    confidences: _Confidences,
) -> dict[str, Any]:
    """A person in a video. number: in the season's cast."""
    thumbnails, shown, frame_s = [], dict[Presence, list[str]](), frame_duration_s(video)
    found = pictures.spread(video, own, _THUMBNAILS)
    for picture in found:
        key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"vcn-ray:{place.video_id}/{picture.track_id}/{picture.frame}"))
        when = place.span(picture.time_s, picture.time_s + frame_s)
        thumbnail = {"id": key, "fileName": f"FaceInstanceThumbnail_{key}.jpg", "instances": [when]}
        thumbnails.append(thumbnail | {"url": picture.data_uri})
        shown[picture.presence] = [key]
    best = max(range(len(found)), key=lambda n: found[n].worth) if found else None
    return {
        "id": number,
        "name": own[0].who,
        "confidence": _mean(confidences.get((video.facts.title, id_), (None, 1)) for p in own for id_ in p.track_ids),
        "description": None,
        "thumbnailId": None if best is None else thumbnails[best]["id"],
        "title": None,
        "imageUrl": None,
        "thumbnails": thumbnails,
        "instances": [
            ({"thumbnailsIds": shown[one]} if one in shown else {}) | place.span(one.start_s, one.end_s) for one in own
        ],
    }


def _mean(confidences: Iterable[tuple[float | None, int]]) -> float | None:
    """Of tracks, by their number of faces; None where none is known."""
    known = [(sure, faces) for sure, faces in confidences if sure is not None]
    return round(sum(sure * n for sure, n in known) / sum(n for _, n in known), 4) if known else None


def _video(video: VideoTracks, place: _Place, faces: list[dict[str, Any]], length_s: float) -> dict[str, Any]:
    insights = {"version": "1.0.0.0", "duration": time_text(length_s), "faces": faces}
    name = {"id": place.video_id, "name": video.facts.video, "externalId": video.facts.title}
    return name | {"state": "Processed", "privacyMode": "Private", "processingProgress": "100%", "insights": insights}


def _summary(seen: Sequence[_Seen], duration_s: float) -> list[dict[str, Any]]:
    """The people of all videos, who is seen longest first; times are those of the list of videos."""
    people = defaultdict[str, list[_Seen]](list)
    for one in seen:
        people[one.face["name"]].append(one)
    faces = []
    for own in people.values():
        spans = [(one.place.offset_s + p.start_s, one.place.offset_s + p.end_s) for one in own for p in one.presences]
        longest = max(own, key=lambda one: sum(p.end_s - p.start_s for p in one.presences))
        seen_s = sum(end - start for start, end in spans)
        face = {key: longest.face[key] for key in ("id", "name", "confidence", "description", "thumbnailId", "title")}
        face |= {"videoId": longest.place.video_id, "seenDuration": round(seen_s, 3)}
        face["seenDurationRatio"] = round(seen_s / duration_s, 4)
        face["appearances"] = [
            {
                "startTime": time_text(start),
                "endTime": time_text(end),
                "startSeconds": round(start, 3),
                "endSeconds": round(end, 3),
            }
            for start, end in spans
        ]
        faces.append(face)
    return sorted(faces, key=lambda face: -face["seenDuration"])


def _digest(*names: str) -> str:
    """An id as short as theirs, the same in each export."""
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:10]
