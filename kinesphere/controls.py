"""Every control of an instrument: what can be played or set, where it is in the patch, and what it is called."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from kinesphere.features.activations import POOLS, TO_Z, WITHIN
from kinesphere.features.activations import PRECISIONS as ACTIVATION_PRECISIONS
from kinesphere.features.keypoints.continuity import LOST
from kinesphere.features.keypoints.hand import MODELS, WHICH
from kinesphere.features.keypoints.tracker import TRACKERS
from kinesphere.features.networks import NETWORKS
from kinesphere.models import NOISE_MODES, Generator
from kinesphere.models.rows import rows_of
from kinesphere.patch import STATIONS, Along, Drive, Latent, Patch, Picture, Place
from kinesphere.places import fingerprint
from kinesphere.routes import Route
from kinesphere.runtime import ASKED_BACK_ENDS, ASKED_PRECISIONS
from kinesphere.sinks.gif import DITHERS
from kinesphere.sinks.video import CHROMA, PRESETS
from kinesphere.sinks.window import FITS
from kinesphere.sources.geometry import ASPECTS
from kinesphere.studio.directions.known import OWN, shipped
from kinesphere.types import KinesphereError, names_of


@dataclass(frozen=True)
class Control:
    """One place of the patch that a hand may turn, in the player's words."""

    place: str  # "latent.psi": what `patch.changed` takes
    kind: str
    # ^ number, integer, switch, choice, text, seed (a whole number), rows (a vector feature that drives them, or none),
    #   region (left, top, right, bottom, 0 to 1), pair (width, height), colour (red, green, blue, 0 to 255),
    #   seeds (pairs of a seed and its weight), table (anything else: shown, set in the patch's text)
    label: str
    help: str  # one sentence
    group: str
    # ^ "patch", "sources.eye", "features.scene", "latent", "latent.places", "latent.classes", "latent.directions", "latent.rows",
    #   "latent.rows.single", "bends.turn", "picture", "sinks.film"
    default: Any = None  # plain JSON; None: without one (it may be left out), or needed
    low: float | None = None  # ends of a slider, not limits: what cannot be is refused by the patch. None: no slider
    high: float | None = None
    step: float | None = None
    unit: str = ""  # "s", "px", "pictures/s"; "file" where the text is a path on this machine
    scale: str = "linear"  # "log": fine near low, and where low is 0, log from `step` on; "angle": high is low again
    choices: tuple[str, ...] = ()
    routable: bool = False  # a route may stand here
    routed: tuple[float, float] | None = None  # low and high that a new route begins with; None: it is not routable
    none: str = "automatic"  # what it is where it is left out, in a word


class Words(NamedTuple):
    """What a field is called, and how far its slider goes."""

    label: str
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    scale: str = "linear"
    routed: tuple[float, float] | None = None  # where a new route is gentler than the whole slider
    none: str = "automatic"


