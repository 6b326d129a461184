"""What a title's clustering is held to: corrections of people, stored with its work, as links between its tracks."""

from __future__ import annotations

import numpy as np

from vcn_ray.cluster.links import Links
from vcn_ray.corrections.anchoring import TitlePlaces, TrackPlaces
from vcn_ray.corrections.correction_file import from_plain
from vcn_ray.corrections.found_tracks import SeenWith
from vcn_ray.corrections.links import said_of_tracks
from vcn_ray.pipeline.layout import LINKS_KEY
from vcn_ray.pipeline.split_tables import read_cannot_link, read_tracks
from vcn_ray.pipeline.title_crops import TitleCrops
from vcn_ray.storage.store import Store


def read_title_links(store: Store, crops: TitleCrops) -> Links:
    """Links between the tracks that have crops, in their order; the tracks' splits are settled.

    Args:
        store: the title's working store.
        crops: of the title.
    """
    count = len(crops.track_id)
    if not store.exists(LINKS_KEY):
        return Links.none(count)
    faces = read_tracks(store).faces
    faces = faces.filter(faces["track_id"].is_valid())
    track_id = np.unique(faces["track_id"].to_numpy())
    fingerprints = {}
    for key in store.keys("probe/"):
        if not key.endswith(".done.json"):
            info = store.read_json(key)
            fingerprints[info["name"]] = info["fingerprint"]
    pairs = read_cannot_link(store)
    pairs = np.stack([pairs["track_a"].to_numpy(), pairs["track_b"].to_numpy()], axis=1)
    seen_with = SeenWith(len(track_id), np.searchsorted(track_id, pairs))
    places = TrackPlaces([TitlePlaces(fingerprints, faces, track_id)])
    said = said_of_tracks(len(track_id), places, seen_with, from_plain(store.read_json(LINKS_KEY)))
    # From all tracks to those with crops; without one a track takes no part in clustering.
    rows = np.searchsorted(track_id, crops.track_id)
    position = np.full(len(track_id), -1, np.int64)
    position[rows] = np.arange(count)
    apart = position[said.apart]
    return Links(said.together[rows], apart[(apart >= 0).all(axis=1)], said.left_out[rows])
