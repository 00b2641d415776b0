"""A GIF: a short film that plays anywhere a picture is shown, over and over, in 256 colours and without sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kinesphere import files
from kinesphere.sinks.video import BT709, EXACT, LIMITED, VideoFile
from kinesphere.types import KinesphereError

FASTEST = 50  # frames a second: what a GIF shows for less than 2 hundredths of a second, browsers show for 10
DITHERS = {
    "bayer": "a still pattern, small files",
    "diffusion": "finer, and the grain moves",
    "none": "bands where colours run into each other",
}


@dataclass
class Gif:
    """A GIF whose colours are chosen from the whole film, so that they do not flicker.

    While it is made, the film lies beside `path` as `NAME.gif.part.mp4`, without loss, which plays after a crash; `close` makes the
    GIF of it. A GIF counts time in hundredths of a second: each frame stands as long as the nearest of them, and the whole is as
    long as it should be.
    """

    path: str | Path
    dither: str = "bayer"  # how the colours between those of the palette are made; see DITHERS
    loop: bool = True  # over and over; otherwise once
    overwrite: bool = False  # whether a file at `path` may be replaced, when the new one is whole

    main_thread: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if Path(self.path).suffix.lower() != ".gif":
            raise KinesphereError(f"GIF {str(self.path)!r} does not end in .gif")
        if self.dither not in DITHERS:
            raise KinesphereError(f"GIF dither {self.dither!r} is not known: it is one of {', '.join(DITHERS)}")
        self._film: VideoFile | None = None

    def open(self, size: tuple[int, int], fps: Any) -> None:
        """Begin a GIF of `size` (width, height) at `fps`, at most 50.

        Raises KinesphereError for more, and where `path` is taken and `overwrite` is off, or cannot be written.
        """
        self.close()
        if Fraction(fps) > FASTEST:
            raise KinesphereError(f"a GIF shows at most {FASTEST} frames a second, not {fps}: take {FASTEST} or 25")
        self._refuse_what_exists()
        between = Path(f"{self.path}.mp4")
        if between.exists():
            raise KinesphereError(f"{between} is in the way, of a GIF that could not be finished: move it away")
        film = VideoFile(between, crf=0, preset="ultrafast", chroma="444")
        film.open(size, fps)
        self._film = film

    def write(self, frame: np.ndarray, t: float) -> None:
        """Put `frame`, [H, W, 3] uint8 RGB, at the place that `t` (seconds) rounds to, as `VideoFile` does."""
        assert self._film is not None
        self._film.write(frame, t)

    def close(self) -> None:
        """Make the GIF and put it at `path`; without a frame there is none."""
        if self._film is None:
            return
        film, self._film = self._film, None
        film.close()
        made = Path(film.path)
        if not made.exists():
            return
        try:
            self._refuse_what_exists()
            files.replace(Path(self.path), lambda path: self._write_gif(made, path))
        except (OSError, KinesphereError) as error:
            raise KinesphereError(f"{files.reason(error)}; the film is whole in {made}, which plays") from error
        made.unlink()

    def _refuse_what_exists(self) -> None:
        if not self.overwrite and Path(self.path).exists():
            raise KinesphereError(f"{self.path} exists already: choose another name, or say overwrite = true")

    def _write_gif(self, made: Path, path: Path) -> None:
        """Twice through the film: for its colours, then for the frames."""
        import av

        method = {"bayer": "bayer:bayer_scale=3", "diffusion": "sierra2_4a"}.get(self.dither, self.dither)
        palette = _palette(made)
        with av.open(str(path), "w", format="gif", options={"loop": "0" if self.loop else "-1"}) as output:
            stream: Any = None
            graph: Any = None
            for frame, rate in _frames(made):
                if graph is None:
                    stream = output.add_stream("gif", rate=rate)
                    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "pal8"
                    graph = _Painting(frame, palette, rate, f"dither={method}:diff_mode=rectangle")
                for painted in graph(frame):
                    output.mux(stream.encode(painted))
            for painted in graph(None):
                output.mux(stream.encode(painted))
            output.mux(stream.encode(None))


def _frames(path: Path) -> Iterator[tuple[Any, Fraction]]:
    """Each frame of a film of ours, in RGB and numbered from 0, and the rate."""
    import av

    with av.open(str(path)) as container:
        rate = Fraction(container.streams.video[0].average_rate or 1)
        for n, frame in enumerate(container.decode(video=0)):
            rgb = frame.reformat(format="bgra", src_colorspace=BT709, src_color_range=LIMITED, interpolation=EXACT)
            rgb.pts, rgb.time_base = n, 1 / rate
            yield rgb, rate


def _palette(path: Path) -> Any:
    """A frame that holds the 256 colours of a film (libavfilter's palettegen: median cut over all frames)."""
    import av

    graph = av.filter.Graph()
    source: Any = None
    for frame, rate in _frames(path):
        if source is None:
            source = _buffer(graph, frame, rate)
            finder, sink = graph.add("palettegen", "reserve_transparent=0:stats_mode=full"), graph.add("buffersink")
            source.link_to(finder)
            finder.link_to(sink)
            graph.configure()
        source.push(frame)
    source.push(None)
    return sink.pull()


class _Painting:
    """Frames in, frames in the colours of a palette out."""

    def __init__(self, like: Any, palette: Any, rate: Fraction, how: str) -> None:
        import av

        graph = av.filter.Graph()
        self._source, colours = _buffer(graph, like, rate), _buffer(graph, palette, rate)
        painter, self._sink = graph.add("paletteuse", how), graph.add("buffersink")
        self._source.link_to(painter, 0, 0)
        colours.link_to(painter, 0, 1)
        painter.link_to(self._sink)
        graph.configure()
        self._graph = graph
        colours.push(palette)
        colours.push(None)

    def __call__(self, frame: Any) -> Iterator[Any]:
        import av

        self._source.push(frame)
        while True:
            try:
                yield self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return


def _buffer(graph: Any, like: Any, rate: Fraction) -> Any:
    return graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=1 / rate)
