"""The cache of compiled code: only what was built here is loaded; anything else is built again, with a warning."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pertheory.errors import InputError
from pertheory.run import ccompile
from pertheory.run.ccompile import build, cache_folder, load

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")

SOURCE = {"answer.c": "int answer(void) { return 42; }\n"}
OTHER = {"answer.c": "int answer(void) { return 666; }\n"}
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the cache; what is built is never loaded in this process before it was damaged."""
    return tmp_path / "cache"


def answer(folder: Path) -> int:
    """What the library says, in a process of its own: a damaged one may kill it."""
    program = (
        "import sys; from pathlib import Path; from pertheory.run.ccompile import build, load\n"
        f"print(load(build({SOURCE!r}, Path(sys.argv[1]))).answer())"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_library_cut_short_at_any_place_is_built_again(folder):  # type: ignore[no-untyped-def]
    good = build(SOURCE, folder).read_bytes()
    for size in (0, 1, 64, 4096, len(good) // 2, len(good) - 1):
        (library,) = folder.iterdir()
        library.write_bytes(good[:size])
        with pytest.warns(UserWarning, match="not what was built; it is built again"):
            assert build(SOURCE, folder).read_bytes() == good
    assert answer(folder) == 42


@pytest.mark.parametrize(
    "damage", ["flipped", "another library", "a link", "a pipe", "writable for all", "read by all"]
)
def test_only_what_was_built_here_is_loaded(folder, damage):  # type: ignore[no-untyped-def]
    library = build(SOURCE, folder)
    good = library.read_bytes()
    other = build(OTHER, folder.with_name("other"))
    if damage == "flipped":
        place = good.index(b"\x2a\x00\x00\x00")  # 42
        library.write_bytes(good[:place] + b"\x2b" + good[place + 1 :])
    elif damage == "another library":
        shutil.copy(other, library)
    elif damage == "a link":
        shutil.move(library, folder.with_name("elsewhere.so"))
        library.symlink_to(folder.with_name("elsewhere.so"))
    elif damage == "a pipe":
        library.unlink()
        os.mkfifo(library)
    else:
        library.chmod(0o777 if damage == "writable for all" else 0o755)
    if damage == "read by all":  # that does no harm
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert build(SOURCE, folder) == library
    else:
        with pytest.warns(UserWarning, match="it is built again"):
            assert build(SOURCE, folder) == library
    assert not library.is_symlink()
    assert library.read_bytes() == good
    assert answer(folder) == 42


@as_root
def test_a_library_of_another_user_is_not_loaded(folder):  # type: ignore[no-untyped-def]
    library = build(SOURCE, folder)
    os.chown(library, 12345, 12345)
    with pytest.warns(UserWarning, match="belongs to another user; it is built again"):
        build(SOURCE, folder)
    assert library.stat().st_uid == 0


def planted(folder: Path) -> Path:
    """A library that says something else under the name that ours would have, its own digest included."""
    ours, theirs = build(SOURCE, folder), build(OTHER, folder)
    name = ours.name.partition(".")[0] + "." + theirs.name.partition(".")[2]
    ours.unlink()
    return theirs.rename(folder / name)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_in_which_others_write_is_not_used(folder, mode):  # type: ignore[no-untyped-def]
    library = planted(folder)
    folder.chmod(mode)
    with pytest.warns(UserWarning, match="is not used: .* can be written by others; name another in PERTHEORY_CACHE"):
        own = build(SOURCE, folder)
    assert own.parent != folder
    assert own.parent.stat().st_mode & 0o777 == 0o700
    assert load(own).answer() == 42
    assert list(folder.iterdir()) == [library]


def test_a_folder_below_one_in_which_others_write_is_not_used(folder):  # type: ignore[no-untyped-def]
    planted(folder)
    folder.parent.chmod(0o777)
    with pytest.warns(UserWarning, match="can be written by others"):
        assert load(build(SOURCE, folder)).answer() == 42
    folder.parent.chmod(0o1777)  # as /tmp: nobody can put another folder in the place of ours
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build(OTHER, folder).parent == folder


@as_root
def test_a_folder_of_another_user_is_not_used(folder):  # type: ignore[no-untyped-def]
    planted(folder)
    os.chown(folder, 12345, 12345)
    with pytest.warns(UserWarning, match="belongs to another user"):
        assert load(build(SOURCE, folder)).answer() == 42


def test_without_a_place_for_the_cache_the_code_is_built_all_the_same(folder):  # type: ignore[no-untyped-def]
    folder.write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be made"):
        library = build(SOURCE, folder)
    assert load(library).answer() == 42


def test_a_full_cache_costs_a_warning(folder, monkeypatch):  # type: ignore[no-untyped-def]
    real = os.replace

    def full(source: os.PathLike[str], target: os.PathLike[str]) -> None:
        if Path(target).parent == folder:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match="is not used: No space left on device"):
        assert load(build(SOURCE, folder)).answer() == 42
    assert list(folder.iterdir()) == []


def test_a_folder_for_one_process_is_removed_at_its_end(folder):  # type: ignore[no-untyped-def]
    folder.mkdir()
    folder.chmod(0o777)
    scratch = folder.with_name("scratch")
    scratch.mkdir()
    program = (
        "import sys; from pathlib import Path; from pertheory.run.ccompile import build\n"
        f"print(build({SOURCE!r}, Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(folder)],
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(scratch))
    assert list(scratch.iterdir()) == []


def test_one_variable_names_both_caches(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PERTHEORY_CACHE", str(tmp_path / "ours"))
    assert cache_folder() == tmp_path / "ours" / "c"
    assert build(SOURCE).parent == tmp_path / "ours" / "c"
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "ours", tmp_path / "ours" / "c")} == {0o700}


def test_a_compiler_that_cannot_be_run_is_one_line(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    broken = tmp_path / "cc"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(InputError, match="cannot be run") as caught:
        build(SOURCE, tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_what_a_killed_compilation_leaves_is_removed_by_the_next(folder):  # type: ignore[no-untyped-def]
    build(SOURCE, folder)
    stale = folder / f"{ccompile.files.PREFIX}stale"
    stale.mkdir()
    (stale / "library.so").write_text("half")
    with ccompile.files.temporary_folder(folder) as living:
        assert not stale.exists()
        build(SOURCE, folder)
        assert living.is_dir()  # its process lives


def test_the_compiler_ends_with_the_process_that_called_it(folder):  # type: ignore[no-untyped-def]
    """All of them hold one pipe, which ends when the last of them does; the compiler would never end by itself."""
    compiler = folder.with_name("cc")
    compiler.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo slow; exit; }\necho ready > /dev/fd/$PIPE\nsleep 100000\n'
    )
    compiler.chmod(0o755)
    program = (
        "import os, sys; from pathlib import Path; from pertheory.run import ccompile\n"
        "real = ccompile.subprocess.Popen\n"
        "ccompile.subprocess.Popen = lambda *a, **k: real(*a, pass_fds=(int(os.environ['PIPE']),), **k)\n"
        f"ccompile.build({SOURCE!r}, Path(sys.argv[1]))"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, "CC": str(compiler), "PIPE": str(writer)},
        pass_fds=(writer,),
    )
    os.close(writer)
    with open(reader, "rb") as pipe:
        assert pipe.readline() == b"ready\n"
        process.kill()
        process.wait()
        assert pipe.read() == b""
