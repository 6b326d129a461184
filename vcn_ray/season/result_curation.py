"""What people do to a finished season, from Python: correct it, bring that into its tables, name and find people."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from vcn_ray.season.result_cast import Person
from vcn_ray.season.result_tracks import Track
from vcn_ray.storage.store import Store

if TYPE_CHECKING:
    from vcn_ray.curation.applying import Applied
    from vcn_ray.curation.correcting import TrackName
    from vcn_ray.curation.finding import PersonFound
    from vcn_ray.curation.forgetting import Forgotten
    from vcn_ray.curation.naming import SeasonNames

Who = Track | Person


class SeasonCuration(ABC):
    """A season that can be corrected; `SeasonResult` is one.

    What does it is imported where it is asked for: reading results needs neither scipy nor torch.
    """

    out: str

    @property
    def corrections(self) -> pa.Table:
        """What people said of the season: a row a correction, with id, what, name, by, at."""
        from vcn_ray.curation.correcting import corrections_table

        return corrections_table(Store(self.out))

    @property
    def corrections_wait(self) -> bool:
        """Whether corrections were made that its tables do not hold yet: `apply` brings them in."""
        from vcn_ray.curation.applying import corrections_wait

        return corrections_wait(Store(self.out))

    def correct(
        self,
        what: str,
        who: Who | Iterable[Who],
        others: Who | Iterable[Who] = (),
        *,
        name: str | None = None,
        by: str | None = None,
    ) -> str:
        """Say something of the season, for `apply` to bring into its tables; the correction's id.

            season.correct("name", season.cast[0], name="Anna")
            season.correct("merge", season.cast[0], season.cast[3])
            season.correct("split", season.cast[1].tracks[4:6], season.cast[1])
            season.correct("move", season.unknown[0], season.cast[0])
            season.correct("not-a-face", season.tracks[7])

        Args:
            what: name, unname, merge, split, move, different, not-a-face or nobody; see docs/corrections.md.
            who: tracks, characters or members of the cast.
            others: the other side: merged with, split from, moved to, different from.
            name: of a "name".
            by: who says it; None: the user of this machine.

        Raises:
            InputError: what is said is incomplete.
        """
        from vcn_ray.curation.correcting import say

        return say(Store(self.out), what, _tracks(who), _tracks(others), name=name, by=by).id

    def take_back(self, correction_id: str) -> None:
        """Take a correction back; `InputError` where there is none of this id."""
        from vcn_ray.curation.correcting import take_back

        take_back(Store(self.out), correction_id)

    def apply(self) -> Applied:
        """Bring all corrections into tables, pages and cast, as ``vcn-ray apply``; this object then shows them.

        Returns:
            How many there are, which titles were written anew, and a sentence for each one that no longer fits.
        """
        from vcn_ray.curation.applying import apply_to_season

        applied = apply_to_season(Store(self.out))
        self._read_anew()
        return applied

    def name(self, gallery: str | os.PathLike[str], *, least: float = 0.5) -> SeasonNames:
        """Name the cast by a gallery, as ``vcn-ray name``; this object then shows the names.

        Args:
            gallery: folder or URL of reference pictures (Name/picture.jpg or Name.jpg), or of an earlier season.
            least: a name is given where its probability is above this, 0.5 to 1.

        Returns:
            `names`, a table of everybody's alternatives (`schemas.NAMES`); `named`, its rows of those who got a name;
            `problems`, a sentence on each picture that could not be used.

        Raises:
            vcn_ray.errors.VcnError: nothing in the gallery can be used; the message says what to do.
        """
        from vcn_ray.curation.naming import name_season

        names = name_season(Store(self.out), os.fspath(gallery), least=least)
        self._read_anew()
        return names

    def find(
        self, *pictures: str | os.PathLike[str], others: Iterable[str | os.PathLike[str]] = (), least: float = 0.5
    ) -> PersonFound:
        """Find a person here, and in other seasons with it, as ``vcn-ray find``.

        Args:
            pictures: files that show the person alone, folders of such, or URLs.
            others: folders or URLs of more results to search in.
            least: characters are given whose probability to be the person is above this, 0 to 1.

        Returns:
            `sightings`, a table of when the person is seen (`schemas.SIGHTINGS`), without rows where nobody was found.

        Raises:
            vcn_ray.errors.VcnError: no picture can be used; the message says what to do.
        """
        from vcn_ray.curation.finding import find_person  # imports torch

        seasons = [self.out, *(os.fspath(other) for other in others)]
        return find_person([os.fspath(picture) for picture in pictures], seasons, least=least)

    def forget(self, character: str | int | None = None, *, gallery: str | None = None) -> Forgotten:
        """Remove a person, as ``vcn-ray forget --yes``; this object then shows the rest. See docs/forget.md.

        Args:
            character: a name, 'Cast 3' or a number of the cast; None: who was to be forgotten and still is there.
            gallery: folder of reference pictures; theirs are deleted.

        Returns:
            With `table`: what was searched afterwards, removed, and left; `left`: how much that is.

        Raises:
            OptionError: nobody is called so.
        """
        from vcn_ray.curation.forgetting import forget_person

        pictures = None if gallery is None else Store(gallery)
        forgotten = forget_person(Store(self.out), None if character is None else str(character), gallery=pictures)
        self._read_anew()
        if forgotten is None:
            raise AssertionError("nobody is asked here")
        return forgotten

    @abstractmethod
    def _read_anew(self) -> None:
        """Forget what was read of the tables."""


def _tracks(who: Who | Iterable[Who]) -> list[TrackName]:
    people = [who] if isinstance(who, Track | Person) else list(who)
    tracks = [track for one in people for track in ([one] if isinstance(one, Track) else one.tracks)]
    return list(dict.fromkeys((track.title, track.track_id) for track in tracks))