WORDS: Mapping[str, Words] = {
    # the patch
    "patch.model": Words("Model", "The generator that draws: the name of a model in the library.", unit="file"),
    "patch.name": Words("Name", "What this instrument is called."),
    "patch.about": Words("About", "One sentence for whoever plays it next."),
    # sources
    "mirror": Words("Mirror", "Shows the picture the other way round, as a mirror does."),
    "size": Words("Size", "Width and height to which the picture is scaled; none keeps its own.", unit="px"),
    "aspect": Words("Fitting", "How the size is reached: keep the shape, crop what sticks out, or fit with bars."),
    "seed": Words("Seed", "The number that chance starts from; another number, another arrangement.", 0, 2**32 - 1, 1),
    "camera.index": Words("Camera", "Which camera: 0 is the first; a device or a stream's address does too.", unit="file"),
    "camera.width": Words("Width", "How wide a picture to ask the camera for; it gives what is nearest.", 160, 1920, 1, "px"),
    "camera.height": Words("Height", "How high a picture to ask the camera for; it gives what is nearest.", 120, 1080, 1, "px"),
    "camera.fps": Words("Pace", "How many pictures a second to ask the camera for.", 1, 120, 1, "pictures/s"),
    "video.path": Words("File", "The video that is played.", unit="file"),
    "video.loop": Words("Loop", "Begins again after the end; otherwise the last picture stays."),
    "video.start": Words("Start", "Where in the video to begin.", 0, 600, 0.1, "s"),
    "pictures.path": Words("Folder", "The folder whose pictures are shown.", unit="file"),
    "pictures.seconds": Words("Time for each", "How long from one picture to the next.", 0.1, 60, 0.1, "s", "log"),
    "pictures.fade": Words("Dissolve", "How long one picture takes to become the next; 0 cuts.", 0, 10, 0.1, "s"),
    "pictures.loop": Words("Loop", "Begins again after the last picture; otherwise the last one stays."),
    "pictures.order": Words("Order", "By name, or shuffled by the seed."),
    "pictures.background": Words("Background", "The colour under what is transparent, and of the bars."),
    # features
    "source": Words("Looks at", "Which source it is drawn from; none is the first one."),
    "region": Words("Region", "The part of the picture that it looks at."),
    "weights": Words("Eye's weights", "Of the network that looks, where it needs some: a file, a folder, a name.", unit="file"),
    "what": Words("What", "What is looked for, by the network's own names."),
    "activations.network": Words("Eye", "Which frozen network does the looking: each notices other things."),
    "activations.layers": Words("Depth", "Which layer of the network is read: early ones see edges, late ones see things."),
    "activations.size": Words("Sharpness", "How finely the region is looked at; none suits the network.", 32, 512, 1, "px"),
    "activations.precision": Words("Precision", "Half looks faster with a large network, and sees nearly the same."),
    "activations.pool": Words("Grid", "How exactly it knows where things are: mean does not, 4x4 does most."),
    "activations.to_z": Words(
        "Spread", "Calibrate learns what the scene does and spreads it over all pictures; standardise takes it as it is."
    ),
    "activations.warmup": Words("Getting to know", "How long it learns the scene before it forgets.", 0, 120, 1, "s"),
    "activations.memory": Words("Memory", "How long it remembers what the scene used to do.", 1, 1800, 1, "s", "log"),
    "activations.smoothing": Words(
        "Smoothing", "How slowly it follows: 0 at once and trembling, more is calm and late.", 0, 5, 0.01, "s", "log"
    ),
    "activations.seed": Words(
        "Dance", "Another number turns the same movements into other pictures (seed of the projection).", 0, 2**32 - 1, 1
    ),
    "sound.source": Words("Listens to", "Which source it hears; none is the first one that can be heard."),
    "sound.floor": Words("Silence", "How far below the loudest sound silence begins: a noisy room needs less.", 10, 120, 1, "dB"),
    "motion.scale": Words("Sensitivity", "How much movement counts as a lot: less is more sensitive.", 0.005, 1, 0.005, "", "log"),
    "smoothing": Words(
        "Smoothing", "How slowly it follows: 0 at once and trembling, more is calm and late.", 0, 5, 0.01, "s", "log"
    ),
    "tracker": Words(
        "Who looks", "MediaPipe looks at the picture; recorded plays landmarks from a file; synthetic moves by itself."
    ),
    "recording": Words("Recording", "A file of landmarks, for the tracker that plays one.", unit="file"),
    "confidence": Words(
        "Confidence", "How sure it must be that something is there: less finds more, and more that is not.", 0, 1, 0.05
    ),
    "lost": Words(
        "Out of sight", "What it says then: hold the last value, go to rest, or none, so that a route can fade to something else."
    ),
    "fade": Words("Letting go", "How long it takes to come to rest, and its presence to come and go.", 0, 10, 0.05, "s", "log"),
    "rest": Words("Rest", "Where each number is when you rest; learnt by showing it."),
    "range": Words("Your range", "Your smallest and largest of each number; learnt by showing them."),
    "which": Words("Which hand", "The first that is seen, or always the left or the right one, as in a mirror."),
    "hands": Words("Hands", "How many to look for: one is quickest, but then it cannot be told from another.", 1, 4, 1),
    "hand.model": Words("Care", "Lite is quicker, full is more exact."),
    "discs.model": Words("Care", "Lite is quicker, full is more exact."),
    "discs.discs": Words("Discs", "How many float there.", 1, 24, 1),
    "discs.radius": Words("Size", "How large they are.", 0.05, 0.4, 0.01, "half heights"),
    "discs.calm": Words("Calm", "How soon they come to rest after a stroke.", 0.2, 20, 0.1, "s", "log"),
    "discs.lively": Words("Lively", "How fast they move when lively: less is easier.", 0.1, 3, 0.01, "half heights/s", "log"),
    "discs.layout": Words("Layout", "Another number lays them elsewhere.", 0, 99, 1),
    "body.person": Words("Person", "Who is followed: 0 came first, 1 next.", 0, 7, 1),
    "body.points": Words("Points", "Points of the body whose distance from its middle is told too."),
    "face.faces": Words("Faces", "How many to look for; it keeps to the one that came first.", 1, 4, 1),
    "activations.within": Words("Region of", "Whether the region is part of the frame, or of the box round whoever is in it."),
    "silhouette.memory": Words(
        "Memory", "How long somebody may stand still before they become part of the background.", 2, 600, 1, "s", "log"
    ),
    "cut.fade": Words("Fade", "How long a cut is felt.", 0.05, 5, 0.05, "s", "log"),
    "depth.size": Words("Sharpness", "How finely the region is looked at, which costs time; none is a middle.", 64, 518, 1, "px"),
    "depth.memory": Words("Memory", "How long it remembers how near and how far things were.", 1, 1800, 1, "s", "log"),
    "projection.encoder": Words("Encoder", "What guesses where a picture is; none: the one of this model.", unit="file"),
    "projection.steps": Words("Steps", "How far it goes for each new picture: more is nearer, and slower.", 0, 20, 1),
    "projection.min_cutoff": Words("Calm", "How calm it is at rest: less is calmer, and later.", 0.1, 10, 0.05, "Hz", "log"),
    "projection.beta": Words("Quickness", "How much sooner it follows what is fast: 0 is as calm as at rest.", 0, 10, 0.05, "Hz s"),
    "segmentation.size": Words("Sharpness", "How finely the region is looked at; none suits the network.", 64, 1024, 1, "px"),
    "classification.size": Words("Sharpness", "How finely the region is looked at; none suits the network.", 64, 512, 1, "px"),
    # latent
    "latent.seed": Words("Seed", "The picture where nothing moves: each number is another one.", 0, 2**32 - 1, 1),
    "latent.mix": Words("Between seeds", "Several seeds at once, each with its weight; none is the seed alone."),
    "latent.drift": Words(
        "Drift", "How long the still part takes to wander round and come back; 0 lets it stand.", 0, 600, 0.5, "s", "log"
    ),
    "latent.psi": Words(
        "Boldness",
        "How far from the average picture (truncation psi): 0 is the average, 1 all that the model learnt, below 0 opposites.",
        -1,
        2,
        0.01,
        routed=(0.4, 1.1),
    ),
    "latent.cutoff": Words(
        "Untamed from row",
        "From this row on everything is as bold as at 1 (truncation cutoff); none: the boldness above holds for all rows.",
        0,
        none="none",
    ),
    "latent.centres": Words(
        "Kinds",
        "How many kinds of picture the boldness may start from, each with an average of its own; 0 is one for all.",
        step=1,
    ),
    "latent.label": Words("Class", "Which of the model's classes is drawn.", 0),
    "drive.feature": Words("Driven by", "What takes hold of these rows; none leaves them to the seed."),
    "drive.amount": Words("Amount", "How much it takes hold: 0 leaves the seed, 1 replaces it.", 0, 1, 0.01),
    "place.amount": Words("Amount", "How far the picture goes there: 0 is without it, 1 shows it as it was kept.", 0, 1, 0.01),
    "place.rows": Words("What comes", "Which part of it comes: all, or only its pose and shape, its features, or its colours."),
    "place.file": Words("File", "The latent that was kept, such as what a photograph became.", unit="file"),
    "along.amount": Words(
        "Amount", "How far along it: 0 is where the picture was, 1 as far as pictures usually differ.", -3, 3, 0.01, "deviations",
        routed=(-2, 2),
    ),
    "along.rows": Words(
        "What moves", "Which part moves: its own, or only pose and shape, features, or colours.", none="its own"
    ),
    "along.set": Words("Set", "Every picture goes to the same point of it; otherwise each goes as far from where it was."),
    "along.free": Words("Off the map", "Lets it go farther than the model has ever seen; otherwise it stops at 6."),
    "along.locked": Words("Lock", "Stays where it is when the others are scattered."),
    # bends
    "rotate": Words("Turn", "How far it is turned, counter-clockwise.", -math.pi, math.pi, 0.01, "rad", "angle"),
    "x": Words("Right", "How far to the right: 1 brings the middle to the border.", -1, 1, 0.01, "half widths", routed=(-0.5, 0.5)),
    "y": Words("Up", "How far up: 1 brings the middle to the border.", -1, 1, 0.01, "half widths", routed=(-0.5, 0.5)),
    "zoom": Words("Zoom", "How many times as large.", 0.25, 4, 0.01, "times", "log", (0.7, 1.6)),
    "wander": Words("Wander", "How long until nothing is left of where it was; a change of it jumps.", 0.25, 60, 0.05, "s", "log"),
    "edge": Words("At the border", "What comes in there: the other side, or the near one as in a mirror."),
    "const.amount": Words("Amount", "How far it wanders from what the model has learnt: 0 stays, 1 wanders freely.", 0, 1, 0.01),
    "const.among": Words("Among", "Copies wander among copies of itself, so features multiply; noise takes them apart."),
    "const.group": Words("Part", "Which part of the channels is bent, 0 is the first.", 0, 15, 1),
    "const.of": Words("Of parts", "How many parts the channels make; 1 bends them all.", 1, 16, 1),
    "anchor.amount": Words("Amount", "How much it stays put: 0 wanders with the latent, 1 stands still.", 0, 1, 0.01),
    "anchor.to": Words("Stands", "Mean is where the average picture stands, middle is upright in the middle."),
    "warp.resolution": Words("Depth", "Small ones melt the subject, large ones move the picture as it is.", unit="px"),
    "noise.strength": Words("Strength", "How loud the learnt grain is: 0 is none, 1 as it was learnt.", 0, 3, 0.01, "times"),
    "noise.boil": Words("Boil", "How much the grain moves by itself: 0 stands still.", 0, 1, 0.01),
    "noise.add": Words("Add", "How much noise comes on top: at 1 hardly a picture is left.", 0, 1, 0.01, routed=(0, 0.5)),
    "noise.at": Words("Where", "Which layers: all, coarse, middle, fine, or one by its name such as b16.conv1."),
    # picture
    "picture.noise_mode": Words(
        "Grain", "Fine detail by chance: const keeps it still, random lets it flicker, none leaves it out."
    ),
    "picture.fps": Words("Pace", "How many pictures a second to aim at.", 1, 120, 1, "pictures/s"),
    "picture.back_end": Words("Drawn by", "Auto measures what is fastest here; exact is the model itself, as films are drawn."),
    "picture.precision": Words("Precision", "Half is faster and hardly to be seen; auto takes it where the pace needs it."),
    "picture.smaller": Words("May be smaller", "Drawn with less detail and enlarged, where the pace needs that."),
    # sinks
    "window.fullscreen": Words("Full screen", "Fills the display."),
    "window.display": Words("Display", "Which display: 0 is the main one, 1 the next, such as a projector.", 0, 4, 1),
    "window.fit": Words("Fitting", "Fit shows all of the picture with bars, fill covers the display and cuts."),
    "window.title": Words("Title", "What stands on top of the window."),
    "video file.path": Words("File", "Where the film goes; it ends in .mp4 or .webm.", unit="file"),
    "video file.crf": Words("Loss", "How much the film may lose: 0 nothing, 16 looks the same, 51 is ruined.", 0, 51, 1),
    "video file.preset": Words("Effort", "How hard the film is packed: slower makes a smaller file."),
    "video file.chroma": Words("Colour", "420 plays everywhere, 444 keeps every detail of colour."),
    "video file.sound": Words("Sound", "A file whose sound the film gets.", unit="file"),
    "video file.comment": Words("Comment", "What the film says of itself, for players that show it."),
    "video file.sound_start": Words("Sound from", "Where in that file the sound begins.", 0, 600, 0.1, "s"),
    "video file.overwrite": Words("Replace", "May take the place of a film with the same name."),
    "gif.path": Words("File", "Where the GIF goes; it ends in .gif.", unit="file"),
    "gif.dither": Words("Shades", "How shades between its colours are made: a still grain, a finer one that moves, or none."),
    "gif.loop": Words("Loop", "Plays over and over; otherwise once."),
    "gif.overwrite": Words("Replace", "May take the place of a GIF with the same name."),
    "frames.path": Words("Folder", "Where the numbered pictures go.", unit="file"),
    "frames.overwrite": Words("Replace", "May go into a folder that holds something already."),
}  # fmt: skip
"""By "kind.field", or by the field's name alone where it means the same everywhere. What is not here is called by its name."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "picture.noise_mode": NOISE_MODES,
    "picture.back_end": ASKED_BACK_ENDS,
    "picture.precision": ASKED_PRECISIONS,
    "activations.network": tuple(NETWORKS),
    "activations.pool": tuple(POOLS),
    "activations.to_z": TO_Z,
    "activations.within": WITHIN,
    "activations.precision": ACTIVATION_PRECISIONS,
    "tracker": tuple(TRACKERS),
    "lost": LOST,
    "hand.which": WHICH,
    "hand.model": MODELS,
    "discs.which": WHICH,
    "discs.model": MODELS,
    "aspect": tuple(ASPECTS),
    "pictures.aspect": ("fit", "crop"),
    "pictures.order": ("name", "shuffle"),
    "window.fit": tuple(FITS),
    "video file.preset": tuple(PRESETS),
    "video file.chroma": tuple(CHROMA),
    "gif.dither": tuple(DITHERS),
}
"""The names that a text may be, found as WORDS are."""

MOST_WAYS = 8  # through W, and classes, that have a slider unasked
FREELY = 20.0  # standard deviations to which the slider of a direction goes that may leave the map

BAND_WORDS = {
    "coarse": ("Coarse", "pose and shape"),
    "middle": ("Middle", "features and parts"),
    "fine": ("Fine", "colour and texture"),
    "all": ("All", "the whole picture"),
    "placement": ("Placement", "where the picture lies"),
}


def controls(patch: Patch, G: Generator) -> list[Control]:
    """Every control of a patch on its model, in the order of the flow: patch, sources, features, latent, bends, picture, sinks."""
    found = [
        _control("patch", Patch, f, "patch", "patch") for f in fields(Patch) if f.name in ("model", "name", "about")
    ]
    found += _of_stations(patch, "sources") + _of_stations(patch, "features")
    found += [
        *_of_latent(G),
        *_of_places(patch, G),
        *_of_classes(patch, G),
        *_of_directions(patch, G),
        *_of_rows(patch, G),
    ]
    found += _of_stations(patch, "bends")
    found += [_control("picture", Picture, f, "picture", "picture") for f in fields(Picture)]
    return found + _of_stations(patch, "sinks")


class Felt(NamedTuple):
    """A number that a route may name, and what a new route on it begins with."""

    low: float  # the number's range, in_low to in_high
    high: float
    turn: float | None = None  # of an angle


def felt(patch: Patch) -> dict[str, Felt]:
    """Every number of a patch's features, by what a route calls it."""
    found = {}
    for name, feature in patch.features.items():
        for number in names_of(feature):
            low, high = getattr(feature, "ranges", {}).get(number, (0.0, 1.0))
            angle = number in getattr(feature, "circular", ())
            found[f"{name}.{number}"] = Felt(float(low), float(high), 2 * math.pi if angle else None)
    return {name: found.get(name, Felt(0.0, 1.0)) for name in patch.numbers()}


