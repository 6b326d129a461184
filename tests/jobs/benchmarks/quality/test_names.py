import re
from pathlib import Path

import numpy as np
import pytest
from support.correctable_season import FRAMES_PER_TRACK, Seen, write_correctable_season
from support.drawn_faces import DRAWN, draw

from jobs.benchmarks.quality.names import LabelledSeason, names
from vcn_ray.errors import InputError
from vcn_ray.storage.store import Store

SEASON = {
    "e1": [Seen(0, 0, 0), Seen(1, 1, 1), Seen(2, 2, 2), Seen(0, 3, 0)],
    "e2": [Seen(0, 0, 0), Seen(1, 0, 1, 1), Seen(2, 1, 2), Seen(3, 2, 3), Seen(1, 3, None)],
}


def _labelled(folder: Path, titles: dict[str, list[Seen]]) -> tuple[str, str]:
    """A season and its ground truth. Its crops are made pictures that the drawn detector sees."""
    out = Store(folder)
    write_correctable_season(out, titles)
    rows = ["video,frame,x,y,w,h,identity,shot"]
    for title, tracks in titles.items():
        for seen in tracks:
            rows += [
                f"{title}.mp4,{seen.shot * FRAMES_PER_TRACK + n},{100 + 300 * seen.place + n},80,60,60,p{seen.person},0"
                for n in range(FRAMES_PER_TRACK)
            ]
        _draw_crops(out.child("titles", title, "work"), tracks)
    truth = folder / "truth.csv"
    truth.write_text("\n".join(rows))
    return str(folder), str(truth)


def _draw_crops(work: Store, tracks: list[Seen]) -> None:
    import cv2

    table = work.read_table("tracks/crops.parquet")
    pictures = [
        cv2.imencode(".png", draw(tracks[track].person))[1].tobytes() for track in table["track_id"].to_pylist()
    ]
    place = table.schema.get_field_index("jpeg")
    work.write_table("tracks/crops.parquet", table.set_column(place, table.schema.field(place), [pictures]))


def _rows(text: str) -> dict[str, list[str]]:
    """Cells of the printed tables, by the first one."""
    cells = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines() if "│" in line]
    return {f"{row[0]} {number}": row[1:] for number, row in enumerate(cells)}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return _labelled(tmp_path_factory.mktemp("labelled") / "s", SEASON)


def test_everybody_is_counted_once_and_nobody_by_a_picture_of_their_own_episode(
    labelled: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    season, truth = labelled
    names([season], [truth], draws=4, in_gallery=0.5, models=DRAWN)
    rows = _rows(capsys.readouterr().out)
    right, as_another, stranger, unnamed, missed = map(int, rows["s 0"])
    assert (as_another, stranger) == (0, 0)
    assert right > 0
    assert unnamed > 0
    assert right + unnamed + missed == 4 * (4 + 3)  # characters of the other episode
    searches, found, others, elsewhere, false = map(int, rows[next(key for key in list(rows)[1:] if key[:2] == "s ")])
    assert (searches, found, others, elsewhere, false) == (6, 6, 0, 0, 0)  # p3 is in one episode alone


def test_pictures_come_from_one_episode_and_tracks_from_the_others(labelled: tuple[str, str], tmp_path: Path) -> None:
    one = LabelledSeason(*labelled, DRAWN)
    references, judged = one.draw(one.people, 0, np.random.default_rng(0))
    assert references.name == ("p0", "p1", "p2")  # p3 is not in it
    assert judged.tolist() == [False] * 4 + [True] * 5
    alone = LabelledSeason(*_labelled(tmp_path / "t", {"e1": SEASON["e1"]}), DRAWN)
    references, judged = alone.draw(["p0", "p2"], 0, np.random.default_rng(0))
    assert judged.sum() == 2  # not the tracks that the pictures are of
    assert judged[1]


def test_what_cannot_be_measured_is_told(labelled: tuple[str, str], tmp_path: Path) -> None:
    season, truth = labelled
    with pytest.raises(InputError, match="1 folders of results and 2 ground truths"):
        names([season], [truth, truth], 1, 0.5, DRAWN)
    other = tmp_path / "other.csv"
    other.write_text("video,frame,x,y,w,h,identity,shot\nother.mp4,0,1,1,9,9,p0,0\n")
    with pytest.raises(InputError, match="the ground truth is of none of its tracks"):
        names([season], [str(other)], 1, 0.5, DRAWN)
