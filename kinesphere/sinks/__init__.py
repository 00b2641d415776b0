"""Where frames go. A new sink is one file and one line here."""

from kinesphere.sinks.endings import ENDINGS, to_file
from kinesphere.sinks.frames import Frames
from kinesphere.sinks.gif import Gif
from kinesphere.sinks.null import Null
from kinesphere.sinks.video import VideoFile
from kinesphere.sinks.window import Window

SINKS = {
    "null": Null,
    "video": VideoFile,
    "gif": Gif,
    "frames": Frames,
    "window": Window,
}

__all__ = ["ENDINGS", "SINKS", "Frames", "Gif", "Null", "VideoFile", "Window", "to_file"]
