"""Files that are not what a command expects: tables, rules and places of every wrong kind."""

from __future__ import annotations

import io
import json
import os
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np

from tests.planted import RULE


def _npy(shape: str, kind: str = "'<f8'", data: bytes = bytes(64), version: tuple[int, int] = (1, 0)) -> bytes:
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header) + 1)
    return b"\x93NUMPY" + bytes(version) + length + header + b"\n" + data


def _saved(array: object, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=pickled)
    return buffer.getvalue()


def tables() -> dict[str, bytes]:
    """Input files by name."""
    good = _saved([[1.0, 2.0], [0.5, -1.0]])
    structured = np.zeros((2, 2), dtype=[("a", "f8"), ("b", "i4")])
    archive = io.BytesIO()
    np.savez(archive, a=np.eye(2))
    return {
        "one.csv": b"1,2\n",
        "two.csv": b"1,2\n0.5,-1\n",
        "column.csv": b"0.7\n-0.4\n",
        "nan_row.csv": b"1,2\nnan,nan\n",
        "huge_row.csv": b"1,2\n1e308,-1e308\n",
        "bom.csv": b"\xef\xbb\xbf1,2\n",
        "zero.csv": b"0,0\n1,2\n",
        "same.csv": b"1,2\n1,2\n",
        "opposite.csv": b"1,2\n-1,-2\n",
        "near.csv": b"1,2\n1,2.0000001\n",
        "huge_numbers.csv": b"1e150,1\n1,1e150\n",
        "tiny.csv": b"1e-160,1e-160\n",
        "nan.csv": b"1,nan\n",
        "empty.csv": b"",
        "nul.csv": b"1,\x00\n",
        "latin.csv": b"1,2\n\xe9,1\n",
        "ragged.csv": b"1,2\n3\n",
        "quote.csv": b'"1,2\n3,4\n',
        "long.csv": b"1" * 200_000,
        "wide.csv": b",".join([b"1"] * 20_000) + b"\n",
        "many.csv": b"\n".join(b"%d,1" % i for i in range(300)) + b"\n",
        "million.csv": b"1\n" * 100_000,
        "underscore.csv": b"1_5,2\n",
        "return.csv": b"1,2\r3,4\r",
        "deep.json": b"[" * 100_000,
        "bom.json": b"\xef\xbb\xbf[[1,2]]",
        "digits.json": b"[[1" + b"0" * 5000 + b"]]",
        "dict.json": b'{"a":1}',
        "null.json": b"null",
        "nan.json": b"[[NaN, Infinity]]",
        "strings.json": b'[["1","2"]]',
        "text.json": '[["\u2028"]]'.encode(),
        "utf16.json": json.dumps([[1, 2]]).encode("utf-16"),
        "good.npy": good,
        "big_endian.npy": _saved(np.array([[1.0, 2.0]], dtype=">f8")),
        "fortran.npy": _saved(np.asfortranarray(np.array([[1.0, 2.0], [3.0, 5.0]]))),
        "half.npy": _saved(np.array([[1, 2]], dtype="f2")),
        "longdouble.npy": _saved(np.array([[1, 2]], dtype=np.longdouble)),
        "integers.npy": _saved([[1, 2], [3, 4]]),
        "cut.npy": good[:-5],
        "cut_header.npy": good[:40],
        "magic.npy": good[:6],
        "bad_zip.npy": b"PK\x03\x04" + bytes(50),
        "empty_zip.npy": b"PK\x05\x06" + bytes(18),
        "archive.npy": archive.getvalue(),
        "version3.npy": _npy("(2, 2)", version=(3, 0)),
        "version9.npy": _npy("(2, 2)", version=(9, 9)),
        "big_shape.npy": _npy("(1000000000000, 1000000000000)"),
        "overflow.npy": _npy(f"({1 << 63}, 2)"),
        "digits.npy": _npy(f"({'9' * 5000}, 2)"),
        "negative.npy": _npy("(-1, 2)"),
        "negatives.npy": _npy("(-2, -2)"),
        "float_shape.npy": _npy("(2.0, 2)"),
        "true_shape.npy": _npy("(True, 2)"),
        "no_shape.npy": _npy("()"),
        "call.npy": _npy("__import__('os').mkdir('PWNED')"),
        "deep_header.npy": _npy("(" * 5000),
        "huge_header.npy": b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xFFFFFFF0) + b"{" * 100,
        "unary.npy": _npy("(2, 2)", kind="-" * 5000 + "1"),
        "objects.npy": _saved(np.array([[1, None]], dtype=object), pickled=True),
        "structured.npy": _saved(structured),
        "subarray.npy": _npy("(2, 2)", kind="('<f8', (2,))"),
        "void.npy": _npy("(2, 2)", kind="'V8'"),
        "strings.npy": _saved([["a", "b"]]),
        "complex.npy": _saved([[1j, 2]]),
        "dates.npy": _saved(np.array([["2020-01-01"]], dtype="M8[D]")),
        "bools.npy": _saved([[True, False]]),
        "empty.npy": b"",
        "none.npy": _saved(np.ones((0, 3))),
        "wide_none.npy": _npy(f"(0, {1 << 62})"),
        "tall_none.npy": _npy("(1000000000, 0)"),
        "many.npy": _saved(np.random.default_rng(0).normal(size=(120, 3))),
        "sixteen.npy": _saved(np.random.default_rng(0).normal(size=(16, 3))),
        "no_ending": b"1,2\n",
        "inputs.CSV": b"1,2\n",
        "inputs.txt": b"1,2\n",
        "line\nbreak.csv": b"1,2\n",
    }


@lru_cache(maxsize=1)
def names() -> list[str]:
    """Names of what may be input files, as `make_files` writes them."""
    places = ["folder.csv", "pipe.csv", "link.csv", "loop.csv", "zero.npy", "full.csv", "no.csv", "", "/", "\udcff.csv"]
    return sorted([*tables(), *places, "/dev/null", "/dev/stdin", "a" * 300 + ".csv", "nul\x00.csv"])


def make_files(folder: Path) -> None:
    """Write all of them into a folder, with folders, pipes and links."""
    folder.mkdir(exist_ok=True)
    for name, data in tables().items():
        (folder / name).write_bytes(data)
    rules = {
        "own.toml": RULE.encode(),
        "binary.toml": b"\xff\xfe\x00",
        "deep.toml": b"a = " + b"[" * 50_000,
        "bigint.toml": b"a = " + b"9" * 5000,
        "activation.toml": b'name = "own"\nformula = "tanh(x)"\n',
        "huge.toml": RULE.encode() + b"# " + b"x" * 3_000_000,
    }
    for name, data in rules.items():
        (folder / name).write_bytes(data)
    for name in ("folder", "folder.toml", "folder.csv", "readonly"):
        (folder / name).mkdir()
    for name in ("pipe", "pipe.toml", "pipe.csv"):
        os.mkfifo(folder / name)
    for name, target in (
        ("link", "one.csv"),
        ("link.csv", "two.csv"),
        ("link.toml", "own.toml"),
        ("loop", "loop"),
        ("loop.csv", "loop.csv"),
        ("loop.toml", "loop.toml"),
        ("dangling", "nothing"),
        ("zero.npy", "/dev/zero"),
        ("full.csv", "/dev/full"),
    ):
        (folder / name).symlink_to(target)
    (folder / "readonly").chmod(0o500)
    (folder / "kept").write_text("kept")
    (folder / "kept").chmod(0o400)
