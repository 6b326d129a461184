"""What the commands print: tables, sentences, errors."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vcn_ray.errors import InputError
from vcn_ray.monitoring.console import Bars, Lines
from vcn_ray.monitoring.monitor import Monitor, duration

if TYPE_CHECKING:
    from vcn_ray.config.options import OptionInfo
    from vcn_ray.curation.applying import Applied
    from vcn_ray.curation.forgetting import Forgotten
    from vcn_ray.evaluate.presence import PresenceEvaluation
    from vcn_ray.evaluate.report import Evaluation
    from vcn_ray.monitoring.status import SeasonStatus
    from vcn_ray.season.dry_run import Plan
    from vcn_ray.season.outcome import SeasonOutcome
    from vcn_ray.season.season_result import SeasonResult

# Wide enough for a path where the output is no terminal; a terminal tells its own width.
out_console = Console(width=None if Console().is_terminal else 160, emoji=False)
error_console = Console(stderr=True, width=None if Console(stderr=True).is_terminal else 10_000, emoji=False)


def complain(sentence: str) -> None:
    """Print a sentence about an error."""
    error_console.print(f"vcn-ray: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line as it is."""
    out_console.print(text, soft_wrap=True, markup=False, highlight=False)


def say_what_waits(season: SeasonResult) -> None:
    """Say that a season's tables do not hold all corrections yet, where that is so, or cannot be told."""
    try:
        if season.corrections_wait:
            how = f"vcn-ray apply {shlex.quote(season.out)}"
            complain(f"corrections wait, and are not in what is written now; this brings them in: {how}")
    except InputError as error:  # the tables are whole all the same
        complain(f"whether corrections wait cannot be told: {error}")


def add_row(table: Table, *cells: str) -> None:
    """Add cells as they are: titles and file names may look like markup."""
    table.add_row(*(Text(cell) for cell in cells))


@contextmanager
def run_monitor() -> Iterator[Monitor]:
    """What tells of a run while it runs: bars on a terminal, else lines."""
    if out_console.is_terminal:
        with Bars(out_console) as bars:
            yield bars
    else:
        yield Lines(out_console)


def print_outcome(outcome: SeasonOutcome) -> None:
    """A line a title with its counts and times, then what failed."""
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
        add_row(table, *row, *(f"{title.seconds[stage]:.1f}" if stage in title.seconds else "" for stage in stages))
    out_console.print(table)
    if outcome.summary is not None:
        heads, *rows = outcome.summary.table()
        table = Table(*heads, title="What it took", title_justify="left")
        for cells in rows:
            add_row(table, *cells)
        out_console.print(table)
        say(outcome.summary.sentence())
    for failed in outcome.failed:
        log = f" (details: {failed.log})" if failed.log else ""
        complain(f"{failed.id} failed: {failed.error}{log}")
    for problem in outcome.problems:
        complain(f"a correction no longer fits: {problem}")
    done = len(outcome.titles) - len(outcome.failed)
    if done:
        text = f"{done} of {len(outcome.titles)} titles done in {outcome.seconds:.0f} s; pages: "
        say(f"{text}{outcome.out.where('index.html')}")


def print_applied(applied: Applied) -> None:
    """What became of corrections."""
    for problem in applied.problems:
        complain(f"a correction no longer fits: {problem}")
    say(
        f"corrections in the tables: {applied.corrections}; titles written anew: {len(applied.written)}; "
        f"in {applied.seconds:.1f} s"
    )


def print_forgotten(forgotten: Forgotten) -> None:
    """What was searched for somebody who was removed, what is left, and what nobody here can remove."""
    table = Table("what", "searched", "removed", "left", title="The search afterwards", title_justify="left")
    for row in forgotten.table.to_pylist():
        add_row(table, row["what"], *(str(row[name]) for name in ("searched", "removed", "left")))
    out_console.print(table)
    for row in forgotten.table.to_pylist():
        if row["left"]:
            complain(f"{row['what']}, {row['left']} left: {row['why']}")
    for note in forgotten.notes:
        say(f"note: {note}")
    say(
        f"{forgotten.who}: {forgotten.tracks} tracks forgotten; corrections.yaml keeps where they were, without face "
        "or name, so that no later run brings them back"
    )


def print_presence(presence: PresenceEvaluation, *, as_json: bool) -> None:
    """Who is on screen when, against RTTM."""
    if as_json:
        out_console.file.write(presence.json() + "\n")
        return
    for title, of_title in [("", presence), *presence.titles.items()]:
        name = Text(f"On screen, against RTTM {title}".strip())
        figures = Table("measure", "value", title=name, title_justify="left")
        for measure, value in of_title.summary().items():
            add_row(figures, measure, _figure(value))
        out_console.print(figures)
    for note in presence.notes:
        say(f"note: {note}")


