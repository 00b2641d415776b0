"""What exists is documented, and what the docs say can be typed."""

import re
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kinesphere import checkpoints, cli, patch
from kinesphere.bends import BENDS
from kinesphere.features.networks import NETWORKS
from kinesphere.latent import EASINGS
from kinesphere.models import FAMILIES
from kinesphere.routes import CURVES
from kinesphere.sinks import SINKS
from kinesphere.sources import SOURCES
from kinesphere.studio.squares import FITS
from kinesphere.train import metrics, recipe
from kinesphere.train.augment import SETS
from kinesphere.train.gathering import LABELLING
from kinesphere.train.portraits import FACTORS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
VERBS = [c.callback.__name__.replace("_", "-") for c in cli.app.registered_commands]

NAMES = {
    "sources": SOURCES,
    "features": patch.DRAWN,
    "networks": NETWORKS,
    "bends": BENDS,
    "sinks": SINKS,
    "curves": CURVES,
    "easings": EASINGS,
    "patches": patch.builtin_names(),
    "models": checkpoints.BUILTIN,
    "verbs": VERBS,
    "augmentation sets": SETS,
    "metrics": metrics.METRICS,
    "networks of metrics": metrics.FEATURES,
    "families to train": recipe.FAMILIES,
    "fits": FITS,
    "labels": LABELLING,
    "factors": FACTORS,
}


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in NAMES.items() for name in names])
def test_every_name_is_documented(kind, name):
    assert re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`|kinesphere {name}\b", TEXT), (
        f"{kind}: {name} is in no page"
    )


def test_every_family_is_documented():
    assert all(family.lower() in TEXT.lower() for family in FAMILIES)


def said(field: Field) -> str:
    """The default of a field as the table of docs/training.md has it; "" where it has none."""
    if field.default in (MISSING, ()):
        return ""
    if isinstance(field.default, tuple):
        return ", ".join(f"{number:g}" for number in field.default)
    words = {None: "none", True: "yes", False: "no"}
    plain = isinstance(field.default, bool) or field.default is None
    return words[field.default] if plain else str(field.default).removesuffix(".0")


@pytest.mark.parametrize("field", fields(recipe.Recipe), ids=lambda field: field.name)
def test_every_number_of_a_recipe_is_in_the_table_with_its_default(field):
    row = re.search(rf"^\| `{field.name}` \|(.*?)\|", (ROOT / "docs" / "training.md").read_text(), re.M)
    assert row and row[1].strip() == said(field)


@pytest.mark.parametrize("factor", FACTORS.values(), ids=lambda factor: factor.name)
def test_every_factor_is_in_the_table_with_its_values(factor):
    row = re.search(rf"^\| `{factor.name}` \|(.*?)\|(.*?)\|", (ROOT / "docs" / "datasets.md").read_text(), re.M)
    assert row and factor.meaning in row[2] and ("⇄" in row[2]) == (factor.mirror == "negate")
    values = row[1].replace("−", "-").strip()
    if factor.kind == "class":
        shares = zip(factor.classes, factor.shares, strict=True)
        assert values == ", ".join(f"{name} {share * 100:.0f} %" for name, share in shares)
    else:
        spread = f", normal, σ {factor.std:g}" if factor.std else ""
        assert values == f"{factor.low:g} to {factor.high:g}{spread}"


def commands():
    """Every `kinesphere ...` line of a code block, and in a caption."""
    for page in PAGES:
        for line in re.findall(
            r"(?:^|`)(kinesphere \w[^`\n#]*)", re.sub(r"^    ", "", page.read_text(), flags=re.M), re.M
        ):
            if line.split()[1] in VERBS:
                yield page.name, line.strip()


@pytest.mark.parametrize("page, line", sorted(set(commands())))
def test_every_command_in_the_docs_can_be_typed(page, line):
    words = [word for word in line.split()[1:] if word != "..."]
    shown = CliRunner().invoke(cli.app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
    known = CliRunner().invoke(cli.app, [words[0], "--help"], env={"COLUMNS": "240"}).output
    for option in [w for w in words if w.startswith("-")]:
        assert option in known, f"{page}: {line}: no option {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "patches.md").read_text(), re.S))
def test_the_patches_in_the_docs_can_be_played(block):
    assert patch.parse(block).features


def test_the_python_in_the_readme_runs():
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S):
        names = {}
        exec(compile(block, "README.md", "exec"), names)
        assert names["img"].shape == (1, 3, *[names["G"].img_resolution] * 2)
