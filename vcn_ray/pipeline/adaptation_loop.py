"""The loop of a title: iterations of adaptation and clustering, until hardly anything changes.

Plain Python on the title's store, for whoever calls it: Ray's workers, one process, a test. Each step is stored with a
marker that bears the digest of all that it depends on; what is marked is not done again, so a title resumes after any
death. The loop is the supplement's Algorithm 1. Where several workers share a title, the first of them clusters,
stores and decides, and the others train along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from vcn_ray.adapt.workers import ALONE, Workers
from vcn_ray.cluster.character_confidence import CharacterConfidence
from vcn_ray.cluster.clusterer import Clusterer
from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.cluster.title import SAID_TO_BE_NOBODY, Clustering
from vcn_ray.config import Options
from vcn_ray.pipeline.digests import adaptation_digest, iterations_digest
from vcn_ray.pipeline.iteration import AdaptingTitle, Start, changed_tracks, count_clusters
from vcn_ray.pipeline.layout import RESULTS, step_of
from vcn_ray.pipeline.stages import OnEvent
from vcn_ray.pipeline.title_crops import choose_crops
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.pipeline.track_splits import settle_tracks
from vcn_ray.pipeline.views import are_stored, title_views
from vcn_ray.storage.store import Store


def last_iteration(history: Sequence[Clustering]) -> int:
    """Which iteration's clustering is delivered: the last, which has heard all that were before it."""
    return len(history) - 1


def training_groups(clustering: Clustering, number: int) -> np.ndarray:
    """Which tracks train together in an iteration, after the clustering of the one before; (tracks,) int64, -1: none.

    In the first iteration each trains with itself alone, all of them (S 8) but those that people said to be nobody.
    """
    if number > 1:
        return clustering.group
    nobody = np.array([reason == SAID_TO_BE_NOBODY for reason in clustering.reason], bool)
    return np.where(nobody, -1, np.arange(len(clustering.labels)))


@dataclass(frozen=True)
class LoopParts:
    """What the loop is made of beside networks and options; the defaults are the product's.

    No digest tells other parts than these: what they make belongs into a store of its own.
    """

    clusterer: Clusterer | None = None  # None: the one that the option `merging` names
    deliver: Callable[[Sequence[Clustering]], int] = last_iteration  # which iteration's clusters count
    training_groups: Callable[[Clustering, int], np.ndarray] = training_groups
    #: Within an iteration the state is stored after an epoch when so many seconds have passed since it last was: what a
    #: death may cost. Storing each epoch would take longer than training a head for one.
    store_every_s: float = 30.0
    stored_views: bool | None = None  # whether views are read from chunks or embedded here; None: `views.are_stored`


def adapt_and_cluster(
    work: TitleWork,
    *,
    device: str,
    threads: int,
    on_event: OnEvent,
    workers: Workers = ALONE,
    parts: LoopParts = LoopParts(),
) -> None:
    """Iterate adaptation and clustering until the clusters hardly change (S Alg. 1); each iteration is stored.

    Iteration 0 is the base model; tracks in which it finds two people are cut before it. `on_event` gets {"iteration",
    "epoch", ...} after every epoch and {"iteration", "clusters"} after every iteration. Needs the chunks of views that
    `plan_view_chunks` names. Where several `workers` share the title, each of them calls this; the first alone writes
    and reports, and the clusters are those that one worker alone would find, but for the last bits of sums.
    """
    torch.set_num_threads(threads)
    store, options = work.store, work.options
    clusterer = parts.clusterer or find_clusterer(options.cluster.merging)
    inputs = iterations_digest(work, device, threads, workers.count)
    if workers.rank == 0 and not store.is_done("adapt", adaptation_digest(inputs, options)):
        # What is written from here on is no longer what older markers vouch for.
        store.begin(RESULTS)
        store.begin("adapt")
    stored = are_stored(options, device) if parts.stored_views is None else parts.stored_views
    views = cache(lambda: title_views(work, device, stored=stored))  # a title that is finished needs none
    crops = settle_tracks(work, choose_crops(work), device, inputs, workers, views)
    if not len(crops):
        if workers.rank == 0:
            store.mark_done("adapt", adaptation_digest(inputs, options), iterations=0, delivered=None)
        return

    def make_title() -> AdaptingTitle:
        return AdaptingTitle(work, crops, device, inputs, on_event, workers, clusterer, parts.store_every_s, views)

    if workers.rank > 0:
        _train_along(workers, torch.device(device), len(crops.track_id), make_title)
        return
    history = _lead(work, inputs, workers, torch.device(device), len(crops.track_id), make_title, parts.training_groups)
    for key in store.keys("adapt/"):  # left by other options; a longer run with the same ones may come again
        number = int(key.split("/")[1].partition(".")[0])
        if number >= len(history) and not store.is_done(step_of(number), inputs):
            store.delete(key)
    whole = adaptation_digest(inputs, options)
    done = store.done_info("adapt", whole)
    if done is None or done["iterations"] != len(history):
        store.mark_done("adapt", whole, iterations=len(history), delivered=parts.deliver(history))


