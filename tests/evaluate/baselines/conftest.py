"""Made-up titles for the baselines' tests."""

from collections.abc import Callable

import numpy as np
import pytest

from vcn_ray.evaluate.baselines.problem import TrackFaces

MakeTitle = Callable[..., tuple[TrackFaces, np.ndarray]]


@pytest.fixture
def make_title() -> MakeTitle:
    """Tracks of so many people, and who each one is; a person's tracks are spread over the title."""

    def make(people=3, tracks=5, crops=4, noise=0.3, dim=16, seed=0, together=()):
        random = np.random.default_rng(seed)
        identity = np.tile(np.arange(people), tracks)
        count = len(identity)
        track_centres = np.eye(people, dim)[identity] + noise * random.normal(size=(count, dim)) / np.sqrt(dim)
        track_of_crop = np.repeat(np.arange(count), crops)
        shake = 0.3 * noise * random.normal(size=(count * crops, dim)) / np.sqrt(dim)
        cannot_link = np.zeros((count, count), dtype=bool)
        for a, b in together:
            cannot_link[a, b] = cannot_link[b, a] = True
        faces = TrackFaces(
            embeddings=(10 * (track_centres[track_of_crop] + shake)).astype(np.float32),
            track_of_crop=track_of_crop,
            cannot_link=cannot_link,
        )
        return faces, identity

    return make


@pytest.fixture
def first_tracks() -> Callable[[TrackFaces, int], TrackFaces]:
    """A title's first so many tracks alone."""

    def cut(faces, tracks):
        crops = faces.track_of_crop < tracks
        return TrackFaces(faces.embeddings[crops], faces.track_of_crop[crops], faces.cannot_link[:tracks, :tracks])

    return cut
