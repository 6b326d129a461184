"""The commands; nothing but argument handling and printing."""

from __future__ import annotations

import json
import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from vcn_ray.cli_print import (
    add_row,
    complain,
    out_console,
    print_evaluation,
    print_outcome,
    print_plan,
    print_status,
    say,
)
from vcn_ray.cli_request import Request, folder, given_options, read_config, read_part
from vcn_ray.errors import InputError, ModelError, OptionError, VcnError

if TYPE_CHECKING:
    from vcn_ray.season.outcome import SeasonOutcome
    from vcn_ray.season.plan import Plan
    from vcn_ray.season.progress import Monitor

_HELP = """
Finds the cast of films and series: who is on screen, when, through whole seasons.

Try it:  vcn-ray demo --out vcn-demo

Your own:  vcn-ray run s01e01.mkv s01e02.mkv --out season1 --title "My series"

Then open season1/index.html. The same command again goes on where a run was stopped.

Exit codes: 0 all is done; 1 a title failed, the others are done; 2 wrong usage or nothing usable was given;
3 results cannot be written; 4 a fault of vcn-ray itself, described in the file that is named; 130 interrupted.
"""

UNEXPECTED = 4
INTERRUPTED = 130
_FAULT_LOG = "unexpected-error.log"

app = typer.Typer(
    help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


class _Method(StrEnum):
    robust = "robust"
    paper = "paper"


class _Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Out = Annotated[
    str,
    typer.Option("--out", "-o", metavar="DIR", help="Folder for the results, or s3://BUCKET/PREFIX; made if missing."),
]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="Folder of results (--out of a run), or its URL.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any option by name, repeatable; `vcn-ray config` lists them."),
]
Local = Annotated[bool, typer.Option("--local", help="Everything in this process, without Ray workers: to debug.")]
NumCpus = Annotated[int | None, typer.Option(metavar="N", help="CPUs to use on this machine.  [default: all]", min=1)]


@app.command()
def run(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO...", help="Video files, folders of videos, patterns, s3:// URLs, or one season.yaml."
        ),
    ],
    out: Out,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Make all videos one title of this name: its characters run through them all. "
            "Without it each video is a title of its own.",
        ),
    ] = None,
    method: Annotated[
        _Method | None, typer.Option(help="robust: what was found to work; paper: VideoClusterNet as published.")
    ] = None,
    pack: Annotated[str | None, typer.Option(metavar="NAME", help="Face models; `vcn-ray models` lists them.")] = None,
    set_: Set = None,
    config: Annotated[
        Path | None, typer.Option(metavar="YAML", help="File with options; --set and other flags go before it.")
    ] = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Leave out what comes before: 90, 1:30 or 00:01:30.")
    ] = "0",
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Leave out what comes after.")] = None,
    local: Local = False,
    num_cpus: NumCpus = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Ray cluster to work on, as HOST:PORT, or auto.  [default: this machine]"),
    ] = None,
    device: Annotated[
        _Device | None, typer.Option(help="Where adaptation runs.  [default: a GPU if there is one]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of every random number; same seed, same clusters.", min=0)
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start Ray's dashboard at http://127.0.0.1:8265, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what is done, what would run and why; change nothing.")
    ] = False,
    s3_endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Server of s3:// URLs that is not AWS's: MinIO and the like.")
    ] = None,
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
    if s3_endpoint is not None:
        os.environ["AWS_ENDPOINT_URL_S3"] = s3_endpoint
    with _explained(out):
        request = Request(
            videos=list(videos),
            out=out,
            title=title,
            config=read_config(config) if config is not None else {},
            given=given_options(set_ or [], flags),
            part=read_part(from_, to),
            local=local,
        )
        outcome = None if dry_run else _run(request)
        if dry_run:
            print_plan(_plan(request))
    raise typer.Exit(_exit_code(outcome) if outcome is not None else 0)


@app.command()
def demo(
    out: Out = "vcn-demo",
    set_: Set = None,
    local: Local = False,
    num_cpus: NumCpus = None,
) -> None:
    """Render a small season, find its characters and measure the result: shows that all works, without a download."""
    with _explained(out):
        given = given_options(set_ or [], {"num_cpus": num_cpus})
        from vcn_ray.demo import find_demo, render_demo

        if out.startswith("s3://"):
            raise OptionError(f"--out {out}: the demo renders its videos into a folder; name one")
        clips = Path(folder("--out", out)) / "season"
        season = find_demo(clips)
        if season is None:
            say(f"rendering two episodes into {clips}")
            season = render_demo(clips)
        outcome = _run(Request([str(video) for video in season.videos], out, "demo", given=given, local=local))
        if not outcome.failed:
            import vcn_ray

            print_evaluation(vcn_ray.load(out).evaluate(season.ground_truth))
            say(f"open {outcome.out.where('index.html')}")
    raise typer.Exit(_exit_code(outcome))


