"""``python -m jobs.benchmarks mean-face``: what a face-ID network makes of everybody, from labelled seasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jobs.benchmarks.progress import tell
from jobs.benchmarks.quality.bench import Bench
from jobs.benchmarks.quality.footage.seasons import find_labelled
from jobs.benchmarks.quality.footage.title_tracks import TitleTracks
from vcn_ray.cluster.similarity import mean_directions, unit
from vcn_ray.config import RunOptions, make_options
from vcn_ray.errors import InputError, OptionError
from vcn_ray.evaluate.ground_truth import read_ground_truth
from vcn_ray.models.face_id import embed_both_ways, load_face_id
from vcn_ray.pipeline.title_crops import choose_crops, load_pixels
from vcn_ray.pipeline.title_work import TitleWork
from vcn_ray.storage.store import Store

_BATCH_CROPS = 32


def mean_face(seasons: Sequence[str], settings: Mapping[str, str], folder: str, out: str, bench: Bench) -> None:
    """Write the mean of labelled people's embeddings, each person counting once, as a file for `PackInfo.mean_face`.

    A person is the direction of the mean of their tracks' directions. Of one who is in several seasons under one name
    each counts. The network is taken without the mean face that its pack may have already.

    Args:
        seasons: folders with videos and ground_truth.csv.
        settings: options of the product.
        folder: of tracks and views; what is there is used.
        out: path of the (D,) float32 .npy file to write.
        bench: what does the work.

    Raises `VcnError` where a season or an option cannot be used, `OptionError` for an `out` that cannot be written.
    """
    if Path(out).suffix != ".npy" or not Path(out).absolute().parent.is_dir():
        raise OptionError(f"--out {out}: a file .npy in a folder that is there is needed")
    options = make_options(dict(settings))
    pack = bench.methods.models.pack(options)
    network = load_face_id(pack.face_id_path, pack.face_id_input)
    people = []
    with bench.session(RunOptions(device="cpu")):
        for footage in find_labelled(seasons):
            tell(f"tracks of {footage.name}")
            work = TitleWork(Store(bench.extract(footage, options, folder).work), options)
            crops = choose_crops(work)
            matches = TitleTracks.read(work).match(read_ground_truth(footage.ground_truth))
            who = dict(zip(matches.track_id.tolist(), matches.identity, strict=True))
            pixels = load_pixels(work.store, crops.rows)
            parts = [
                np.mean(embed_both_ways(network, pixels[start : start + _BATCH_CROPS]), axis=0)
                for start in range(0, len(pixels), _BATCH_CROPS)
            ]
            tracks = mean_directions(np.concatenate(parts), crops.track_of_crop, len(crops.track_id))
            names = np.array([who[track] for track in crops.track_id.tolist()], object)
            known = {name for name in names if name is not None}
            people += [unit(tracks[names == name].mean(axis=0)) for name in sorted(known)]
    if not people:
        raise InputError("no track of the seasons shows a labelled person; give seasons whose labels fit their videos")
    np.save(out, np.mean(people, axis=0).astype(np.float32), allow_pickle=False)
    tell(f"mean of {len(people)} people: {out}")
