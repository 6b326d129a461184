"""`vcn-ray export`: from folders and buckets, to files and buckets; what is wrong is one sentence."""

import csv
from pathlib import Path

import pytest
from support.small_season import ODD_NAME, write_small_season
from typer.testing import CliRunner, Result

from vcn_ray.cli.commands import app
from vcn_ray.export.exporters import EXPORTERS
from vcn_ray.storage.store import Store


@pytest.fixture
def season(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of results beside the folder that we are in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_small_season(Store(tmp_path / "season 1"))
    return tmp_path / "season 1"


def _export(directory: object, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, [directory, *arguments])])


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8-sig").splitlines()


def test_by_default_the_file_is_called_as_the_results_are(season: Path) -> None:
    for directory in (season, Path("..") / season.name):
        result = _export(directory, "--to", "csv")
        assert result.exit_code == 0, result.output
        assert result.output == f"wrote {Path('season 1.csv').absolute()}\n"
        assert len(_lines(Path("season 1.csv"))) == 5
        Path("season 1.csv").unlink()


@pytest.mark.parametrize("out", ["x.csv", "new/x.csv", "new/", ".", "./x.csv", "[b] é.csv"])
def test_out_is_a_file_or_a_folder(season: Path, out: str) -> None:
    expected = Path(out) if out.endswith(".csv") else Path(out, "season 1.csv")
    result = _export(season, "--to", "csv", "-o", out)
    assert result.output == f"wrote {expected.absolute()}\n"
    assert [path for path in Path().rglob("*") if path.is_file()] == [expected]


def test_title_and_character(season: Path) -> None:
    _export(season, "--to", "csv", "--title", "=E1", "--character", ODD_NAME)
    (row,) = list(csv.reader(_lines(Path("season 1.csv"))))[1:]
    assert row == ["'=E1", "a.mp4", ODD_NAME, "00:00:03.000", "00:00:04.500", "1.5"]


def test_from_bucket_to_bucket(tmp_path: Path, s3_bucket: str) -> None:
    write_small_season(Store(f"{s3_bucket}/out"))
    assert _export(f"{s3_bucket}/out", "--to", "csv", "-o", f"{s3_bucket}/lists/x.csv").exit_code == 0
    assert _export(f"{s3_bucket}/out", "--to", "csv", "-o", f"{s3_bucket}/").exit_code == 0
    assert _export(f"{s3_bucket}/out", "--to", "csv", "-o", tmp_path / "x.csv").exit_code == 0
    store, same = Store(s3_bucket), (tmp_path / "x.csv").read_bytes()
    assert store.read_bytes("lists/x.csv") == store.read_bytes("out.csv") == same


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--to", "xlsx"], 2, "no format is called 'xlsx'; there are: coco, csv"),
        (["--to", "csv", "--title", "E3"], 2, "no track is of a title 'E3'; there are: =E1, E2"),
        (["--to", "csv", "--character", "Anna"], 2, "no track is of a character 'Anna'; did you mean '@nna'"),
        (["--to", "csv", "-o", "s3://bucket"], 2, "write s3://BUCKET/KEY"),
        (["--to", "csv", "-o", ""], 2, "--out is an empty text: name a folder"),
        (["--to", "csv", "-o", "gs://bucket/x.csv"], 2, "--out gs://bucket/x.csv"),
        (["--to", "csv", "-o", "file/x.csv"], 3, "a part of the path is a file"),
    ],
)
def test_wrong_usage_is_one_sentence(season: Path, arguments: list[str], code: int, says: str) -> None:
    Path("file").touch()
    result = _export(season, *arguments)
    (complaint,) = result.stderr.splitlines()
    assert result.exit_code == code
    assert says in complaint
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_it_needs_a_run_whose_tables_are_whole(season: Path) -> None:
    result = _export(".", "--to", "csv")
    assert result.exit_code == 2
    assert "season.json is missing" in result.stderr
    (season / "tracks.parquet").write_text("[]")
    result = _export(season, "--to", "csv")
    assert result.exit_code == 3
    assert "tracks.parquet is damaged" in result.stderr


def test_formats_are_listed_without_any_season() -> None:
    listed = CliRunner().invoke(app, ["export", "--to", "help"])
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(EXPORTERS)
    result = CliRunner().invoke(app, ["export", "--to", "csv"])
    assert result.exit_code == 2
    assert "name the folder of results" in result.stderr


def test_a_start_time_code_is_of_formats_that_have_time_codes(season: Path) -> None:
    result = _export(season, "--to", "csv", "--start-timecode", "10:00:00:00")
    assert result.exit_code == 2
    assert "csv takes no --start-timecode" in result.stderr
