"""What each step of a title depends on, as digests: a step whose marker bears another one is done again."""

from __future__ import annotations

import numpy as np

from vcn_ray.config import Options
from vcn_ray.models.catalogue import network_of_pack
from vcn_ray.models.user_network import network_digest
from vcn_ray.pipeline.layout import ITERATIONS_VERSION, LINKS_KEY, RESULTS_VERSION, VIEWS_VERSION
from vcn_ray.pipeline.title_state import links_inputs
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store, digest


def views_digest(work: TitleWork, rows: np.ndarray) -> str:
    """What a chunk of cached views depends on; rows: (n,) of the crops table."""
    adapt = work.options.adapt
    return digest(
        VIEWS_VERSION,
        _tracks_digest(work.store),
        work.models.face_id_parts(work.options),
        [work.options.seed, adapt.cached_global_views, adapt.cached_local_views, adapt.views_precision],
        [adapt.quality_passes, adapt.quality_dropout],
        rows.tolist(),
    )


def iterations_digest(work: TitleWork, device: str, threads: int, workers: int = 1) -> str:
    """What a title's iterations depend on; sums on other devices, threads or workers differ in their last bits."""
    options = work.options
    return digest(
        ITERATIONS_VERSION,
        _tracks_digest(work.store),
        work.models.face_id_parts(options),
        # How many iterations there are is no input of any one of them.
        options.adapt.model_dump(exclude={"max_iterations", "min_iterations", "settled_share"}),
        options.cluster.model_dump(exclude={"memory_mb"}) | _memory_for_pairs(work),
        options.seed,
        device.partition(":")[0],
        threads,
        workers,
        *stored_links(work.store),
    )


def adaptation_digest(iterations: str, options: Options) -> str:
    """What the number of a title's iterations depends on: they themselves, by their digest, and their limits."""
    adapt = options.adapt
    return digest(iterations, adapt.max_iterations, adapt.min_iterations, adapt.settled_share)


def stored_links(store: Store) -> list[str]:
    """Digest of what a title's clustering is held to, in a list that is empty where nothing is."""
    return links_inputs(store, store.read_json(LINKS_KEY) if store.exists(LINKS_KEY) else [])


def _memory_for_pairs(work: TitleWork) -> dict[str, int]:
    """The option `memory_mb`, where clustering may depend on it: where pairs of the title's tracks might not fit.

    How many tracks there will be after the splits is not known yet, but each of them has a crop.
    """
    # Here alone: light workers do without scipy.
    from vcn_ray.cluster.clusterer import fitting_tracks

    memory_mb = work.options.cluster.memory_mb
    crops = work.store.read_json("tracks.done.json").get("counts", {}).get("crops")
    return {} if crops is not None and crops <= fitting_tracks(memory_mb) else {"memory_mb": memory_mb}


def _tracks_digest(store: Store) -> str:
    return store.read_json("tracks.done.json")["digest"]


def results_inputs(options: Options, device: str) -> str:
    """What the results of all titles of a run depend on, beside their tracks: networks, options, where sums are made.

    Sums on another kind of device, or with another number of threads, differ in their last bits. Looks into a network
    of the user's own once; a pack's by what the catalogue says. Raises `ModelError` where it is no ONNX.
    """
    own_network = None
    if options.models.own_network is not None:
        own_network = [network_digest(options.models), options.models.face_id_input]
    return digest(
        RESULTS_VERSION,
        options.models.pack,
        own_network or network_of_pack(options.models.pack),
        options.digest("tracks", "adapt", "cluster"),
        device.partition(":")[0],
        options.run.threads_per_title,
        *([options.run.workers_per_title] if options.run.workers_per_title > 1 else []),
    )