def _of_stations(patch: Patch, section: str) -> list[Control]:
    found = []
    for name, station in getattr(patch, section).items():
        place, cls = f"{section}.{name}", type(station)
        names = {**CHOICES, "source": tuple(patch.sources)} if section == "features" else CHOICES
        found += [_control(_name(section, cls), cls, f, place, place, names) for f in fields(cls) if f.init]
    return found


def _name(section: str, cls: type) -> str:
    """What WORDS call a kind of station: a video is a source and a sink, so the sink is a video file."""
    kind = next((kind for kind, known in STATIONS[section].items() if known is cls), cls.__name__.lower())
    return "video file" if (section, kind) == ("sinks", "video") else kind


def _of_latent(G: Generator) -> list[Control]:
    """The latent's own fields; how far two of them go, only the model knows."""
    highest = {"cutoff": G.num_ws, "label": G.c_dim - 1}
    found = []
    for f in fields(Latent):
        if f.name in ("rows", "places", "directions", "classes") or (f.name == "label" and G.c_dim < 2):
            continue
        found.append(_control("latent", Latent, f, "latent", "latent", highest=highest.get(f.name)))
    return found


def _of_places(patch: Patch, G: Generator) -> Iterator[Control]:
    """How far the picture goes to each latent that was kept, and what of it comes."""
    known = {f.name: f for f in fields(Place)}
    bands = [name for name in BAND_WORDS if _has(G, name)]
    for name, there in patch.latent.places.items():
        rows = {"place.rows": (*bands, *({there.rows} - {*bands}))}
        for f in (known["amount"], known["rows"], known["file"]):
            yield _control("place", Place, f, f"latent.places.{name}", "latent.places", rows, prefix=f"{name}: ")


