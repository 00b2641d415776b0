"""The stage: an instrument in the browser, for players, viewers and phones."""

from kinesphere.stage.app import app, qr_code
from kinesphere.stage.library import Library
from kinesphere.stage.security import Door
from kinesphere.stage.server import Server, addresses, door
from kinesphere.stage.session import Session

__all__ = ["Door", "Library", "Server", "Session", "addresses", "app", "door", "qr_code"]
