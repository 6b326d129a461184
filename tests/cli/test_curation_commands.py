"""`vcn-ray apply`: what it says and exits with; what is wrong is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import cli, complaints
from support.correctable_season import read_rows, write_correctable_season

from vcn_ray.corrections.correction import Kind, make_correction
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, edit_corrections
from vcn_ray.storage.lock import only_run_in
from vcn_ray.storage.store import Store

NAME = "Zoë [b] <i>"


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A season that these tests correct one after the other; each says all that there is."""
    folder = tmp_path_factory.mktemp("here") / "season [1] é"
    write_correctable_season(Store(folder))
    return folder


def _say(folder: Path, *said: tuple[str, list[int], list[int], str | None]) -> None:
    _, places = read_rows(Store(folder))
    corrections = [
        make_correction(Kind(kind), map(places.anchor, rows), map(places.anchor, others), by="ann [x]", name=name)
        for kind, rows, others, name in said
    ]
    edit_corrections(Store(folder), lambda _: corrections)


def test_corrections_in_the_tables_are_counted(season: Path) -> None:
    _say(season, ("name", [0], [], NAME), ("not-a-face", [11], [], None))
    exported = season.parent / "list.csv"
    early = cli("export", season, "--to", "csv", "-o", exported)
    assert early.exit_code == 0
    assert complaints(early) == [
        f"vcn-ray: corrections wait, and are not in what is written now; this brings them in: vcn-ray apply '{season}'"
    ]
    assert NAME not in exported.read_text(encoding="utf-8-sig")
    result = cli("apply", season)
    assert result.exit_code == 0
    assert complaints(result) == []
    assert result.stdout.startswith("corrections in the tables: 2; titles written anew: 2; in ")
    assert "titles written anew: 0" in cli("apply", season).stdout
    late = cli("export", season, "--to", "csv", "-o", exported)
    assert (late.exit_code, complaints(late)) == (0, [])
    assert f',"{NAME}",' in exported.read_text(encoding="utf-8-sig")


def test_what_does_not_fit_is_named_as_it_was_written_and_the_rest_is_there(season: Path) -> None:
    _say(season, ("merge", [0], [1], None), ("name", [11], [], NAME))
    result = cli("apply", season)
    assert result.exit_code == 1
    (complaint,) = complaints(result)
    assert complaint.startswith("vcn-ray: a correction no longer fits: 'merge' ")
    assert "(by ann [x], " in complaint
    assert "are seen together at 0:00:00" in complaint
    assert "corrections in the tables: 2" in result.stdout
    assert NAME in Store(season).read_table("cast.parquet")["character"].to_pylist()


def test_what_is_wrong_is_one_sentence(season: Path, tmp_path: Path) -> None:
    nothing = cli("apply", tmp_path / "nothing")
    assert nothing.exit_code == 2
    assert "nothing" in "".join(complaints(nothing))
    (tmp_path / "empty").mkdir()
    (complaint,) = complaints(cli("apply", tmp_path / "empty"))
    assert "no finished run is there (season.json is missing)" in complaint
    with only_run_in(Store(season)):
        busy = cli("apply", season)
    assert busy.exit_code == 3
    assert "is writing there" in complaints(busy)[0]
    (season / CORRECTIONS_KEY).write_text("format: 1\ncorrections:\n- {what: rename}\n")
    wrong = cli("apply", season)
    assert wrong.exit_code == 2
    (complaint,) = complaints(wrong)
    assert f"{CORRECTIONS_KEY}, entry 1: 'what' is 'rename'; it can be name, unname" in complaint
    assert complaint.endswith("mend it, or take the entry out")