@dataclass(frozen=True)
class _Plan:
    """What the first worker has all of them do next."""

    iteration: int  # from 1; 0: it is over
    start: Start  # where a worker that has not trained yet begins
    group_of_track: np.ndarray  # (tracks,) int64
    character_of_track: np.ndarray  # (tracks,) int64, -1: none

    def agreed(self, workers: Workers, device: torch.device) -> _Plan:
        """The first worker's plan, whatever the others' say."""
        of_tracks = np.concatenate([self.group_of_track, self.character_of_track])
        own = torch.tensor([self.iteration, self.start, *of_tracks.tolist()], device=device)
        iteration, start, *agreed = workers.from_first(own).tolist()
        groups, characters = np.split(np.array(agreed, np.int64), 2)
        return _Plan(iteration, Start(start), groups, characters)

    @classmethod
    def over(cls, tracks: int) -> _Plan:
        """It is over; also what a worker says that only listens."""
        return cls(0, Start.BASE, *np.zeros((2, tracks), np.int64))


def _lead(
    work: TitleWork,
    inputs: str,
    workers: Workers,
    device: torch.device,
    n_tracks: int,
    make_title: Callable[[], AdaptingTitle],
    groups: Callable[[Clustering, int], np.ndarray],
) -> list[Clustering]:
    """What the first worker does; gives all iterations."""
    options = work.options
    history = _stored_iterations(work.store, inputs, options)
    title: AdaptingTitle | None = None
    start = Start.BASE
    while not _finished(history, options):
        if title is None:
            title = make_title()
            start = title.where_to_start(len(history))
            title.load(start, len(history))
        number = len(history)
        if number:
            plan = _Plan(number, start, groups(history[-1], number), history[-1].labels).agreed(workers, device)
            history.append(title.iterate(number, plan.group_of_track, history[-1]))
        else:
            history.append(title.iterate(0, None, None))
        title.on_event({"iteration": number, "clusters": count_clusters(history[-1]), "warning": title.warning})
    _Plan.over(n_tracks).agreed(workers, device)
    return history


def _train_along(
    workers: Workers, device: torch.device, n_tracks: int, make_title: Callable[[], AdaptingTitle]
) -> None:
    """What the other workers do: train as the first says, until it says that it is over."""
    title: AdaptingTitle | None = None
    anything = _Plan.over(n_tracks)
    while (plan := anything.agreed(workers, device)).iteration:
        if title is None:
            title = make_title()
            title.load(plan.start, plan.iteration)
        title.finetune(plan.iteration, plan.group_of_track, plan.character_of_track)


def _stored_iterations(store: Store, inputs: str, options: Options) -> list[Clustering]:
    """The iterations that have been done for these inputs, from the first on without a gap.

    No more of them than these options would make: an earlier run may have been allowed more.
    """
    history: list[Clustering] = []
    while not _finished(history, options) and store.is_done(step_of(len(history)), inputs):
        content = store.read_json(f"{step_of(len(history))}/clustering.json")
        history.append(
            Clustering(
                labels=np.array(content["labels"], np.int64),
                quality=np.array(content["quality"], np.float64),
                confidence=np.array(content["confidence"], np.float64),  # null becomes NaN
                reason=content["reason"],
                kept=np.array(content["kept"], bool),
                group=np.array(content["group"], np.int64),
                matched_pairs=content["matched_pairs"],
                characters=_stored_characters(content),
            )
        )
    return history


def _stored_characters(content: Mapping[str, Any]) -> CharacterConfidence | None:
    """What a stored clustering says of its characters; None where an earlier version wrote it, which knew nothing."""
    if "one_person" not in content:
        return None
    return CharacterConfidence(*(np.array(content[name], np.float64) for name in ("one_person", "is_person")))


def _finished(history: list[Clustering], options: Options) -> bool:
    """Whether two adapted clusterings in a row agree but for `settled_share` of the tracks, `min_iterations` done.

    Or the limit is reached.

    A long title has some tracks that could be anybody's: waiting for all of them to stay takes for ever.
    """
    if len(history) > options.adapt.max_iterations:
        return True
    if len(history) <= max(options.adapt.min_iterations, 2):
        return False
    before, now = history[-2].labels, history[-1].labels
    return changed_tracks(before, now) <= options.adapt.settled_share * len(now)
