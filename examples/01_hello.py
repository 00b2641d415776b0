"""A seed becomes a picture."""

import torch
from PIL import Image

from kinesphere import checkpoints, latent
from kinesphere.ops import to_pixels

G = checkpoints.load("portraits").G_ema
with torch.inference_mode():
    z = latent.seed_to_z(5, G.z_dim)  # [1, z_dim]
    ws = G.mapping(z, truncation_psi=0.7)  # [1, num_ws, w_dim]
    pixels = to_pixels(G.synthesis(ws))  # [1, H, W, 3] uint8
Image.fromarray(pixels[0].numpy()).save("hello.png")
