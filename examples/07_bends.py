"""Inside the model: its constant wanders among copies of itself, its activations turn, noise is added; then it is as it was."""

import torch
from PIL import Image

from kinesphere import checkpoints, latent
from kinesphere.bends import bent, const, noise, warp
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets

G = checkpoints.load("portraits").G_ema
bendings = {
    "as it is": [],
    "const": [const(G, t=1.0, amount=0.5, seed=3)],
    "warp": [warp(G, t=0.0, rotate=0.5)],
    "noise": [noise(G, t=0.0, add=0.35, at="coarse")],
    "all of them": [
        const(G, t=1.0, amount=0.5, seed=3),
        warp(G, t=0.0, rotate=0.5),
        noise(G, t=0.0, add=0.35, at="coarse"),
    ],
}
pictures = []
with torch.inference_mode():
    ws = latent.truncate(sheets.seeds_to_ws(G, [2]), G.w_avg, 0.8)
    for bending in bendings.values():
        with bent(G, *bending):
            pictures.append(to_pixels(G.synthesis(ws))[0].numpy())
Image.fromarray(sheets.grid(pictures, 5, list(bendings))).save("bends.png")
