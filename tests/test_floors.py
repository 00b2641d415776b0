"""A module imports only from floors below its own, and stations never import each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "kinesphere"

FLOORS = [
    {"types", "ops", "startup", "files"},  # ground
    {"sources", "features", "routes", "latent", "models", "bends", "sinks"},  # stations
    {"checkpoints", "runtime", "studio"},  # between
    {
        "patch", "shown", "places", "sliders", "lanes", "engine", "performance", "controls", "looks", "takes", "filmed", "train",
    },  # instrument
    {"stage", "cli", "builtin", "__main__"},  # doors
]  # fmt: skip
STATIONS = FLOORS[1]
FORBIDDEN = {"utils", "core", "common", "helpers", "config"}


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


def imports(path: Path) -> list[tuple[str, int]]:
    """Every kinesphere module that a file imports, by its first name, with the line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its floor"
            if node.module == "kinesphere":
                found += [(alias.name, node.lineno) for alias in node.names]
            elif node.module and node.module.startswith("kinesphere."):
                found.append((node.module.split(".")[1], node.lineno))
        if isinstance(node, ast.Import):
            found += [(a.name.split(".")[1], node.lineno) for a in node.names if a.name.startswith("kinesphere.")]
    return [(name, line) for name, line in found if name != "__version__"]


def station(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = [p for p in sorted(ROOT.rglob("*.py")) if p != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    here = station(path)
    for name, line in imports(path):
        if name == here:
            continue
        down = floor(name) < floor(here)
        beside = floor(name) == floor(here) and here not in STATIONS
        assert down or beside, f"{path.relative_to(ROOT)}:{line} imports {name}, which is not below {here}"


def test_no_cycle_between_modules_of_one_floor() -> None:
    edges = {}
    for path in FILES:
        edges.setdefault(station(path), set()).update(name for name, _ in imports(path))

    def reaches(a: str, b: str, seen: frozenset[str] = frozenset()) -> bool:
        return any(n == b or (n not in seen and reaches(n, b, seen | {n})) for n in edges.get(a, ()) if n != a)

    assert [name for name in edges if reaches(name, name)] == []


def test_no_drawer() -> None:
    assert [str(p) for p in ROOT.rglob("*") if p.stem in FORBIDDEN] == []


def test_importing_the_package_needs_no_optional_library() -> None:
    """What is not installed can still be listed: optional libraries are imported inside functions only."""
    optional = {"cv2", "av", "pygame", "matplotlib", "sklearn", "transformers", "huggingface_hub"}
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            names = []
            if isinstance(node, ast.Import):
                names = [a.name.split(".")[0] for a in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            assert not optional & set(names), f"{path.relative_to(ROOT)}:{node.lineno} imports {names} at module level"
