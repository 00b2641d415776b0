"""A window or a full screen: the picture, as large as fits, on black."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kinesphere.types import KinesphereError

FITS = {
    "fit": "all of the picture, with black bars where it does not reach",
    "fill": "no bars; what sticks out is cut off",
}
HEADLESS = ("dummy", "offscreen")  # SDL's drivers that show nothing; welcome only to those who ask for them by name
SMALLEST, ROOM = 512, 0.8  # a window's shorter side in pixels, and the part of the display it may take, at first


@dataclass
class Window:
    """A window on a display of this machine. Esc or its close button ends it (`closed`), F goes to full screen and back.

    It is opened, written and closed on the main thread, because some systems allow nothing else.
    """

    fullscreen: bool = False
    display: int = 0  # 0 is the main display, 1 the next: the projector
    fit: str = "fit"  # see FITS; a picture is never stretched
    title: str = "Kinesphere"

    main_thread: ClassVar[bool] = True
    _opened: ClassVar[list[Window]] = []  # SDL has one queue of events for all windows of a program

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise KinesphereError(f"window fit {self.fit!r} is not known: it is one of {', '.join(FITS)}")
        if self.display < 0:
            raise KinesphereError(f"window display {self.display!r} is not a display: 0 is the main one")
        self.closed = False
        self._window: Any = None

    def open(self, size: tuple[int, int], fps: Any) -> None:
        """Show the window, black. `size` is (width, height) of the frames; `fps` does not matter here.

        Raises KinesphereError where pygame is not installed, or there is no display or not that many.
        """
        self.close()
        pygame = _pygame()
        displays = _displays(pygame)
        if self.display >= len(displays):
            _quit_if_unused(pygame, Window._opened)
            names = ", ".join(f"{n} ({w}x{h})" for n, (w, h) in enumerate(displays))
            raise KinesphereError(f"there is no display {self.display}: this machine has {names}")
        self.closed = False
        place = pygame.WINDOWPOS_CENTERED | self.display  # SDL reads the display's number from the low bits
        self._window = pygame.Window(self.title, _first_size(size, displays[self.display]), place, resizable=True)
        Window._opened.append(self)
        self._show_full(self.fullscreen)
        self._window.get_surface().fill(0)
        self._window.flip()

    def write(self, frame: np.ndarray, t: float) -> None:
        """Show `frame`, [H, W, 3] uint8 RGB of any size, now, and look after the keys; `t` does not matter here."""
        import pygame

        _answer_events(pygame, Window._opened)
        if self.closed:
            return
        surface = self._window.get_surface()
        picture, corner = placed(frame, surface.get_size(), self.fit)
        if picture.shape[1::-1] != surface.get_size():
            surface.fill(0)
        surface.blit(pygame.image.frombuffer(picture.data, picture.shape[1::-1], "RGB"), corner)
        self._window.flip()

    def close(self) -> None:
        if self._window is None:
            return
        import pygame

        self._window.destroy()
        self._window = None
        Window._opened.remove(self)
        _quit_if_unused(pygame, Window._opened)

    def _show_full(self, full: bool) -> None:
        import pygame

        self.is_full = full
        if full:
            self._window.set_fullscreen(desktop=True)
        else:
            self._window.set_windowed()
        pygame.mouse.set_visible(not full)

    def _answer(self, pygame: Any, event: Any) -> None:
        if event.type == pygame.WINDOWCLOSE or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
            self.closed = True
        elif event.type == pygame.KEYDOWN and event.key == pygame.K_f:
            self._show_full(not self.is_full)


def placed(frame: np.ndarray, size: tuple[int, int], fit: str) -> tuple[np.ndarray, tuple[int, int]]:
    """`frame` scaled for a surface of `size` (width, height), contiguous, and the (x, y) of its top left corner there."""
    import cv2

    height, width = frame.shape[:2]
    ratios = size[0] / width, size[1] / height
    scale = max(ratios) if fit == "fill" else min(ratios)
    scaled = max(1, round(width * scale)), max(1, round(height * scale))
    if scaled != (width, height):
        frame = cv2.resize(frame, scaled, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y = (size[0] - scaled[0]) // 2, (size[1] - scaled[1]) // 2
    frame = frame[max(-y, 0) : max(-y, 0) + size[1], max(-x, 0) : max(-x, 0) + size[0]]
    return np.ascontiguousarray(frame), (max(x, 0), max(y, 0))


def _pygame() -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        raise KinesphereError(
            "a window needs pygame-ce: pip install 'kinesphere[window]', or play into a video file instead"
        ) from error
    return pygame


def _displays(pygame: Any) -> list[tuple[int, int]]:
    """The sizes of the displays, after waking SDL."""
    asked = os.environ.get("SDL_VIDEODRIVER", "")
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
        if driver in HEADLESS and driver not in asked:
            pygame.display.quit()
            raise pygame.error("SDL found only a driver that shows nothing")
    except pygame.error as error:
        raise KinesphereError(
            f"there is no display for a window here ({error}): start from a desktop, set DISPLAY, "
            "or play into a video file instead"
        ) from error
    return pygame.display.get_desktop_sizes()


def _first_size(size: tuple[int, int], display: tuple[int, int]) -> tuple[int, int]:
    """A window for frames of `size`: not tiny, not larger than the display, in the proportions of the frames."""
    scale = max(1.0, SMALLEST / min(size))
    scale = min(scale, ROOM * display[0] / size[0], ROOM * display[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _answer_events(pygame: Any, windows: list[Window]) -> None:
    for event in pygame.event.get():
        for window in windows:
            if event.type == pygame.QUIT:
                window.closed = True
            elif getattr(event, "window", None) is window._window:
                window._answer(pygame, event)


def _quit_if_unused(pygame: Any, windows: list[Window]) -> None:
    if not windows:
        pygame.display.quit()
