"""Which setting of a method counts for a season: the one that is best on all others, never on itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jobs.benchmarks.quality.folds import Folds
from jobs.benchmarks.quality.methods import IN_HINDSIGHT
from jobs.benchmarks.quality.trial import MEASURE, Answer, Outcome

Row = dict[str, Any]
Setting = tuple[tuple[str, float], ...]

#: Columns of the stored table before the measures.
KEYS = (
    "season",
    "degraded",  # "" for the season's own videos
    "kind",
    "case",
    "tracks_of",  # "detected" or "truth"
    "method",
    "role",  # "product", "baseline" or "oracle"
    "setting",
    "seed",
    "iteration",  # null: the method's answer; else what it would have been after this iteration
    "iterations",  # adapted iterations behind the answer; null where nothing adapts
    "wall_s",
    "train_s",  # of it, of the product's
    "changed",  # tracks that each adapted iteration moved, separated by commas; null: not the product's answer
    "delivered",  # which iteration's clusters count
    "settled",  # whether the loop stopped by itself; null where nothing adapts
)


def rows_of(outcomes: Iterable[Outcome], folds: Folds) -> tuple[list[Row], list[str]]:
    """The long table, and a sentence for each method and season that no setting could be chosen for.

    A method with several settings gets, for each season and for detected and true tracks apart, the setting with the
    best mean `MEASURE` over the whole, undegraded cases of seasons of other people (`folds`), seeds averaged first; the
    first among equals. It holds for all cases of the season, its degraded copies included. Beside it stands, as a
    bound, what the setting that is best on the very case reaches: method with `IN_HINDSIGHT`, role "oracle".
    """
    outcomes = [outcome for outcome in outcomes if not outcome.error]
    choosing = _scores_to_choose_by(outcomes)
    rows: list[Row] = []
    problems: dict[str, None] = {}
    for outcome in outcomes:
        trial, season = outcome.trial, outcome.trial.case.of.footage.season
        if trial.method.role == "product" or len(outcome.answers) == 1:
            rows += [_row(outcome, answer) for answer in outcome.answers]
            continue
        best = max(outcome.answers, key=lambda answer: answer.scores[MEASURE] or 0.0)
        rows.append(_row(outcome, best) | {"method": trial.method.name + IN_HINDSIGHT, "role": "oracle"})
        setting = choose_setting(choosing[trial.method.name, trial.case.tracks], folds[season])
        if setting is None:
            problems[
                f"{trial.method.name} on {season}: no season of other people to choose its setting on; give one"
            ] = None
            continue
        rows.append(_row(outcome, next(answer for answer in outcome.answers if answer.setting == setting)))
    return rows, list(problems)


def choose_setting(scores: Mapping[str, Mapping[Setting, float]], left_out: Collection[str]) -> Setting | None:
    """The setting with the best mean over all seasons but those left out, None where there is no other.

    scores: of each setting, by season.
    """
    others = [of_setting for name, of_setting in scores.items() if name not in left_out]
    if not others:
        return None
    return max(others[0], key=lambda setting: float(np.mean([of_setting[setting] for of_setting in others])))


def _scores_to_choose_by(outcomes: Sequence[Outcome]) -> dict[tuple[str, str], dict[str, dict[Setting, float]]]:
    """By method and whose tracks, season and setting: the mean `MEASURE` over seeds on the season's whole case."""
    found: dict[tuple[str, str], dict[str, dict[Setting, list[float]]]] = defaultdict(lambda: defaultdict(dict))
    for outcome in outcomes:
        trial = outcome.trial
        if trial.method.role == "baseline" and trial.case.kind == "whole":
            of_season = found[trial.method.name, trial.case.tracks][trial.case.of.footage.season]
            for answer in outcome.answers:
                of_season.setdefault(answer.setting, []).append(answer.scores[MEASURE] or 0.0)
    return {
        key: {
            season: {setting: float(np.mean(values)) for setting, values in of_season.items()}
            for season, of_season in seasons.items()
        }
        for key, seasons in found.items()
    }


def _row(outcome: Outcome, answer: Answer) -> Row:
    trial = outcome.trial
    footage = trial.case.of.footage
    settings = dict(answer.setting or trial.method.settings)
    course = answer.course
    return {
        "season": footage.season,
        "degraded": footage.degraded,
        "kind": trial.case.kind,
        "case": trial.case.name,
        "tracks_of": trial.case.tracks,
        "method": trial.method.name,
        "role": trial.method.role,
        "setting": ", ".join(f"{name}={value}" for name, value in settings.items()),
        "seed": trial.seed,
        "iteration": answer.iteration,
        "iterations": answer.iterations,
        "wall_s": answer.wall_s,
        "train_s": course.train_s if course else None,
        "changed": ", ".join(map(str, course.changed)) if course else None,
        "delivered": course.delivered if course else None,
        "settled": course.settled if course else None,
        "judged": answer.judged,
        **answer.scores,
    }
