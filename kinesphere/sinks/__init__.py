"""Where frames go. A new sink is one file and one line here."""

from kinesphere.sinks.null import Null
from kinesphere.sinks.video import VideoFile
from kinesphere.sinks.window import Window

SINKS = {
    "null": Null,
    "video": VideoFile,
    "window": Window,
}

__all__ = ["SINKS", "Null", "VideoFile", "Window"]