def _of_classes(patch: Patch, G: Generator) -> Iterator[Control]:
    """The first classes of a model that has several, and those further ones that the patch names."""
    first = [str(index) for index in range(min(MOST_WAYS, G.c_dim))] if G.c_dim > 1 else []
    for index in [*first, *(index for index in patch.latent.classes if index not in first)]:
        yield Control(
            f"latent.classes.{index}", "number", f"Class {index}",
            "How strongly this class of the model is there; what is left of 1 goes to the class above.",
            "latent.classes", 0.0, 0.0, 1.0, 0.01, routable=True, routed=(0.0, 1.0),
        )  # fmt: skip


def _of_directions(patch: Patch, G: Generator) -> Iterator[Control]:
    """How far along each direction: those that come with the model, its widest ways, and those further ones that the patch names.

    Of one that the patch names also how it moves.
    """
    known = {f.name: f for f in fields(Along)}
    there = patch.latent.directions
    bands = [name for name in BAND_WORDS if _has(G, name)]
    unasked = [*(one.name for one in shipped(fingerprint(G))), *(f"pc{k + 1}" for k in range(min(MOST_WAYS, G.w_dim)))]
    for name in dict.fromkeys([*unasked, *there]):
        along = there.get(name, Along())
        place, group = f"latent.directions.{name}", "latent.directions"
        amount = _control("along", Along, known["amount"], place, group)
        amount = replace(amount, label=name, help=_led(along.of or name))
        yield replace(amount, low=-FREELY, high=FREELY) if along.free else amount
        for f in (known[part] for part in ("rows", "set", "free", "locked") if name in there):
            rows = {"along.rows": tuple(dict.fromkeys(["", *bands, along.rows]))}  # "": its own
            yield _control("along", Along, f, place, group, {**CHOICES, **rows}, prefix=f"{name}: ")


