"""References: what the base network makes of the people of a gallery, one mean of unit vectors a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from vcn_ray.cluster.similarity import track_means, unit
from vcn_ray.config import Options
from vcn_ray.errors import InputError, OutputError
from vcn_ray.identify.gallery import Gallery
from vcn_ray.identify.picture_faces import cut_face
from vcn_ray.models.face_id import FaceIdNetwork, embed_both_ways
from vcn_ray.models.loading import INSTALLED, FaceModels

#: Faces per forward pass: bounds memory.
_BATCH_FACES = 32


@dataclass(frozen=True)
class References:
    """The r people of a gallery in one network's space."""

    name: tuple[str | None, ...]  # None: nobody knows it
    mean: np.ndarray  # (r, D) float64 mean of their pictures' (or tracks') unit vectors: shorter where these differ
    pictures: np.ndarray  # (r,) int64 how many, or tracks; 0: nothing is known
    clarity: np.ndarray  # (r,) of the pictures: mean length of raw embeddings; NaN where not known, as of tracks

    def __len__(self) -> int:
        return len(self.name)

    def index_of(self, name: str) -> int | None:
        """Which of them has a name; None: nobody."""
        return self.name.index(name) if name in self.name else None


def embed_gallery(
    gallery: Gallery, options: Options, models: FaceModels = INSTALLED
) -> tuple[References, tuple[str, ...]]:
    """Find and embed the faces of a gallery's pictures, by the face models that options name.

    A picture's vector is made as a film's crop is: the aligned face and its mirror image, averaged, to length one.

    Args:
        gallery: of at least one picture.
        options: of a title.
        models: what the options' names of face models stand for.

    Returns:
        The references, by name, and a sentence on each picture that cannot be used.

    Raises:
        InputError: none of the pictures can be used.
        ModelError: the face models are not installed.
    """
    problems: list[str] = []
    names: list[str] = []
    vectors: list[np.ndarray] = []
    crops = _crops(gallery, options, models, problems, names)
    network = models.base_network(options)
    while batch := list(islice(crops, _BATCH_FACES)):
        vectors.append(embed_faces(network, batch))
    if not names:
        raise InputError(f"no reference picture can be used: {'; '.join(problems[:3])}")
    raw = np.concatenate(vectors).astype(np.float64)
    known = tuple(dict.fromkeys(names))
    of_row = np.array([known.index(name) for name in names])
    return (
        References(
            name=known,
            mean=track_means(unit(raw), of_row, len(known)),
            pictures=np.bincount(of_row, minlength=len(known)),
            clarity=track_means(np.linalg.norm(raw, axis=1, keepdims=True), of_row, len(known))[:, 0],
        ),
        tuple(problems),
    )


def _crops(
    gallery: Gallery, options: Options, models: FaceModels, problems: list[str], names: list[str]
) -> Iterator[np.ndarray]:
    """Aligned faces, (112, 112, 3) uint8 BGR, of the pictures that show one; fills `names` and `problems` meanwhile."""
    pack = models.pack(options)
    detector, landmarks = pack.detector(options.tracks.min_face_score), pack.landmark_finder(options.tracks.landmarks)
    for picture in gallery.pictures:
        try:
            crop = cut_face(picture.read(), detector, options.tracks, landmarks)
        except InputError as error:
            problems.append(f"{picture.where} {error}")
        except OutputError as error:
            problems.append(str(error))
        else:
            names.append(picture.name)
            yield crop


def embed_faces(network: FaceIdNetwork, crops: Sequence[np.ndarray]) -> np.ndarray:
    """(n, D) float32 raw embeddings of aligned crops, (112, 112, 3) uint8 BGR, as `adapt/00` has those of a film's."""
    parts = []
    for start in range(0, len(crops), _BATCH_FACES):
        batch = np.stack(crops[start : start + _BATCH_FACES])
        plain, flipped = embed_both_ways(network, np.ascontiguousarray(batch[..., ::-1].transpose(0, 3, 1, 2)))
        parts.append((plain + flipped) / 2)
    return np.concatenate(parts)
