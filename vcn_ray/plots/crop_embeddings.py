"""A title's crops by the network before and after adaptation: from cached views where they are, else embedded anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import ValidationError

from vcn_ray.adapt.cache import CachedViews
from vcn_ray.adapt.finetune import Adaptation, resolve_depth
from vcn_ray.cluster.similarity import unit
from vcn_ray.config import Options
from vcn_ray.errors import InputError
from vcn_ray.pipeline.layout import step_of
from vcn_ray.pipeline.outputs.title_outputs import FACTS_KEY
from vcn_ray.pipeline.split_tables import crop_tracks
from vcn_ray.pipeline.title_crops import choose_crops, load_pixels, load_views
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

_CROPS_AT_ONCE = 64
_RUN_AGAIN = "run the same `vcn-ray run` command again"


@dataclass(frozen=True)
class CropEmbeddings:
    """Unit vectors of n crops, and the delivered track of each."""

    track_id: np.ndarray  # (n,) int64
    before: np.ndarray  # (n, D) the base model's
    after: np.ndarray | None  # (n, D) the student's of the last iteration; None where nothing was adapted
    iteration: int  # the last one


def embed_crops(work: Store, title: str) -> CropEmbeddings:
    """Embeddings of the crops that a title was adapted with, each with its mirror image, as clustering takes them.

    Computed on the CPU. Where cached views are stored and only the head was trained, that takes a moment; else the
    network embeds the crops, some 20 ms each.

    Args:
        work: the title's working store.
        title: its id, for messages.

    Raises:
        InputError: the working data is gone, or not what this version writes.
        ModelError: the face models are not installed.
    """
    for key in (FACTS_KEY, "adapt.done.json"):
        if not work.exists(key):
            raise InputError(
                f"title {title!r}: its working data is gone ({work.where(key)}), from which t-SNE is made; {_RUN_AGAIN}"
            )
    try:
        options = Options.model_validate(work.read_json(FACTS_KEY)["options"])
        iteration = int(work.read_json("adapt.done.json")["iterations"]) - 1
    except (ValidationError, KeyError, TypeError, ValueError):
        raise InputError(
            f"title {title!r}: {work.where(FACTS_KEY)} is not what this version writes; {_RUN_AGAIN}"
        ) from None
    of_title = TitleWork(work, options)
    rows = choose_crops(of_title).rows
    tracks = crop_tracks(work)[rows]
    if not len(rows):
        return CropEmbeddings(tracks, np.empty((0, 1)), None, max(iteration, 0))
    views = _plain_views(of_title, rows)
    before = unit(views.plain + views.flipped)
    if iteration < 1:
        return CropEmbeddings(tracks, before, None, 0)
    return CropEmbeddings(tracks, before, _adapted(of_title, title, rows, tracks, views, iteration), iteration)


def _plain_views(work: TitleWork, rows: np.ndarray) -> CachedViews:
    """The crops and their mirror images by the base model; of other views there may be none."""
    if work.store.keys("views/"):
        return load_views(work)
    network = work.models.base_network(work.options)
    plain, flipped = list[np.ndarray](), list[np.ndarray]()
    with torch.no_grad():
        for start in range(0, len(rows), _CROPS_AT_ONCE):
            crops = torch.from_numpy(load_pixels(work.store, rows[start : start + _CROPS_AT_ONCE])).float()
            for images, made in ((crops, plain), (crops.flip(3), flipped)):
                made.append(network.neck(network.trunk(images)).float().numpy())
    both = np.concatenate(plain), np.concatenate(flipped)
    none = np.empty((len(rows), 0, both[0].shape[1]), np.float32)
    return CachedViews(rows, *both, none, none, none)


def _adapted(
    work: TitleWork, title: str, rows: np.ndarray, tracks: np.ndarray, views: CachedViews, iteration: int
) -> np.ndarray:
    """The student's embeddings."""
    options, key = work.options, f"{step_of(iteration)}/state.safetensors"
    if not work.store.exists(key):
        raise InputError(
            f"title {title!r}: its adapted network is gone ({work.store.where(key)}), as after `vcn-ray forget`; "
            f"{_RUN_AGAIN}, which adapts it anew"
        )
    _, position = np.unique(tracks, return_inverse=True)
    state = work.store.read_bytes(key)
    # Which layers were trained is told by what was stored: where it was is not known here.
    names = state[8 : 8 + int.from_bytes(state[:8], "little")]  # safetensors' header
    depth = resolve_depth(options.adapt, "cuda" if b"student.backbone." in names else "cpu")
    if depth == "head":
        adaptation = Adaptation.on_cache(views, position, options.adapt, options.seed)
    else:
        network = work.models.pack(options).face_id()
        pixels = load_pixels(work.store, rows)
        adaptation = Adaptation.on_network(
            network, pixels, rows, position, options.adapt, options.seed, "cpu", depth=depth, bfloat16=False
        )
    adaptation.load_state_bytes(state)
    return unit(unit(adaptation.embed("plain").embeddings) + unit(adaptation.embed("flipped").embeddings))
