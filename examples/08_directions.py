"""A word becomes a slider: 300 pictures are labelled by a function, a direction is learnt, and a portrait is moved along it."""

import torch
from PIL import Image

from kinesphere import checkpoints
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.studio.directions import Axis, labels
from kinesphere.studio.directions.measures import labels_of, measure
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural

G = checkpoints.load("portraits").G_ema
seeds = range(300)
warmth = labels_of(G, measure("warmth"), seeds)  # or any function from pictures uint8 [N, H, W, 3] to numbers [N]
w = sheets.seeds_to_ws(G, seeds)[:, 0]
learnt = labels.learn(w, warmth, natural(G), kind="graded", name="warmth", model=Fingerprint.of(G))
print(f"R² of labels not seen: {learnt.score:.2f} ± {learnt.error:.2f}")

axis, steps = Axis.of(G, learnt.direction()), [-3, -1.5, 0, 1.5, 3]
with torch.inference_mode():
    ws = sheets.seeds_to_ws(G, [14])
    pictures = [to_pixels(G.synthesis(axis.moved(ws, step)))[0].numpy() for step in steps]
Image.fromarray(sheets.grid(pictures, len(steps), [f"{step:+g} sigma" for step in steps])).save("warmer.png")
