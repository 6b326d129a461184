"""What is said in a review is in the file, in the season that is shown and, seconds later, in the tables."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import pytest
from support.correctable_season import ODD, write_correctable_season
from support.served_review import Asker, ask

import vcn_ray
from jobs.benchmarks.synthetic_season import SyntheticSeason
from vcn_ray.corrections.correction_file import read_corrections
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.errors import InputError
from vcn_ray.export.render import several
from vcn_ray.review.session import OutdatedError, ReviewSession
from vcn_ray.review.stored_season import StoredSeason
from vcn_ray.storage.store import Store

NAME = 'Überraschung é 日本 <b>"=1+1'


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two titles: found are the people (0, 2, 3, 6, 9), (1, 4, 7, 8) and (11); 8 is none of them, 5 is of the first.

    Seen together are 0 and 1, and 6 and 7.
    """
    folder = tmp_path_factory.mktemp("finished") / "season"
    write_correctable_season(Store(folder))
    return folder


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Store:
    return Store(shutil.copytree(finished, tmp_path / "season"))


@pytest.fixture
def session(out: Store) -> ReviewSession:
    return ReviewSession(StoredSeason(out), "me")


def who(session: ReviewSession) -> list[list[int]]:
    """Rows of each person."""
    return sorted(person.rows.tolist() for person in session.moment.people)


def person_of(session: ReviewSession, row: int) -> str:
    found = session.moment.owner(row)
    assert found is not None
    return found.id


def test_what_is_shown_is_what_the_tables_say(session: ReviewSession, out: Store) -> None:
    told, result = session.season_json(), vcn_ray.load(out.url)
    assert [title["id"] for title in told["titles"]] == ["s01e01", ODD]
    cast = [(member.cast_id, member.tracks.to_arrow().num_rows) for member in result.cast]
    assert [(person["number"], person["tracks"]) for person in told["people"]] == cast
    assert told["unknown"] == len(result.unknown) == 2
    assert sum(person["tracks"] for person in told["people"]) + 2 == told["tracks"] == 12
    assert (told["corrections"], told["undo"], told["redo"], told["problems"]) == (0, None, None, [])


def test_merge_name_split_move_and_back_again(session: ReviewSession) -> None:
    before = who(session)
    one, other = person_of(session, 1), person_of(session, 11)
    changed = session.correct({"kind": "merge", "people": [one], "other_people": [other]})
    assert (changed["moved"], changed["season"]["undo"]) == ({other: one}, "merge of Cast 1 and Cast 2")
    assert person_of(session, 11) == one
    session.correct({"kind": "name", "people": [one], "name": NAME})
    assert session.moment.by_id[one].label == NAME
    first = person_of(session, 0)
    session.correct({"kind": "move", "tracks": [5], "other_people": [first]})
    assert person_of(session, 5) == first
    session.correct({"kind": "split", "tracks": [8]})
    assert person_of(session, 8) != one
    after = who(session)
    assert session.undo()["said"] == f"Undone: split of {several(1, 'track')} from {NAME}"
    for _ in range(3):
        session.undo()
    assert who(session) == before
    assert not read_corrections(session.source.out)
    with pytest.raises(InputError, match="nothing to undo"):
        session.undo()
    for _ in range(4):
        session.redo()
    assert who(session) == after
    with pytest.raises(InputError, match="nothing to redo"):
        session.redo()


def test_several_are_merged_in_one_step_of_undo(session: ReviewSession) -> None:
    session.correct({"kind": "split", "tracks": [8]})
    before = who(session)
    people = [person_of(session, row) for row in (1, 8, 11)]
    session.correct({"kind": "name", "people": [people[2]], "name": NAME})
    said = session.correct({"kind": "merge", "people": people[:1], "other_people": people[1:]})["said"]
    assert said.startswith(f"{NAME}, ")  # who has a name comes first
    assert session.moment.by_id[people[2]].label == NAME
    assert len({person_of(session, row) for row in (1, 8, 11)}) == 1
    session.undo()
    assert who(session) == before


