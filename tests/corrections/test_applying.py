"""What corrections make of a season: each kind, their order, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.seen_tracks import Season, Track, apply, check_invariants, groups_of, names_of, people_of

from vcn_ray.corrections.applying import Corrected, apply_corrections
from vcn_ray.corrections.correction import Correction
from vcn_ray.errors import InputError

#: Rows 0 to 6 are of the first title, 7 to 10 of the second. Member 0 is one character in each; 1 is two in the first.
TRACKS = [
    Track(0, 0, 0, 0, 0),  # 0
    Track(0, 1, 0, 0, 0),  # 1
    Track(0, 0, 1, 1, 1),  # 2, seen with 0
    Track(0, 2, 0, 1, 1),  # 3
    Track(0, 3, 0, 2, 1),  # 4
    Track(0, 4, 0, -1, -1),  # 5
    Track(0, 4, 1, -1, -1),  # 6, seen with 5
    Track(1, 0, 0, 0, 0),  # 7
    Track(1, 1, 0, 0, 0),  # 8
    Track(1, 2, 0, 1, 2),  # 9
    Track(1, 2, 1, -1, -1),  # 10, seen with 9
]


@pytest.fixture(scope="module")
def season() -> Season:
    return Season(TRACKS)


def _sentences(corrected: Corrected) -> str:
    return "\n".join(map(str, corrected.problems))


AS_FOUND = [{0, 1, 7, 8}, {2, 3, 4}, {9}]


def test_without_corrections_it_is_as_found(season: Season) -> None:
    corrected = apply(season)
    assert people_of(corrected) == AS_FOUND
    assert groups_of(corrected.character) == [{0, 1}, {2, 3}, {4}, {7, 8}, {9}]
    assert np.array_equal(corrected.member, season.found.member)
    assert not corrected.reason
    assert not corrected.said_by
    assert not corrected.problems


def test_a_name_is_a_persons_in_all_titles(season: Season) -> None:
    corrected = apply(season, season.say("name", [7], name="Zoë <b>"))
    assert names_of(corrected) == {"Zoë <b>": {0, 1, 7, 8}}
    assert people_of(corrected) == AS_FOUND
    assert not corrected.said_by


def test_somebody_with_a_name_is_one_character_in_a_title(season: Season) -> None:
    corrected = apply(season, season.say("name", [3], name="Anna"))
    assert groups_of(corrected.character) == [{0, 1}, {2, 3, 4}, {7, 8}, {9}]


def test_characters_of_one_name_are_one_person(season: Season) -> None:
    corrected = apply(season, season.say("name", [3], name="Anna"), season.say("name", [9], name="Anna"))
    assert names_of(corrected) == {"Anna": {2, 3, 4, 9}}
    assert not corrected.problems


def test_two_of_one_name_who_are_seen_together_are_named_as_a_problem(season: Season) -> None:
    corrected = apply(season, season.say("name", [0], name="Anna"), season.say("name", [2], name="Anna", by="bob"))
    assert names_of(corrected) == {"Anna": {0, 1, 7, 8}}
    assert "tracks 2 and 0 of e0 are seen together at 0:00:00, so they are two people" in _sentences(corrected)
    assert "(by bob, " in _sentences(corrected)


def test_a_later_name_goes_before_an_earlier_one_and_a_name_can_be_taken_back(season: Season) -> None:
    anna, berta = season.say("name", [0], name="Anna"), season.say("name", [1, 8], name="Berta")
    assert names_of(apply(season, anna, berta)) == {"Berta": {0, 1, 7, 8}}
    assert names_of(apply(season, berta, anna)) == {"Anna": {0, 1, 7, 8}}
    assert names_of(apply(season, berta, season.say("unname", [7]))) == {}
    assert not apply(season, berta, season.say("unname", [7])).problems


def test_a_name_of_unknown_tracks_makes_them_a_person(season: Season) -> None:
    corrected = apply(season, season.say("name", [5, 10], name="Anna"))
    assert names_of(corrected) == {"Anna": {5, 10}}
    assert corrected.said_by == {5: "ann", 10: "ann"}
    assert groups_of(corrected.character)[-1] == {10}  # a character is of one title


def test_a_name_of_unknown_tracks_that_are_seen_together_changes_nothing(season: Season) -> None:
    corrected = apply(season, season.say("name", [5, 6], name="Anna"))
    assert people_of(corrected) == AS_FOUND
    assert not corrected.names
    assert "seen together" in _sentences(corrected)


def test_merged_characters_are_one_person_in_each_title(season: Season) -> None:
    corrected = apply(season, season.say("merge", [3], [9]))
    assert people_of(corrected) == [{0, 1, 7, 8}, {2, 3, 4, 9}]
    assert groups_of(corrected.character) == [{0, 1}, {2, 3, 4}, {7, 8}, {9}]


def test_a_merge_of_two_who_are_seen_together_changes_nothing(season: Season) -> None:
    for others in ([3], [4]):  # by another track of the person, or of another character of the person
        corrected = apply(season, season.say("merge", [1], others))
        assert people_of(corrected) == AS_FOUND
        assert "seen together" in _sentences(corrected)
    refused = apply(season, season.say("merge", [10], [9]))
    assert people_of(refused) == AS_FOUND
    assert refused.member[10] == -1
    assert not refused.said_by


def test_unknown_tracks_can_be_merged_into_somebody_or_be_somebody_new(season: Season) -> None:
    assert {0, 1, 5, 7, 8} in people_of(apply(season, season.say("merge", [0], [5])))
    assert {5, 10} in people_of(apply(season, season.say("merge", [5], [10])))
    refused = apply(season, season.say("merge", [5], [6]))
    assert people_of(refused) == AS_FOUND
    assert "seen together" in _sentences(refused)


def test_tracks_of_a_merge_that_a_later_run_put_elsewhere_come_along(season: Season) -> None:
    corrected = apply(season, season.say("merge", [3, 2, 5], [9]))
    assert {2, 3, 4, 5, 9} in people_of(corrected)


def test_all_merged_is_all_but_those_who_are_seen_together(season: Season) -> None:
    said = [season.say("merge", [a], [b]) for a in range(11) for b in range(11) if a != b]
    corrected = apply(season, *said)
    check_invariants(season, corrected)
    assert len(corrected.problems) > 0


def test_of_two_who_are_merged_the_first_ones_name_stays_and_a_persons_before_a_gallerys(season: Season) -> None:
    guess = season.say("name", [3], name="Guess", confidence=0.9, by="gallery")
    merge, back = season.say("merge", [3], [9]), season.say("merge", [9], [3])
    anna, berta = season.say("name", [3], name="Anna"), season.say("name", [9], name="Berta")
    assert set(names_of(apply(season, anna, berta, merge))) == {"Anna"}
    assert set(names_of(apply(season, anna, berta, back))) == {"Berta"}
    assert set(names_of(apply(season, guess, berta, merge))) == {"Berta"}
    assert set(names_of(apply(season, guess, season.say("unname", [9]), merge))) == set()
    assert set(names_of(apply(season, anna, season.say("unname", [9]), merge))) == {"Anna"}
    surer = season.say("name", [9], name="Surer", confidence=0.95, by="gallery")
    assert set(names_of(apply(season, guess, surer, merge))) == {"Surer"}


def test_a_split_makes_one_person_of_its_tracks(season: Season) -> None:
    corrected = apply(season, season.say("name", [0], name="Anna"), season.say("split", [1, 7], [0, 8]))
    assert people_of(corrected) == [{0, 8}, {1, 7}, {2, 3, 4}, {9}]
    assert groups_of(corrected.character) == [{0}, {1}, {2, 3}, {4}, {7}, {8}, {9}]
    assert names_of(corrected) == {"Anna": {0, 8}}
    assert corrected.said_by == {1: "ann", 7: "ann"}


def test_a_whole_character_can_be_split_off(season: Season) -> None:
    corrected = apply(season, season.say("split", [7, 8], [0, 1]))
    assert people_of(corrected) == [{0, 1}, {2, 3, 4}, {7, 8}, {9}]
    alone = apply(season, season.say("name", [9], name="Anna"), season.say("split", [9], [0]))
    assert people_of(alone) == AS_FOUND
    assert names_of(alone) == {"Anna": {9}}


def test_a_split_of_two_who_are_seen_together_changes_nothing(season: Season) -> None:
    corrected = apply(season, season.say("split", [0, 2], [8]))
    assert people_of(corrected) == AS_FOUND
    assert "seen together" in _sentences(corrected)


def test_who_was_found_with_a_person_that_was_split_off_stays_with_them(season: Season) -> None:
    """A later run is held to the split and finds more of that person: they are not torn apart again."""
    said = season.say("split", [1], [0])
    later = Season([track._replace(cluster=5, member=9) if k in (1, 5, 4) else track for k, track in enumerate(TRACKS)])
    assert {1, 4, 5} in people_of(apply(later, said))
    # But where it was not held to it, the track alone goes.
    assert {1} in people_of(apply(season, said))


def test_moved_tracks_belong_to_the_other_and_whoever_rightly_is_there_is_said_to_be(season: Season) -> None:
    corrected = apply(season, season.say("move", [1, 5], [3]))
    assert people_of(corrected) == [{0, 7, 8}, {1, 2, 3, 4, 5}, {9}]
    stays = apply(season, season.say("move", [1], [1]))
    assert people_of(stays) == AS_FOUND
    assert stays.said_by == {1: "ann"}
    assert people_of(apply(season, season.say("move", [0, 1, 7, 8], [0, 8]))) == AS_FOUND


def test_a_track_moves_to_a_person_of_another_title_as_a_character_of_its_own(season: Season) -> None:
    corrected = apply(season, season.say("move", [5], [9]))
    assert {5, 9} in people_of(corrected)
    assert {5} in groups_of(corrected.character)


def test_of_tracks_that_are_moved_those_stay_that_are_seen_with_the_person(season: Season) -> None:
    corrected = apply(season, season.say("move", [1, 0, 5, 6], [4]))  # 0 is seen with 2, in another of its characters
    assert {1, 2, 3, 4, 5} in people_of(corrected)
    assert corrected.member[0] == 0
    assert corrected.member[6] == -1
    assert len(corrected.problems) == 2


def test_nobody_is_moved_to_unknown_tracks_that_are_seen_together(season: Season) -> None:
    corrected = apply(season, season.say("move", [9], [5, 6]))
    assert people_of(corrected) == AS_FOUND
    assert len(corrected.problems) == 1
    assert {5, 9} in people_of(apply(season, season.say("move", [9], [5])))


def test_not_a_face_and_nobody_are_unknown_with_a_reason(season: Season) -> None:
    corrected = apply(season, season.say("not-a-face", [0]), season.say("nobody", [9, 5], by="Zoë"))
    assert corrected.reason == {
        0: "not a face, says ann",
        9: "nobody in particular, says Zoë",
        5: "nobody in particular, says Zoë",
    }
    assert people_of(corrected) == [{1, 7, 8}, {2, 3, 4}]
    back = apply(season, season.say("not-a-face", [0]), season.say("name", [0], name="Anna"))
    assert names_of(back) == {"Anna": {0}}
    assert not back.reason


def test_different_takes_a_track_out_of_a_character_and_parts_whole_ones(season: Season) -> None:
    anna = season.say("name", [0], name="Anna")
    corrected = apply(season, anna, season.say("different", [1], [0, 8]))
    assert corrected.reason == {1: "not Anna, says ann"}
    assert people_of(corrected) == [{0, 7, 8}, {2, 3, 4}, {9}]
    parted = apply(season, anna, season.say("different", [8], [0]))
    assert people_of(parted) == [{0, 1}, {2, 3, 4}, {7, 8}, {9}]
    assert names_of(parted) == {"Anna": {0, 1}}
    assert not parted.reason
    assert people_of(apply(season, season.say("different", [9], [0]))) == AS_FOUND
    assert people_of(apply(season, season.say("different", [5], [6]))) == AS_FOUND


def test_numbers_are_carried_and_those_of_one_number_are_one_person(season: Season) -> None:
    corrected = apply(season, season.say("number", [0], number=7), season.say("number", [3], number=4))
    assert corrected.numbers == {0: 7, 1: 4}
    one = apply(season, season.say("number", [3], number=7), season.say("number", [9], number=7))
    assert {2, 3, 4, 9} in people_of(one)
    two = apply(season, season.say("number", [3], number=7), season.say("number", [0], number=7))
    assert people_of(two) == AS_FOUND
    assert "seen together" in _sentences(two)
    assert apply(season, season.say("number", [5], number=7)).numbers == {}


def test_a_gallery_never_goes_before_a_person(season: Season) -> None:
    def guess(rows: Sequence[int], name: str = "Guess") -> Correction:
        return season.say("name", rows, name=name, confidence=0.99, by="gallery")

    anna = season.say("name", [0], name="Anna")
    assert set(names_of(apply(season, anna, guess([0])))) == {"Anna"}
    assert set(names_of(apply(season, guess([0]), anna))) == {"Anna"}
    assert set(names_of(apply(season, guess([0]), guess([8], "Later")))) == {"Later"}
    assert names_of(apply(season, season.say("unname", [0]), guess([0]))) == {}
    assert names_of(apply(season, guess([5]))) == {}  # nobody is there
    # Two whom a person said to be two are not made one by a gallery that calls them the same.
    apart = apply(season, season.say("different", [9], [3]), guess([3]), guess([9]))
    assert names_of(apart) == {"Guess": {2, 3, 4}}
    assert not apart.problems
    # Nor two whom people called by two names, by an earlier season that holds them for one.
    numbers = [season.say("number", [row], number=7, confidence=0.9, by="gallery") for row in (3, 9)]
    named = [season.say("name", [3], name="Anna"), season.say("name", [9], name="Bo")]
    assert set(names_of(apply(season, *named, *numbers))) == {"Anna", "Bo"}
    assert {2, 3, 4, 9} in people_of(apply(season, named[0], *numbers))
    # A person's name for somebody is not refused since a gallery thought that it is another's.
    mine = apply(season, guess([3], "Anna"), anna)
    assert names_of(mine) == {"Anna": {0, 1, 7, 8}}
    assert not mine.problems
    assert apply(season, anna, guess([0])).names[0].confidence is None


def test_tracks_that_are_gone_are_named_and_the_rest_holds(season: Season) -> None:
    said = [
        season.say("not-a-face", [5, 6, 10, 9]),
        season.say("name", [0, 1], name="Anna"),
        season.say("merge", [3], [9]),
        season.say("move", [1], [9]),
    ]
    later = Season([track for k, track in enumerate(TRACKS) if k not in (6, 9, 1)])
    corrected = apply_corrections(later.found, later.places, said)
    assert (
        _sentences(corrected)
        .splitlines()[0]
        .endswith("tracks e0.mp4 at 0:00:03, e1.mp4 at 0:00:01 are not found any more")
    )
    assert len(corrected.problems) == 3  # a name that finds one of its tracks is all right
    assert "'merge'" in str(corrected.problems[1])
    assert set(corrected.reason) == {4, 7}
    assert names_of(corrected) == {"Anna": {0, 5, 6}}


def test_a_split_from_somebody_who_is_gone_holds(season: Season) -> None:
    said = season.say("split", [5, 10], [9])
    later = Season([track for k, track in enumerate(TRACKS) if k != 9])
    corrected = apply_corrections(later.found, later.places, [said])
    assert {5, 9} in people_of(corrected)
    assert "not found any more" in _sentences(corrected)


def test_what_somebody_else_takes_back_is_named_and_what_one_takes_back_oneself_is_not(season: Season) -> None:
    merge = season.say("merge", [3], [9], by="ann")
    for by, problems in (("bob", 1), ("ann", 0)):
        split = season.say("split", [9], [3], by=by)
        corrected = apply(season, merge, split, season.say("unname", [3], by="ann"))
        assert people_of(corrected) == AS_FOUND
        assert len(corrected.problems) == problems
    bobs = season.say("split", [9], [3], by="bob")
    (problem,) = apply(season, merge, bobs, season.say("name", [9], name="Berta", by="ann")).problems
    assert problem.correction == merge
    assert f"it no longer holds: 'split' {bobs.id} by bob contradicts it; take one of them out" in str(problem)


def test_names_contradict_each_other_and_a_split(season: Season) -> None:
    anna, berta = season.say("name", [0], name="Anna"), season.say("name", [8], name="Berta", by="bob")
    (problem,) = apply(season, anna, berta).problems
    assert problem.correction == anna
    assert f"'name' {berta.id} by bob" in str(problem)
    split = season.say("split", [1], [0])
    same = [season.say("name", [0], name="Anna", by="bob"), season.say("name", [1], name="Anna", by="bob")]
    (problem,) = apply(season, split, *same).problems
    assert problem.correction == split
    assert same[1].id in str(problem)


def test_one_that_a_third_one_made_good_is_no_contradiction(season: Season) -> None:
    merge, split = season.say("merge", [3], [9]), season.say("split", [9], [3], by="bob")
    again = season.say("merge", [4], [9], by="cleo")
    (problem,) = apply(season, merge, split, again).problems
    assert problem.correction == split
    assert again.id in str(problem)


def test_who_is_to_be_forgotten_is_out_and_said_to_be_there_still(season: Season) -> None:
    corrected = apply(season, season.say("forget", [0, 1, 7, 8]))
    assert people_of(corrected) == [{2, 3, 4}, {9}]
    assert "run `vcn-ray forget DIR`" in _sentences(corrected)


def test_what_is_incomplete_cannot_be_said(season: Season) -> None:
    for kind, rows, others, more in (
        ("merge", [0], [], {}),
        ("merge", [0], [0], {}),
        ("name", [0], [], {}),
        ("name", [0], [1], {"name": "A"}),
        ("unname", [0], [], {"name": "A"}),
        ("split", [], [0], {}),
        ("number", [0], [], {}),
        ("number", [0], [], {"number": -1}),
    ):
        with pytest.raises(InputError):
            season.say(kind, rows, others, **more)


def test_an_empty_season_and_one_whose_cast_is_not_known() -> None:
    nobody = Season([])
    assert len(apply(nobody).member) == 0
    season = Season(TRACKS)
    without_cast = replace(season.found, member=np.full(len(TRACKS), -1))
    corrected = apply_corrections(without_cast, season.places, [])
    assert groups_of(corrected.member) == [{0, 1}, {2, 3}, {4}, {7, 8}, {9}]
