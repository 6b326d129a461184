"""The commands; nothing but argument handling and printing."""

from __future__ import annotations

import os
import re
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vcn_ray.errors import InputError, ModelError, OptionError, VcnError

if TYPE_CHECKING:
    from vcn_ray.evaluate.report import Evaluation
    from vcn_ray.season.outcome import SeasonOutcome
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
# Wide enough for a path where the output is no terminal; a terminal tells its own width.
out_console = Console(width=None if Console().is_terminal else 160, emoji=False)
error_console = Console(stderr=True, width=None if Console(stderr=True).is_terminal else 10_000, emoji=False)


class _Method(StrEnum):
    robust = "robust"
    paper = "paper"


class _Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the results; made if missing.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any option by name, repeatable; `vcn-ray config` lists them."),
]
Local = Annotated[bool, typer.Option("--local", help="Everything in this process, without Ray workers: to debug.")]
NumCpus = Annotated[int | None, typer.Option(metavar="N", help="CPUs to use on this machine.  [default: all]", min=1)]


@app.command()
def run(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Video files, folders of videos, patterns.")],
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
    }
    with _explained(out):
        settings = _settings(config, set_ or [], flags)
        part = _part(from_, to)
        outcome = _run(list(videos), out, title, settings, part, local)
    raise typer.Exit(_exit_code(outcome))


@app.command()
def demo(
    out: Out = Path("vcn-demo"),
    set_: Set = None,
    local: Local = False,
    num_cpus: NumCpus = None,
) -> None:
    """Render a small season, find its characters and measure the result: shows that all works, without a download."""
    with _explained(out):
        settings = _settings(None, set_ or [], {"num_cpus": num_cpus})
        from vcn_ray.demo import find_demo, render_demo

        folder = _folder("--out", out) / "season"
        season = find_demo(folder)
        if season is None:
            _say(f"rendering two episodes into {folder}")
            season = render_demo(folder)
        outcome = _run([str(video) for video in season.videos], out, "demo", settings, (0.0, None), local)
        if not outcome.failed:
            import vcn_ray

            _print_evaluation(vcn_ray.load(out).evaluate(season.ground_truth))
            _say(f"open {outcome.out.where('index.html')}")
    raise typer.Exit(_exit_code(outcome))


