"""C sources to shared libraries, kept in a cache on disk by their content.

A library is built in a folder of its own and moved into place in one step: several processes may build the same one,
and a compiler that is killed leaves nothing behind that anyone would load. Its name has two digests: of what it was
built from, and of its own bytes. Only a library whose bytes have the digest that they should have is loaded, and only
from a folder and a file to which nobody else can write; any other is built again, in a folder for this process alone if
there is no cache that can be trusted or written.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import logging
import os
import platform
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from pertheory import files
from pertheory.errors import InputError

log = logging.getLogger("pertheory.run")

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
#: Bytes that no library has, and bytes that should be free where one is built.
MOST, ROOM = 1 << 30, 32 << 20


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
    return files.cache_folder() / "c"


def build(sources: Mapping[str, str], folder: Path | None = None) -> Path:
    """The shared library of some sources, from the cache if it has been built before.

    Args:
        sources: texts by file name; those that end in .c are compiled.
        folder: the cache; `cache_folder` by default.

    Returns:
        A library that may be loaded at once: it is what was built, and nobody else could change it.

    Raises:
        InputError: no compiler, or it refuses; says what it said.
    """
    compiler = find_compiler()
    place = Path(os.path.realpath(folder if folder is not None else cache_folder()))  # a link is followed once
    key = hashlib.sha256()
    for part in (_version(compiler), _machine(), *FLAGS, *(text for item in sorted(sources.items()) for text in item)):
        key.update(part.encode() + b"\0")
    why = _unusable(place)
    if not why:
        files.sweep(place)
        found = _kept(place, key.hexdigest())
        if found is not None:
            log.debug("compiled code %s: read from the cache", key.hexdigest()[:16])
            return found
        try:
            return _build(compiler, sources, place, key.hexdigest())
        except OSError as error:
            why = error.strerror or str(error)
    warnings.warn(
        f"the cache {place} of compiled code is not used: {why}; name another in PERTHEORY_CACHE", stacklevel=2
    )
    own = _own_folder()
    found = _kept(own, key.hexdigest())
    try:
        return found if found is not None else _build(compiler, sources, own, key.hexdigest())
    except OSError as error:
        raise InputError(f"no folder to build C code in: {own}: {error.strerror or error}") from None


def _unusable(place: Path) -> str:
    """Why a folder cannot be the cache, in words; empty if it can."""
    try:
        files.make_private(place)
    except OSError as error:
        return f"it cannot be made ({error.strerror})"
    why = files.distrust(place)
    return why if why or os.access(place, os.W_OK) else "it cannot be written"


@lru_cache(maxsize=1)
def _own_folder() -> Path:
    """A folder for this process, removed at its end."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(files.temporary_folder())


def _kept(place: Path, key: str) -> Path | None:
    """The library of a key, if it is there and what it was when it was built."""
    for path in sorted(place.glob(f"{key}.*.so")):
        try:
            if path.name == _name(key, files.read_own(path, MOST)):
                return path
            why = "it is not what was built"
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            why = str(error)
        warnings.warn(f"compiled code {path} is not used: {why}; it is built again", stacklevel=3)
        with suppress(OSError):
            path.unlink()
    return None


def _name(key: str, content: bytes) -> str:
    return f"{key}.{hashlib.sha256(content).hexdigest()}.so"


def _build(compiler: str, sources: Mapping[str, str], place: Path, key: str) -> Path:
    """Compile below a folder and move the library into it.

    Raises:
        OSError: the folder cannot be written, or is full.
    """
    log.info("compiled code %s: built by %s in %s", key[:16], compiler, place)
    with files.temporary_folder(place) as here:
        for name, text in sources.items():
            (here / name).write_text(text, encoding="utf-8")
        units = sorted(name for name in sources if name.endswith(".c"))
        status, said = _run([compiler, *FLAGS, "-o", "library.so", *units, "-lm"], here)
        if status != 0:
            if shutil.disk_usage(here).free < ROOM:
                raise OSError(28, "No space left on device")
            lines = said.strip().splitlines() or [f"exit status {status}"]
            first = next((line for line in lines if "error" in line), lines[0])
            raise InputError(f"the C compiler {compiler} failed: {first}")
        library = here / "library.so"
        library.chmod(0o700)
        target = place / _name(key, library.read_bytes())
        os.replace(library, target)
    return target


def _run(command: list[str], here: Path) -> tuple[int, str]:
    """The exit status of a compiler and what it said; its temporary files lie here."""
    try:
        with (
            _group() as group,
            subprocess.Popen(
                command,
                cwd=here,
                env={**os.environ, "TMPDIR": str(here)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                process_group=group,
            ) as process,
        ):
            try:
                said = process.communicate(timeout=PATIENCE)[1]
            except BaseException:
                process.kill()
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"the C compiler {command[0]} cannot be run: {error}") from None
    return process.returncode, said


@contextmanager
def _group() -> Iterator[int | None]:
    """A group for the processes of a compiler, which end with the body and with us, however we end.

    A shell in it waits for us to close a pipe, as the system does when we are killed, and then kills the group.
    """
    if os.name != "posix":
        yield None
        return
    with subprocess.Popen(["/bin/sh", "-c", "read _; kill -9 0"], stdin=subprocess.PIPE, process_group=0) as watch:
        try:
            yield watch.pid
        finally:
            with suppress(ProcessLookupError):
                os.killpg(watch.pid, signal.SIGKILL)


@lru_cache(maxsize=32)
def load(library: Path) -> ctypes.CDLL:
    """A library that `build` has just returned, for calls that release the interpreter lock."""
    return ctypes.CDLL(str(library))


@lru_cache(maxsize=8)
def _version(compiler: str) -> str:
    """What the compiler says of itself: another one may build another library."""
    try:
        done = subprocess.run([compiler, "--version"], capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise InputError(f"the C compiler {compiler} cannot be run: {error.strerror or error}") from None
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
