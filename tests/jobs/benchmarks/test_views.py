"""What `python -m jobs.benchmarks views` prints of a title's crops."""

from pathlib import Path

import pytest
from support import tiny_title

from jobs.benchmarks.views import views
from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store


def test_each_way_has_a_line_and_float32_stays_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_title.make_title(Store(tmp_path).child("titles", "one", "work"))
    views(str(tmp_path), 2, 1)
    before, now, shorter, setting = capsys.readouterr().out.splitlines()
    assert "1.00 times as fast" in before
    assert "cosine 1.000000, least 1.000000" in now
    assert shorter.startswith("now: bfloat16")
    assert setting.startswith("2 crops with 5 passes each")


def test_a_folder_without_crops_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no crops; give the folder of a finished run"):
        views(str(tmp_path), 2, 1)