def _led(of: str) -> str:
    """Where a direction leads, in a sentence."""
    own = OWN.fullmatch(of)
    if own is None:
        return WORDS["along.amount"].help
    if own[1] == "pc":
        differ = "One of the ways in which the model's pictures differ most"
        return f"{differ} (principal component {own[2]}); 0 is where they are."
    return f"One of the changes to which the model's layers react most (SeFa's factor {own[2]}); 0 is where they are."


def _of_rows(patch: Patch, G: Generator) -> Iterator[Control]:
    """The bands that this model has, the rows that the patch names, and each row by itself."""
    vectors = tuple(name for name, feature in patch.features.items() if feature.vector)
    singles = [str(row) for row in range(G.num_ws)]
    own = [name for name in patch.latent.rows if name not in {*BAND_WORDS, *singles}]
    for rows in [*BAND_WORDS, *own, *singles]:
        if not _has(G, rows):
            continue
        group = "latent.rows.single" if rows in singles else "latent.rows"
        label, means = BAND_WORDS.get(rows, (f"Row{'s' * ('-' in rows)} {rows}", "this layer alone"))
        place, words = f"latent.rows.{rows}", WORDS["drive.feature"]
        yield Control(place, "rows", label, f"{means.capitalize()}: {_lower(words.help)}", group, choices=vectors)
        if rows in patch.latent.rows:
            amount = next(f for f in fields(Drive) if f.name == "amount")
            yield _control("drive", Drive, amount, place, group, prefix=f"{label}: ")


