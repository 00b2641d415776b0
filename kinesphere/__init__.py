"""Kinesphere: play the latent space of a StyleGAN with the body."""

__version__ = "0.1.0"
