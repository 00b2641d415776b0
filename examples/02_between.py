"""Half-way between two seeds, all at once and coarse styles first."""

import torch
from PIL import Image

from kinesphere import checkpoints, latent
from kinesphere.studio import sheets

G = checkpoints.load("portraits").G_ema
with torch.inference_mode():
    a, b = sheets.seeds_to_ws(G, [1, 2]).split(1)
    between = latent.lerp(a, b, 0.5)
    mixed = latent.mix(a, b, G.rows("coarse"))
    pictures = list(sheets.Drawing(G).pictures(torch.cat([a, between, mixed, b])))
titles = ["seed 1", "half-way", "1 with coarse 2", "seed 2"]
Image.fromarray(sheets.grid(pictures, 4, titles)).save("between.png")
