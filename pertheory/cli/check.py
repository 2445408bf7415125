"""``pertheory check``: the book's equations against what the engine derives."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from pertheory.cli.options import add_output, check_out, write_text

if TYPE_CHECKING:
    from pertheory.book.check import Result
    from pertheory.book.equation import Equation

SUMMARY = "Check the equations of the book against what the engine derives; exit status 1 if one fails."
EXAMPLE = "pertheory check --equation 8.97"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "--chapter", action="append", default=[], help="only this chapter, such as 8; may be given several times"
    )
    parser.add_argument(
        "--equation",
        action="append",
        default=[],
        metavar="NUMBER",
        help="only this equation, such as 8.97, in detail; may be given several times",
    )
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Check and print."""
    check_out(options.out)
    from pertheory.book.chapters import chapters
    from pertheory.book.check import check, select

    numbers = [number.strip().removeprefix("(").removesuffix(")").strip() for number in options.equation]
    chosen = select(chapters(), options.chapter, numbers)
    shown = sys.stderr is not None and sys.stderr.isatty()
    done = 0

    def progress(equation: Equation) -> None:
        nonlocal done
        done += 1
        print(f"\r\033[Kchecking {equation.number} ({done} of {len(chosen)})", end="", file=sys.stderr, flush=True)

    try:
        results = check(chosen, progress if shown else None)
    finally:
        if shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    if options.format == "json":
        from pertheory.book.report import totals

        records = [_record(result) for result in results]
        text = json.dumps({"schema": "pertheory.check/1", "equations": records, "totals": totals(results)}, indent=1)
    elif options.equation:
        from pertheory.book.report import detail

        text = "\n\n".join(detail(result) for result in results)
    else:
        from pertheory.book.report import table

        text = table(results)
    write_text(text, options.out)
    return 0 if all(result.as_expected for result in results) else 1


def _record(result: Result) -> dict[str, Any]:
    verdict, equation = result.verdict, result.equation
    record: dict[str, Any] = {
        "number": equation.number,
        "title": equation.title,
        "status": verdict.status,
        "method": verdict.method,
        "residual": verdict.residual,
        "note": verdict.note,
        "chapter": result.chapter.name,
        "source": equation.source,
        "follows": equation.follows,
        "group": equation.group,
        "expected": equation.status,
    }
    if verdict.difference:
        record["difference"] = list(verdict.difference)
    return record
