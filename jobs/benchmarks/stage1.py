"""Stage 1 beside a bare loop that decodes and detects."""

from __future__ import annotations

import time

import cv2
import numpy as np

from vcn_ray.config import make_options
from vcn_ray.models.packs import load_pack
from vcn_ray.tracks.decode import Picture, read_frames
from vcn_ray.tracks.extract import extract_shard
from vcn_ray.tracks.probe import probe_video
from vcn_ray.tracks.shards import Shard
from vcn_ray.tracks.shotfaces import detect_every_frames
from vcn_ray.tracks.tracker import KEEP_SCORE


def stage1(video: str, repeats: int) -> None:
    """Frames per second of stage 1 and of a bare loop that decodes and runs the same detector on the same frames.

    By the CPU time of each, in turn: others on the machine do not count.
    """
    cv2.setNumThreads(1)
    info, options, pack = probe_video(video), make_options().tracks, load_pack("opencv-zoo")
    picture, detector = Picture(info, options.detect_max_side_px), pack.detector(KEEP_SCORE)
    ratios = []
    extract_shard(info, Shard(0, min(info.frames, 50)), pack, options)  # what is loaded once
    every = detect_every_frames(info, options)
    for _ in range(repeats):
        start = time.process_time()
        for number, frame in read_frames(info):
            if number % every == 0:
                detector.detect(picture.bgr(frame))
        bare_s = time.process_time() - start
        start = time.process_time()
        extract_shard(info, Shard(0, info.frames), pack, options)
        stage_s = time.process_time() - start
        ratios.append(bare_s / stage_s)
        print(
            f"decode + detect {info.frames / bare_s:6.1f} frames/s   stage 1 {info.frames / stage_s:6.1f} frames/s   "
            f"ratio {bare_s / stage_s:.2f}"
        )
    print(f"median ratio {np.median(ratios):.2f} over {repeats} runs, one process, {info.width_px}x{info.height_px}")
