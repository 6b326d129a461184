"""The bench of quality on a title small enough to adapt in a second, in one process."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support import tiny_title

from jobs.benchmarks.__main__ import main
from jobs.benchmarks.quality.ablations import ABLATIONS
from jobs.benchmarks.quality.apart import TITLES_APART, find_apart
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.command import Request, quality
from jobs.benchmarks.quality.footage.cases import KINDS, Case, cases_of
from jobs.benchmarks.quality.footage.seasons import Extracted, find_labelled
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks, track_frames
from jobs.benchmarks.quality.held_out_calibration import labelled_pairs
from jobs.benchmarks.quality.methods import KnownMethods, Method
from jobs.benchmarks.quality.trial import Trial, measure, prepare_case, track_faces
from vcn_ray.errors import InputError, OptionError
from vcn_ray.evaluate.baselines.problem import Baseline, TrackFaces
from vcn_ray.evaluate.ground_truth import GroundTruth, read_ground_truth
from vcn_ray.pipeline.title_crops import choose_crops, load_views
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

SHORT = {
    "first_epochs": "2",
    "later_epochs": "2",
    "min_batches_per_epoch": "1",
    "batch_pairs": "16",
    "max_iterations": "2",
}


@pytest.fixture
def truth(title: Extracted) -> GroundTruth:
    return read_ground_truth(title.footage.ground_truth)


@pytest.fixture
def tracks(title: Extracted) -> TitleTracks:
    return TitleTracks.read(work_on(title.work))


def work_on(place: str | Path) -> TitleWork:
    """Work on a title as the bench has it."""
    return TitleWork(Store(str(place)), tiny_title.tiny_options(), tiny_title.TINY_MODELS)


def fake(name: str, label: Callable[[TrackFaces, float], np.ndarray], settings: Sequence[float] = (0.0,)) -> Baseline:
    """A baseline that labels by a function of the title and the setting."""

    def prepare(faces: TrackFaces, seed: int) -> Callable[..., np.ndarray]:
        return lambda level: label(faces, level)

    return Baseline(name, "made up", prepare, tuple({"level": level} for level in settings))


def everyone_one(faces: TrackFaces, level: float) -> np.ndarray:
    return np.zeros(faces.tracks, np.int64)


def test_some_tracks_alone_keep_their_own_views(title: Extracted, tracks: TitleTracks, tmp_path: Path) -> None:
    whole, part = work_on(title.work), work_on(tmp_path / "part")
    views, chosen = load_views(whole), choose_crops(whole)
    tracks.of_tracks([1, 5, 7]).write(part, views)
    found, crops = load_views(part), choose_crops(part)
    assert crops.track_id.tolist() == [1, 5, 7]
    for track in (1, 5, 7):
        own = chosen.track_id[chosen.track_of_crop] == track
        there = crops.track_id[crops.track_of_crop] == track
        np.testing.assert_array_equal(found.plain[there], views.plain[own])
        np.testing.assert_array_equal(found.dropout[there], views.dropout[own])
    assert tracks.of_tracks([0, 1]).cannot_link.num_rows == 1
    assert tracks.of_tracks([1, 5, 7]).cannot_link.num_rows == 0  # the pair of 0 and 1 went with 0


def test_true_tracks_gather_what_one_label_matches(tracks: TitleTracks, truth: GroundTruth) -> None:
    # Tracks 0 and 3 are one appearance, and of track 11 nobody says who it is.
    shot = np.where(truth.shot == "3", "0", truth.shot).astype(object)
    known = truth.shot != "11"
    labels = GroundTruth(truth.video[known], truth.frame[known], truth.boxes[known], truth.identity[known], shot[known])
    found = tracks.regrouped(labels)
    matches = found.match(labels)
    assert matches.is_real.all()
    assert len(matches.identity) == 10  # of twelve, two joined, one unknown
    joined = int(np.flatnonzero(matches.boxes == 8)[0])
    assert matches.identity[joined] == "person 0"
    assert found.crops["track_id"].to_pylist().count(int(matches.track_id[joined])) == 8
    for track in set(found.crops["track_id"].to_pylist()):
        frames = [frame for of, frame in track_frames(found.crops) if of == track]
        assert frames == sorted(frames)
    assert found.cannot_link.num_rows == 0  # no two are labelled in one frame, whatever stage 1 said


def test_cannot_links_of_true_tracks_are_those_labelled_together(tracks: TitleTracks, truth: GroundTruth) -> None:
    # A second label in a frame of track 4, and that person's own appearance in the same shot, detected as track 5.
    second = np.flatnonzero(truth.shot == "4")[:1]
    shot = np.where(truth.shot == "5", "4", truth.shot).astype(object)
    labels = GroundTruth(
        np.concatenate([truth.video, truth.video[second]]),
        np.concatenate([truth.frame, truth.frame[second]]),
        np.concatenate([truth.boxes, truth.boxes[second] + 500]),
        np.concatenate([truth.identity, np.array(["person 2"], object)]),
        np.concatenate([shot, np.array(["4"], object)]),
    )
    found = tracks.regrouped(labels)
    who = dict(zip(found.match(labels).track_id.tolist(), found.match(labels).identity, strict=True))
    (pair,) = found.cannot_link.to_pylist()
    assert sorted(who[track] for track in pair.values()) == ["person 1", "person 2"]


def test_cases_of_a_title(title: Extracted, tracks: TitleTracks, truth: GroundTruth) -> None:
    cases = {case.name: case for case in cases_of(title, tracks, truth, KINDS)}
    assert set(cases) >= {"whole", "characters 2", "one character", "all different"}
    assert "characters 5" not in cases  # there are three
    assert not [name for name in cases if name.startswith("episode")]  # there is one video

    def people(case: Case) -> list[str]:
        return [f"person {track % tiny_title.IDENTITIES}" for track in case.track_ids or ()]

    assert len(cases) == len(cases_of(title, tracks, truth, KINDS)) - 1  # it is a small title itself
    assert len(cases["one character"].track_ids or ()) == 4
    assert len(set(people(cases["one character"]))) == 1
    assert sorted(people(cases["all different"])) == ["person 0", "person 1", "person 2"]
    assert set(people(cases["characters 2"])) == set(cases["characters 2"].identities or ())
    assert set(cases["characters 2"].labels(truth).identity) == set(people(cases["characters 2"]))


def test_a_baseline_sees_the_case_as_the_product_does(
    title: Extracted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path = tmp_path_factory.mktemp("case")
    case = Case(title, "characters", "some", False, (0, 1, 4))
    work, _ = prepare_case(case, tiny_title.tiny_options(), tmp_path, tiny_title.TINY_MODELS)
    faces, track_ids = track_faces(work)
    assert (track_ids.tolist(), faces.tracks) == ([0, 1, 4], 3)
    assert np.bincount(faces.track_of_crop).tolist() == [4, 4, 4]
    assert faces.cannot_link.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    views = load_views(work)
    np.testing.assert_array_equal(faces.embeddings, (views.plain + views.flipped) / 2)  # raw: lengths tell clarity


def test_the_product_and_its_variations_are_scored_as_a_user_would_see_them(tmp_path: Path, bench: Bench) -> None:
    asked = Request(
        [str(tmp_path / "tiny")],
        str(tmp_path / "cache"),
        ["default,base model", "no iterations:max_iterations=0"],
        SHORT,
        (0, 1),
        tracks="both",
        calibration="built-in",
        output=str(tmp_path / "table.csv"),
    )
    assert quality(asked, bench)
    rows = pq.read_table(tmp_path / "table.parquet").to_pylist()
    of_default = [row for row in rows if row["method"] == "default"]
    assert {(row["case"], row["tracks_of"], row["seed"]) for row in of_default} == {
        ("whole", tracks, seed) for tracks in ("detected", "truth") for seed in (0, 1)
    }
    assert all(1 <= row["iterations"] <= 2 for row in of_default)
    base = [row for row in rows if row["method"] == "base model"]
    assert {row["seed"] for row in base} == {0}  # it draws nothing
    assert all(row["iterations"] == 0 and row["tracks"] for row in base)
    scores = [name for name in base[0] if name.startswith(("bcubed", "wcp", "pcr"))]
    same = [row for row in rows if row["method"] == "no iterations"]
    assert [[row[name] for name in scores] for row in same[:1]] == [[row[name] for name in scores] for row in base[:1]]
    head = (tmp_path / "table.md").read_text()
    assert "### whole, detected tracks" in head
    assert "The product's calibration: built-in" in head
    assert (tmp_path / "table.csv").exists()


def test_titles_apart_are_parts_of_the_case_with_one_cast(
    title: Extracted, tmp_path: Path, known: KnownMethods
) -> None:
    method = Method(TITLES_APART, "product", tuple({**SHORT, "max_iterations": "0"}.items()))
    (answer,) = measure(Trial(method, Case(title, "whole", "whole", False), 0), known).answers
    assert answer.scores["tracks"] == 12
    work = TitleWork(work_on(title.work).store, method.options(0), tiny_title.TINY_MODELS)
    track_ids, member, _ = find_apart(work, tmp_path)
    assert sorted(track_ids.tolist()) == list(range(12))
    parts = [set(member[:6].tolist()), set(member[6:].tolist())]  # six tracks each, by time
    assert parts[0] & parts[1] - {-1}  # somebody was matched
    assert (tmp_path / "season" / "titles" / "part-1" / "tracks.parquet").exists()


def test_every_iteration_is_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str], bench: Bench) -> None:
    asked = Request(
        [str(tmp_path / "tiny")], str(tmp_path), ["default"], SHORT, iterations=True, calibration="built-in"
    )
    assert quality(asked, bench)
    rows = pq.read_table(tmp_path / "quality.parquet").to_pylist()
    assert [row["iteration"] for row in rows if row["iteration"] is not None] == [0, 1, 2]
    assert "default stopped after" in capsys.readouterr().out


def test_what_fails_is_named_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bench: Bench
) -> None:
    def broken(faces: TrackFaces, level: float) -> np.ndarray:
        if faces.tracks < 12:
            raise ValueError("too few")
        return np.arange(faces.tracks)

    made_up = [fake("shaky", broken), fake("steady", everyone_one)]
    bench = replace(bench, methods=replace(bench.methods, baselines=lambda threshold: made_up))
    asked = Request([str(tmp_path / "tiny")], str(tmp_path), ["shaky, steady"], {}, cases=("whole", "one character"))
    assert not quality(asked, bench)
    said = capsys.readouterr().err
    assert "shaky on tiny, one character, detected tracks" in said
    assert "too few" in said
    assert "steady" not in said
    rows = pq.read_table(tmp_path / "quality.parquet").to_pylist()
    assert {(row["method"], row["case"]) for row in rows} == {
        ("shaky", "whole"),
        ("steady", "whole"),
        ("steady", "one character"),
    }
    steady = {row["case"]: row for row in rows if row["method"] == "steady"}
    assert steady["one character"]["bcubed_f_all"] == 1.0
    assert steady["whole"]["bcubed_f_all"] == pytest.approx(0.5)  # three of four: precision 1/3, recall 1


def test_noise_is_unknown_and_bounds_know_the_answer(title: Extracted, known: KnownMethods) -> None:
    nobody = fake("nobody", lambda faces, level: np.full(faces.tracks, -1))
    known = replace(known, baselines=lambda threshold: [nobody])
    case = Case(title, "whole", "whole", False)
    (answer,) = measure(Trial(Method("nobody", "baseline"), case, 0), known).answers
    assert (answer.scores["unknown"], answer.scores["wcp"]) == (12, None)
    (best,) = measure(Trial(Method("HAC at best threshold", "oracle"), case, 0), known).answers
    (number,) = measure(Trial(Method("HAC at known number", "oracle"), case, 0), known).answers
    assert number.scores["clusters"] == 3
    assert best.scores["bcubed_f_all"] >= number.scores["bcubed_f_all"]


def test_what_no_track_covers_counts_as_unknown(title: Extracted, tmp_path: Path, known: KnownMethods) -> None:
    by_person = Baseline("by person", "made up", lambda faces, _: lambda: np.arange(faces.tracks) % 3, ({},))
    known = replace(known, baselines=lambda threshold: [by_person])
    methods = [Method("by person", "baseline"), Method("base model", "product", (("max_iterations", "0"),))]

    def missed(case: Case) -> list[tuple[float, float]]:
        outcomes = [measure(Trial(method, case, 0), known) for method in methods]
        assert not [outcome for outcome in outcomes if outcome.error]
        scores = [outcome.answers[0].scores for outcome in outcomes]
        return [(one["bcubed_f_all"] or 0.0, one["bcubed_f_missed"]) for one in scores]

    for every, with_missed in missed(Case(title, "whole", "whole", False)):
        assert with_missed == pytest.approx(every, abs=1e-4)  # all are covered
    half = missed(Case(title, "whole", "first six", False, tuple(range(6))))
    assert half[0] == pytest.approx((1.0, 2 * 0.375 / 1.375))  # two of each person's four: recall 2/4 of half, 1/4 else
    assert half[1][1] < half[1][0]
    work = Store(str(tmp_path / "no crops"))
    tracks = TitleTracks.read(work_on(title.work))
    empty = replace(tracks, crops=tracks.crops.slice(0, 0), view_row=tracks.view_row[:0])
    empty.write(TitleWork(work, tiny_title.tiny_options()), load_views(work_on(title.work)))
    nothing = Case(Extracted(title.footage, work.url), "whole", "whole", False)
    assert [with_missed for _, with_missed in missed(nothing)] == pytest.approx([0.4, 0.4])  # each track by itself
    (bound,) = measure(Trial(Method("HAC at best threshold", "oracle"), nothing, 0), known).answers
    assert bound.scores["unknown"] == 12
    assert len(labelled_pairs(nothing, tiny_title.tiny_options()).same) == 0


def test_methods_by_name(known: KnownMethods) -> None:
    every = known.choose([], {})
    assert [method.name for method in every][:3] == ["default", "base model", "paper"]
    assert {method.role for method in every} == {"product", "baseline", "oracle"}
    assert {method.name for method in known.choose(["default", "ablations"], {})} == {"default", *ABLATIONS}
    chosen = known.choose(["paper, FINCH", "mine:max_iterations=3,seed=1"], {"depth": "head"})
    assert [method.name for method in chosen] == ["paper", "FINCH", "mine"]
    assert chosen[2].options(0).adapt.max_iterations == 3
    assert chosen[0].options(0).method == "paper"
    assert all(method.options(0).adapt.depth == "head" for method in chosen)
    with pytest.raises(OptionError, match="did you mean 'DBSCAN'"):
        known.choose(["DBSCANN"], {})
    with pytest.raises(OptionError, match="max_iteration"):
        known.choose(["mine:max_iteration=3"], {})


def test_a_season_needs_videos_and_labels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ground_truth\.csv"):
        find_labelled([str(tmp_path)])
    for parent in ("a", "b"):
        folder = tmp_path / parent / "same"
        folder.mkdir(parents=True)
        (folder / "ground_truth.csv").write_text("")
        (folder / "v.mp4").write_text("")
    (tmp_path / "README.md").write_text("")
    (season,) = find_labelled([str(tmp_path / "README.md"), str(tmp_path / "a" / "same")])  # as a pattern finds them
    assert season.season == "same"
    with pytest.raises(InputError, match=r"README\.md: no folder"):
        find_labelled([str(tmp_path / "README.md")])
    with pytest.raises(InputError, match="another season"):
        find_labelled([str(tmp_path / "a" / "same"), str(tmp_path / "b" / "same")])


def test_the_command_ends_with_1_where_something_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bench: Bench
) -> None:
    def broken(faces: TrackFaces, level: float) -> np.ndarray:
        raise RuntimeError("no")

    made_up = [fake("good", everyone_one), fake("bad", broken)]
    bench = replace(bench, methods=replace(bench.methods, baselines=lambda threshold: made_up))
    line = ["quality", str(tmp_path / "tiny"), "--folder", str(tmp_path), "--methods"]
    main([*line, "good"], bench)
    for methods_given, code in ((["good,bad"], 1), (["ugly"], 2), (["good", "--cases", "half-size"], 2)):
        with pytest.raises(SystemExit) as ended:
            main([*line, *methods_given], bench)
        assert ended.value.code == code
    assert "no kind of case 'half-size'" in capsys.readouterr().err
