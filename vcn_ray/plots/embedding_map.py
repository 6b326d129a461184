"""t-SNE of a title's crops before and after adaptation (S Fig. 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from vcn_ray.errors import InputError
from vcn_ray.plots.style import COLOURS, MARKERS, add_halo, add_legend, add_note, plain
from vcn_ray.plots.title_data import TitleData

#: Crops that are mapped; of more, as many of each track are taken as fit: 2000 take some 10 s.
MOST_CROPS = 2000
PERPLEXITY = 30.0
SEED = 0

Look = tuple[str, str, bool]  # marker, colour, whether it is filled

Label = TypeVar("Label", int, str)

_FEWEST_CROPS = 5
_MOST_IN_LEGEND = 24
_NOBODY = "#b5b5b5"


def map_crops(embeddings: np.ndarray) -> np.ndarray:
    """(n, D) unit vectors to (n, 2) by t-SNE, the same each time: begun from principal components, with one seed.

    Distances are Euclidean between unit vectors, which order as cosines do. The supplement (S 7) names no settings;
    perplexity is scikit-learn's 30, or a third of the crops where these are few.
    """
    from sklearn.manifold import TSNE  # a second to import

    perplexity = min(PERPLEXITY, (len(embeddings) - 1) / 3)
    with threadpool_limits(1):  # sums in one order
        places = TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(embeddings)
    return np.asarray(places, np.float64)


def choose_points(track_of_crop: np.ndarray, most: int) -> np.ndarray:
    """Positions, ascending, of at most `most` crops: as many of each track as fit, evenly spaced; else every nth track.

    track_of_crop: (n,) int64.
    """
    from vcn_ray.adapt.cache import spread_crops

    if len(track_of_crop) <= most:
        return np.arange(len(track_of_crop))
    tracks = np.unique(track_of_crop)
    kept = tracks[:: -(-len(tracks) // most)]
    places = np.flatnonzero(np.isin(track_of_crop, kept))
    return places[spread_crops(track_of_crop[places], max(1, most // len(kept)))]


def map_figure(title: TitleData) -> Figure:
    """t-SNE of a title's crops, by character: above the base model's embeddings, below the adapted ones (S Fig. 4).

    The supplement shows the finetuned model's embeddings of all sampled crops, ground truth on the left, its result on
    the right. With ground truth so does this; a person has one colour and sign in all panels, as far as the result
    has one character for it.
    """
    from vcn_ray.plots.crop_embeddings import embed_crops  # torch, which other figures do without

    found = embed_crops(title.work, title.id)
    chosen = choose_points(found.track_id, MOST_CROPS)
    if len(chosen) < _FEWEST_CROPS:
        raise InputError(f"title {title.id!r}: it has {len(chosen)} crops, and t-SNE takes {_FEWEST_CROPS} or more")
    tracks = found.track_id[chosen].tolist()
    stages = [("Before: the base model", map_crops(found.before[chosen]))]
    if found.after is not None:
        stages.append((f"After {found.iteration} iterations", map_crops(found.after[chosen])))
    result = [title.cluster_of_track.get(track) for track in tracks]
    look_of_cluster = _looks(result)
    columns: list[tuple[str, Sequence[Any], Mapping[Any, Look], Mapping[Any, str]]] = [
        ("result", result, look_of_cluster, {cluster: str(cluster) for cluster in look_of_cluster})
    ]
    if title.identity_of_track is not None:
        truth = [title.identity_of_track.get(track) for track in tracks]
        look_of_person = _looks_of_truth(truth, result, look_of_cluster)
        columns.insert(0, ("ground truth", truth, look_of_person, {who: plain(str(who), 12) for who in look_of_person}))
    key_height = 0.19 * (min(len(look_of_cluster), _MOST_IN_LEGEND) + 4)
    figure = Figure(figsize=(4.1 * len(columns) + 1.9, max(3.9 * len(stages) + 0.4, key_height)))
    panels = figure.subplots(len(stages), len(columns), squeeze=False)
    for row, (stage, places) in zip(panels, stages, strict=True):
        for axes, (what, labels, looks, names) in zip(row, columns, strict=True):
            _draw_panel(axes, places, labels, looks, names)
            axes.set_title(f"{stage}, {what}", loc="left")
    _add_key(figure, title, result, look_of_cluster)
    figure.suptitle(plain(title.id, 40), x=0.01, ha="left", fontsize=10, weight="bold")
    some = f"{len(chosen)} of {len(found.track_id)}" if len(chosen) < len(found.track_id) else f"{len(chosen)}"
    add_note(
        figure,
        f"A sign is a crop; {some} crops of {len(set(tracks))} tracks. t-SNE, perplexity "
        f"{min(PERPLEXITY, (len(chosen) - 1) / 3):.0f}, seed {SEED}: who is near whom counts, not how far.",
    )
    return figure


def _looks(labels: Sequence[Label | None]) -> dict[Label, Look]:
    """One for each label, the most frequent first."""
    count = Counter(label for label in labels if label is not None)
    ordered = sorted(count, key=lambda label: (-count[label], str(label)))
    return {label: _look(number) for number, label in enumerate(ordered)}


def _look(number: int) -> Look:
    """The markers' and colours' numbers have no common divisor, so that the same pair comes again after 77."""
    return (
        MARKERS[number % len(MARKERS)],
        COLOURS[number % len(COLOURS)],
        number // (len(MARKERS) * len(COLOURS)) % 2 == 0,
    )


def _looks_of_truth(
    truth: Sequence[str | None], result: Sequence[int | None], look_of_cluster: Mapping[int, Look]
) -> dict[str, Look]:
    """People look like the characters that they are matched to, one to one, by most crops; the others of their own."""
    people = list(_looks(truth))
    clusters = list(look_of_cluster)
    both = np.zeros((len(people), len(clusters)))
    for person, cluster in zip(truth, result, strict=True):
        if person is not None and cluster is not None:
            both[people.index(person), clusters.index(cluster)] += 1
    matched = {
        people[row]: look_of_cluster[clusters[column]]
        for row, column in zip(*linear_sum_assignment(-both), strict=True)
        if both[row, column]
    }
    rest = [person for person in people if person not in matched]
    return {person: matched.get(person) or _look(len(clusters) + rest.index(person)) for person in people}


def _draw_panel(
    axes: Axes,
    places: np.ndarray,
    labels: Sequence[int | str | None],
    looks: Mapping[Any, Look],
    names: Mapping[Any, str],
) -> None:
    nobody = places[[label is None for label in labels]]
    axes.scatter(nobody[:, 0], nobody[:, 1], marker="x", s=10, c=_NOBODY, linewidths=0.7, zorder=1)
    for label, (marker, colour, is_filled) in looks.items():
        own = places[[one == label for one in labels]]
        if not len(own):
            continue
        face = colour if is_filled else "white"
        axes.scatter(own[:, 0], own[:, 1], marker=marker, s=15, c=face, edgecolors=colour, linewidths=0.6, zorder=2)
    for label in list(looks)[:_MOST_IN_LEGEND]:
        own = places[[one == label for one in labels]]
        if len(own):
            # At the crop that is nearest to the middle of most, so that the name lies on its own.
            middle = own[np.argmin(np.abs(own - np.median(own, axis=0)).sum(axis=1))]
            text = axes.annotate(
                names[label],
                middle,
                (0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                weight="bold",
                zorder=3,
            )
            add_halo(text)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("t-SNE 1 (no unit)", fontsize=7.5)
    axes.set_ylabel("t-SNE 2 (no unit)", fontsize=7.5)


def _add_key(figure: Figure, title: TitleData, result: Sequence[int | None], looks: Mapping[int, Look]) -> None:
    """Which sign is which character, and how many crops are its."""
    count = Counter(result)
    handles, labels = [], []
    for cluster in sorted(list(looks)[:_MOST_IN_LEGEND]):
        marker, colour, is_filled = looks[cluster]
        face = colour if is_filled else "white"
        handles.append(Line2D([], [], linestyle="", marker=marker, color=colour, markerfacecolor=face, markersize=5))
        number, name = f"Character {cluster}", title.label_of_cluster.get(cluster)
        labels.append(f"{number if name in (None, number) else f'{cluster}: {plain(name, 15)}'}, {count[cluster]}")
    if count[None]:
        handles.append(Line2D([], [], linestyle="", marker="x", color=_NOBODY, markersize=5))
        labels.append(f"Unknown, {count[None]}")
    more = len(looks) - _MOST_IN_LEGEND
    if more > 0:
        handles.append(Line2D([], [], linestyle=""))
        labels.append(f"and {more} more")
    where: dict[str, Any] = {"loc": "outside right upper", "handlelength": 1.2, "fontsize": 8}
    add_legend(figure, handles, labels, title="Result, crops", **where)
