"""What moves by itself or by hand. A new source is one file and one line here."""

from kinesphere.sources.camera import Camera, list_cameras
from kinesphere.sources.page import Page, PageSound
from kinesphere.sources.pictures import Pictures
from kinesphere.sources.video import Video

SOURCES = {
    "camera": Camera,
    "page": Page,
    "page_sound": PageSound,
    "pictures": Pictures,
    "video": Video,
}

__all__ = ["SOURCES", "Camera", "Page", "PageSound", "Pictures", "Video", "list_cameras"]
