"""A joined title is what the pipeline would read: nothing is lost, nothing is mixed up."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from support import tiny_title

from jobs.benchmarks.quality.folds import make_folds, people_of
from jobs.benchmarks.quality.footage.cases import LONG, cases_of
from jobs.benchmarks.quality.footage.joined import join_seasons
from jobs.benchmarks.quality.footage.seasons import Extracted, find_labelled
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.trial import Trial, measure
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.pipeline.title_crops import choose_crops, load_cannot_link, load_views
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.schemas import SHOTS
from vcn_ray.storage.store import Store

HOSTILE = "<b>Überraschung é 日本 '=1+1"


@pytest.fixture
def seasons(title: Extracted, tmp_path: Path) -> list[Extracted]:
    """The tiny title, and the same under another name, with shots and a label of its own."""
    shutil.copytree(tmp_path / "tiny", tmp_path / HOSTILE)
    shutil.copytree(tmp_path / "work", tmp_path / "other work")
    labels = tmp_path / HOSTILE / "ground_truth.csv"
    labels.write_text(labels.read_text().replace("person 2", "=stranger"))
    work = Store(str(tmp_path / "other work"))
    shots = {"video": ["a.mp4"] * 2, "shot": [0, 1], "first_frame": [0, 9], "last_frame": [8, 99]}
    work.write_table("tracks/shots.parquet", pa.table(shots | {"transition": ["start", "cut"]}, SHOTS), SHOTS)
    return [title, Extracted(find_labelled([str(tmp_path / HOSTILE)])[0], work.url)]


@pytest.fixture
def join(seasons: list[Extracted], tmp_path: Path) -> Callable[..., Extracted]:
    """Joins them, with groups of the same people as the command line has them."""

    def joined(*same_people: str) -> Extracted:
        folds = make_folds(["tiny", HOSTILE], same_people)
        identities = {s.footage.season: set(read_ground_truth(s.footage.ground_truth).identity) for s in seasons}
        people = people_of(folds, same_people, identities)
        return join_seasons("both", [*seasons], tiny_title.tiny_options(), people, str(tmp_path / "cache"))

    return joined


def work_on(place: str) -> TitleWork:
    return TitleWork(Store(place), tiny_title.tiny_options(), tiny_title.TINY_MODELS)


def test_all_tracks_keep_crops_views_and_links(join: Callable[..., Extracted], seasons: list[Extracted]) -> None:
    found, parts = join(), [work_on(season.work) for season in seasons]
    work = work_on(found.work)
    views, own = load_views(work), [load_views(part) for part in parts]
    for name in ("plain", "flipped", "global_views", "dropout"):
        np.testing.assert_array_equal(getattr(views, name), np.concatenate([getattr(part, name) for part in own]))
    crops = choose_crops(work)
    assert crops.track_id.tolist() == list(range(24))
    jpegs = [one.store.read_table("tracks/crops.parquet")["jpeg"].to_pylist() for one in (work, *parts)]
    assert jpegs[0] == [*jpegs[1], *jpegs[2]]
    assert sorted(load_cannot_link(work.store, crops).tolist()) == [[0, 1], [12, 13]]
    tracks = work.store.read_table("tracks/tracks.parquet")
    assert len(set(zip(tracks["video"].to_pylist(), tracks["shot"].to_pylist(), strict=True))) == 2
    assert set(tracks["shot"].to_pylist()) == {0, 1}  # one of each
    assert work.store.read_table("tracks/shots.parquet")["shot"].to_pylist() == [1, 2]


def test_people_of_two_seasons_are_two_unless_they_are_said_to_be_the_same(join: Callable[..., Extracted]) -> None:
    def people(found: Extracted) -> set[str]:
        truth = read_ground_truth(found.footage.ground_truth)
        matches = TitleTracks.read(work_on(found.work)).match(truth)
        assert matches.is_real.all()  # labels lie on the tracks of their own season
        assert len(set(matches.video)) == 2
        return set(matches.identity)

    apart = join()
    assert apart.footage.joined == ("tiny", HOSTILE)
    assert len(people(apart)) == 6
    assert len(people(join(f"tiny,{HOSTILE}"))) == 4  # person 0 and 1 are in both
    assert len(people(join(f"tiny,{HOSTILE}:person 1"))) == 5
    before = Path(apart.work, "tracks", "faces.parquet").stat().st_mtime_ns
    assert join() == apart
    assert Path(apart.work, "tracks", "faces.parquet").stat().st_mtime_ns == before  # not again


def test_the_product_works_on_it_as_on_any_other(join: Callable[..., Extracted], known: KnownMethods) -> None:
    found = join()
    truth = read_ground_truth(found.footage.ground_truth)
    (case,) = cases_of(found, TitleTracks.read(work_on(found.work)), truth, ["whole", "small titles"])
    assert (case.kind, case.teaches) == (LONG, False)
    trial = Trial(Method("base model", "product", (("max_iterations", "0"),)), case, 0)
    outcome = measure(trial, known)
    assert not outcome.error, outcome
    scores = outcome.answers[0].scores
    assert (scores["tracks"], scores["false_tracks"], scores["appearance_recall"]) == (24, 0, 1.0)