def _has(G: Generator, rows: str) -> bool:
    try:
        found = rows_of(G, rows)
    except KinesphereError:
        return False
    return found.stop > found.start


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _control(
    name: str,
    cls: type,
    f: Field[Any],
    place: str,
    group: str,
    choices: Mapping[str, tuple[str, ...]] = CHOICES,
    highest: float | None = None,
    prefix: str = "",
) -> Control:
    """The control of one field of a dataclass, which WORDS call `name`."""
    parts = _types(cls)[f.name]
    words = WORDS.get(f"{name}.{f.name}") or WORDS.get(f.name) or _plain_words(cls, f.name, parts)
    names = choices.get(f"{name}.{f.name}") or choices.get(f.name, ())
    if get_origin(parts[0]) is Literal:
        names = tuple(map(str, get_args(parts[0])))
    kind = _kind(f.name, parts, names)
    own = f"{place}.{f.name}" if place != "patch" else f.name
    numeric, routable = kind in ("number", "integer", "seed"), Route in parts
    return Control(
        place=own,
        kind=kind,
        label=prefix + (_lower(words.label) if prefix else words.label),
        help=words.help,
        group=group,
        default=_default(f),
        low=words.low if numeric else None,
        high=(highest if highest is not None else words.high) if numeric else None,
        step=(words.step or (1 if kind != "number" else None)) if numeric else None,
        unit=words.unit,
        scale=words.scale,
        choices=names if kind == "choice" else (),
        routable=routable,
        routed=_routed(words) if routable else None,
        none=words.none,
    )


