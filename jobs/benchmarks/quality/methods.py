"""What is measured: the product with any options, the field's methods, and bounds that know the answer."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from jobs.benchmarks.quality.ablations import ABLATIONS
from jobs.benchmarks.quality.apart import TITLES_APART
from vcn_ray.cluster.clusterers.table import find_clusterer
from vcn_ray.config import Options, make_options
from vcn_ray.errors import OptionError
from vcn_ray.evaluate.baselines import baselines
from vcn_ray.evaluate.baselines.hac import at_known_number, merge_tree, track_means
from vcn_ray.evaluate.baselines.problem import Baseline, TrackFaces
from vcn_ray.models.loading import FaceModels

#: (faces, number of identities in the ground truth) -> labels (t,), one or several
Oracle = Callable[[TrackFaces, int], list[np.ndarray]]

#: Ends the name of a bound: a method under the setting that is best on the very case.
IN_HINDSIGHT = ", best in hindsight"

#: The product's own methods by name, with the options that differ from the default (`apart`: on parts of the title).
PRODUCT: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "base model": {"max_iterations": "0"},
    "paper": {"method": "paper"},
    TITLES_APART: {},
}


@dataclass(frozen=True)
class Method:
    """Something to measure, by name; what it stands for is found again by `role` and `name` in any process."""

    name: str  # one of `ABLATIONS` works without that ingredient
    role: str  # "product", "baseline" or "oracle": knows what no method can know
    settings: tuple[tuple[str, str], ...] = ()  # options, of the product's
    every_iteration: bool = False  # of the product's: score each iteration, not the answer alone

    def options(self, seed: int) -> Options:
        """The product's options, on one CPU thread."""
        alone = {"device": "cpu", "threads_per_title": "1", "seed": str(seed)}
        return make_options({**dict(self.settings), **alone})

    def check(self) -> None:
        """Raise `OptionError` for an option that does not exist or takes no such value."""
        find_clusterer(self.options(0).cluster.merging)


@dataclass(frozen=True)
class KnownMethods:
    """All that can be measured, by name: what a name stands for is found again in any process."""

    models: FaceModels = field(default_factory=FaceModels)
    baselines: Callable[[float], Sequence[Baseline]] = baselines  # by the face-ID network's recognition threshold
    iterations: int = 10  # of the default without its stopping rule (S Tab. 2)

    def all(self, given: Mapping[str, str]) -> list[Method]:
        """Every method that has a name, under the options given for all of them."""
        product = [Method(name, "product", tuple({**given, **settings}.items())) for name, settings in PRODUCT.items()]
        fields_own = [Method(baseline.name, "baseline", tuple(given.items())) for baseline in self._baselines(given)]
        return [*product, *fields_own, *(Method(name, "oracle", tuple(given.items())) for name in ORACLES)]

    def choose(self, wanted: Sequence[str], given: Mapping[str, str], *, iterations: bool = False) -> list[Method]:
        """The methods of a command line.

        Args:
            wanted: names of `all`, several in one text separated by commas, or ``NAME:option=value,option=value`` for
                the default with other options; ``ablations``: all of `ABLATIONS`; empty: all of `all`.
            given: options for all methods.
            iterations: also the default without its stopping rule, scored after every iteration.

        Raises `OptionError` where a name or an option is unknown or a name is taken, before anything runs.
        """
        named = {method.name: method for method in self.all(given)}
        ablations = {name: Method(name, "product", tuple(given.items())) for name in ABLATIONS}
        known = named | ablations
        chosen: dict[str, Method] = {}
        for text in wanted:
            name, colon, assignments = text.partition(":")
            if colon:
                if not name.strip() or name == "ablations" or name in known | chosen:
                    raise OptionError(f"--methods {text}: {name!r} cannot be its name; give it one that no method has")
                options = dict(_assignment(text, part) for part in assignments.split(",") if part.strip())
                chosen[name] = Method(name, "product", tuple({**given, **options}.items()))
                try:
                    chosen[name].check()
                except OptionError as error:
                    raise OptionError(f"--methods {text}: {error}") from None
                continue
            for part in [text] if text in known else text.split(","):
                name = part.strip()
                if name == "ablations":
                    chosen |= ablations
                    continue
                if name not in known:
                    near = difflib.get_close_matches(name, known, n=1)
                    hint = (
                        f"did you mean {near[0]!r}?" if near else "write NAME:option=value for the default with others."
                    )
                    raise OptionError(f"--methods: no method {name!r}; {hint} Known: {'; '.join(known)}")
                chosen[name] = known[name]
        found = list((chosen or named).values())
        if iterations:
            limits = dict.fromkeys(("min_iterations", "max_iterations"), str(self.iterations))
            every = tuple({**given, **limits}.items())
            found.append(Method("default, every iteration", "product", every, every_iteration=True))
        for method in found:
            method.check()
        return found

    def baseline(self, method: Method) -> Baseline:
        """The baseline that a method stands for."""
        return next(baseline for baseline in self._baselines(dict(method.settings)) if baseline.name == method.name)

    def is_seeded(self, method: Method) -> bool:
        """Whether the seed changes anything."""
        if method.role == "product":
            return method.options(0).adapt.max_iterations > 0
        return method.role == "baseline" and self.baseline(method).seeded

    def has_settings(self, method: Method) -> bool:
        """Whether its setting has to be chosen, on other seasons."""
        return method.role == "baseline" and len(self.baseline(method).settings) > 1

    def _baselines(self, given: Mapping[str, str]) -> Sequence[Baseline]:
        threshold = self.models.pack(make_options(dict(given))).recognition_threshold
        if threshold is None:
            raise OptionError(
                "option 'pack': its threshold for two pictures of one person is not known, and methods of the field "
                "need it; use another pack"
            )
        return self.baselines(threshold)


def _assignment(text: str, part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise OptionError(f"--methods {text}: write it as NAME:option=value,option=value")
    return name.strip(), value.strip()


def _known_number(faces: TrackFaces, identities: int, *, linked: bool) -> list[np.ndarray]:
    baseline = at_known_number(identities, cannot_link=linked)
    return [baseline.prepare(faces, 0)(**baseline.settings[0])]


def _every_cut(faces: TrackFaces, identities: int, *, linked: bool) -> list[np.ndarray]:
    pairs = np.argwhere(np.triu(faces.cannot_link)) if linked else None
    return merge_tree(track_means(faces), pairs).all_cuts()


#: By name; of the labels that one gives, those count that score best on the very case.
ORACLES: Mapping[str, Oracle] = {
    "HAC at known number": partial(_known_number, linked=False),
    "HAC at known number with cannot-link": partial(_known_number, linked=True),
    "HAC at best threshold": partial(_every_cut, linked=False),
    "HAC at best threshold with cannot-link": partial(_every_cut, linked=True),
}
