"""A finished season's folder as what a review is of."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from vcn_ray.errors import InputError
from vcn_ray.pipeline.layout import EMBEDDINGS_KEY
from vcn_ray.pipeline.outputs.cast import cast_version, stored_cast
from vcn_ray.pipeline.outputs.found import FinishedTitle, each, found_tracks, read_found, track_places
from vcn_ray.pipeline.outputs.season_outputs import finished_titles
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY
from vcn_ray.review.film import Film
from vcn_ray.review.pictures import StoredPictures
from vcn_ray.review.source import ReviewVideo, TrackFacts
from vcn_ray.storage.store import Store

_SHOTS_KEY = "tracks/shots.parquet"


class StoredSeason:
    """Reads what a run wrote; see `source.SeasonSource` for what it offers.

    Raises `InputError` where there is no finished season of this version, or none of its titles is done.
    """

    def __init__(self, out: Store):
        if not out.exists("season.json"):
            raise InputError(
                f"{out.url}: no finished run is there (season.json is missing); give the folder named by --out"
            )
        titles = finished_titles(out)
        if not titles:
            raise InputError(f"{out.url}: no title of this season is done, so there is nothing to review")
        self.name, self.out, self._titles = out.name, out, titles
        self.found = found_tracks(titles, stored_cast(out).characters)
        self.places = track_places(titles, self.found)
        page_facts = each(lambda title: title.work.read_json(FACTS_KEY)["videos"], titles)
        self.videos = [
            [ReviewVideo(v["name"], v["duration_s"], v["fps"], v["width_px"], v["height_px"]) for v in videos]
            for videos in page_facts
        ]
        self.facts = self._read_facts()
        self.embedding, self.network = self._read_embeddings()
        works = [title.work for title in titles]
        self.pictures = StoredPictures(works, self.found.title, self.found.track_id)
        self.film = lru_cache(None)(self._film)
        self._shots = lru_cache(None)(self._read_shots)

    def shot_frames(self, row: int) -> tuple[int, int]:
        """First and last frame of the shot that a track is in."""
        title = int(self.found.title[row])
        own = self._shots(title).get((int(self.facts.video[row]), int(self.facts.shot[row])))
        return own or (int(self.facts.first_frame[row]), int(self.facts.last_frame[row]))

    def version(self) -> str:
        """Another one once the season has been run anew."""
        return cast_version(self.out)

    def _film(self, title: int) -> Film:
        """The videos of a title."""
        finished = self._titles[title]
        by_name = {video["video"]: video for video in finished.results.read_json("title.json")["videos"]}
        return Film(finished.work, [by_name[video.name] for video in self.videos[title]])

    def _read_shots(self, title: int) -> dict[tuple[int, int], tuple[int, int]]:
        """Frames of each shot by its video and number."""
        names = {video.name: number for number, video in enumerate(self.videos[title])}
        work = self._titles[title].work
        if not work.exists(_SHOTS_KEY):
            return {}
        table = work.read_table(_SHOTS_KEY)
        columns = (table[name].to_pylist() for name in ("video", "shot", "first_frame", "last_frame"))
        return {(names[v], shot): (first, last) for v, shot, first, last in zip(*columns, strict=True) if v in names}

    def _read_facts(self) -> TrackFacts:
        """From the delivered tables, but for what corrections change there: that is read as found."""

        def read(title: FinishedTitle) -> tuple[pa.Table, pa.Table]:
            columns = ["track_id", "video", "shot", "first_frame", "last_frame"]
            columns += ["first_time_s", "last_time_s", "faces", "crops"]
            return title.results.read_table("tracks.parquet", columns).sort_by("track_id"), read_found(title)

        both = each(read, self._titles)
        tracks, found = (pa.concat_tables(tables) for tables in zip(*both, strict=True))
        number = [{video.name: place for place, video in enumerate(videos)} for videos in self.videos]
        video = [
            number[title][name]
            for title, name in zip(self.found.title.tolist(), tracks["video"].to_pylist(), strict=True)
        ]
        fps = [self.videos[title][place].fps for title, place in zip(self.found.title.tolist(), video, strict=True)]
        faces = tracks["faces"].to_numpy().astype(np.int64)

        def column(name: str) -> np.ndarray:
            return tracks[name].to_numpy().astype(np.int64)

        def known(name: str) -> np.ndarray:
            return found[name].cast(pa.float64()).fill_null(np.nan).to_numpy()

        return TrackFacts(
            video=np.array(video, np.int64),
            shot=column("shot"),
            first_frame=column("first_frame"),
            last_frame=column("last_frame"),
            first_time_s=tracks["first_time_s"].to_numpy(),
            last_time_s=tracks["last_time_s"].to_numpy(),
            faces=faces,
            crops=column("crops"),
            seconds=faces / np.array(fps, np.float64),
            quality=known("quality"),
            confidence=known("confidence"),
            reason=found["reason"].to_pylist(),
        )

    def _read_embeddings(self) -> tuple[np.ndarray, str]:
        """Of each track; of titles made with another network than most tracks, zeros: nothing compares them."""

        def read(title: FinishedTitle) -> pa.Table | None:
            return title.work.read_table(EMBEDDINGS_KEY) if title.work.exists(EMBEDDINGS_KEY) else None

        tables = [table if table is not None and table.num_rows else None for table in each(read, self._titles)]
        networks: dict[str, int] = {}
        for table in tables:
            if table is not None:
                name = table["face_id"][0].as_py()
                networks[name] = networks.get(name, 0) + table.num_rows
        if not networks:
            return np.zeros((len(self.found), 1), np.float32), ""
        network = max(sorted(networks), key=lambda name: networks[name])
        vectors: np.ndarray | None = None
        for number, table in enumerate(tables):
            if table is None or table["face_id"][0].as_py() != network:
                continue
            own = self.found.rows_of_title(number)
            values = np.array(table["embedding"].to_pylist(), np.float32)
            if vectors is None:
                vectors = np.zeros((len(self.found), values.shape[1]), np.float32)
            known = np.isin(table["track_id"].to_numpy(), self.found.track_id[own])
            place = np.searchsorted(self.found.track_id[own], table["track_id"].to_numpy()[known])
            vectors[own.start + place] = values[known]
        assert vectors is not None  # noqa: S101  # some title has the network
        return vectors, network
