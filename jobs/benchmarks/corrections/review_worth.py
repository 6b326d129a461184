"""What a person's answers are worth: the review's queue of questions, answered by the ground truth.

The very session that the review page asks is asked here. "Yes" and "no" are by whom most of the tracks shown on
either side of a question show; where the ground truth has no label for a side, the person cannot tell and passes.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import vcn_ray
from jobs.benchmarks.corrections.held_corrections import found_so, held_corrections, meant_by, print_failing
from jobs.benchmarks.corrections.runs import copy_results, run_again
from jobs.benchmarks.corrections.truth_teller import TruthTeller
from jobs.benchmarks.progress import tell
from vcn_ray.corrections.correction import Kind
from vcn_ray.corrections.correction_file import CORRECTIONS_KEY, read_corrections
from vcn_ray.curation.applying import apply_to_season
from vcn_ray.errors import InputError, VcnError
from vcn_ray.evaluate.report import Scores
from vcn_ray.review.session import ReviewSession
from vcn_ray.review.stored_season import StoredSeason
from vcn_ray.storage.store import Store

_BY = "ground truth"

#: More than there are questions of any season.
_ALL = 1_000_000


@dataclass
class _Review:
    """A review in one order: after each answer how right the cast is."""

    scores: list[Scores]
    characters: list[int]
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)  # kind of question, answer
    refused: int = 0  # answers that could not be followed
    waits_s: list[float] = field(default_factory=list)  # for what an answer brings, and the next question

    def at(self, answers: int) -> tuple[Scores, int]:
        """Scores and number of characters after so many answers, or all that there was to ask."""
        place = min(answers, len(self.scores) - 1)
        return self.scores[place], self.characters[place]


#: Asks one question and gives the answer to it; kind, answer; None where there is nothing more to ask.
_Ask = Callable[[ReviewSession], tuple[str, str] | None]


def review_worth(
    results: str, ground_truth: str, answers: Sequence[int], seeds: Sequence[int], run: bool, folder: str
) -> None:
    """Print how right a cast is after so many answers, asked in several orders; and after a run with them.

    Args:
        results: a finished season; it stays as it is, and what was said of it before is left out.
        ground_truth: CSV of its videos.
        answers: numbers of them.
        seeds: of the questions in random order.
        run: also run again, with the answers of the queue.
        folder: where copies go.
    """
    copy = Store(Path(folder) / "reviewed")
    copy_results(Store(results), copy)
    if copy.exists(CORRECTIONS_KEY):
        copy.delete(CORRECTIONS_KEY)
        apply_to_season(copy)
    season = StoredSeason(copy)
    truth = TruthTeller(season.places, len(season.found), ground_truth)
    most = max(answers)
    queue = _review(season, truth, _from_queue(truth, lambda asked: asked[0]), most)
    orders = {"queue": [queue]}
    orders["nearest to 50 %"] = [_apart(season, truth, _from_queue(truth, _most_doubtful), most)]
    orders["least confident track"] = [_apart(season, truth, _by_confidence(season, truth), most)]
    orders["random"] = [_apart(season, truth, _from_queue(truth, _at_random(seed)), most) for seed in seeds]
    _print(Store(results).name, truth, orders, answers)
    _print_queue(queue)
    if not read_corrections(copy):
        return
    _check_tables(copy, ground_truth, queue.scores[-1])
    if run:
        log = Path(folder) / "run.log"
        tell(f"the same command again, with the corrections ({log})")
        meant = meant_by(season, truth, read_corrections(copy))
        seconds = run_again(copy, log)
        _print_run(copy, ground_truth, queue.scores[-1], meant, seconds)


def _apart(season: StoredSeason, truth: TruthTeller, ask: _Ask, most: int) -> _Review:
    """As `_review`, with what is said kept elsewhere."""
    out = season.out
    with tempfile.TemporaryDirectory(prefix="vcn-review-") as folder:
        try:
            season.out = Store(folder)
            return _review(season, truth, ask, most)
        finally:
            season.out = out


def _review(season: StoredSeason, truth: TruthTeller, ask: _Ask, most: int) -> _Review:
    """Up to so many answers."""
    session = ReviewSession(season, _BY)
    review = _Review([truth.scores(session.moment.corrected.member)], [len(session.moment.people)])
    while len(review.scores) <= most:
        started = time.perf_counter()
        try:
            answered = ask(session)
        except InputError:
            answered, review.refused = ("any", "refused"), review.refused + 1
        if answered is None:
            break
        review.waits_s.append(time.perf_counter() - started)
        review.answers[answered] += 1
        review.scores.append(truth.scores(session.moment.corrected.member))
        review.characters.append(len(session.moment.people))
    return review


def _from_queue(truth: TruthTeller, choose: Callable[[list[dict[str, Any]]], dict[str, Any]]) -> _Ask:
    """Questions of the queue, one of all that it holds at the time."""

    def ask(session: ReviewSession) -> tuple[str, str] | None:
        asked = session.questions_json(_ALL)
        if not asked:
            return None
        question = choose(asked)
        answer = _answer(truth, question["tracks"], question["others"])
        content = {"key": question["key"], "answer": answer, "revision": session.moment.revision}
        try:
            session.answer(content)
        except InputError:
            session.answer(content | {"answer": "skip"})  # as a person would, told that it cannot be
            return question["kind"], "refused"
        return question["kind"], answer

    return ask


def _answer(truth: TruthTeller, rows: Sequence[int], others: Sequence[int]) -> str:
    one, other = truth.of(rows), truth.of(others)
    return "skip" if one is None or other is None else "yes" if one == other else "no"


def _at_random(seed: int) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    return random.Random(seed).choice  # noqa: S311  # no secret


def _most_doubtful(asked: list[dict[str, Any]]) -> dict[str, Any]:
    return min(asked, key=lambda question: (abs(question["probability"] - 0.5), question["key"]))


def _by_confidence(season: StoredSeason, truth: TruthTeller) -> _Ask:
    """Is this track the person whom it was given to? The least confident first; Unknown tracks have no confidence."""
    confidence = season.facts.confidence
    known = np.flatnonzero(np.isfinite(confidence))
    left: Iterator[int] = iter(known[np.argsort(confidence[known], kind="stable")].tolist())

    def ask(session: ReviewSession) -> tuple[str, str] | None:
        for row in left:
            person = session.moment.owner(row)
            if person is None or len(person.rows) < 2:
                continue  # nobody to hold it against
            answer = _answer(truth, [row], person.rows[person.rows != row].tolist())
            if answer != "skip":
                kind = Kind.MOVE if answer == "yes" else Kind.DIFFERENT
                session.correct({"kind": kind.value, "tracks": [row], "other_people": [person.id]})
            return "belongs", answer
        return None

    return ask


def _print(name: str, truth: TruthTeller, orders: dict[str, list[_Review]], answers: Sequence[int]) -> None:
    labelled = sum(identity is not None for identity in truth.identity)
    print(f"{name}: {len(truth.identity)} tracks, {labelled} of them labelled, {truth.identities} identities")
    table = Table(
        "order of the questions", *(f"{n} answers" for n in answers), title="B-cubed F, Unknown counted / PCR / people"
    )
    for order, reviews in orders.items():
        cells = []
        for n in answers:
            scores, characters = zip(*(review.at(n) for review in reviews), strict=True)
            f, pcr = _mean([s.bcubed_f_all for s in scores]), _mean([s.pcr for s in scores])
            asked = min(len(review.scores) - 1 for review in reviews)
            cells.append(f"{f:.3f} / {pcr:.2f} / {_mean(characters):.4g}{f' ({asked})' if asked < n else ''}")
        table.add_row(f"{order}, mean of {len(reviews)}" if len(reviews) > 1 else order, *cells)
    Console(width=150).print(table)
    print("In brackets: so many were all that there was to ask.")


def _mean(values: Sequence[float | None]) -> float:
    """What is not defined, as all tracks are Unknown, counts 0."""
    return statistics.mean([value or 0.0 for value in values])


def _print_queue(review: _Review) -> None:
    kinds = ", ".join(f"{kind} {answer}: {n}" for (kind, answer), n in sorted(review.answers.items()))
    print(f"Answers of the queue: {kinds or 'none'}.", end="")
    if review.waits_s:
        print(f" {1000 * statistics.median(review.waits_s):.0f} ms each, at most {1000 * max(review.waits_s):.0f}.")
    else:
        print()


def _check_tables(copy: Store, ground_truth: str, shown: Scores) -> None:
    """What `vcn-ray apply` and `vcn-ray evaluate` say; `VcnError` where that is not what the page showed."""
    applied = apply_to_season(copy)
    print(f"vcn-ray apply: {applied.corrections} corrections in {applied.seconds:.2f} s", *applied.problems, sep="\n  ")
    delivered = _evaluate(copy, ground_truth)
    if delivered != shown:
        raise VcnError(f"{copy.url}: its tables score {delivered}, but the page showed {shown}")


def _evaluate(results: Store, ground_truth: str) -> Scores:
    """Of the season's people, as `vcn-ray evaluate` has it."""
    found = vcn_ray.load(results.url).evaluate(ground_truth)
    return found.cast or found.scores


def _print_run(
    copy: Store, ground_truth: str, before: Scores, meant: Mapping[object, str | None], seconds: float
) -> None:
    """What a run made of the corrections."""
    season = StoredSeason(copy)
    truth = TruthTeller(season.places, len(season.found), ground_truth)
    corrections = read_corrections(copy)
    held = held_corrections(season, truth, corrections, meant)
    after, found = _evaluate(copy, ground_truth), truth.scores(season.found.member)
    print(
        f"vcn-ray run with them, {seconds:.0f} s: B-cubed F {before.bcubed_f_all:.3f} -> {after.bcubed_f_all:.3f}, as "
        f"found {found.bcubed_f_all:.3f}; PCR {before.pcr:.2f} -> {after.pcr:.2f}, as found {found.pcr:.2f}; "
        f"{sum(one.holds for one in held)} of {len(held)} corrections hold; what was found says so of {found_so(held)}"
    )
    print_failing(held)
