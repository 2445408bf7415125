"""An unpacked source distribution is enough for `make demo` and `make test`: nothing that they read is left out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

import pertheory

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(find_spec("hatchling") is None, reason="needs hatchling, which builds the distribution")
def test_the_source_distribution_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path)
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for name in (
        "Makefile",
        "requirements.txt",
        "requirements.in",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
    ):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes()
    for folder in ("pertheory", "rules", "tests", "examples", "data", "docs", "derivations", "benchmarks", "fuzz"):
        there = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
        there = {path for path in there if not {"__pycache__", "build"} & set(path.parts) and path.suffix != ".pyc"}
        assert there
        missing = [path for path in there if not (unpacked / path).is_file()]
        assert not missing
    done = subprocess.run(
        [sys.executable, "examples/demo.py"], cwd=unpacked, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(unpacked), "PATH": "", "OPENBLAS_NUM_THREADS": "1", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2. emitted build/mlp_order1.py" in done.stdout


def test_the_version_is_the_same_everywhere() -> None:
    assert version("pertheory") == pertheory.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {pertheory.__version__}\n" in citation
    assert f"\n## {pertheory.__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "pertheory", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"pertheory {pertheory.__version__}\n"