def print_evaluation(evaluation: Evaluation, *, as_json: bool) -> None:
    """All figures against the ground truth."""
    if as_json:
        out_console.file.write(evaluation.json() + "\n")
        return
    figures = Table("measure", "value", title="Against the ground truth", title_justify="left")
    for name, value in evaluation.summary().items():
        add_row(figures, name, _figure(value))
    out_console.print(figures)
    if evaluation.reliability is not None:
        bins = Table(
            "confidence", "tracks", "on average", "right", title="Confidence of the tracks", title_justify="left"
        )
        for one in evaluation.reliability.bins:
            means = (_figure(one.mean_confidence), _figure(one.right))
            add_row(bins, f"{one.low:g} to {one.high:g}", str(one.tracks), *means)
        out_console.print(bins)
    for title, of_title in [("", evaluation), *evaluation.titles.items()]:
        rows = of_title.table()
        if len(rows) > 1:
            table = Table(*rows[0], title=Text(f"Per iteration {title}".strip()), title_justify="left")
            for row in rows:
                add_row(table, *(_figure(value) for value in row.values()))
            out_console.print(table)
    for note in evaluation.notes:
        say(f"note: {note}")


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def print_plan(plan: Plan) -> None:
    """What a run would do, a line a stage that is not done; the rest in a sentence."""
    table = Table("title", "stage", "state", "CPU time", "why", title="What would run", title_justify="left")
    waiting = [row for row in plan.rows if not row.is_done]
    for row in waiting:
        add_row(table, row.title, row.stage, row.state, "?" if row.cpu_s is None else duration(row.cpu_s), row.why)
    for title, sentence in plan.failing:
        add_row(table, title, "", "cannot be done", "", sentence)
    if waiting or plan.failing:
        out_console.print(table)
    titles = {row.title for row in plan.rows}
    done = titles - {row.title for row in waiting}
    say(f"{len(done)} of {len(titles)} titles are done; nothing was changed")
    if plan.corrected:
        say("corrections have changed: tables, pages and cast will be written anew, in seconds")
    if waiting and plan.seconds is not None:
        say(f"about {duration(plan.seconds)} on {plan.cpus} CPUs, by what earlier runs took here")
    elif waiting:
        say("no estimate of the time: not every stage has been measured in this folder yet, or it is a cluster's")


@contextmanager
def printed_status(status: SeasonStatus, *, as_json: bool, again: bool) -> Iterator[Callable[[SeasonStatus], None]]:
    """Print how far a run is; what is given prints it `again`, on a terminal in the same place."""
    if again and not as_json and out_console.is_terminal:
        with Live(_status_table(status), console=out_console, auto_refresh=False) as live:
            yield lambda later: live.update(_status_table(later), refresh=True)
        return

    def show(status: SeasonStatus) -> None:
        if as_json:
            told = {"headline": status.headline, "verdict": status.verdict, **asdict(status)}
            out_console.file.write(json.dumps(told, ensure_ascii=False) + "\n")
            out_console.file.flush()
        else:
            out_console.print(_status_table(status))

    show(status)
    yield show


def _status_table(status: SeasonStatus) -> Group:
    table = Table("title", "state", "progress", "time", "retries", "error")
    for title in status.titles:
        progress = title.stage.progress if title.stage is not None else ""
        took = duration(title.seconds) if title.seconds else ""
        add_row(table, title.title, title.state, progress, took, str(title.retries or ""), title.error)
    return Group(Text(status.headline), table) if status.titles else Group(Text(status.headline))


def print_options(options: Iterable[OptionInfo]) -> None:
    """A line an option, the groups apart."""
    table = Table("option", "default", "paper", "why", title="Options: --set NAME=VALUE", title_justify="left")
    for _, of_group in groupby(options, key=lambda option: option.group):
        table.add_section()
        for option in of_group:
            paper = "" if option.paper_default == option.default else str(option.paper_default)
            add_row(table, option.name, str(option.default), paper, option.description)
    out_console.print(table)


def print_packs(packs: Iterable[Mapping[str, Any]], *, verified: bool) -> None:
    """A line a pack of face models; `verified`: its files were looked at."""
    table = Table("name", "licence", "commercial use", "installed", "tested", "what it is")
    for pack in packs:
        installed = "yes" if pack["installed"] else "no"
        if verified and pack["installed"]:
            installed = "verified" if pack["verified"] else "DAMAGED"
        commercial = "yes" if pack["commercial_use"] else "NO"
        tested = "yes" if pack["tested_on_real_weights"] else "not on the real weights"
        add_row(table, pack["name"], pack["licence"], commercial, installed, tested, pack["description"])
    out_console.print(table)
