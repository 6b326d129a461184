"""Tracks of an invented title, as many as wanted, with the statistics of real ones.

What two tracks' cosine is by the base model follows the product's calibration, by how clearly they are seen: people
stand apart as strangers do, and a person's tracks are as alike as one person's are, those of one shot more than others.
Few people have most of the tracks and many have one (a power law), people meet in shots, and some tracks are unclear.
An adapted student sees people further apart, with errors of a track and of an iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcn_ray.calibration import Calibration
from vcn_ray.cluster.clusterer import CropOutputs
from vcn_ray.cluster.evidence import one_person, strangers
from vcn_ray.cluster.similarity import mean_directions, unit

_DIM, _CROPS, _PASSES = 128, 3, 3

#: Tracks of a person: their number falls with a person's rank to this power; a person for each so many tracks.
_POWER, _TRACKS_PER_PERSON = 1.15, 12

#: Tracks of a shot, and of one person's look in several shots (a scene).
_TRACKS_PER_SHOT, _TRACKS_PER_SCENE = 2.5, 12

#: What a person's tracks share beyond the person, as a share of what they do not: within a scene.
_SCENE = 0.5

#: Mean cosine of one person's tracks by a student, and of strangers'.
_STUDENT_SAME, _STUDENT_STRANGERS = 0.75, 0.05

#: Share of tracks that are unclear, and of those too unsteady to be kept.
_UNCLEAR, _SHAKY = 0.12, 0.02


@dataclass(frozen=True)
class InventedTracks:
    """A title's tracks, and who they are."""

    outputs: CropOutputs
    person: np.ndarray  # (tracks,) int64
    cannot_link: np.ndarray  # (pairs, 2) int64 positions of tracks seen together
    earlier: tuple[np.ndarray, ...]  # as `cluster_title` takes it


def invent_tracks(tracks: int, iterations: int = 2, seed: int = 0) -> InventedTracks:
    """Tracks after so many adapted iterations (0: by the base model alone); the same seed, the same tracks."""
    rng = np.random.default_rng(seed)
    calibration = Calibration()
    people = max(2, tracks // _TRACKS_PER_PERSON)
    share = np.arange(1, people + 1) ** -_POWER
    person = rng.choice(people, tracks, p=share / share.sum())
    # A person's tracks come scene by scene, and scenes are mixed: who meets in a shot is of neighbouring scenes.
    scenes = 1 + np.bincount(person, minlength=people) / _TRACKS_PER_SCENE
    of_person = (rng.random(tracks) * scenes[person]).astype(np.int64)
    _, scene = np.unique(person * (tracks + 1) + of_person, return_inverse=True)
    place = rng.permutation(scene.max() + 1)[scene] + rng.normal(0, 3, tracks)
    order = np.argsort(place)
    shot = np.empty(tracks, np.int64)
    shot[order] = np.cumsum(rng.random(tracks) < 1 / _TRACKS_PER_SHOT)
    pairs = np.concatenate([np.stack([order[:-k], order[k:]], axis=1) for k in (1, 2, 3) if k < tracks])
    meet = (shot[pairs[:, 0]] == shot[pairs[:, 1]]) & (person[pairs[:, 0]] != person[pairs[:, 1]])

    clear = rng.normal(10.5, 1.1, tracks)
    clarity = np.clip(np.where(rng.random(tracks) < _UNCLEAR, rng.uniform(4, 8.5, tracks), clear), 3.0, 15.0)
    same, same_std = one_person(clarity, calibration)
    stranger, _ = strangers(clarity, calibration)
    truth, looks = _directions(rng, people, calibration.stranger_std), _directions(rng, scene.max() + 1, 0.0)
    common, own = _directions(rng, 1, 0.0)[0], _directions(rng, tracks, 0.0)
    # Squared lengths are the cosines that pairs of equal clarity have: all share the first, a person's the second.
    loading = np.clip(same - stranger + rng.normal(0, 1.2 * same_std), 0.02, 0.95)
    whole = np.sqrt(np.clip(stranger, 0, 0.9))[:, None] * common + np.sqrt(loading)[:, None] * truth[person]
    left = np.clip(1 - stranger - loading, 0.02, 1)
    whole += np.sqrt(left * _SCENE * loading)[:, None] * looks[scene]
    direction = unit(whole + np.sqrt(left * (1 - _SCENE * loading))[:, None] * own)

    track = np.repeat(np.arange(tracks), _CROPS)
    base = _crops(rng, direction, 0.05) * clarity[track, None].astype(np.float32)
    shaken = np.where(rng.random(tracks) < _SHAKY, 0.5, 0.02)[track, None, None].astype(np.float32)
    stochastic = base[:, None] / clarity[track, None, None].astype(np.float32)
    stochastic = stochastic + shaken * rng.standard_normal((len(track), _PASSES, _DIM), np.float32) / np.sqrt(_DIM)
    students = [
        _crops(rng, _student(rng, truth[person], common, own, loading), 0.05) for _ in range(max(iterations, 0))
    ]
    empty = base[:, None][:, :0]
    outputs = CropOutputs(track, base, students[-1] if students else base, stochastic, empty, base, base)
    earlier = tuple(mean_directions(x, track, tracks).astype(np.float32) for x in students[:-1])
    return InventedTracks(outputs, person.astype(np.int64), np.sort(pairs[meet], axis=1), earlier)


def _student(
    rng: np.random.Generator, truth: np.ndarray, common: np.ndarray, own: np.ndarray, loading: np.ndarray
) -> np.ndarray:
    """Directions (tracks, D) by an adapted network: people further apart, the same track's error again in part."""
    of_person = np.clip(_STUDENT_SAME * loading / loading.mean(), 0.05, 0.9)
    left = np.clip(1 - _STUDENT_STRANGERS - of_person, 0.02, 1)[:, None]
    new = _directions(rng, len(truth), 0.0)
    error = np.sqrt(0.8) * own + np.sqrt(0.2) * new
    return unit(np.sqrt(_STUDENT_STRANGERS) * common + np.sqrt(of_person)[:, None] * truth + np.sqrt(left) * error)


def _directions(rng: np.random.Generator, count: int, spread: float) -> np.ndarray:
    """(count, D) directions of length one, two of which have cosines of that spread around 0; 0: as they come."""
    scale = np.ones(_DIM)
    if spread > _DIM**-0.5:  # as if there were fewer dimensions
        scale[int(spread**-2) :] = 0.05
    return unit(rng.standard_normal((count, _DIM)) * scale)


def _crops(rng: np.random.Generator, direction: np.ndarray, noise: float) -> np.ndarray:
    """(crops, D) float32 directions of each track's crops around its own."""
    own = np.repeat(direction.astype(np.float32), _CROPS, axis=0)
    return own + noise * rng.standard_normal(own.shape, np.float32) / np.float32(np.sqrt(_DIM))
