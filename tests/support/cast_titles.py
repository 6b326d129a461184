"""Seasons of synthetic tracks for matching the cast."""

import numpy as np
from hypothesis import strategies as st

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.cast.season_tracks import TitleCharacters

KNOWN = Calibration()


def unit(x):
    """Vectors scaled to length one."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def make_people(count, seed=0, dim=64):
    """Directions of people who are as alike as strangers are to SFace."""
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(count, dim)) + 0.33 * rng.normal(size=dim))


def make_title(name, people, person_of_track, cluster_of_track, cannot_link=(), noise=0.1, seed=0, clarity=None):
    """Tracks of a title; cannot_link: pairs of rows."""
    rng = np.random.default_rng([seed, *name.encode()])
    vectors = people[list(person_of_track)] + noise * rng.normal(size=(len(person_of_track), people.shape[1]))
    ids = np.arange(len(person_of_track)) * 2 + 5
    pairs = np.array([(ids[a], ids[b]) for a, b in cannot_link], np.int64).reshape(-1, 2)
    vectors = unit(vectors).astype(np.float32)
    return TitleCharacters(name, ids, np.array(cluster_of_track, np.int64), vectors, pairs, clarity)


@st.composite
def seasons(draw):
    """Up to five titles of noisy tracks; characters may be wrong, cannot-links anywhere, people alike."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    people = make_people(draw(st.integers(1, 6)), seed, dim=draw(st.sampled_from([4, 16])))
    titles = []
    for number in range(draw(st.integers(1, 5))):
        tracks = draw(st.integers(0, 12))
        clusters = rng.integers(0, 5, tracks)
        who = np.where(rng.random(tracks) < 0.8, clusters % len(people), rng.integers(0, len(people), tracks))
        links = rng.integers(0, max(tracks, 1), (draw(st.integers(0, 6)), 2)) if tracks else []
        noise = draw(st.sampled_from([0.02, 0.15, 0.4]))
        clarity = draw(st.sampled_from([None, rng.uniform(4, 15, tracks)]))
        titles.append(make_title(f"t{number}", people, who, clusters, links, noise, seed, clarity))
    return titles


def apart_in(titles):
    """Pairs of characters of one title that hold two tracks seen together."""
    for title in titles:
        cluster = dict(zip(title.track_id.tolist(), title.cluster_id.tolist(), strict=True))
        for a, b in title.cannot_link.tolist():
            if cluster[a] != cluster[b]:
                yield (title.title, cluster[a]), (title.title, cluster[b])


def shuffle_tracks(title, random):
    """The same title, its tracks and links in another order; and that order."""
    order = list(range(len(title.track_id)))
    random.shuffle(order)
    clarity = None if title.clarity is None else title.clarity[order]
    parts = (part[order] for part in (title.track_id, title.cluster_id, title.embedding))
    return TitleCharacters(title.title, *parts, title.cannot_link[:, ::-1], clarity), order
