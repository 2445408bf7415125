"""Files that appear whole or not at all, and files of our own, believed only if nobody else can have written them.

Everything that pertheory writes goes through `replacing`: a temporary file beside the target takes its place in one
step. Whoever is stopped by an exception removes the temporary; what a killed process leaves is removed by the next one
that writes to the same folder. A temporary is locked as long as its process lives, so that nobody removes it from under
a living one, on whatever machine or in whatever container that runs. Where there are no locks nothing is removed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: How the names of temporary files and folders begin.
PREFIX = ".pertheory-"
_OPEN = 0
for _flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # not every system has each
    _OPEN |= getattr(os, _flag, 0)


def cache_folder() -> Path:
    """The folder of everything that is kept: $PERTHEORY_CACHE, else the user's cache folder."""
    named = os.environ.get("PERTHEORY_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("pertheory", appauthor=False))


@contextmanager
def replacing(target: Path, private: bool = False) -> Iterator[Path]:
    """A temporary file that takes the place of a target if all goes well, and vanishes otherwise.

    A new file gets the mode that the umask leaves; one that exists keeps its mode, and its owner where that may be. A
    link stays: what it points to is replaced.

    Args:
        target: what is to be written; its folder must exist.
        private: for this user alone: whatever was there, a link as well, is replaced by what nobody else may read.
    """
    target = Path(os.path.realpath(target.parent)) / target.name if private else Path(os.path.realpath(target))
    sweep(target.parent)
    before = None
    if not private:
        with suppress(FileNotFoundError):
            before = target.stat()
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "Permission denied", str(target))
    temporary, lock = _create(target, 0o666 if before is None and not private else 0o600)
    try:
        yield temporary
        if before is not None:
            _take_after(temporary, before)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        _release(lock)


def write_text(target: Path, text: str) -> Path:
    """Write a text, whole or not at all, and return where; what is no Unicode (bytes of a file name) is escaped."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return target


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for this user alone that vanishes at the end; in the system's folder for such things by default."""
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    sweep(parent)
    while True:
        folder = parent / f"{PREFIX}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        lock = None
        if fcntl is not None:
            with suppress(FileNotFoundError):
                lock = os.open(folder, os.O_RDONLY | _OPEN)
        if fcntl is None or (lock is not None and _claim(lock, folder)):
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _release(lock)


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders that dead processes of this user have left."""
    if fcntl is None:
        return
    try:
        with os.scandir(folder) as entries:
            found = [entry.path for entry in entries if entry.name.startswith(PREFIX)]
    except OSError:
        return
    for path in found:
        try:
            descriptor = os.open(path, os.O_RDONLY | _OPEN)
        except OSError:
            continue
        try:
            facts = os.fstat(descriptor)
            if facts.st_uid != os.geteuid():
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISDIR(facts.st_mode):
                shutil.rmtree(path, ignore_errors=True)
            elif stat.S_ISREG(facts.st_mode):
                os.unlink(path)
        except OSError:  # its process lives, or somebody else was quicker
            continue
        finally:
            os.close(descriptor)


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, for this user alone."""
    if not folder.parent.is_dir():
        make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def distrust(folder: Path) -> str:
    """Why somebody else may have put files into a folder, in words; empty if nobody can.

    As ssh does for keys: it and all folders above it, up to the user's home, belong to this user or to root, and others
    may not write there; above it a folder may be one in which everybody removes only what is his own.
    """
    if not hasattr(os, "geteuid"):  # Windows: the folders of a profile are the user's
        return ""
    place, home = Path(os.path.realpath(folder)), Path(os.path.realpath(os.path.expanduser("~")))
    for part in (place, *place.parents):
        try:
            facts = os.stat(part)
        except (FileNotFoundError, NotADirectoryError):
            continue  # we shall make it, if that is possible
        except OSError as error:
            return f"{part}: {error.strerror}"
        sticky = part != place and facts.st_mode & stat.S_ISVTX
        why = _strange(facts)
        if why and not (sticky and facts.st_uid in (0, os.geteuid())):
            return f"{part} {why}"
        if part == home:
            break
    return ""


def read_own(path: Path, most: int) -> bytes:
    """The bytes of a regular file that only this user or root can have written.

    Raises:
        OSError: it is not there, a link, or cannot be read.
        ValueError: it is something else, another's, or larger than ``most``; says which.
    """
    descriptor = os.open(path, os.O_RDONLY | _OPEN)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is not a regular file")
        why = _strange(facts) if hasattr(os, "geteuid") else ""
        if why:
            raise ValueError(f"it {why}")
        if facts.st_size > most:
            raise ValueError(f"it has {facts.st_size} bytes")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def _strange(facts: os.stat_result) -> str:
    if facts.st_uid not in (0, os.geteuid()):
        return "belongs to another user"
    if facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and not _own_group(facts.st_gid)):
        return "can be written by others"
    return ""


@lru_cache(maxsize=100)
def _own_group(number: int) -> bool:
    """Whether a group is the one that some systems give to each user, with nobody else in it."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return number == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _create(target: Path, mode: int) -> tuple[Path, int | None]:
    while True:
        path = target.with_name(f"{PREFIX}{secrets.token_hex(8)}{target.suffix}"[:200])
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN, mode)
        except FileExistsError:
            continue
        if fcntl is None:  # an open file could not be moved there
            os.close(descriptor)
            return path, None
        if _claim(descriptor, path):
            return path, descriptor


def _claim(descriptor: int, path: Path) -> bool:
    """Lock what was just made; False if somebody took it for a leftover before that."""
    with suppress(OSError):  # a file system without locks: nobody can take it for one
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    if path.exists():
        return True
    os.close(descriptor)
    return False


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _take_after(path: Path, before: os.stat_result) -> None:
    """Give a new file the mode, the owner and the group of the one that it replaces, as far as we may."""
    mode = stat.S_IMODE(before.st_mode) & 0o777
    now = path.stat()
    if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.chown(path, before.st_uid, before.st_gid)
        except OSError:
            try:
                os.chown(path, -1, before.st_gid)
            except OSError:
                mode &= 0o707  # what its group might do is not for ours
    path.chmod(mode)
