"""An episode of a season as a case: what the other episode has counts in nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from support import tiny_title

from jobs.benchmarks.quality.footage.cases import Case, cases_of
from jobs.benchmarks.quality.footage.seasons import Extracted, find_labelled
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.trial import Trial, measure
from vcn_ray.evaluate.baselines.problem import Baseline
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store


@pytest.fixture
def episodes(title: Extracted, tmp_path: Path) -> Extracted:
    """The tiny title as two episodes of six tracks: persons 0, 1, 2 in a.mp4, persons 0, 1 and a stranger in b.mp4."""
    work = Store(title.work)
    for name in ("faces", "tracks", "crops"):
        table = work.read_table(f"tracks/{name}.parquet")
        video = pc.if_else(pc.less(table["track_id"], 6), "a.mp4", "b.mp4")
        place = table.column_names.index("video")
        work.write_table(f"tracks/{name}.parquet", table.set_column(place, "video", video), table.schema)
    season = tmp_path / "tiny"
    (season / "b.mp4").write_bytes(b"not looked at either")
    head, *lines = (season / "ground_truth.csv").read_text().splitlines()
    place = {name: n for n, name in enumerate(head.replace('"', "").split(","))}
    cells = [line.replace('"', "").split(",") for line in lines]
    for row in cells:
        if int(row[place["shot"]]) >= 6:
            row[place["video"]] = "b.mp4"
            row[place["identity"]] = row[place["identity"]].replace("person 2", "stranger")
    (season / "ground_truth.csv").write_text("\n".join([head, *(",".join(row) for row in cells)]))
    return Extracted(find_labelled([str(season)])[0], title.work)


@pytest.fixture
def cases(episodes: Extracted) -> dict[str, Case]:
    tracks = TitleTracks.read(TitleWork(Store(episodes.work), tiny_title.tiny_options()))
    truth = read_ground_truth(episodes.footage.ground_truth)
    return {case.name: case for case in cases_of(episodes, tracks, truth, ["whole", "episodes"])}


def test_each_episode_has_its_own_tracks_and_labels(episodes: Extracted, cases: dict[str, Case]) -> None:
    truth = read_ground_truth(episodes.footage.ground_truth)
    assert list(cases) == ["whole", "episode a.mp4", "episode b.mp4"]
    assert [cases[f"episode {name}.mp4"].track_ids for name in "ab"] == [tuple(range(6)), tuple(range(6, 12))]
    labels = {name: case.labels(truth) for name, case in cases.items()}
    assert [set(labels[f"episode {name}.mp4"].video) for name in "ab"] == [{"a.mp4"}, {"b.mp4"}]
    assert set(labels["episode a.mp4"].identity) == {"person 0", "person 1", "person 2"}
    assert set(labels["episode b.mp4"].identity) == {"person 0", "person 1", "stranger"}
    assert len(labels["whole"]) == sum(len(labels[f"episode {name}.mp4"]) for name in "ab")


def test_neither_tracks_nor_identities_of_the_other_episode_count(cases: dict[str, Case], known: KnownMethods) -> None:
    by_person = Baseline("by person", "made up", lambda faces, _: lambda: np.arange(faces.tracks) % 3, ({},))
    only = replace(known, baselines=lambda threshold: [by_person])

    def scores(case: str) -> dict[str, float]:
        outcome = measure(Trial(Method("by person", "baseline"), cases[case], 0), only)
        assert not outcome.error, outcome
        found = outcome.answers[0].scores
        return {name: found[name] for name in ("tracks", "false_tracks", "appearance_recall", "clusters", "pcr")}

    own = {"tracks": 6, "false_tracks": 0, "appearance_recall": 1.0, "clusters": 3, "pcr": 1.0}
    assert scores("episode a.mp4") == scores("episode b.mp4") == own
    assert scores("whole") == own | {"tracks": 12, "pcr": 0.75}  # three clusters for four people
