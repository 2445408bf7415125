"""C sources to shared libraries, kept in a cache on disk by their content.

A library is built under a name of its own and moved into place in one step: several processes may build the same one,
and a compiler that is killed leaves nothing behind that anyone would load.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import platformdirs

from pertheory.errors import InputError

#: Fast, and the same numbers everywhere: no rearranged sums, no fused multiply-add unless the source has it. -O3 takes
#: more than twice as long to compile and gains nothing measurable.
FLAGS = (
    "-std=c99",
    "-O2",
    "-ftree-vectorize",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fPIC",
    "-shared",
)
#: How long a compiler may take, in seconds.
PATIENCE = 1800


def find_compiler() -> str:
    """The C compiler: $CC, else cc, gcc or clang.

    Raises:
        InputError: there is none; says what to install.
    """
    chosen = os.environ.get("CC", "").split()
    for name in [*chosen[:1], "cc", "gcc", "clang"]:
        found = shutil.which(name)
        if found:
            return found
    raise InputError(
        "no C compiler found (looked for $CC, cc, gcc, clang); install gcc or clang, or use the backend numpy"
    )


def cache_folder() -> Path:
    """Where built libraries are kept."""
    return Path(platformdirs.user_cache_dir("pertheory")) / "c"


def build(sources: Mapping[str, str], folder: Path | None = None) -> Path:
    """The shared library of some sources, from the cache if it has been built before.

    Args:
        sources: texts by file name; those that end in .c are compiled.
        folder: the cache; `cache_folder` by default.

    Raises:
        InputError: no compiler, or it refuses; says what it said.
    """
    compiler = find_compiler()
    place = folder if folder is not None else cache_folder()
    key = hashlib.sha256()
    for part in (_version(compiler), _machine(), *FLAGS, *(text for item in sorted(sources.items()) for text in item)):
        key.update(part.encode() + b"\0")
    library = place / f"{key.hexdigest()}.so"
    if library.exists():
        return library
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the cache {place} cannot be made ({error.strerror}); set XDG_CACHE_HOME") from None
    with tempfile.TemporaryDirectory(prefix=".build-", dir=place) as temporary:
        here = Path(temporary)
        for name, text in sources.items():
            (here / name).write_text(text, encoding="utf-8")
        units = sorted(name for name in sources if name.endswith(".c"))
        command = [compiler, *FLAGS, "-o", "library.so", *units, "-lm"]
        try:
            done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"the C compiler {compiler} cannot be run: {error}") from None
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            said = next((line for line in lines if "error" in line), lines[0])
            raise InputError(f"the C compiler {compiler} failed: {said}")
        os.replace(here / "library.so", library)
    return library


@lru_cache(maxsize=32)
def load(library: Path) -> ctypes.CDLL:
    """A library for calls that release the interpreter lock."""
    return ctypes.CDLL(str(library))


@lru_cache(maxsize=8)
def _version(compiler: str) -> str:
    """What the compiler says of itself: another one may build another library."""
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return f"{compiler} {done.stdout.partition(chr(10))[0]}"


@lru_cache(maxsize=1)
def _machine() -> str:
    """The processor: libraries are built for it, and a cache may be shared by several."""
    flags = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as handle:
            flags = next((line for line in handle if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    return f"{platform.system()} {platform.machine()} {platform.processor()} {flags}"
