"""What answers are worth: who answers, what is counted, and that the tables agree with the page."""

from pathlib import Path

import numpy as np
import pytest
from support.correctable_season import write_correctable_season
from support.labelled_season import write_labels

from jobs.benchmarks.__main__ import main
from jobs.benchmarks.corrections import review_worth as benchmark
from jobs.benchmarks.corrections.truth_teller import TruthTeller
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, read_corrections
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.errors import InputError, VcnError
from vcn_ray.evaluate.report import Scores
from vcn_ray.review.stored_season import StoredSeason
from vcn_ray.storage.store import Store


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A season of three people, two of them found as more than one, with an Unknown track of each of two."""
    folder = tmp_path_factory.mktemp("season")
    write_correctable_season(Store(folder))
    return str(folder)


def _truth(results: str, labels: str) -> tuple[StoredSeason, TruthTeller]:
    season = StoredSeason(Store(results))
    return season, TruthTeller(season.places, len(season.found), labels)


def test_who_a_track_shows_is_what_most_of_its_labels_say(results: str, tmp_path: Path) -> None:
    season, truth = _truth(results, write_labels(tmp_path / "labels.csv", unlabelled=[3]))
    first = season.found.rows_of_title(season.found.titles.index("s01e01"))
    assert truth.identity[first] == [f"person {n}" for n in (0, 1, 0, 0, 1, 0)]
    assert truth.of([0, 1, 2]) == "person 0"
    stranger = [row for row, identity in enumerate(truth.identity) if identity is None]
    assert len(stranger) == 1
    assert truth.of(stranger) is None
    assert truth.of([*stranger, 1]) == "person 1"  # who can be told
    people = np.array([-1 if identity is None else int(identity[-1]) for identity in truth.identity])
    assert (truth.scores(people).bcubed_f_all, truth.scores(people).pcr) == (1.0, 1.0)
    people[0] = -1
    assert truth.scores(people).bcubed_f_all < 1  # an Unknown track is somebody of its own


def test_labels_of_other_videos_are_refused(results: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,frame,x,y,w,h,identity\nother.mp4,0,1,1,9,9,Anna\n")
    with pytest.raises(InputError, match="labels no face of the videos of this season"):
        _truth(results, str(labels))


def test_the_answers_make_the_cast_right_and_the_results_stay_as_they_are(
    results: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_labels(tmp_path / "labels.csv")
    command = ["review-worth", results, "--ground-truth", labels, "--answers", "0", "30", "--seeds", "1", "2"]
    main([*command, "--no-run", "--folder", str(tmp_path / "copy")])
    told = capsys.readouterr().out
    assert "12 tracks, 12 of them labelled, 4 identities" in told
    for order in ("queue", "nearest to 50 %", "least confident track", "random, mean of 2"):
        assert order in told
    assert not Store(results).exists(CORRECTIONS_KEY)
    copy = str(tmp_path / "copy" / "reviewed")
    said = read_corrections(Store(copy))
    assert f"vcn-ray apply: {len(said)} corrections" in told
    season, truth = _truth(copy, labels)
    before = truth.scores(season.found.member).bcubed_f_all
    after = benchmark._evaluate(Store(copy), labels).bcubed_f_all
    assert before is not None
    assert after is not None
    assert after > before


def test_what_was_said_before_is_left_out(results: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = write_labels(tmp_path / "labels.csv")
    command = ["review-worth", "--ground-truth", labels, "--answers", "0", "3", "--seeds", "1", "--no-run"]
    main([*command, results, "--folder", str(tmp_path / "first")])
    fresh = capsys.readouterr().out
    apply_to_season(Store(tmp_path / "first" / "reviewed"))
    main([*command, str(tmp_path / "first" / "reviewed"), "--folder", str(tmp_path / "second")])
    again = capsys.readouterr().out
    assert [line for line in fresh.splitlines() if "│" in line] == [line for line in again.splitlines() if "│" in line]


def test_nobody_can_tell_whom_nobody_labelled(results: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = write_labels(tmp_path / "labels.csv", unlabelled=[0, 1, 2])
    main(["review-worth", results, "--ground-truth", labels, "--no-run"])
    told = capsys.readouterr().out
    answers = next(line for line in told.splitlines() if line.startswith("Answers of the queue"))
    assert "skip" in answers
    assert "yes" not in answers
    assert "no:" not in answers
    assert "vcn-ray apply" not in told  # nothing was said


def test_tables_that_do_not_say_what_the_page_showed_are_a_fault(results: str, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.csv")
    copy = Store(tmp_path / "copy")
    benchmark.copy_results(Store(results), copy)
    with pytest.raises(VcnError, match="but the page showed"):
        benchmark._check_tables(copy, labels, Scores(1, 0, 0.0, 1))
