"""What a run says about itself in run.json: its pictures, its networks, its recipe, and each time that it was begun or resumed."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from kinesphere import __version__
from kinesphere.models import DISCRIMINATORS, FAMILIES
from kinesphere.train.recipe import Choice, Recipe
from kinesphere.types import KinesphereError

RUN = "run.json"
FIXED = frozenset(
    "img_resolution img_channels c_dim family channels z_dim w_dim mapping_layers noise conv_clamp batch seed ada_every "
    "freeze_d attributes attributes_line critic".split()
)
"""What makes a run that run: the networks, and what its steps and its random numbers are counted by."""


def tell(
    pictures: Mapping[str, Any],
    recipe: Recipe,
    choices: Mapping[str, Choice],
    networks: Mapping[str, Any],
    fabric: Fabric,
    notes: list[str],
) -> dict[str, Any]:
    """What run.json says of a new run. `pictures`: where they come from, how many, and their fingerprint."""
    return {
        "data": dict(pictures),
        "recipe": recipe.asdict(),
        "networks": {name: describe(network) for name, network in networks.items()},
        "options": {name: {"value": c.value, "reason": c.reason} for name, c in choices.items()},
        "command": shlex.join(["kinesphere", *sys.argv[1:]]),
        "started": now(),
        "seed": recipe.seed,
        "notes": notes,
        "changes": [],
        "sessions": [session(fabric, 0.0)],
    }  # fmt: skip


def session(fabric: Fabric, kimg: float) -> dict[str, Any]:
    """One time that a run went on: when, from where, how, and on what machine. Nothing in it names the machine or its folders."""
    return {
        "kimg": round(kimg, 3),
        "started": now(),
        "command": shlex.join(["kinesphere", *sys.argv[1:]]),
        "device": device_words(fabric.device),
        "processes": fabric.world_size,
        "threads": torch.get_num_threads(),
        "versions": {"kinesphere": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "commit": commit(),
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def device_words(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {os.cpu_count()} cores" if device.type == "cpu" else device.type


def commit() -> str | None:
    """The commit of kinesphere's own repository, with + where files were changed since; None where it is installed without one."""
    package = Path(__file__).resolve().parents[1]
    if not (package.parent / ".git").exists():
        return None
    git = ["git", "-C", str(package.parent)]
    try:
        said = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "kinesphere"], capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() + ("+" if changed.returncode else "")


def read_about(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises KinesphereError where there is no run or the file is damaged."""
    try:
        about = json.loads((folder / RUN).read_text())
        Recipe.fromdict(about["recipe"])
        _ = [about[key] for key in ("data", "networks", "options")]
        return about
    except (FileNotFoundError, NotADirectoryError):
        raise KinesphereError(f"there is no run in {str(folder)!r}: start one without --resume") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KinesphereError(
            f"{RUN} in {str(folder)!r} is damaged ({str(error)[:120]}): start anew, in another --out, from a snapshot with --from"
        ) from None


def changed(about: dict[str, Any], changes: Mapping[str, Any], kimg: float) -> tuple[Recipe, dict[str, Any]]:
    """The recipe with other numbers from here on, and what run.json says from now on. `about` stays as it is.

    Raises KinesphereError for a number that would make it another run.
    """
    before = Recipe.fromdict(about["recipe"])
    new = {name: value for name, value in changes.items() if getattr(before, name) != value}
    if fixed := sorted(FIXED & new.keys()):
        name = fixed[0]
        raise KinesphereError(
            f"{name} of a run that has begun stays {getattr(before, name)!r}, it cannot become {new[name]!r}: leave it out, "
            "or start a new run, perhaps with --from"
        )
    recipe = replace(before, **new)
    lines = [{"kimg": round(kimg, 3), "name": name, "from": getattr(before, name), "to": new[name]} for name in new]
    options = {
        name: {"value": value, "reason": f"changed at {kimg:.1f} kimg, {getattr(before, name)} before"}
        for name, value in new.items()
    }
    return recipe, about | {
        "recipe": recipe.asdict(),
        "options": about["options"] | options,
        "changes": [*about.get("changes", []), *lines],
    }


def describe(model: Any) -> dict[str, Any]:
    """A network's architecture, for `rebuilt`."""
    return {"class": type(model).__name__, "config": model.config}


def rebuilt(said: Mapping[str, Any]) -> Any:
    """A fresh network as `describe` has described it. Raises KinesphereError for one that there is not."""
    known = {cls.__name__: cls for cls in (*FAMILIES.values(), *DISCRIMINATORS.values())}
    try:
        return known[said["class"]](**said["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise KinesphereError(
            f"{RUN} describes a network that cannot be made ({str(error)[:120]}): it is damaged"
        ) from None
