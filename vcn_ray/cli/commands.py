"""The commands; nothing but argument handling and printing."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcn_ray.cli.curation_commands import add_curation_commands, name_by_gallery
from vcn_ray.cli.errors import exit_code, explained
from vcn_ray.cli.evaluate_command import evaluate, print_measures
from vcn_ray.cli.export_command import export
from vcn_ray.cli.options import Device, Directory, Local, Method, NumCpus, Out, S3Endpoint, Set
from vcn_ray.cli.overlay_command import overlay
from vcn_ray.cli.plot_command import plot
from vcn_ray.cli.printing import (
    print_options,
    print_outcome,
    print_packs,
    print_plan,
    printed_status,
    run_monitor,
    say,
)
from vcn_ray.cli.request import (
    Request,
    executor_name,
    folder,
    given_options,
    read_config,
    read_part,
    use_s3_endpoint,
)
from vcn_ray.cli.review_command import review
from vcn_ray.errors import ModelError, OptionError

if TYPE_CHECKING:
    from vcn_ray.season.outcome import SeasonOutcome

_HELP = """
Finds the cast of films and series: who is on screen, when, through whole seasons.

Try it:  vcn-ray demo --out vcn-demo

Your own:  vcn-ray run s01e01.mkv s01e02.mkv --out season1 --title "My series"

Then open season1/index.html. The same command again goes on where a run was stopped.

Exit codes: 0 all is done; 1 a title failed, the others are done; 2 wrong usage or nothing usable was given;
3 results cannot be written; 4 a fault of vcn-ray itself, described in the file that is named; 130 interrupted.
"""

app = typer.Typer(
    help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.command()
def run(
    out: Out,
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VIDEO...", help="Video files, folders of videos, patterns, s3:// URLs, or one season.yaml."
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Make all videos one title of this name: its characters run through them all. "
            "Without it each video is a title of its own.",
        ),
    ] = None,
    method: Annotated[
        Method | None, typer.Option(help="robust: what was found to work; paper: VideoClusterNet as published.")
    ] = None,
    pack: Annotated[str | None, typer.Option(metavar="NAME", help="Face models; `vcn-ray models` lists them.")] = None,
    set_: Set = None,
    config: Annotated[
        Path | None, typer.Option(metavar="YAML", help="File with options; --set and other flags go before it.")
    ] = None,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Tracks that are given, faces not looked for: a file of boxes in any format of docs/track-files.md, a "
            "folder of such, or a finished season; one for all titles, or one a title in order.",
        ),
    ] = None,
    tracks_fps: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Frames a second that --tracks or --features counts in.  [default: its own, the video's]"
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Embeddings of crops in place of videos: Parquet or npz of embedding and track; a title a file. They "
            "are clustered, not adapted.",
        ),
    ] = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Leave out what comes before: 90, 1:30 or 00:01:30.")
    ] = "0",
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Leave out what comes after.")] = None,
    local: Local = False,
    executor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who does the work: ray, local.  [default: ray]")
    ] = None,
    num_cpus: NumCpus = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Ray cluster to work on, as HOST:PORT, or auto.  [default: this machine]"),
    ] = None,
    device: Annotated[
        Device | None, typer.Option(help="Where adaptation runs.  [default: a GPU if there is one]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of every random number; same seed, same clusters.", min=0)
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start Ray's dashboard at http://127.0.0.1:8265, too.")
    ] = False,
    gallery: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Name the cast afterwards by reference pictures (Name/picture.jpg, Name.jpg), or an earlier season.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what is done, what would run and why; change nothing.")
    ] = False,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Find the characters of videos.

    Each video is a title with characters of its own, unless --title joins them. One title that fails does not stop the
    others. The same command again does only what is missing.
    """
    flags = {
        "method": method and method.value,
        "pack": pack,
        "num_cpus": num_cpus,
        "address": address,
        "device": device and device.value,
        "seed": seed,
        "dashboard": dashboard or None,
    }
    with explained(out):
        use_s3_endpoint(s3_endpoint)
        request = Request(
            videos=list(videos or []),
            out=out,
            title=title,
            config=read_config(config) if config is not None else {},
            given=given_options(set_ or [], flags),
            part=read_part(from_, to),
            executor=executor_name(executor, local),
            tracks=[folder("--tracks", one) for one in tracks or []],
            tracks_fps=tracks_fps,
            features=[folder("--features", one) for one in features or []],
        )
        if gallery is not None:
            from vcn_ray.curation.galleries import check_gallery

            check_gallery(folder("--gallery", gallery))  # a wrong one is told before hours of work
        outcome = None if dry_run else _run(request)
        if dry_run:
            from vcn_ray.season.dry_run import plan_season

            print_plan(plan_season(**request.arguments()))
        named = True
        if gallery is not None and outcome is not None and len(outcome.failed) < len(outcome.titles):
            named = name_by_gallery(outcome.out.url, gallery)
    code = exit_code(outcome) if outcome is not None else 0
    raise typer.Exit(code or (0 if named else 1))


