"""What is heard right now: how loud it is, where in the spectrum, how bright, and whether something begins."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.types import KinesphereError, Signal, Sound

FULL = 0.5  # mean square of a sine at full scale: 0 dBFS; AES17
SLOWEST, FASTEST = 20.0, 20_000.0  # Hz that are heard


@dataclass
class Hearing:
    """Six numbers of what a source lets be heard. Anything below `floor` is silence.

    loudness, low, middle, high: the level of all of it, of 20 to 250 Hz, of 250 to 2000 Hz and of what is above, as
    1 + dBFS / floor between 0 and 1: 1 is a sine at full scale, 0 is silence, half is as many dB from both.
    brightness: the centroid of the power spectrum, octaves above 100 Hz (440 Hz is 2.1); not known in silence.
    onset: 1 where something begins, falling by itself. It is how far the band that rose most is above its own recent past:
    0 up to 6 dB, 1 from 18 dB on.

    The sound is looked at every HOP seconds on a clock of its own samples, through a Hann window of WINDOW seconds, however
    many samples come at a time; so the numbers are the same at any size of block.
    """

    WINDOW: ClassVar[float] = 0.05  # seconds: one period of the lowest that is heard
    HOP: ClassVar[float] = 0.01
    EDGES: ClassVar[tuple[float, float]] = (250.0, 2000.0)  # Hz: what is low ends, what is high begins
    LOWEST: ClassVar[float] = 100.0  # Hz that is brightness 0
    PAST: ClassVar[float] = 0.1  # seconds in which the past follows
    BEGINS: ClassVar[tuple[float, float]] = (6.0, 18.0)  # dB above the past that are onset 0 and 1
    FALLS: ClassVar[float] = 0.15  # seconds in which an onset falls to 0.37 (1/e)

    vector: ClassVar[bool] = False
    heard: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("loudness", "low", "middle", "high", "brightness", "onset")
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "loudness": (0.3, 0.9),
        "low": (0.2, 0.9),
        "middle": (0.2, 0.9),
        "high": (0.2, 0.9),
        "brightness": (1.5, 5.5),  # 280 to 4500 Hz
        "onset": (0.0, 1.0),
    }
    circular: ClassVar[Collection[str]] = ()

    source: str | None = None
    floor: float = 60.0  # dB below full scale that read as 0

    def __post_init__(self) -> None:
        if not 10 <= self.floor <= 120:
            raise KinesphereError(
                f"floor {self.floor!r} of Hearing: give dB, 10 to 120; a quiet room is about 60 below the loudest"
            )

    def open(self, checkpoint: object) -> None:
        """Forget the past."""
        self._rate = 0
        self._seen = 0  # samples
        self._kept = np.zeros((0, 0), np.float32)  # the newest of them, [up to a window, channels]
        self._forget()

    def _forget(self) -> None:
        self._numbers = np.full(len(self.names), math.nan)
        self._past: np.ndarray | None = None  # dB of the three bands, followed slowly
        self._onset = 0.0

    def __call__(self, signal: Signal) -> np.ndarray:
        """float64 [6]; not a number (NaN) until a whole window was heard."""
        if not isinstance(signal, Sound):
            raise KinesphereError("this was a picture, and it can be heard only: choose a source of sound")
        known = len(self._kept)
        if signal.rate != self._rate or signal.count < self._seen or signal.value.shape[1:] != self._kept.shape[1:]:
            self._prepare(signal)
            known = 0
        new = signal.count - self._seen
        if new > len(signal.value):  # some went by unheard
            new, known = len(signal.value), 0
        x = np.concatenate([self._kept[len(self._kept) - known :], signal.value[len(signal.value) - new :]])
        start = signal.count - len(x)  # what x[0] is, of all samples
        first = max(start + len(self._window), signal.count - new + 1)
        for end in range(-(-first // self._hop) * self._hop, signal.count + 1, self._hop):
            self._listen(x[end - start - len(self._window) : end - start].astype(np.float64))
        self._seen, self._kept = signal.count, x[-len(self._window) :]
        return self._numbers.copy()

    def _prepare(self, signal: Sound) -> None:
        """For another rate, or for a source that began again."""
        self._rate, self._seen = signal.rate, signal.count - len(signal.value)
        self._kept = signal.value[:0]
        self._hop = round(signal.rate * self.HOP)
        n = round(signal.rate * self.WINDOW)
        self._window = np.hanning(n + 1)[:-1, None]  # Hann, periodic
        frequencies = np.fft.rfftfreq(n, 1 / signal.rate)  # Hz, [n // 2 + 1]
        audible = (frequencies >= SLOWEST) & (frequencies <= FASTEST)
        low, high = self.EDGES
        self._frequencies = frequencies[audible]
        self._audible = audible
        self._bands = np.stack(
            [
                self._frequencies < low,
                (low <= self._frequencies) & (self._frequencies < high),
                self._frequencies >= high,
            ]
        )  # [3, bins]
        self._forget()

    def _listen(self, x: np.ndarray) -> None:
        """One window of sound, [n, channels]."""
        if not np.isfinite(x).all():
            return self._forget()
        power = self._power(x)
        squares = self._bands @ power  # mean square of each band, [3]
        levels = self._decibel(squares)
        whole = self._decibel(squares.sum())
        numbers = 1 + np.array([whole, *levels]) / self.floor
        silent = numbers[0] <= 0
        centroid = math.nan if silent else math.log2(self._frequencies @ power / power.sum() / self.LOWEST)
        self._numbers = np.array([*np.clip(numbers, 0, 1), centroid, self._begins(levels)])
        return None

    def _power(self, x: np.ndarray) -> np.ndarray:
        """Mean square in each audible bin, [bins], the mean of all channels: Parseval's theorem, for a windowed sound."""
        spectrum = np.fft.rfft((x - x.mean(0)) * self._window, axis=0)[self._audible]
        weight = len(x) * np.square(self._window).sum()
        return 2 * np.square(np.abs(spectrum)).mean(1) / weight  # twice: the negative frequencies

    def _decibel(self, square: np.ndarray) -> np.ndarray:
        """dBFS of a mean square, never below the floor."""
        return 10 * np.log10(np.maximum(square / FULL, 10 ** (-self.floor / 10)))

    def _begins(self, levels: np.ndarray) -> float:
        """How much something begins, 0 to 1."""
        past = levels if self._past is None else self._past
        least, most = self.BEGINS
        rise = (float((levels - past).max()) - least) / (most - least)
        self._onset = max(min(max(rise, 0.0), 1.0), self._onset * math.exp(-self.HOP / self.FALLS))
        self._past = past - (levels - past) * math.expm1(-self.HOP / self.PAST)
        return self._onset
