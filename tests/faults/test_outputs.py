"""What `--out` does to files: modes, links, devices, full disks, leftovers of dead processes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pertheory.files import PREFIX, replacing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")

COMMAND = [sys.executable, "-m", "pertheory.cli.main"]
DESCRIBE = ["describe", "V", "--out"]
WRITERS = {
    "describe": DESCRIBE,
    "run": ["run", "--activation", "x2", "--inputs", "two.csv", "--depth", "2", "--order", "0", "--out"],
    "npz": [
        "run",
        "--activation",
        "x2",
        "--inputs",
        "two.csv",
        "--depth",
        "2",
        "--order",
        "0",
        "--format",
        "npz",
        "--out",
    ],
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_leaves(pertheory, folder, name, mask):  # type: ignore[no-untyped-def]
    before = os.umask(mask)
    try:
        assert pertheory(*WRITERS[name], "out").status == 0
    finally:
        os.umask(before)
    assert Path("out").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_a_file_that_exists_keeps_its_mode(pertheory, folder, name, mode):  # type: ignore[no-untyped-def]
    Path("out").write_text("before")
    Path("out").chmod(mode)
    assert pertheory(*WRITERS[name], "out").status == 0
    assert Path("out").stat().st_mode & 0o777 == mode
    assert Path("out").read_bytes() != b"before"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_exists_keeps_its_owner(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("out").write_text("before")
    os.chown("out", 12345, 23456)
    assert pertheory(*DESCRIBE, "out").status == 0
    facts = Path("out").stat()
    assert (facts.st_uid, facts.st_gid) == (12345, 23456)


def test_a_file_that_may_not_be_written_is_left_alone(pertheory, folder, monkeypatch):  # type: ignore[no-untyped-def]
    Path("out").write_text("before")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may do everything
    status, out, err = pertheory(*DESCRIBE, "out")
    assert (status, out) == (2, "")
    assert "--out out: cannot be written (Permission denied)" in err
    assert Path("out").read_text() == "before"


def test_a_link_stays_and_its_target_is_written(pertheory, folder):  # type: ignore[no-untyped-def]
    Path("there").mkdir()
    for target in ("there/old", "there/new"):
        Path("link").unlink(missing_ok=True)
        Path("link").symlink_to(target)
        if target.endswith("old"):
            Path(target).write_text("before")
        assert pertheory(*DESCRIBE, "link").status == 0
        assert Path("link").is_symlink()
        assert Path(target).read_text().startswith("V: ")


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("name", WRITERS)
def test_an_open_descriptor_goes_on_where_it_stands(pertheory, folder, place, name):  # type: ignore[no-untyped-def]
    if not Path(place).exists():
        pytest.skip("not on this system")
    with Path("all").open("wb") as file:
        file.write(b"before\n")
        file.flush()
        subprocess.run([*COMMAND, *WRITERS[name], place], stdout=file, check=True)
        file.write(b"after\n")
    assert pertheory(*WRITERS[name], "alone").status == 0
    assert Path("all").read_bytes() == b"before\n" + Path("alone").read_bytes() + b"after\n"


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full"])
def test_devices_stay_devices(pertheory, folder, place):  # type: ignore[no-untyped-def]
    if not Path(place).exists():
        pytest.skip("not on this system")
    status, out, err = pertheory(*DESCRIBE, place)
    assert (status, out) == ((0, "") if place == "/dev/null" else (2, ""))
    assert len(err.splitlines()) == (place == "/dev/full")
    assert Path(place).is_char_device()


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_may_not_grow_is_one_line_and_leaves_nothing(folder, name):  # type: ignore[no-untyped-def]
    """As on a full disk: the limit is met while the temporary file is written."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    Path("out").write_text("before")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*COMMAND, *WRITERS[name], "out", *([] if name == "describe" else ["--no-cache"])]
    done = subprocess.run(command, env=environment, preexec_fn=small, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "--out out: cannot be written (File too large)" in line
    assert Path("out").read_text() == "before"
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "out", "two.csv"]


def test_a_cache_that_may_not_grow_costs_a_warning_and_not_the_result(folder):  # type: ignore[no-untyped-def]
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PERTHEORY_CACHE": str(folder / "cache")}
    command = [*COMMAND, "derive", "V", "F"]
    done = subprocess.run(command, env=environment, preexec_fn=small, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout == subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("pertheory: warning: cannot write to the cache folder")
    assert [path for path in (folder / "cache").rglob("*") if path.is_file()] == []


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(pertheory, folder):  # type: ignore[no-untyped-def]
    (folder / f"{PREFIX}dead.json").write_text("half")
    with replacing(folder / "other") as living:
        living.write_text("whole")
        assert pertheory(*DESCRIBE, "out").status == 0
        assert living.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "other", "out", "two.csv"]


def test_many_may_write_one_file_at_once(folder):  # type: ignore[no-untyped-def]
    running = [subprocess.Popen([*COMMAND, *DESCRIBE, "out"]) for _ in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    assert Path("out").read_text().startswith("V: ")
    assert sorted(path.name for path in folder.iterdir()) == ["one.csv", "out", "two.csv"]