@app.command()
def demo(
    out: Out = "vcn-demo",
    set_: Set = None,
    local: Local = False,
    num_cpus: NumCpus = None,
) -> None:
    """Render a small season, find its characters and measure the result: shows that all works, without a download."""
    with explained(out):
        given = given_options(set_ or [], {"num_cpus": num_cpus})
        from vcn_ray.demo import find_demo, render_demo

        if out.startswith("s3://"):
            raise OptionError(f"--out {out}: the demo renders its videos into a folder; name one")
        clips = Path(folder("--out", out)) / "season"
        season = find_demo(clips)
        if season is None:
            say(f"rendering two episodes into {clips}")
            season = render_demo(clips)
        outcome = _run(
            Request(
                [str(video) for video in season.videos], out, "demo", given=given, executor=executor_name(None, local)
            )
        )
        if not outcome.failed:
            print_measures(out, str(season.ground_truth))
            say(f"open {outcome.out.where('index.html')}")
    raise typer.Exit(exit_code(outcome))


@app.command()
def status(
    directory: Directory,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, one object each time.")] = False,
    watch: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Again every so many seconds, for as long as the run lives.", min=0.1),
    ] = None,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Show how far a run is: every title's state, progress, retries and errors; also from another machine.

    Exit code 0: running, or finished well; 1: a title failed, or the run stopped before its end; 2: no run is there.
    """
    with explained():
        from vcn_ray.monitoring.status import read_status
        from vcn_ray.storage.store import Store

        use_s3_endpoint(s3_endpoint)
        store = Store(folder("DIR", directory))
        found = read_status(store)
        # Ctrl-C ends the watching, not the run.
        with printed_status(found, as_json=as_json, again=watch is not None) as show, suppress(KeyboardInterrupt):
            while watch is not None and found.verdict == "running":
                time.sleep(watch)
                found = read_status(store)
                show(found)
    raise typer.Exit(1 if found.failed else 0)


@app.command()
def config() -> None:
    """Print every option with its default and the reason to change it."""
    with explained():
        from vcn_ray.config import describe_options

        print_options(describe_options())


@app.command()
def models(
    verify: Annotated[bool, typer.Option("--verify", help="Check the files of installed models by SHA-256.")] = False,
    fetch: Annotated[str | None, typer.Option(metavar="NAME", help="Download the models of this name.")] = None,
) -> None:
    """List the face models: licence, what is installed; verify or fetch them."""
    with explained():
        from vcn_ray.models.packs import describe_packs
        from vcn_ray.models.packs import fetch as fetch_pack

        if fetch is not None:
            fetch_pack(fetch)
        packs = describe_packs()
        print_packs(packs, verified=verify)
        if verify:
            for pack in packs:
                if pack["installed"] and not pack["verified"]:
                    raise ModelError(pack["problem"])


add_curation_commands(app)
app.command()(evaluate)
app.command()(export)
app.command()(overlay)
app.command()(review)
app.command()(plot)


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from vcn_ray.version import __version__

        typer.echo(f"vcn-ray {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the command ``vcn-ray``."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # its remarks are not for users
    app(prog_name="vcn-ray")


def _run(request: Request) -> SeasonOutcome:
    from vcn_ray.execution.factory import make_executor
    from vcn_ray.season.run import run_season

    arguments = request.arguments()
    with run_monitor() as monitor:
        outcome = run_season(**arguments, executor=make_executor(request.executor), monitor=monitor)
    print_outcome(outcome)
    return outcome
