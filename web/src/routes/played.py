"""What the Python modules make of some inputs, for the page's own copies of their formulas to be compared with.

python web/src/routes/played.py > web/src/routes/played.json        # after any change of routes, EASINGS or pad_weights
"""

import json
from itertools import product

import numpy as np

from kinesphere.latent import EASINGS, ease
from kinesphere.looks import pad_weights
from kinesphere.routes import CURVES, Follower, Route, shape

PLACES = [-1.4, -0.6, -0.05, 0.0, 0.05, 0.2, 0.49, 0.5, 0.51, 0.8, 1.0, 1.7]
TIMES = [0.0, 0.02, 0.05, 0.06, 0.15, 0.3, 0.55, 0.9, 1.0, 1.6]
MOVED = [0.1, 0.9, 0.85, 0.2, 1.3, -0.2, 0.5, 0.5, 0.95, 0.3]

shapes = [
    {"feature": "light", "curve": curve, "invert": invert, "dead_zone": dead, "low": low, "high": high}
    for curve, invert, dead, (low, high) in product(CURVES, [False, True], [0.0, 0.15], [(0, 1), (0.9, -0.4)])
]
motions = [
    {},
    {"clamp": False},
    {"attack": 0.1},
    {"release": 0.4},
    {"attack": 0.05, "release": 0.8, "curve": "smooth"},
    {"one_euro": {"min_cutoff": 0.7, "beta": 0.4}},
    {"spring": {"frequency": 2.0, "damping": 0.2}},
    {"spring": {"frequency": 2.0, "damping": 1.0}},
    {"spring": {"frequency": 2.0, "damping": 1.8}},
    {"circular": 2.0, "attack": 0.1},
    {"one_euro": {}, "attack": 0.02, "spring": {"damping": 0.5}, "dead_zone": 0.1, "invert": True},
]


def shaped(table):
    route = Route(**table)
    return {"route": table, "values": [shape(route, u) for u in PLACES]}


def moved(table):
    table = {"feature": "light"} | table
    follow = Follower(Route(**table))
    return {"route": table, "values": [follow(v, t) for v, t in zip(MOVED, TIMES, strict=True)]}


PADS = [
    ([(0.2, 0.3), (0.8, 0.25), (0.5, 0.8)], (0.4, 0.5)),
    ([(0.2, 0.3), (0.8, 0.25)], (0.8, 0.25)),
    ([(0.5, 0.5), (0.5, 0.5), (0.1, 0.9)], (0.5, 0.5)),
    ([(0.0, 0.0), (1.0, 1.0)], (0.001, 0.0)),
    ([(0.3, 0.3)], (0.9, 0.1)),
]

steps = np.linspace(0, 1, 11)
numbers = {
    "places": PLACES,
    "shapes": [shaped(table) for table in shapes],
    "times": TIMES,
    "moved": MOVED,
    "motions": [moved(table) for table in motions],
    "steps": steps.tolist(),
    "pads": [{"points": points, "at": at, "weights": pad_weights(points, at)} for points, at in PADS],
    "easings": {name: ease(steps, name).tolist() for name in EASINGS},
}
print(json.dumps(numbers))