def test_two_who_are_seen_together_are_not_merged(session: ReviewSession) -> None:
    people = [person_of(session, row) for row in (0, 1)]
    with pytest.raises(InputError, match="seen together"):
        session.correct({"kind": "merge", "people": [people[0]], "other_people": [people[1]]})
    session.correct({"kind": "name", "people": [people[0]], "name": NAME})
    with pytest.raises(InputError, match="seen together"):
        session.correct({"kind": "name", "people": [people[1]], "name": NAME})
    assert len(read_corrections(session.source.out)) == 1
    assert session.season_json()["problems"] == []


def test_unknown_tracks_become_nobody_somebody_or_a_new_person(session: ReviewSession) -> None:
    assert {track["row"] for track in session.moment.unknown_json(0, 10, None)["tracks"]} == {5, 10}
    session.correct({"kind": "not-a-face", "tracks": [5]})
    told = session.moment.unknown_json(0, 10, "not a face, says me")
    assert [(track["row"], track["said_by"]) for track in told["tracks"]] == [(5, "me")]
    assert session.season_json()["not_faces"] == 1
    session.correct({"kind": "nobody", "people": [person_of(session, 11)]})
    assert session.moment.owner(11) is None
    with pytest.raises(InputError, match="by a name"):
        session.correct({"kind": "split", "tracks": [10]})
    session.correct({"kind": "split", "tracks": [10, 11]})
    assert person_of(session, 10) == person_of(session, 11)
    session.correct({"kind": "name", "tracks": [5], "name": NAME})
    assert person_of(session, 5) not in {person_of(session, row) for row in (0, 1, 6, 7, 10)}


