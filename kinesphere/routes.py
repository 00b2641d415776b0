"""From a feature to a parameter: its range, its curve, and how it moves. A Route is pure data, a Follower plays it.

The order of operations, for one number at time t:

    1. hold       what is not a number (no hand, no sound yet) is replaced by the last number there was
    2. unwrap     a circular feature goes the short way round: 350, 355, 2 degrees is followed as 350, 355, 362
    3. normalise  in_low..in_high becomes 0..1; from here on this is u
    4. one_euro   the measurement's jitter is filtered out
    5. clamp      to 0..1, unless clamp = false; a circular feature is not clamped here but after 7, brought back to the
                  turn that has in_low..in_high in its middle
    6. attack, release
    7. spring     may swing out of 0..1, and so may the parameter out of low..high: that is what it is for
    8. dead_zone  around in_low, where the feature is at rest
    9. invert     1 - u
    10. curve
    11. range     0..1 becomes low..high
    12. otherwise while the feature is lost, the parameter leaves this for another number or another route, and comes back to it,
                  by a time constant; without it, it stays where step 1 holds it

Steps 4, 6, 7 and 12 move in time, not in frames: 6, 7 and 12 are integrated exactly for an input that is held between two calls, 4
with a cutoff that is held too. So the result does not depend on the frame rate. Steps 8 to 11 are the function `shape`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Discriminator, Field, Tag

from kinesphere.types import KinesphereError

Moving = TypeVar("Moving", float, np.ndarray)

NEAR = 0.003  # of the way: a leap of so much of a turn, one degree, is not seen
_STEEP = math.expm1(4.0)  # exp and log: the far end is e^4 = 55 times as steep as the near one

CURVES: dict[str, Callable[[float], float]] = {
    "linear": lambda u: u,
    "smooth": lambda u: u * u * (3 - 2 * u),  # gentle at both ends
    "square": lambda u: u * u,
    "cube": lambda u: u * u * u,
    "sqrt": math.sqrt,
    "cbrt": math.cbrt,
    "exp": lambda u: math.expm1(4.0 * u) / _STEEP,  # late, then all at once
    "log": lambda u: math.log1p(_STEEP * u) / math.log1p(_STEEP),  # at once, then hardly: undoes exp
    "step": lambda u: float(u >= 0.5),  # a switch
}
"""What a curve does to 0..1: rising, and exact at 0 and 1."""


@dataclass(frozen=True)
class OneEuro:
    """A filter that is calm when the hand rests and quick when it moves (Casiez, Roussel and Vogel, CHI 2012).

    To tune: beta at 0, lower `min_cutoff` until a resting hand no longer trembles; then raise `beta` until fast moves no longer
    lag. Speeds are those of u, in ranges (in_low to in_high) per second, whatever the feature's unit.
    """

    min_cutoff: float = 1.0  # Hz, at rest
    beta: float = 0.0  # Hz of cutoff more for each range per second
    d_cutoff: float = 1.0  # Hz, for the speed itself

    def __post_init__(self) -> None:
        _number("one_euro.min_cutoff", self.min_cutoff, above=0)
        _number("one_euro.beta", self.beta, least=0)
        _number("one_euro.d_cutoff", self.d_cutoff, above=0)


@dataclass(frozen=True)
class Spring:
    """The parameter hangs on the feature by a damped spring."""

    frequency: float = 1.0  # Hz, of the undamped swing
    damping: float = 1.0  # 0 swings for ever, below 1 swings out, 1 arrives soonest without swinging, above 1 creeps

    def __post_init__(self) -> None:
        _number("spring.frequency", self.frequency, above=0)
        _number("spring.damping", self.damping, least=0)


@dataclass(frozen=True)
class Route:
    """From a feature to a parameter; the module says in which order its fields act.

    Raises KinesphereError for what cannot be played. `one_euro`, `spring` and a route for `otherwise` may be given as dictionaries,
    as a patch holds them.
    """

    feature: str  # its name in the patch
    low: float = 0.0  # the parameter where the feature is at in_low
    high: float = 1.0  # and at in_high; may be below low
    in_low: float = 0.0  # the feature's range, in its own unit
    in_high: float = 1.0  # may be below in_low, not equal to it
    clamp: bool = True  # False: beyond the range the parameter goes on
    curve: str = "linear"  # a name of CURVES
    invert: bool = False  # the curve is then entered from its other end
    dead_zone: float = 0.0  # this much of the range next to in_low counts as in_low; 0 to below 1
    attack: float = 0.0  # seconds to rise by 63 %
    release: float = 0.0  # seconds to fall by 63 %
    one_euro: OneEuro | None = None
    spring: Spring | None = None
    circular: float | None = None  # the feature's full turn, in its own unit (360, 6.2832), where it is an angle
    otherwise: Number | None = None  # where the parameter goes while the feature is lost; None: it is held
    fade: float = 0.5  # seconds in which it has gone 63 % of that way, and of the way back

    def __post_init__(self) -> None:
        object.__setattr__(self, "one_euro", _nested("one_euro", OneEuro, self.one_euro))
        object.__setattr__(self, "spring", _nested("spring", Spring, self.spring))
        if isinstance(self.otherwise, dict):
            object.__setattr__(self, "otherwise", _nested("otherwise", Route, self.otherwise))
        if not isinstance(self.feature, str) or not self.feature:
            raise KinesphereError(f"a route needs the name of a feature, not {self.feature!r}")
        for name in ("low", "high", "in_low", "in_high"):
            _number(name, getattr(self, name))
        _number("attack", self.attack, least=0)
        _number("release", self.release, least=0)
        _number("dead_zone", self.dead_zone, least=0, below=1)
        _number("fade", self.fade, least=0)
        if self.otherwise is not None and not isinstance(self.otherwise, Route):
            _number("otherwise", self.otherwise)
        if self.in_low == self.in_high:
            raise KinesphereError(
                f"in_low and in_high are both {self.in_low}: give the route a range of the feature {self.feature!r}"
            )
        if self.curve not in CURVES:
            raise KinesphereError(f"no curve {self.curve!r}: there are {', '.join(CURVES)}")
        if self.circular is not None:
            self._check_circle(self.circular)

    @property
    def turn(self) -> float | None:
        """The parameter's own full turn, where it goes round with the feature; None where it has ends."""
        span = abs(self.in_high - self.in_low)
        if self.circular is None or self.low == self.high or (self.clamp and not math.isclose(span, self.circular)):
            return None
        return abs(self.high - self.low) * self.circular / span

    def _check_circle(self, turn: float) -> None:
        _number("circular", turn, above=0)
        if self.clamp and abs(self.in_high - self.in_low) > turn:
            raise KinesphereError(
                f"in_low {self.in_low} to in_high {self.in_high} is more than the full turn of {turn}: "
                "take a smaller range, or clamp = false to count turns"
            )


