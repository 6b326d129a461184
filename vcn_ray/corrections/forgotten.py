"""People who are forgotten: where their tracks were, and what is left of the corrections that spoke of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from vcn_ray.corrections.anchoring import TrackPlaces
from vcn_ray.corrections.correction import OTHERS_KEY, Correction, Kind, TrackAnchor
from vcn_ray.corrections.correction_file import to_plain


def plain_forgotten(corrections: Iterable[Correction], fingerprints: Collection[str]) -> list[dict[str, Any]]:
    """What says whom to forget in these videos, as plain values; not who said it, or when."""
    kept = []
    for correction in corrections:
        tracks = tuple(anchor for anchor in correction.tracks if anchor.video in fingerprints)
        if correction.kind is Kind.FORGET and tracks:
            kept.append(replace(correction, tracks=tracks, by="", at="", id=""))
    return to_plain(kept)


def forgotten_rows(places: TrackPlaces, corrections: Iterable[Correction]) -> set[int]:
    """Tracks that are still where somebody was who is to be forgotten."""
    anchors = [anchor for one in corrections if one.kind is Kind.FORGET for anchor in one.tracks]
    return {row for anchor in anchors for row in places.rows_of_most(anchor)}


def without_person(
    corrections: Iterable[Correction], places: TrackPlaces, rows: Collection[int], name: str | None
) -> list[Correction]:
    """Corrections without those that say something of one person.

    An entry that gives their name goes, and so do their tracks from all other entries; an entry that then says nothing
    goes whole.

    Args:
        corrections: in order.
        places: where tracks are.
        rows: of the person.
        name: of the person, if any.
    """
    kept = []
    for correction in corrections:
        if correction.kind is Kind.FORGET:
            kept.append(correction)
            continue
        tracks, others = (_without(places, side, rows) for side in (correction.tracks, correction.others))
        of_nobody = not tracks or (correction.kind in OTHERS_KEY and not others)
        if not of_nobody and (name is None or correction.name != name):
            kept.append(replace(correction, tracks=tracks, others=others))
    return kept


def _without(places: TrackPlaces, anchors: tuple[TrackAnchor, ...], rows: Collection[int]) -> tuple[TrackAnchor, ...]:
    """The anchors at which not all tracks that are found are theirs."""
    return tuple(anchor for anchor in anchors if not (found := places.rows(anchor)) or not set(found) <= set(rows))