@app.command()
def evaluate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of results (--out of a run).")],
    ground_truth: Annotated[
        Path, typer.Option(metavar="CSV", help="Labelled faces: video, frame, x, y, w, h, identity, shot.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure results against labelled faces: WCP, PCR, NMI, B-cubed, pairwise F, appearance recall, per iteration."""
    with _explained():
        import vcn_ray

        evaluation = vcn_ray.load(_folder("DIR", directory)).evaluate(ground_truth)
        if as_json:
            typer.echo(evaluation.json())
        else:
            _print_evaluation(evaluation)


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
            _add_row(table, option.name, str(option.default), paper, option.description)
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
            _add_row(
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


def _run(
    videos: list[str],
    out: Path,
    title: str | None,
    settings: dict[str, Any],
    part: tuple[float, float | None],
    local: bool,
) -> SeasonOutcome:
    from vcn_ray.config import make_options
    from vcn_ray.season.driver import run_season
    from vcn_ray.season.state import Part
    from vcn_ray.season.titles import find_season
    from vcn_ray.storage import Store

    options = make_options(settings)
    store = Store(_folder("--out", out))
    season = find_season(videos, title)
    for _, sentence in season.refused:
        _complain(sentence)
    with _monitor() as monitor:
        outcome = run_season(season, store, options, part=Part(*part), local=local, monitor=monitor)
    _print_outcome(outcome)
    return outcome


@contextmanager
def _monitor() -> Iterator[Monitor]:
    from vcn_ray.season.progress import Bars, Lines

    if out_console.is_terminal:
        with Bars(out_console) as bars:
            yield bars
    else:
        yield Lines(out_console)


@contextmanager
def _explained(out: Path | None = None) -> Iterator[None]:
    """Any error becomes one sentence and an exit code; what no user caused leaves its traceback in a file, in `out`."""
    try:
        yield
    except VcnError as error:
        _complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        _complain("interrupted: finished steps are kept, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # `| head`; typer ends quietly
        raise
    except Exception as error:
        log = _write_fault(out, traceback.format_exc())
        text = " ".join(str(error).split())
        _complain(f"this is a fault of vcn-ray: {type(error).__name__}: {text}; please report it with {log}")
        raise typer.Exit(UNEXPECTED) from None


def _write_fault(out: Path | None, trace: str) -> Path:
    """The file that the traceback is in: in the folder of results or, where that cannot be written, a temporary one."""
    if out is not None:
        from vcn_ray.storage import Store

        try:
            store = Store(_folder("--out", out))
            store.write_bytes(_FAULT_LOG, trace.encode())
            return Path(store.where(_FAULT_LOG))
        except VcnError:
            pass
    with tempfile.NamedTemporaryFile("w", prefix="vcn-ray-", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(trace)
    return Path(file.name)


def _folder(flag: str, path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # ~name of nobody
        raise OptionError(f"{flag} {path}: {error}; write the whole path") from None


def _complain(sentence: str) -> None:
    error_console.print(f"vcn-ray: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)


def _say(text: str) -> None:
    out_console.print(text, soft_wrap=True, markup=False, highlight=False)


def _add_row(table: Table, *cells: str) -> None:
    """Add cells as they are: titles and file names may look like markup."""
    table.add_row(*(Text(cell) for cell in cells))


def _exit_code(outcome: SeasonOutcome) -> int:
    if outcome.failed and all(title.error is not None and title.stage == "probe" for title in outcome.titles):
        return InputError.exit_code
    return 1 if outcome.failed or outcome.refused else 0


def _settings(config_file: Path | None, assignments: list[str], flags: dict[str, Any]) -> dict[str, Any]:
    """Options from the file, over them those of --set, over them the flags that were given."""
    settings = _read_config(config_file) if config_file is not None else {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise OptionError(f"--set {assignment}: write it as NAME=VALUE, such as --set sample_every_frames=6")
        settings[name.strip()] = value.strip()
    settings |= {name: value for name, value in flags.items() if value is not None}
    return settings


def _read_config(path: Path) -> dict[str, Any]:
    """Options of a YAML file: by name, or by name below their group as `season.json` has them."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"--config {path}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError(f"--config {path}: not valid YAML ({' '.join(str(error).split())}); mend it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise OptionError(f"--config {path}: give options one a line, as `sample_every_frames: 6`")
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= {str(k): v for k, v in value.items()} if isinstance(value, dict) else {str(name): value}
    return flat


def _part(from_text: str, to_text: str | None) -> tuple[float, float | None]:
    from_s = _seconds("--from", from_text)
    to_s = None if to_text is None else _seconds("--to", to_text)
    if to_s is not None and to_s <= from_s:
        raise InputError(f"--to {to_text} is not after --from {from_text}; give a later time")
    return from_s, to_s


def _seconds(flag: str, text: str) -> float:
    """Seconds of '90', '1:30', '00:01:30' or '00:01:30.5'."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise OptionError(f"{flag} {text}: write a time as 90 (seconds), 1:30 or 00:01:30")
    seconds = 0.0
    for piece in text.split(":"):
        seconds = seconds * 60 + float(piece)
    return seconds


def _print_outcome(outcome: SeasonOutcome) -> None:
    table = Table("title", "videos", "minutes", "tracks", "Unknown", "characters", title="Season", title_justify="left")
    stages = list(dict.fromkeys(stage for title in outcome.titles for stage in title.seconds))
    for stage in stages:
        table.add_column(f"{stage} s", justify="right")
    for title in outcome.titles:
        row = [title.id, str(len(title.videos)), f"{title.minutes:.1f}"]
        if title.error is None:
            row += [str(title.counts[name]) for name in ("tracks", "unknown", "characters")]
        else:
            row += ["failed", "", ""]
        _add_row(table, *row, *(f"{title.seconds[stage]:.1f}" if stage in title.seconds else "" for stage in stages))
    out_console.print(table)
    for failed in outcome.failed:
        log = f" (details: {failed.log})" if failed.log else ""
        _complain(f"{failed.id} failed: {failed.error}{log}")
    done = len(outcome.titles) - len(outcome.failed)
    if done:
        text = f"{done} of {len(outcome.titles)} titles done in {outcome.seconds:.0f} s; pages: "
        _say(f"{text}{outcome.out.where('index.html')}")


def _print_evaluation(evaluation: Evaluation) -> None:
    figures = Table("measure", "value", title="Against the ground truth", title_justify="left")
    for name, value in evaluation.summary().items():
        _add_row(figures, name, _figure(value))
    out_console.print(figures)
    for title, of_title in [("", evaluation), *evaluation.titles.items()]:
        rows = of_title.table()
        if len(rows) > 1:
            table = Table(*rows[0], title=Text(f"Per iteration {title}".strip()), title_justify="left")
            for row in rows:
                _add_row(table, *(_figure(value) for value in row.values()))
            out_console.print(table)
    for note in evaluation.notes:
        _say(f"note: {note}")


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
