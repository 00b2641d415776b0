"""A direction on its model: how to move along it, in standard deviations, and how far along it a latent is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from kinesphere.bends.bending import Bending
from kinesphere.models import Generator
from kinesphere.models.rows import rows_of
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint, affines
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

STOP = 6.0  # standard deviations: what is beyond is not on the model's map
FURTHEST = 60.0  # where the map may be left: as far as edits go that were published


class AnotherModel(KinesphereError):
    """A direction that says that it is of a model that does not share this one's W."""


@dataclass(frozen=True, eq=False)
class Axis:
    """A direction that has met the model that is moved along it."""

    direction: Direction
    rows: slice  # of `ws`
    step: Tensor  # one standard deviation, on the model's device: [rows, w_dim] of W and W+, [z_dim] of Z, [all styles] of S
    centre: Tensor  # where the coordinate is 0: [w_dim]; of Z [z_dim]

    @classmethod
    def of(
        cls,
        G: Generator,
        direction: Direction,
        rows: str = "",
        class_index: int = 0,
        told: Fingerprint | None = None,
        anyway: bool = False,
    ) -> Axis:
        """A direction on `G`. `rows`: which to move, in place of those that it names itself; `told` spares computing G's own.

        A sigma that the direction does not tell is measured: of natural latents of W along it; in Z it is 1. Raises AnotherModel
        for a direction of another model (`anyway`: it is taken all the same), KinesphereError where sizes or rows do not fit.
        """
        check(G, direction, told, anyway)
        chosen = rows or direction.rows
        if direction.space in ("z", "s") and chosen != "all":
            raise KinesphereError(
                f"{_named(direction)} is of {direction.space.upper()}, which moves all rows: leave rows out"
            )
        taken = rows_of(G, chosen)
        if taken.start >= taken.stop:
            raise KinesphereError(f"{_named(direction)}: this model has no rows {chosen}: choose others")
        sigma = direction.sigma or measured(G, direction, class_index)
        step = (direction.unit.double() * sigma).float().to(G.w_avg)
        if direction.space in ("w", "w+"):
            step = step.expand(G.num_ws, -1)[taken]
            if not step.any():
                raise KinesphereError(f"{_named(direction)} moves nothing in the rows {chosen}: choose others")
        return cls(direction, taken, step, _centre(G, direction, class_index))

    def moved(self, place: Tensor, amount: float | Tensor) -> Tensor:
        """`ws` [N, num_ws, w_dim], or z [N, z_dim] where it is of Z, after `amount` standard deviations, a number or [N]. Not of S.

        At 0, and in other rows, it is what it was, bit for bit. No device is waited for.
        """
        if isinstance(amount, Tensor):
            amount = amount.to(place).reshape(-1, *[1] * self.step.ndim)
        elif not amount:
            return place
        moved = place.clone()
        self._part(moved).add_(self.step * amount)
        return moved

    def coordinate(self, place: Tensor) -> Tensor:
        """How far along it each of `ws` [N, num_ws, w_dim], or z [N, z_dim], is, standard deviations from the mean: [N]. Not of S.

        The amount by which the mean, moved, comes nearest to it in the rows of the axis (least squares).
        """
        away = self._part(place) - self.centre
        return (away * self.step).flatten(1).sum(1) / self.step.square().sum()

    def placed(self, place: Tensor, value: float | Tensor) -> Tensor:
        """What `moved` takes, moved so that each has the coordinate `value`, a number or [N]. Not of S."""
        value = value.to(place) if isinstance(value, Tensor) else value
        return self.moved(place, value - self.coordinate(place))

    def styled(self, G: Generator, amount: float) -> Bending:
        """Of a direction of S: what moves each layer's styles by `amount` standard deviations, to be put into `G`."""
        return {
            f"{name}.affine": partial(_plus, amount * part) for name, part in split(G, self.step).items() if part.any()
        }

    def _part(self, place: Tensor) -> Tensor:
        """What of a latent is moved, as a view: all of z, of ws the rows."""
        return place if self.direction.space == "z" else place[:, self.rows]


def check(G: Generator, direction: Direction, told: Fingerprint | None = None, anyway: bool = False) -> None:
    """Raise AnotherModel, or KinesphereError where the sizes differ. What does not say whose it is is taken where it fits.

    Models with one mapping network share Z, W and W+; S they do not, as each layer makes its own styles of w.
    """
    wanted = {"z": (G.z_dim,), "w": (G.w_dim,), "w+": (G.num_ws, G.w_dim)}.get(direction.space)
    wanted = wanted or (sum(len(affine.bias) for affine in affines(G).values()),)
    if tuple(direction.vector.shape) != wanted:
        raise KinesphereError(
            f"{_named(direction)} is of {direction.space.upper()} {list(direction.vector.shape)}, and does not fit this model, "
            f"whose are {list(wanted)}"
        )
    if direction.model.whole and not anyway and not _shared(direction, told or Fingerprint.of(G)):
        raise AnotherModel(
            f"{_named(direction)} was found in another model: here the same numbers lead elsewhere; find it anew"
        )


def measured(G: Generator, direction: Direction, class_index: int = 0) -> float:
    """The standard deviation of natural latents along a direction, as long as 1 whatever its own length is.

    Raises KinesphereError for one along which they do not differ.
    """
    if direction.space == "z":
        return 1.0
    along = direction.unit.to(G.w_avg)
    if direction.space == "w+":
        along = along.sum(0)
    elif direction.space == "s":
        along = _pulled_back(G, along)
    stats = natural(G, class_index)
    sigma = stats.deviation(along)
    if sigma < 1e-4 * float(stats.sigmas[0]):
        raise KinesphereError(
            f"{_named(direction)} leads where none of the model's own latents differ: it cannot be scaled"
        )
    return sigma


def split(G: Generator, styles: Tensor) -> Mapping[str, Tensor]:
    """Styles [..., all] by layer, as `studio.latents.styles` orders them."""
    made = affines(G)
    parts = styles.split([len(affine.bias) for affine in made.values()], -1)
    return dict(zip(made, parts, strict=True))


def _shared(direction: Direction, told: Fingerprint) -> bool:
    """Whether the numbers of a direction mean the same in the model of a fingerprint."""
    return direction.model.whole == told.whole if direction.space == "s" else direction.model.shares_w(told)


def _centre(G: Generator, direction: Direction, class_index: int) -> Tensor:
    """The mean of natural latents: 0 in Z; in W that of the class, or without classes `w_avg`, which truncation leads to."""
    if direction.space == "z":
        return torch.zeros_like(direction.vector).to(G.w_avg)
    return natural(G, class_index).mean.to(G.w_avg) if G.c_dim else G.w_avg


def _pulled_back(G: Generator, along: Tensor) -> Tensor:
    """What a direction of S is in W: the gradient of its coordinate, which is linear in w."""
    with torch.enable_grad():
        w = G.w_avg.detach().clone().requires_grad_()
        coordinate = sum((affines(G)[name](w[None]) * part).sum() for name, part in split(G, along).items())
        return torch.autograd.grad(coordinate, w)[0]


def _plus(step: Tensor, own: Tensor) -> Tensor:
    return own + step.to(own)


def _named(direction: Direction) -> str:
    return f"the direction {direction.name!r}" if direction.name else "this direction"


__all__ = ["FURTHEST", "STOP", "AnotherModel", "Axis", "check", "measured", "split"]
