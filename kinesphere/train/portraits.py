"""Painted portraits that know themselves: an endless, seeded stream of pictures, each with the factors that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from scipy.special import ndtr, ndtri

from kinesphere.types import KinesphereError

Factors = dict[str, float | str]  # one portrait, in the order of FACTORS
Correlations = Mapping[tuple[str, str], float]  # {("smile", "age"): 0.6}; each in (-1, 1)


@dataclass(frozen=True)
class Factor:
    """One thing that varies from portrait to portrait, by itself unless it is correlated with another."""

    name: str
    kind: str  # "number" or "class"
    low: float = 0.0  # inclusive range of a number
    high: float = 1.0
    std: float | None = None  # a normal around the middle of the range, cut at its ends; None is uniform
    classes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()  # how often each class comes; together 1
    meaning: str = ""
    mirror: str = "same"  # what a horizontal flip does to it: "same" or "negate"

    def value(self, u: float) -> float | str:
        """The factor below which lies a share `u` of all portraits."""
        if self.kind == "class":
            return self.classes[sum(u >= edge for edge in accumulate(self.shares[:-1]))]
        number = self.low + (self.high - self.low) * u
        if self.std is not None:
            middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
            tail = cut_off(half / self.std)
            number = middle + self.std * float(ndtri(tail + (1 - 2 * tail) * u))
        # Six decimals: the last bit of erf may differ from machine to machine, the factors may not.
        return round(min(max(number, self.low), self.high), 6)


@lru_cache
def cut_off(reach: float) -> float:
    """The share of a normal below `-reach` standard deviations."""
    return float(ndtr(-reach))


def _number(
    name: str, low: float, high: float, meaning: str, std: float | None = None, mirror: str = "same"
) -> tuple[str, Factor]:
    return name, Factor(name, "number", low, high, std=std, meaning=meaning, mirror=mirror)


def _class(name: str, shares: dict[str, float], meaning: str) -> tuple[str, Factor]:
    return name, Factor(name, "class", classes=tuple(shares), shares=tuple(shares.values()), meaning=meaning)


# New factors go to the end: the stream draws one number for each, in this order, so that no earlier one changes.
FACTORS: dict[str, Factor] = dict(
    [
        # pose
        _number(
            "turn", -0.45, 0.45, "yaw of the head, radians; positive towards the right of the picture", 0.2, "negate"
        ),
        _number("tilt", -10, 10, "roll of the head, degrees; positive leans to the right of the picture", 4, "negate"),
        _number("shift_x", -0.06, 0.06, "place of the sitter, in picture widths; positive is right", 0.03, "negate"),
        _number("shift_y", -0.05, 0.05, "place of the sitter, in picture heights; positive is down", 0.022),
        _number("scale", 0.93, 1.07, "size of the sitter; 1 is a head of 70 % of the height of the picture"),
        # head
        _number("face_length", 0, 1, "short and round to long"),
        _number("jaw", 0, 1, "narrow to wide jaw"),
        _number("chin", 0, 1, "pointed to broad chin"),
        _number("age", 0, 1, "young to old: lines, then grey in the hair"),
        _class("skin", {"natural": 0.75, "fantastic": 0.25}, "which palette the skin is from"),
        _number("skin_tone", 0, 1, "light to deep"),
        _number(
            "skin_hue", 0, 1, "of a fantastic skin: mint, sky, lilac, rose, gold; a slight warmth of a natural one"
        ),
        _number("blush", 0, 1, "how warm the cheeks are"),
        # hair
        _class("hair_style", {"loose": 0.5, "curly": 0.26, "updo": 0.24}, "how the hair is worn"),
        _number(
            "hair_length",
            0,
            1,
            "cropped, over chin and shoulders, to the edge of the picture; size of the bun of an updo",
        ),
        _number("hair_volume", 0, 1, "close to the head to full"),
        _number("hair_wave", 0, 1, "straight to wavy"),
        _number("parting", -1, 1, "where the hair parts; positive is right of the middle", mirror="negate"),
        _number("fringe", 0, 1, "high forehead to a fringe just above the brows"),
        _class("hair", {"natural": 0.66, "fantastic": 0.34}, "which palette the hair is from"),
        _number("hair_tone", 0, 1, "light to dark: platinum, gold, copper, chestnut, brown, black"),
        _number("hair_hue", 0, 1, "of fantastic hair: green, blue, violet, rose, orange"),
        # features
        _number("brow_height", 0, 1, "low to raised brows"),
        _number("brow_angle", -1, 1, "inner ends up (worried) to inner ends down (stern)", 0.45),
        _number("brow_weight", 0, 1, "fine to heavy brows"),
        _number("eye_size", 0, 1, "small to large eyes"),
        _number("eye_open", 0.35, 1, "narrowed to wide open; never shut"),
        _number("eye_spacing", 0, 1, "close together to far apart"),
        _number("eye_hue", 0, 1, "iris: brown, amber, green, blue, violet"),
        _number("gaze_x", -1, 1, "where the pupils look; positive is right", 0.45, "negate"),
        _number("gaze_y", -1, 1, "where the pupils look; positive is down", 0.4),
        _number("nose_size", 0, 1, "narrow to broad nose"),
        _number("nose_length", 0, 1, "short to long nose"),
        _number("smile", -1, 1, "frown to smile"),
        _number("mouth_open", 0, 1, "closed (up to 0.35) to wide open"),
        _number("mouth_width", 0, 1, "narrow to wide mouth"),
        _number("lips", 0, 1, "thin to full lips"),
        _number("lip_tint", 0, 1, "bare to painted lips"),
        _number("lashes", 0, 1, "short and fine to long lashes"),
        _class("beard", {"none": 0.82, "short": 0.18}, "a short full beard"),
        # things worn
        _class("glasses", {"none": 0.72, "round": 0.28}, "thin round glasses"),
        _class("headwear", {"none": 0.66, "hat": 0.17, "headband": 0.17}, "on the head"),
        _class("earrings", {"none": 0.7, "drops": 0.3}, "at the ears that show"),
        _class("clothing", {"round neck": 0.38, "collar": 0.32, "scarf": 0.3}, "at the neck"),
        _number("clothing_hue", -1, 1, "off the complement of the background by up to 70 degrees"),
        _number("clothing_tone", 0, 1, "light to dark clothing"),
        # light and picture
        _number("light_x", -1, 1, "where the light comes from; positive is right", mirror="negate"),
        _number("light_strength", 0, 1, "flat to strong light"),
        _number("light_warmth", -1, 1, "cool to warm light"),
        _number("background_hue", 0, 1, "green, blue, violet, rose, orange, gold"),
        _number("background_tone", 0, 1, "light to dark background"),
        _number("background_shift", -1, 1, "second colour of the background, by up to 60 degrees of hue"),
        _number("halo", 0, 1, "glow behind the head"),
        _number("brush", 0, 1, "how much the brush shows in background and clothing"),
        _number("grain", 0, 1, "paper grain"),
        _number("weave", 0, 1, "which brush strokes, which grain; means nothing else"),
    ]
)


def known(name: str) -> Factor:
    """The factor of that name, or a KinesphereError that lists them all."""
    if name not in FACTORS:
        raise KinesphereError(f"no factor {name!r}: a portrait has {', '.join(FACTORS)}")
    return FACTORS[name]


def mixing(correlations: Correlations | None) -> np.ndarray | None:
    """Cholesky factor [F, F] of the correlations, or None when there are none. Refuses what no numbers can have."""
    if not correlations:
        return None
    order = list(FACTORS)
    C = np.eye(len(order))
    for (a, b), r in correlations.items():
        i, j = order.index(known(a).name), order.index(known(b).name)
        if i == j or not -1 < r < 1:
            raise KinesphereError(
                f"correlation {a}, {b} = {r}: needs two different factors and a number between -1 and 1"
            )
        C[i, j] = C[j, i] = r
    try:
        return np.linalg.cholesky(C)
    except np.linalg.LinAlgError:
        said = ", ".join(f"{a}-{b} {r}" for (a, b), r in correlations.items())
        raise KinesphereError(f"correlations {said} contradict each other: make some of them smaller") from None


def _draw(seed: int, index: int, L: np.ndarray | None) -> Factors:
    if seed < 0 or index < 0:
        raise KinesphereError(f"portrait {index} of seed {seed}: both count from 0")
    # RandomState's streams are frozen by numpy (NEP 19); SeedSequence keeps neighbouring indices apart.
    rng = np.random.RandomState(np.random.SeedSequence((seed, index)).generate_state(4))
    z = rng.standard_normal(len(FACTORS))
    if L is not None:
        z = L @ z  # Gaussian copula: the marginals stay what they are
    return {name: FACTORS[name].value(u) for name, u in zip(FACTORS, ndtr(z).tolist(), strict=True)}


def draw_factors(seed: int, index: int, correlations: Correlations | None = None) -> Factors:
    """The factors of portrait `index` of the stream `seed`: the same numbers on every machine.

    `correlations` are those of the normals behind the factors (a Gaussian copula); classes cut theirs into shares.
    """
    return _draw(seed, index, mixing(correlations))


def check(factors: Mapping[str, float | str]) -> None:
    """Refuse factors that are missing, unknown or out of their range."""
    for name in factors:
        known(name)
    for name, factor in FACTORS.items():
        if name not in factors:
            raise KinesphereError(
                f"these factors have no {name!r}: start from draw_factors(seed, index) and change some"
            )
        value = factors[name]
        if factor.kind == "class":
            if value not in factor.classes:
                raise KinesphereError(f"{name} = {value!r}: choose from {', '.join(factor.classes)}")
        elif isinstance(value, str) or not factor.low <= value <= factor.high:
            raise KinesphereError(f"{name} = {value!r}: a number from {factor.low} to {factor.high}")


def paint(factors: Mapping[str, float | str], size: int) -> np.ndarray:
    """The picture [size, size, 3] uint8 of these factors, one value for each of FACTORS. Needs skia-python."""
    check(factors)
    check_size(size)
    try:
        from kinesphere.train import painting
    except ModuleNotFoundError as error:
        raise KinesphereError(f"portraits are painted with skia-python, which is not installed ({error})") from error
    return painting.paint(factors, size)


def check_size(size: int) -> None:
    if size < 8:
        raise KinesphereError(f"a portrait of {size} px: nothing shows below 8")


@dataclass(frozen=True)
class Portraits:
    """An endless set of painted portraits: `portraits[index]` is (picture [size, size, 3] uint8, factors)."""

    seed: int = 0
    size: int = 64
    correlations: Correlations | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise KinesphereError(f"seed {self.seed}: seeds count from 0")
        check_size(self.size)
        object.__setattr__(self, "_mixing", mixing(self.correlations))

    def factors(self, index: int) -> Factors:
        """The factors of one portrait, without painting it."""
        return _draw(self.seed, index, self._mixing)  # type: ignore[attr-defined]

    def __getitem__(self, index: int) -> tuple[np.ndarray, Factors]:
        factors = self.factors(index)
        return paint(factors, self.size), factors

    def __iter__(self) -> Iterator[tuple[np.ndarray, Factors]]:
        index = 0
        while True:
            yield self[index]
            index += 1


def mirror_factors(factors: Mapping[str, float | str]) -> Factors:
    """The factors of the same portrait seen in a mirror."""
    return {
        name: -value if FACTORS[name].mirror == "negate" and not isinstance(value, str) else value
        for name, value in factors.items()
    }


def table(rows: Sequence[Mapping[str, float | str]]) -> list[list[str]]:
    """Portraits as rows of text under a header, ready for `csv.writer`; the first column counts them."""
    header = ["index", *FACTORS]
    return [header, *([str(i), *(str(row[name]) for name in FACTORS)] for i, row in enumerate(rows))]


def vector_names() -> list[str]:
    """Names of the entries of `as_vector`: a number has its own name, a class one entry each, "glasses=round"."""
    return [n for f in FACTORS.values() for n in ([f"{f.name}={c}" for c in f.classes] or [f.name])]


def as_vector(factors: Mapping[str, float | str]) -> np.ndarray:
    """float32 [len(vector_names())]: numbers from 0 (low) to 1 (high), classes one-hot."""
    entries: list[float] = []
    for name, factor in FACTORS.items():
        value = factors[name]
        if isinstance(value, str):
            entries += [float(value == c) for c in factor.classes]
        else:
            entries.append((value - factor.low) / (factor.high - factor.low))
    return np.array(entries, dtype=np.float32)
