"""A take: a performance kept as data, every feature value and every change with its time. It plays again to the same frames."""

from kinesphere.takes.recorder import Recorder
from kinesphere.takes.replay import Replay, render_take, replay
from kinesphere.takes.take import SOURCE_FILM, BadTake, Event, Played, Take

__all__ = ["SOURCE_FILM", "BadTake", "Event", "Played", "Recorder", "Replay", "Take", "render_take", "replay"]
