"""Memory of one task, by what it works on: what Ray is asked to keep free for it, so that no machine runs out.

Measured on video full of faces (docs/clusters.md, "What a machine needs"), a quarter on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vcn_ray.config import Options

if TYPE_CHECKING:  # for light workers
    from vcn_ray.tracks.video_info import VideoInfo

_MARGIN = 1.25

#: Of a task that computes cached views: the libraries, and a chunk of crops in all their views.
VIEWS_MEMORY_BYTES = 1_000_000_000


def shard_memory_bytes(info: VideoInfo) -> int:
    """Of a task that extracts a shard of the video: the libraries, and frames that wait for their verdict.

    Measured at 640x360, 1920x1080 and 3840x2160.
    """
    from vcn_ray.tracks.shots import context_frames

    frame_bytes = info.width_px * info.height_px * (1.5 if info.transfer == "sdr" else 3.0)
    return round(_MARGIN * (500_000_000 + (2 * context_frames(info.fps) + 32) * frame_bytes))


def title_memory_bytes(minutes: float) -> int:
    """Of a task that joins a title's tracks or writes its results: the libraries, and the title's crops.

    minutes: length of its videos. Measured on 10 and 60 minutes.
    """
    return round(_MARGIN * (700_000_000 + 10_000_000 * minutes))


#: What a minute of video full of people holds, where a title's tracks are not known yet; 12 crops of a track at most.
TRACKS_PER_MINUTE, CROPS_PER_MINUTE = 100, 500

_LEAST_CLASS_BYTES = 2**30
_EMBEDDING_BYTES = {"opencv-zoo": 128 * 4}
_LONGEST_EMBEDDING_BYTES = 512 * 4  # of the other packs

#: Of each track beyond those whose pairs all fit into `memory_mb`: its neighbours, in blocks; and its embeddings and
#: vectors, of which there are so many of the length of an embedding, and of each iteration.
_SPARSE_TRACK_BYTES, _VECTORS, _VECTORS_OF_ITERATION = 38_000, 12, 7


def adapt_memory_bytes(tracks: float, crops: float, options: Options) -> int:
    """Of a worker that adapts and clusters a title.

    The libraries and the network; the crops, four times as the embeddings of their views (chunks, all of them, outputs
    of student and for clustering), and their pixels where more than the head is trained; clustering's pairs, as far as
    `memory_mb` has it hold them.
    """
    # Here alone: light workers do without scipy.
    from vcn_ray.cluster.clusterer import BYTES_PER_PAIR, fitting_tracks

    adapt = options.adapt
    views = 2 + adapt.cached_global_views + adapt.cached_local_views + adapt.quality_passes
    own_network = options.models.own_network is not None
    embedding = None if own_network else _EMBEDDING_BYTES.get(options.models.pack)
    of_crop = 4 * views * (embedding or _LONGEST_EMBEDDING_BYTES) + (
        3 * 112 * 112 if adapt.depth not in ("auto", "head") else 0
    )
    dense = min(tracks, fitting_tracks(options.cluster.memory_mb))
    vectors = (embedding or _LONGEST_EMBEDDING_BYTES) * (_VECTORS + _VECTORS_OF_ITERATION * adapt.max_iterations)
    clustering = BYTES_PER_PAIR * dense**2 + (_SPARSE_TRACK_BYTES + vectors) * (tracks - dense)
    return round(_MARGIN * (650_000_000 + crops * of_crop + clustering))


def memory_class(needed_bytes: int) -> int:
    """The memory that a worker asks for: 1, 2, 4, ... GiB, so that titles of about one size can share it; 0 stays 0."""
    if not needed_bytes:
        return 0
    asked = _LEAST_CLASS_BYTES
    while asked < needed_bytes:
        asked *= 2
    return asked


def gpu_memory_bytes(options: Options) -> int | None:
    """Of a GPU, while a title adapts: CUDA's own, and by what is trained; None for what was not measured.

    Measured on an H100 (docs/clusters.md): 11.1 GiB at most for the whole network with 64 pairs; the head needs far
    less, most of it to embed views in batches of crops.
    """
    if options.adapt.depth in ("auto", "head"):
        return 4 * 2**30
    if options.models.own_network is not None or options.models.pack != "opencv-zoo":
        return None
    if options.adapt.depth == "tail":  # holds features of all crops, as many as the title has
        return None
    return round(2**30 * (1 + 11 * max(options.adapt.batch_pairs, 16) / 64))
