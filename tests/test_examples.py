"""Every example runs, and makes what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
MAKES = {
    "01_hello": "hello.png",
    "02_between": "between.png",
    "03_film": "lamp.mp4",
    "04_own_feature": None,
    "05_train": "trained.png",
    "06_portraits": "portraits.png",
    "07_bends": "bends.png",
    "08_directions": "warmer.png",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_runs(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", example], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    made = MAKES[example.stem]
    assert made is None or (tmp_path / made).stat().st_size > 1000