@app.command()
def evaluate(
    directory: Directory,
    ground_truth: Annotated[
        Path, typer.Option(metavar="CSV", help="Labelled faces: video, frame, x, y, w, h, identity, shot.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure results against labelled faces: WCP, PCR, NMI, B-cubed, pairwise F, appearance recall, per iteration."""
    with _explained():
        import vcn_ray

        evaluation = vcn_ray.load(folder("DIR", directory)).evaluate(ground_truth)
        if as_json:
            typer.echo(evaluation.json())
        else:
            print_evaluation(evaluation)


@app.command()
def status(
    directory: Directory,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how far a run is: every title's state, progress, retries and errors; also from another machine."""
    with _explained():
        from vcn_ray.season.status import read_status
        from vcn_ray.storage import Store

        found = read_status(Store(folder("DIR", directory)))
        if as_json:
            typer.echo(json.dumps({"headline": found.headline, **asdict(found)}, indent=1, ensure_ascii=False))
        else:
            print_status(found)
    raise typer.Exit(1 if any(title.error for title in found.titles) else 0)


@app.command()
def config() -> None:
    """Print every option with its default and the reason to change it."""
    with _explained():
        from vcn_ray.config import describe_options

        table = Table("option", "default", "paper", "why", title="Options: --set NAME=VALUE", title_justify="left")
        group = None
        for option in describe_options():
            if option.group != group:
                table.add_section()
                group = option.group
            paper = "" if option.paper_default == option.default else str(option.paper_default)
            add_row(table, option.name, str(option.default), paper, option.description)
        out_console.print(table)


@app.command()
def models(
    verify: Annotated[bool, typer.Option("--verify", help="Check the files of installed models by SHA-256.")] = False,
    fetch: Annotated[str | None, typer.Option(metavar="NAME", help="Download the models of this name.")] = None,
) -> None:
    """List the face models: licence, what is installed; verify or fetch them."""
    with _explained():
        from vcn_ray.models.packs import describe_packs
        from vcn_ray.models.packs import fetch as fetch_pack

        if fetch is not None:
            fetch_pack(fetch)
        table = Table("name", "licence", "commercial use", "installed", "tested", "what it is")
        packs = describe_packs()
        for pack in packs:
            installed = "yes" if pack["installed"] else "no"
            add_row(
                table,
                pack["name"],
                pack["licence"],
                "yes" if pack["commercial_use"] else "NO",
                installed
                if not verify
                else "verified"
                if pack["verified"]
                else "DAMAGED"
                if pack["installed"]
                else "no",
                "yes" if pack["tested_on_real_weights"] else "not on the real weights",
                pack["description"],
            )
        out_console.print(table)
        if verify:
            for pack in packs:
                if pack["installed"] and not pack["verified"]:
                    raise ModelError(pack["problem"])


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from vcn_ray import __version__

        typer.echo(f"vcn-ray {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the command ``vcn-ray``."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # its remarks are not for users
    app(prog_name="vcn-ray")


def _run(request: Request) -> SeasonOutcome:
    from vcn_ray.season.driver import run_season

    arguments = request.arguments()
    with _monitor() as monitor:
        outcome = run_season(**arguments, local=request.local, monitor=monitor)
    print_outcome(outcome)
    return outcome


def _plan(request: Request) -> Plan:
    from vcn_ray.season.plan import plan_season

    return plan_season(**request.arguments())


@contextmanager
def _monitor() -> Iterator[Monitor]:
    from vcn_ray.season.progress import Bars, Lines

    if out_console.is_terminal:
        with Bars(out_console) as bars:
            yield bars
    else:
        yield Lines(out_console)


@contextmanager
def _explained(out: str | None = None) -> Iterator[None]:
    """Any error becomes one sentence and an exit code; what no user caused leaves its traceback in a file, in `out`."""
    try:
        yield
    except VcnError as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        complain("interrupted: finished steps are kept, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # `| head`; typer ends quietly
        raise
    except Exception as error:
        log = _write_fault(out, traceback.format_exc())
        text = " ".join(str(error).split())
        complain(f"this is a fault of vcn-ray: {type(error).__name__}: {text}; please report it with {log}")
        raise typer.Exit(UNEXPECTED) from None


def _write_fault(out: str | None, trace: str) -> str:
    """The file that the traceback is in: in the folder of results or, where that cannot be written, a temporary one."""
    if out is not None:
        from vcn_ray.storage import Store

        try:
            store = Store(folder("--out", out))
            store.write_bytes(_FAULT_LOG, trace.encode())
            return store.where(_FAULT_LOG)
        except VcnError:
            pass
    with tempfile.NamedTemporaryFile("w", prefix="vcn-ray-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(trace)
    return file.name


def _exit_code(outcome: SeasonOutcome) -> int:
    if outcome.failed and all(title.error is not None and title.stage == "probe" for title in outcome.titles):
        return InputError.exit_code
    return 1 if outcome.failed or outcome.refused else 0