def test_two_sessions_at_once_lose_nothing(out: Store) -> None:
    mine, theirs = (ReviewSession(StoredSeason(out), by) for by in ("me", "them"))
    rows = [0, 1, 3, 7, 11]  # names of one person go over each other

    def name(session: ReviewSession, by: str) -> None:
        for row in rows:
            session.correct({"kind": "name", "tracks": [row], "name": f"{by} {row}"})

    threads = [threading.Thread(target=name, args=(one, one.by)) for one in (mine, theirs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(c.name or "" for c in read_corrections(out)) == sorted(
        f"{by} {n}" for by in ("me", "them") for n in rows
    )
    mine.look()
    theirs.look()
    assert not mine.look()
    assert [p.label for p in mine.moment.people] == [p.label for p in theirs.moment.people]
    mine.undo()  # takes back its own last word, whoever spoke after it
    assert sorted(c.name or "" for c in read_corrections(out) if c.by == "me") == sorted(f"me {n}" for n in rows[:-1])
    assert sum(c.by == "them" for c in read_corrections(out)) == len(rows)


def test_a_page_that_has_not_caught_up_is_told(out: Store) -> None:
    mine, theirs = (ReviewSession(StoredSeason(out), by) for by in ("me", "them"))
    one, other = person_of(mine, 1), person_of(mine, 11)
    theirs.correct({"kind": "merge", "people": [one], "other_people": [other]})
    mine.look()
    with pytest.raises(OutdatedError):
        mine.correct({"revision": 0, "kind": "name", "people": [other], "name": NAME})
    mine.correct({"revision": 0, "kind": "name", "people": [one], "name": NAME})  # that one is still there
    assert mine.moment.owner(11).label == NAME  # type: ignore[union-attr]


def test_a_new_session_goes_on_where_the_last_one_ended(session: ReviewSession, out: Store) -> None:
    session.correct({"kind": "name", "tracks": [0], "name": NAME})
    session.correct({"kind": "split", "tracks": [8]})
    again = ReviewSession(StoredSeason(out), "me")
    assert again.season_json()["people"] == session.season_json()["people"]
    assert again.season_json()["undo"] is None


def test_a_file_that_was_spoilt_by_hand_is_named_and_stays(session: ReviewSession, out: Store) -> None:
    out.write_bytes("corrections.yaml", b"format: 1\ncorrections: [{what: sing}]\n")
    with pytest.raises(InputError, match=r"corrections\.yaml, entry 1"):
        session.correct({"kind": "name", "tracks": [0], "name": NAME})
    assert b"sing" in out.read_bytes("corrections.yaml")
    assert not session.look()
    assert "entry 1" in session.season_json()["problems"][0]
    out.delete("corrections.yaml")
    assert not session.look()
    assert session.season_json()["problems"] == []


def test_a_season_that_was_run_again_is_told(session: ReviewSession, out: Store) -> None:
    session.look()
    assert session.season_json()["problems"] == []
    out.write_json("work/cast.done.json", {"digest": "another", "networks": 1})
    session.look()
    assert "run again" in session.season_json()["problems"][0]


def test_served_edits_reach_tables_and_pages(session: ReviewSession, out: Store, tmp_path: Path) -> None:
    async def test(asker: Asker) -> None:
        people = (await asker.get("/api/season"))[1]["people"]
        content = {"revision": 0, "kind": "name", "people": [people[0]["id"]], "name": NAME}
        status, changed = await asker.post("/api/corrections", content)
        assert (status, changed["said"]) == (200, f"{people[0]['label']} is called {NAME}")
        assert changed["season"]["saved"] in ("waiting", "writing")
        for _ in range(200):
            state = (await asker.get("/api/state"))[1]
            if state["saved"] == "saved":
                break
            await asyncio.sleep(0.02)
        assert (state["saved"], state["save_problem"], state["revision"]) == ("saved", None, 1)
        gone = await asker.post("/api/corrections", content | {"people": ["p999"]})
        assert (gone[0], gone[1]["season"]["revision"]) == (409, 1)

    ask(session.source, tmp_path, test, lambda: apply_to_season(out))
    result = vcn_ray.load(out.url)
    assert result.cast[0].name == NAME
    assert "&lt;b&gt;" in out.read_bytes("index.html").decode()


def test_a_season_in_a_bucket_is_reviewed(finished: Path, s3_bucket: str, tmp_path: Path) -> None:
    remote = Store(f"{s3_bucket}/season")
    for path in finished.rglob("*"):
        if path.is_file():
            remote.write_file(path.relative_to(finished).as_posix(), path)

    async def test(asker: Asker) -> None:
        row = (await asker.get("/api/season"))[1]["people"][0]["best_row"]
        assert (await asker.get(f"/pictures/{row}.jpg"))[1][:2] == b"\xff\xd8"
        assert (await asker.get(f"/strips/{row}.jpg"))[1][:2] == b"\xff\xd8"
        assert (await asker.post("/api/corrections", {"kind": "name", "tracks": [row], "name": NAME}))[0] == 200
        status, track = await asker.get(f"/api/tracks/{row}")
        assert (status, track["film"]) == (200, None)
        assert "not there any more" in track["film_problem"]

    ask(StoredSeason(remote), tmp_path, test, lambda: apply_to_season(remote))
    assert read_corrections(remote)[0].name == NAME
    assert vcn_ray.load(remote.url).cast[0].name == NAME


def test_a_season_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished run is there"):
        StoredSeason(Store(tmp_path))


def test_five_hundred_people_answer_at_once(tmp_path: Path) -> None:
    """Every address of a large season, once: no matrix of tracks by tracks, no more than is asked for."""
    session = ReviewSession(SyntheticSeason(Store(tmp_path), 200, 4000, 4), "me")
    person = session.moment.people[0]
    told = session.moment.person_json(person)
    assert len(told["tracks"]) == len(person.rows)
    assert [track["fit"] for track in told["tracks"]] == sorted(track["fit"] for track in told["tracks"])
    assert len(told["nearest"]) == 12
    unknown = session.moment.unknown_json(10, 25, None)
    assert (len(unknown["tracks"]), unknown["total"]) == (25, len(session.moment.unknown))
    assert all(len(track["nearest"]) == 3 for track in unknown["tracks"])