def _routed(words: Words) -> tuple[float, float]:
    """A new route's range: its own, or the slider's, or that of a fraction."""
    return words.routed or (0.0 if words.low is None else words.low, 1.0 if words.high is None else words.high)


def _plain_words(cls: type, name: str, parts: tuple[Any, ...]) -> Words:
    """For a field that has none yet: its name, and what its class says of itself."""
    says = (cls.__doc__ or "").strip().partition("\n")[0]
    label = name.replace("_", " ").capitalize()
    if told := re.search(rf"^ +{name}: (.+)$", cls.__doc__ or "", re.MULTILINE):
        return Words(label, _sentence(told[1]), *_reach(told[1]))
    return Words(label, f"{label} of {cls.__name__}: {says}" if says else label, unit="file" * (Path in parts))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _reach(text: str) -> tuple[float, float] | tuple[()]:
    """How far a slider goes, where a docstring says "0 to 1" or "1/16 to 16"."""
    ends = re.search(r"(-?[\d.]+)(?:/(\d+))? to (-?[\d.]*\d)", text)
    return (float(ends[1]) / float(ends[2] or 1), float(ends[3])) if ends else ()


@cache
def _types(cls: type) -> Mapping[str, tuple[Any, ...]]:
    """What each field of a dataclass may hold, other than None."""
    found = {}
    for name, hint in get_type_hints(cls).items():
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        found[name] = tuple(option for option in options if option is not types.NoneType)
    return found


KINDS: Mapping[Any, str] = {
    bool: "switch",
    int: "integer",
    float: "number",
    tuple[float, float, float, float]: "region",
    tuple[int, int]: "pair",
    tuple[int, int, int]: "colour",
    list[tuple[int, float]]: "seeds",
}


def _kind(name: str, parts: tuple[Any, ...], choices: tuple[str, ...]) -> str:
    """The kind of control that suits what a field may hold."""
    if choices or get_origin(parts[0]) is Literal or name == "source":
        return "choice"
    if str in parts or Path in parts:
        return "text"
    if name == "seed" and int in parts:
        return "seed"
    return next((KINDS[part] for part in parts if part in KINDS), "table")


def _default(f: Field[Any]) -> Any:
    """A field's default as plain JSON."""
    default = f.default_factory() if f.default_factory is not MISSING else f.default
    if default is MISSING:
        return None
    return list(default) if isinstance(default, tuple) else default
