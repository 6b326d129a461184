r"""Figures to hold a run against: simpler methods, plain loops, one process, an empty worker group.

    python -m jobs.benchmarks quality SEASON_DIR... --folder CACHE  # methods against each other on labelled seasons
    python -m jobs.benchmarks calibration SEASON_DIR...             # what a face-ID network's similarities are worth
    python -m jobs.benchmarks mean-face SEASON_DIR...               # what it makes of everybody
    python -m jobs.benchmarks names RESULTS --truth CSV             # names by a gallery that lacks half of the people
    python -m jobs.benchmarks review-worth RESULTS --ground-truth CSV  # what answers of the review queue are worth
    python -m jobs.benchmarks corrections-hold VIDEO... --ground-truth CSV --out FOLDER  # through other runs
    python -m jobs.benchmarks stage1 VIDEO                          # frames per second against a bare loop
    python -m jobs.benchmarks views RESULTS                         # ms a crop with its views, before and after
    python -m jobs.benchmarks episode VIDEO                         # one long file, stage by stage, against its length
    python -m jobs.benchmarks memory VIDEO                          # peak of stage 1 on 10 minutes and on an hour
    python -m jobs.benchmarks overhead VIDEO...                     # whole commands with and without Ray
    python -m jobs.benchmarks cluster VIDEO...                      # a season from bucket to bucket on several nodes
    python -m jobs.benchmarks titles VIDEO... --copies 40           # many small titles against the sum of their work
    python -m jobs.benchmarks group                                 # what starting a Ray Train worker group adds
    python -m jobs.benchmarks scale                                 # clustering of 1,000 to 100,000 invented tracks
    python -m jobs.benchmarks review-load                           # the review page of 500 people and 20,000 tracks
    python -m jobs.benchmarks overlay RESULTS                       # videos with boxes, hidden faces; bare encoding

Both sides of every comparison come from one run on one machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vcn_ray.errors import VcnError

if TYPE_CHECKING:
    from jobs.benchmarks.quality.bench import Bench


def parser() -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(
        prog="python -m jobs.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = whole.add_subparsers(dest="command", required=True)
    _quality_parser(commands.add_parser("quality", help="any methods on labelled seasons, settings chosen on others"))
    of_network = commands.add_parser("calibration", help="fit the option `calibration` to labelled seasons")
    of_network.add_argument("seasons", nargs="+", metavar="SEASON_DIR", help="videos and their ground_truth.csv")
    of_network.add_argument(
        "--degraded", nargs="+", default=[], metavar="KIND", help="half, blur, dark, compressed, faces16, ..."
    )
    of_network.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="such as face_id_onnx")
    of_network.add_argument("--folder", help="keep tracks, views and degraded copies there")
    of_network.add_argument("--num-cpus", type=int)
    of_mean = commands.add_parser("mean-face", help="what a face-ID network makes of everybody, for a pack")
    of_mean.add_argument("seasons", nargs="+", metavar="SEASON_DIR", help="videos and their ground_truth.csv")
    of_mean.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="such as pack")
    of_mean.add_argument("--folder", help="keep tracks and views there")
    of_mean.add_argument("--out", default="mean_face.npy", metavar="NPY")
    of_paper = commands.add_parser("paper", help="method: paper under many settings, against the course it published")
    of_paper.add_argument("seasons", nargs="+", metavar="SEASON_DIR", help="videos and their ground_truth.csv")
    of_paper.add_argument("--folder", required=True, help="keep tracks and views there")
    of_paper.add_argument(
        "--settings",
        nargs="+",
        default=[],
        metavar="NAME",
        help="of those that are searched, or NAME:option=value,option=value; default: all that are searched",
    )
    of_paper.add_argument("--iterations", type=int, default=10)
    of_paper.add_argument("--seeds", type=int, nargs="+", default=[0])
    of_paper.add_argument("--same-people", action="append", default=[], metavar="A,B", help="seasons left out together")
    of_paper.add_argument("--local", action="store_true", help="one thing after the other without Ray")
    of_paper.add_argument("--output", metavar="STEM", help="write STEM.parquet, .csv and .md; default: in the folder")
    of_names = commands.add_parser("names", help="names by a gallery of one picture a person, against the truth")
    of_names.add_argument("results", nargs="+", metavar="RESULTS", help="folders of finished runs")
    of_names.add_argument("--truth", action="append", required=True, metavar="CSV", help="of each of them, in order")
    of_names.add_argument("--draws", type=int, default=20, help="galleries for each title that pictures come from")
    of_names.add_argument("--in-gallery", type=float, default=0.5, help="share of the people that are in the gallery")
    of_review = commands.add_parser("review-worth", help="right people after so many answers of the review queue")
    of_review.add_argument("results", metavar="RESULTS", help="a finished season; it stays as it is")
    of_review.add_argument("--ground-truth", required=True, metavar="CSV", help="gives the answers")
    of_review.add_argument("--answers", type=int, nargs="+", default=[0, 5, 10, 20, 40])
    of_review.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of the random order")
    of_review.add_argument("--no-run", action="store_true", help="do not run again with the answers")
    of_review.add_argument("--folder", help="keep the corrected copy there")
    of_holding = commands.add_parser("corrections-hold", help="which corrections hold through other runs")
    of_holding.add_argument("videos", nargs="+", metavar="VIDEO", help="the last one is the episode that comes later")
    of_holding.add_argument("--ground-truth", required=True, metavar="CSV", help="makes the corrections")
    of_holding.add_argument("--out", required=True, metavar="FOLDER", help="results; what is there is not done again")
    of_holding.add_argument("--corrections", type=int, default=40, metavar="N")
    of_holding.add_argument("--seed", type=int, default=0, help="of which tracks are corrected")
    of_holding.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for all runs")
    of_video = commands.add_parser("stage1", help="stage 1 against decode + detect")
    of_video.add_argument("video")
    of_video.add_argument("--repeats", type=int, default=3)
    of_views = commands.add_parser("views", help="embedding crops and their views, beside the network by itself")
    of_views.add_argument("results", metavar="RESULTS", help="a finished run, whose crops are embedded")
    of_views.add_argument("--crops", type=int, default=32)
    of_views.add_argument("--repeats", type=int, default=5)
    of_episode = commands.add_parser("episode", help="a whole command on one long file against the time that it plays")
    of_episode.add_argument("video")
    of_episode.add_argument("--num-cpus", type=int, nargs="+", default=[os.cpu_count() or 1], help="a run for each")
    of_episode.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option, repeatable")
    of_episode.add_argument("--folder", help="keep results and the commands' output there")
    of_length = commands.add_parser("memory", help="peak memory of stage 1 on files of several lengths")
    of_length.add_argument("video", help="is repeated until it is long enough")
    of_length.add_argument("--minutes", type=float, nargs="+", default=[10.0, 60.0])
    of_length.add_argument("--height-px", type=int, default=1080, help="the video is scaled up to this height")
    of_length.add_argument("--folder", help="keep the long files there and use them again")
    of_ray = commands.add_parser("overhead", help="whole commands with and without Ray")
    of_ray.add_argument("videos", nargs="+")
    of_ray.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option, repeatable")
    of_ray.add_argument("--repeats", type=int, default=3)
    of_ray.add_argument("--threads", type=int, default=1, help="threads_per_title of all")
    of_ray.add_argument("--folder", help="keep results and the commands' output there")
    of_cluster = commands.add_parser("cluster", help="a season from bucket to bucket on several nodes")
    of_cluster.add_argument("videos", nargs="+")
    of_cluster.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option, repeatable")
    of_cluster.add_argument("--nodes", type=int, default=2, help="of one CPU each")
    of_cluster.add_argument("--folder", help="keep figures and the store's log there")
    of_titles = commands.add_parser("titles", help="many small titles against the sum of their work")
    of_titles.add_argument("videos", nargs="+", help="short clips, taken in turn")
    of_titles.add_argument("--copies", type=int, default=40, help="titles in all")
    of_titles.add_argument("--num-cpus", type=int, default=os.cpu_count())
    of_titles.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any option, repeatable")
    of_titles.add_argument("--folder", help="keep results and the command's output there")
    of_group = commands.add_parser("group", help="fit() of an empty loop")
    of_group.add_argument("--repeats", type=int, default=5)
    of_group.add_argument("--num-cpus", type=int, default=os.cpu_count())
    of_scale = commands.add_parser("scale", help="time and memory of clustering invented titles, and what it finds")
    of_scale.add_argument("--tracks", type=int, nargs="+", default=[1000, 4000, 20_000, 100_000])
    of_scale.add_argument("--iterations", type=int, default=2, help="adapted ones that are heard; 0: base model alone")
    of_scale.add_argument("--memory-mb", type=int, default=1700, help="as the option memory_mb")
    of_scale.add_argument("--threads", type=int, default=os.cpu_count())
    of_scale.add_argument("--seed", type=int, default=0)
    of_review = commands.add_parser("review-load", help="the review page of an invented season, in a browser")
    of_review.add_argument("--people", type=int, default=500)
    of_review.add_argument("--tracks", type=int, default=20_000)
    of_review.add_argument("--titles", type=int, default=10)
    of_overlay = commands.add_parser("overlay", help="frames a second of `vcn-ray overlay`, against a bare loop")
    of_overlay.add_argument("results", metavar="RESULTS", help="a finished season, whose films are still there")
    of_overlay.add_argument("--title", help="default: the first")
    of_overlay.add_argument("--frames", type=int, help="so many from the start alone")
    of_overlay.add_argument("--repeats", type=int, default=3)
    return whole


def _quality_parser(of_quality: argparse.ArgumentParser) -> None:
    of_quality.add_argument("seasons", nargs="+", metavar="SEASON_DIR", help="videos and their ground_truth.csv")
    of_quality.add_argument(
        "--methods",
        nargs="+",
        default=[],
        metavar="NAME",
        help="several separated by commas, or NAME:option=value,option=value for the default with other options; "
        "default: all",
    )
    of_quality.add_argument("--seeds", type=int, nargs="+", default=[0])
    of_quality.add_argument("--cases", nargs="+", default=["whole"], metavar="KIND", help="or all")
    of_quality.add_argument("--tracks", choices=["detected", "truth", "both"], default="detected")
    of_quality.add_argument("--iterations", action="store_true", help="also score the default after each iteration")
    of_quality.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="for all methods")
    of_quality.add_argument("--folder", required=True, help="keep tracks, views and degraded copies there")
    of_quality.add_argument(
        "--calibration",
        choices=["others", "built-in"],
        default="others",
        help="of the product's methods: fitted to the other seasons, or as the product has it",
    )
    of_quality.add_argument(
        "--same-people",
        action="append",
        default=[],
        metavar="A,B",
        help="seasons of the same people, left out together; A,B:NAME,NAME where these alone are in both; repeatable",
    )
    of_quality.add_argument(
        "--join",
        action="append",
        default=[],
        metavar="A,B,...",
        help="seasons that are one title of the cases 'long mixed'; repeatable; default: all",
    )
    of_quality.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="measure the cases alone whose 'SEASON, CASE' has one of these in it; all seasons calibrate as before",
    )
    of_quality.add_argument(
        "--local", action="store_true", help="one thing after the other without Ray: for a few cases, once extracted"
    )
    of_quality.add_argument(
        "--output",
        metavar="STEM",
        help="write STEM.parquet, .csv, .md and, by track, STEM-confidence.parquet; default: quality in the folder",
    )
    of_quality.add_argument("--num-cpus", type=int)


def main(arguments: Sequence[str] | None = None, bench: Bench | None = None) -> None:
    """Parse the command line and run what it asks for; `bench`: another one than the bench on Ray."""
    given = parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="vcn-benchmark-") as temporary:
            _run(given, temporary, bench)
    except VcnError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _run(given: argparse.Namespace, temporary: str, bench: Bench | None) -> None:
    """Each imports what it needs itself: a plain loop is not to carry Ray, nor its memory."""
    match given.command:
        case "quality":
            from jobs.benchmarks.quality.bench import Bench, local_bench
            from jobs.benchmarks.quality.command import Request, quality
            from vcn_ray.cli.request import given_options

            settings = given_options(given.set, {})
            asked = {name: value for name, value in vars(given).items() if name not in ("command", "set", "local")}
            if not quality(Request(**asked, given=settings), bench or (local_bench() if given.local else Bench())):
                sys.exit(1)
        case "calibration":
            from jobs.benchmarks.quality.bench import Bench
            from jobs.benchmarks.quality.calibration import calibration
            from vcn_ray.cli.request import given_options

            settings = given_options(given.set, {})
            asked_for = (given.seasons, given.degraded, settings, _folder(given, temporary), given.num_cpus)
            if not calibration(*asked_for, bench or Bench()):
                sys.exit(1)
        case "mean-face":
            from jobs.benchmarks.quality.bench import Bench
            from jobs.benchmarks.quality.mean_face import mean_face
            from vcn_ray.cli.request import given_options

            folder = _folder(given, temporary)
            mean_face(given.seasons, given_options(given.set, {}), folder, given.out, bench or Bench())
        case "paper":
            from jobs.benchmarks.paper.search import Request as PaperRequest
            from jobs.benchmarks.paper.search import search
            from jobs.benchmarks.paper.settings import choose_settings
            from jobs.benchmarks.quality.bench import Bench, local_bench

            asked = {name: value for name, value in vars(given).items() if name not in ("command", "local")}
            paper = PaperRequest(**asked | {"settings": choose_settings(given.settings)})
            if not search(paper, bench or (local_bench() if given.local else Bench())):
                sys.exit(1)
        case "names":
            from jobs.benchmarks.quality.names import names

            names(given.results, given.truth, given.draws, given.in_gallery)
        case "review-worth":
            from jobs.benchmarks.corrections.review_worth import review_worth

            folder = _folder(given, temporary)
            review_worth(given.results, given.ground_truth, given.answers, given.seeds, not given.no_run, folder)
        case "corrections-hold":
            from jobs.benchmarks.corrections.corrections_hold import corrections_hold
            from jobs.benchmarks.writable import require_folder

            require_folder("--out", Path(given.out))
            corrections_hold(given.videos, given.ground_truth, given.out, given.corrections, given.set, given.seed)
        case "scale":
            from jobs.benchmarks.scale import scale

            scale(given.tracks, given.iterations, given.memory_mb, given.threads, given.seed)
        case "stage1":
            from jobs.benchmarks.stage1 import stage1

            stage1(given.video, given.repeats)
        case "views":
            from jobs.benchmarks.views import views

            views(given.results, given.crops, given.repeats)
        case "episode":
            from jobs.benchmarks.episode import episode

            episode(given.video, given.num_cpus, given.set, _folder(given, temporary))
        case "memory":
            from jobs.benchmarks.memory import memory

            memory(given.video, given.minutes, given.height_px, _folder(given, temporary))
        case "overhead":
            from jobs.benchmarks.ray_overhead import overhead

            overhead(given.videos, given.set, given.repeats, given.threads, _folder(given, temporary))
        case "cluster":
            from jobs.benchmarks.multi_node import cluster

            cluster(given.videos, given.set, given.nodes, _folder(given, temporary))
        case "titles":
            from jobs.benchmarks.many_titles import titles

            titles(given.videos, given.copies, given.num_cpus, given.set, _folder(given, temporary))
        case "group":
            from jobs.benchmarks.worker_group_startup import group

            group(given.repeats, given.num_cpus)
        case "overlay":
            from jobs.benchmarks.videos.overlay_speed import overlay_speed

            overlay_speed(given.results, given.title, given.repeats, given.frames)
        case "review-load":
            from jobs.benchmarks.review_load import review_load

            review_load(given.people, given.tracks, given.titles, temporary)


def _folder(given: argparse.Namespace, temporary: str) -> str:
    from jobs.benchmarks.writable import require_folder

    folder = given.folder or temporary
    require_folder("--folder", Path(folder))
    return folder


if __name__ == "__main__":
    main()
