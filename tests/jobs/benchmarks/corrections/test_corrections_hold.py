"""How long corrections hold: what is corrected, and what counts as holding."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.correctable_season import Seen, write_correctable_season
from support.labelled_season import write_labels

from jobs.benchmarks.__main__ import main
from jobs.benchmarks.corrections import corrections_hold as benchmark
from jobs.benchmarks.corrections import runs
from jobs.benchmarks.corrections.held_corrections import held_corrections, meant_by
from jobs.benchmarks.corrections.truth_teller import TruthTeller
from jobs.benchmarks.corrections.truthful_corrections import correct_by_truth
from vcn_ray.config import make_options
from vcn_ray.corrections.correction import Correction, Kind, make_correction
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.errors import VcnError
from vcn_ray.review.stored_season import StoredSeason
from vcn_ray.storage.store import Store

#: Person 0 found as two and an Unknown track, person 2 put to person 1.
_EPISODE = [
    *(Seen(0, 0, 0), Seen(1, 0, 1, 1), Seen(0, 1, 0), Seen(0, 2, 2), Seen(1, 3, 1), Seen(0, 4, None)),
    *(Seen(2, 5, 1), Seen(3, 6, 3)),
]
_TITLES = {"s01e01": _EPISODE}


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> StoredSeason:
    folder = tmp_path_factory.mktemp("season")
    write_correctable_season(Store(folder), _TITLES)
    return StoredSeason(Store(folder))


@pytest.fixture
def truth(season: StoredSeason, tmp_path: Path) -> TruthTeller:
    return TruthTeller(season.places, len(season.found), write_labels(tmp_path / "labels.csv", _TITLES))


def _said(season: StoredSeason, kind: Kind, rows: Sequence[int], others: Sequence[int] = ()) -> Correction:
    anchors = [[season.places.anchor(row) for row in side] for side in (rows, others)]
    return make_correction(kind, *anchors, by="me", name="Anna" if kind is Kind.NAME else None)


def test_corrections_by_the_truth_make_the_cast_right(
    season: StoredSeason, truth: TruthTeller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(season, "out", Store(tmp_path))
    correct_by_truth(season, truth, 12, seed=0)
    said = read_corrections(Store(tmp_path))
    assert len(said) == 12
    assert {Kind.MERGE, Kind.SPLIT, Kind.MOVE, Kind.NAME, Kind.NOBODY} <= {correction.kind for correction in said}
    held = held_corrections(season, truth, said, meant_by(season, truth, said))
    assert [one for one in held if not one.holds or one.gone or one.astray or one.problem] == []
    assert False in [one.by_itself for one in held]  # mistakes are among them
    names = {correction.name for correction in said if correction.kind is Kind.NAME}
    assert names <= {identity for identity in truth.identity if identity}


@pytest.mark.parametrize(
    ("kind", "rows", "others", "by_itself"),
    [
        (Kind.MERGE, [0], [3], False),  # found as two
        (Kind.MERGE, [0], [2], True),
        (Kind.MOVE, [5], [0], False),  # found Unknown
        (Kind.DIFFERENT, [0], [1], True),
        (Kind.DIFFERENT, [2], [0], False),  # not so by the truth, but said
        (Kind.SPLIT, [2], [0], False),
        (Kind.NOT_A_FACE, [5], [], True),
        (Kind.NOBODY, [0], [], False),
        (Kind.NAME, [0], [], None),
    ],
)
def test_what_holds_is_read_off_the_people(
    season: StoredSeason, truth: TruthTeller, kind: Kind, rows: list[int], others: list[int], by_itself: bool | None
) -> None:
    said = [_said(season, kind, rows, others)]
    (held,) = held_corrections(season, truth, said, meant_by(season, truth, said))
    assert (held.by_itself, held.holds) == (by_itself, True)


def test_a_correction_that_a_later_one_takes_back_does_not_hold(season: StoredSeason, truth: TruthTeller) -> None:
    said = [_said(season, Kind.MERGE, [0], [3]), _said(season, Kind.SPLIT, [3], [0])]
    held = held_corrections(season, truth, said, meant_by(season, truth, said))
    assert [one.holds for one in held] == [False, True]


def test_tracks_that_are_gone_or_show_somebody_else_are_counted(
    season: StoredSeason, truth: TruthTeller, tmp_path: Path
) -> None:
    said = [_said(season, Kind.MERGE, [0], [5])]
    meant = meant_by(season, truth, said)
    # The first place shows somebody else, and the track of the other is gone.
    later = {"s01e01": [Seen(3, 0, 0), *_EPISODE[1:5], *_EPISODE[6:]]}
    write_correctable_season(Store(tmp_path / "later"), later)
    other = StoredSeason(Store(tmp_path / "later"))
    labels = write_labels(tmp_path / "later.csv", later)
    (held,) = held_corrections(other, TruthTeller(other.places, len(other.found), labels), said, meant)
    assert (held.gone, held.astray, held.holds) == (1, 1, False)
    assert held.problem is not None
    assert "not found any more" in held.problem


def test_later_runs_are_told_of_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def write(titles: Mapping[str, Sequence[str]], out: Store, log: Path, settings: Sequence[str] = ()) -> float:
        asked.append((out.name, {title: [Path(v).name for v in videos] for title, videos in titles.items()}, settings))
        if not out.exists("season.json"):
            write_correctable_season(out, _TITLES)
        return 1.0

    monkeypatch.setattr(benchmark, "run_titles", write)
    labels = write_labels(tmp_path / "labels.csv", _TITLES)
    command = ["corrections-hold", "a.mp4", "b.mp4", "--ground-truth", labels, "--out", str(tmp_path / "out")]
    main([*command, "--corrections", "9", "--set", "max_iterations=1"])
    told = capsys.readouterr().out
    assert told.startswith("9 corrections: ")
    assert told.count("9 of 9") == 1 + len(asked[1:])  # corrected, and each later run
    assert asked[0] == ("base", {"season": ["a.mp4"]}, ["max_iterations=1"])
    assert ("window_s", {"season": ["a.mp4"]}, ["max_iterations=1", "window_s=7"]) in asked
    assert ("episode-in-the-title", {"season": ["a.mp4", "b.mp4"]}, ["max_iterations=1"]) in asked
    assert ("episode-as-a-title", {"season": ["a.mp4"], "next": ["b.mp4"]}, ["max_iterations=1"]) in asked


def test_an_episode_has_to_come_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["corrections-hold", "a.mp4", "--ground-truth", "labels.csv", "--out", str(tmp_path)])
    assert "two videos or more" in capsys.readouterr().err


def test_a_season_is_run_again_with_its_options() -> None:
    given = {"min_face_px": 24, "seed": 3, "calibration": '{"same_mean": 0.5}', "num_cpus": 2}
    record = make_options(given).model_dump(exclude={"run"})
    settings = dict(setting.split("=", 1) for setting in runs.changed_settings(record))
    assert settings.keys() == {"method", "min_face_px", "seed", "calibration"}
    assert make_options(settings).model_dump(exclude={"run"}) == record
    assert runs.changed_settings(make_options({"method": "paper"}).model_dump()) == ["method=paper"]


def test_a_command_that_fails_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "python"
    command.write_text("#!/bin/sh\necho asked for: $@\nexit 3\n")
    command.chmod(0o755)
    monkeypatch.setattr(runs.sys, "executable", str(command))
    log = tmp_path / "run.log"
    with pytest.raises(VcnError, match=r"exit code 3.*run\.log"):
        runs.run_titles({"Überraschung": ["a b.mp4"]}, Store(tmp_path / "out"), log, ["seed=1"])
    assert f"run {tmp_path}/run.yaml --out {tmp_path}/out --local --set seed=1" in log.read_text()
    assert yaml.safe_load((tmp_path / "run.yaml").read_text("utf-8")) == {
        "titles": [{"title": "Überraschung", "videos": ["a b.mp4"]}]
    }


def test_copied_results_are_the_same(season: StoredSeason, tmp_path: Path) -> None:
    runs.copy_results(season.out, Store(tmp_path / "copy"))
    copy = StoredSeason(Store(tmp_path / "copy"))
    assert np.array_equal(copy.found.cluster, season.found.cluster)
    assert sorted(copy.out.keys()) == sorted(season.out.keys())