def _routed(value: Any) -> str:
    return "route" if isinstance(value, dict | Route) else "number"


Number = Annotated[
    Annotated[float, Field(allow_inf_nan=False), Tag("number")] | Annotated[Route, Tag("route")],
    Discriminator(_routed),
]
"""Wherever a number goes, a route may go."""


def _nested(name: str, kind: type, value: Any) -> Any:
    """Build the inner dataclass where a patch gives a dictionary."""
    if value is None or isinstance(value, kind):
        return value
    known = [field.name for field in fields(kind)]
    if not isinstance(value, dict) or not set(value) <= set(known):
        raise KinesphereError(f"{name} = {value!r} is not understood: it has {', '.join(known)}")
    try:
        return kind(**value)
    except TypeError:
        raise KinesphereError(f"{name} = {value!r} is no route: it needs the name of a feature") from None


def _number(name: str, value: Any, least: float = -math.inf, above: float = -math.inf, below: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise KinesphereError(f"{name} = {value!r} is not a number")
    number = float(value)
    if number < least:
        raise KinesphereError(f"{name} = {value} is too small: take {least} or more")
    if number <= above and above > -math.inf:
        raise KinesphereError(f"{name} = {value} is too small: take more than {above}")
    if number >= below:
        raise KinesphereError(f"{name} = {value} is too large: take less than {below}")


def shape(route: Route, u: float) -> float:
    """Steps 8 to 11: from the place in the feature's range, 0 to 1, to the parameter. No memory, so it can be drawn.

    Outside 0..1 (clamp = false, or a spring) the curve is mirrored about 0, so that a feature may swing both ways from its rest
    at in_low, and goes on straight beyond 1.
    """
    u = math.copysign(max(abs(u) - route.dead_zone, 0.0) / (1 - route.dead_zone), u)
    u = 1 - u if route.invert else u
    size = abs(u)
    u = math.copysign(CURVES[route.curve](min(size, 1.0)) + max(size - 1, 0.0), u)
    return (1 - u) * route.low + u * route.high


class Follower:
    """Plays a Route: call it with each value of the feature and its time, and set the parameter to what it returns.

    The first number passes through unfiltered. What is not a finite number counts as the last one that was: the filters settle
    on it, and when the feature comes back they start from there. Before the first, the parameter is where the feature would
    rest, at in_low. A time that repeats or runs backwards returns the last parameter, and the clock goes on from there.

    Where the route says what happens otherwise, the parameter is in between while the feature comes or goes, and is that other
    number before the first.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next number passes through again."""
        self.own = shape(self.route, 0.0)  # the last parameter, as the feature alone would have it
        other = self.route.otherwise
        self.value = self.own if other is None or isinstance(other, Route) else other  # the last parameter
        self._input: float | None = None  # the last number, unwrapped
        self._t = 0.0
        self._motion = _motion(self.route)
        self._there: float | None = None  # how much the feature counts: 1 while it is there, to 0 while it is lost
        self._apart = 0.0  # from the feature's own to the other, the way round that is taken

    def __call__(self, value: float, t: float, other: float | None = None) -> float:
        """The parameter at time `t` (seconds), now that the feature is `value`.

        other: what the route of `otherwise` gives at this time, where it is one; None holds, as without it.
        """
        first, known = self._input is None, math.isfinite(value)
        if known:
            self._input = self._unwrapped(float(value))
        dt, self._t = t - self._t, t
        if self._input is not None and (first or dt > 0):
            self.own = shape(self.route, self._moved(self._input, dt))
        if not isinstance(self.route.otherwise, Route):
            other = self.route.otherwise
        if other is None:
            self._there, self.value = 1.0, self.own
        elif self._there is None or dt > 0:
            if self._there is None or not NEAR < self._there < 1 - NEAR:
                self._apart = 0.0  # the way may be chosen anew: to turn round in the middle would be a leap
            self._there = self._counting(known, dt)
            self.value = self._between(self._there, other)
        return self.value

    def _counting(self, known: bool, dt: float) -> float:
        """How much the feature counts, `dt` seconds later, if it was there or not all that time."""
        if self._there is None or self.route.fade == 0:
            return float(known)
        return toward(self._there, float(known), dt / self.route.fade)

    def _between(self, there: float, other: float) -> float:
        """Step 12: from another number (0) to the feature's own (1); where it goes round, the shorter way."""
        turn = self.route.turn
        if there == 1:
            return self.own
        if turn is None:
            return other + there * (self.own - other)
        self._apart += math.remainder(other - self.own - self._apart, turn)
        value = self.own + (1 - there) * self._apart
        low, high = sorted((self.route.low, self.route.high))
        return value if not self.route.clamp or low <= value <= high else low + (value - low) % turn

    def count_as(self, other: Follower) -> None:
        """The feature is there, or lost, as much as it was for another route."""
        self._there, self._apart = other._there, other._apart

    def memory(self) -> dict[str, Any]:
        """All that it remembers, as plain JSON: `remind` puts it back, bit for bit, in another that plays the same route."""
        motion = [_numbers(step) for step in self._motion]
        return {
            "value": self.value, "input": self._input, "t": self._t, "motion": motion,
            "own": self.own, "there": self._there, "apart": self._apart,
        }  # fmt: skip

    def remind(self, remembered: Mapping[str, Any]) -> None:
        """Stand where another stood, whose `memory` this is. What does not fit the route is left out."""
        self.value, self._input, self._t = (remembered[name] for name in ("value", "input", "t"))
        self.own = remembered.get("own", self.value)  # takes of an earlier time have no `otherwise`
        self._there, self._apart = remembered.get("there"), remembered.get("apart", 0.0)
        for step, numbers in zip(self._motion, remembered["motion"], strict=False):
            vars(step).update({name: numbers[name] for name in _numbers(step) if name in numbers})

    def _unwrapped(self, value: float) -> float:
        turn = self.route.circular
        if turn is None or self._input is None:
            return value
        return self._input + math.remainder(value - self._input, turn)

    def _moved(self, value: float, dt: float) -> float:
        u = (value - self.route.in_low) / (self.route.in_high - self.route.in_low)
        for step in self._motion:
            u = step(u, dt)
        return u


Step = Callable[[float, float], float]  # (u, seconds since the last call) -> u; the first call passes u through


def _motion(route: Route) -> list[Step]:
    """Steps 4 to 7, fresh."""
    steps: list[Step] = []
    if route.one_euro:
        steps.append(_OneEuro(route.one_euro))
    if route.clamp and route.circular is None:
        steps.append(_clamped)
    if route.attack or route.release:
        steps.append(_Envelope(route.attack, route.release))
    if route.spring:
        steps.append(_Spring(route.spring))
    if route.clamp and route.circular is not None:
        steps.append(_Turn(route.circular / abs(route.in_high - route.in_low)))
    return steps


def _numbers(step: Step) -> dict[str, float | None]:
    """What a step of the motion remembers, and its settings."""
    return {name: x for name, x in vars(step).items() if x is None or isinstance(x, float)}


def _clamped(u: float, dt: float) -> float:
    return min(max(u, 0.0), 1.0)


class _Turn:
    """Back to the one turn that has 0..1 in its middle, then clamped: it tears where the feature is farthest from its range."""

    def __init__(self, turn: float) -> None:
        self.turn = turn

    def __call__(self, u: float, dt: float) -> float:
        start = (1 - self.turn) / 2
        return _clamped(start + (u - start) % self.turn, dt)


class _OneEuro:
    def __init__(self, setting: OneEuro) -> None:
        self.setting = setting
        self.x: float | None = None  # filtered
        self.raw = 0.0
        self.speed = 0.0

    def __call__(self, u: float, dt: float) -> float:
        if self.x is None:
            self.x = self.raw = u
            return u
        # Algorithm 1, with two changes that make it independent of the frame rate: the speed is that of the raw values (as in
        # the authors' own code), and the smoothing factor is 1 - exp(-2 pi fc dt), of which theirs is the first order in dt.
        speed = (u - self.raw) / dt
        self.speed = toward(self.speed, speed, 2 * math.pi * self.setting.d_cutoff * dt)
        cutoff = self.setting.min_cutoff + self.setting.beta * abs(self.speed)
        self.x = toward(self.x, u, 2 * math.pi * cutoff * dt)
        self.raw = u
        return self.x


class _Envelope:
    def __init__(self, attack: float, release: float) -> None:
        self.attack = attack
        self.release = release
        self.y: float | None = None

    def __call__(self, u: float, dt: float) -> float:
        tau = self.release if self.y is not None and u < self.y else self.attack
        self.y = u if self.y is None or tau == 0 else toward(self.y, u, dt / tau)
        return self.y


def toward(y: Moving, goal: Moving, times: float) -> Moving:
    """One pole: y after `times` time constants of falling towards a goal that holds still."""
    return goal + math.exp(-times) * (y - goal)


class _Spring:
    def __init__(self, setting: Spring) -> None:
        self.omega = 2 * math.pi * setting.frequency
        self.damping = setting.damping
        self.x: float | None = None
        self.speed = 0.0

    def __call__(self, u: float, dt: float) -> float:
        if self.x is None:
            self.x = u
            return u
        # x'' = -omega² (x - u) - 2 damping omega x', solved for a goal u that holds still over dt; stable for every dt.
        even, odd = _swing(self.omega, self.damping, dt)
        y, speed, drag = self.x - u, self.speed, self.damping * self.omega
        self.x = u + y * even + (speed + drag * y) * odd
        self.speed = speed * even - (self.omega**2 * y + drag * speed) * odd
        return self.x


def _swing(omega: float, damping: float, dt: float) -> tuple[float, float]:
    """exp(-damping omega dt) times cos(b dt) and sin(b dt) / b, with b = omega sqrt(1 - damping²); cosh and sinh above 1."""
    b = omega * math.sqrt(abs((1 - damping) * (1 + damping)))
    if damping > 1:
        slow = math.exp(-(omega**2) / (damping * omega + b) * dt)  # the slower root, written without cancellation
        fast = math.exp(-2 * b * dt)
        return slow * (1 + fast) / 2, slow * -math.expm1(-2 * b * dt) / (2 * b)
    decay = math.exp(-damping * omega * dt)
    if damping == 1:
        return decay, decay * dt
    return decay * math.cos(b * dt), decay * math.sin(b * dt) / b
