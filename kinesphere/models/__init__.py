"""The generators: one file for each family, one line here."""

from kinesphere.models.discriminator import AnyDiscriminator, Discriminator, StyleGAN1Discriminator
from kinesphere.models.generator import BANDS, NOISE_MODES, Generator, noise_from
from kinesphere.models.precision import set_precision
from kinesphere.models.stylegan1 import StyleGAN1
from kinesphere.models.stylegan2 import StyleGAN2
from kinesphere.models.stylegan3 import StyleGAN3

FAMILIES: dict[str, type[Generator]] = {"stylegan1": StyleGAN1, "stylegan2": StyleGAN2, "stylegan3": StyleGAN3}
DISCRIMINATORS: dict[str, type[AnyDiscriminator]] = {"stylegan1": StyleGAN1Discriminator, "stylegan2": Discriminator}

__all__ = [
    "BANDS",
    "DISCRIMINATORS",
    "FAMILIES",
    "NOISE_MODES",
    "AnyDiscriminator",
    "Discriminator",
    "Generator",
    "StyleGAN1",
    "StyleGAN1Discriminator",
    "StyleGAN2",
    "StyleGAN3",
    "noise_from",
    "set_precision",
]
