"""The plan of averages as constant tables of C."""

from __future__ import annotations

from collections.abc import Iterable

from pertheory.averages.plan import AverageGroup, AveragePlan, Entry, InputSet
from pertheory.emit.c.averages.functions import number, table_rows


def print_group(group: AverageGroup, place: int) -> str:
    """Tables of one group of requests."""
    name = f"avg_group{place}"
    text = [_array("avg_request", f"{name}_requests", (_request(request.classes) for request in group.requests))]
    text.append(_sets(f"{name}_sets", group.sets))
    if group.full is group.sets or group.full == group.sets:
        text.append(f"#define {name}_full {name}_sets\n")
    else:
        text.append(_sets(f"{name}_full", group.full))
    if group.loss:
        text.append(_array("float", f"{name}_loss", (f"{own:.1e}F" for own in group.loss)))
    return "\n".join(text)


def print_requests(plan: AveragePlan) -> str:
    """The groups, and where each request of the program is."""
    rows = [
        f"{{{int(group.kinked)}, {len(group.requests)}, avg_group{n}_requests, avg_group{n}_sets, avg_group{n}_full, "
        + ("NULL, " if group.pairs is None else f"&avg_group{n}_forms, ")
        + (f"avg_group{n}_loss}}" if group.loss else "NULL}")
        for n, group in enumerate(plan.groups)
    ]
    where = sorted(
        (request.number, n, place)
        for n, group in enumerate(plan.groups)
        for place, request in enumerate(group.requests)
    )
    return (
        _array("avg_group", "avg_groups", rows)
        + "\n/* By number in the program: the group, and the place in it. */\n"
        + "static const struct {\n    short group, place;\n} avg_requests[] = {\n"
        + table_rows(f"{{{n}, {place}}}" for _, n, place in where)
        + "};\n"
    )


def _request(classes: tuple[int, ...]) -> str:
    return f"{{{sum(classes)}, {len(classes)}, {{{', '.join(map(str, classes))}}}}}"


def _sets(name: str, sets: tuple[InputSet, ...]) -> str:
    text = [_set(f"{name}{s.size}", s) for s in sets]
    rows = []
    for s in sets:
        own = f"{name}{s.size}"
        leaves = sum(len(group.leaves) for group in s.groups)
        counts = (
            s.size,
            len(s.columns),
            len(s.groups),
            leaves,
            len(s.nodes),
            len(s.entries),
            len(s.zero_entries),
        )
        tables = ("column", "group", "leaf", "node", "term", "entry", "zero", "part")
        rows.append(f"{{{', '.join(map(str, counts))}, {', '.join(f'{own}_{table}' for table in tables)}}}")
    return "\n".join([*text, _array("avg_set", name, rows)])


def _set(name: str, given: InputSet) -> str:
    leaves = [leaf for group in given.groups for leaf in group.leaves]
    groups, first = [], 0
    for group in given.groups:
        mask = sum(1 << n for n, place in enumerate(group.places) if place is not None)
        places = ", ".join(number(place or 0.0) for place in group.places) or "0.0"
        groups.append(f"{{{mask}, {{{places}}}, {first}, {len(group.leaves)}}}")
        first += len(group.leaves)
    nodes: list[str] = []
    terms: list[str] = []
    for node in given.nodes:
        signs = ", ".join(map(str, node.signs)) or "0"
        places = ", ".join(number(place) for place in node.places) or "0.0"
        head = f"{node.kind}, {node.slot}, {node.mask}, {{{places}}}, {{{signs}}}"
        nodes.append(f"{{{head}, {len(terms)}, {len(node.terms)}}}")
        terms += [f"{{{number(t.weight)}, {t.node}, {t.slot}, {t.kind}}}" for t in node.terms]
    parts: list[str] = []

    def entries(rows: Iterable[Entry]) -> list[str]:
        written = []
        for entry in rows:
            slots = ", ".join(map(str, entry.slots))
            count = -1 - entry.undefined if entry.infinite else len(entry.terms)
            written.append(f"{{{entry.request}, {{{slots}}}, {len(parts)}, {count}}}")
            parts.extend(f"{{{number(weight)}, {node}}}" for weight, node in entry.terms)
        return written

    own, zero = entries(given.entries), entries(given.zero_entries)
    return "".join(
        [
            _array("avg_column", f"{name}_column", (f"{{{c.parent}, {c.line}}}" for c in given.columns)),
            _array("avg_leaves", f"{name}_group", groups),
            _array("short", f"{name}_leaf", (f"{{{', '.join(map(str, leaf))}}}" for leaf in leaves), "[4]"),
            _array("avg_node", f"{name}_node", nodes),
            _array("avg_term", f"{name}_term", terms),
            _array("avg_entry", f"{name}_entry", own),
            _array("avg_entry", f"{name}_zero", zero),
            _array("avg_part", f"{name}_part", parts),
        ]
    )


def _array(kind: str, name: str, rows: Iterable[str], shape: str = "") -> str:
    """A constant table; an empty one has a row of zeros, since C has no empty arrays."""
    written = list(rows)
    if not written:
        written = ["0" if kind == "short" and not shape else "{0}"]
    return f"static const {kind} {name}[]{shape} = {{\n{table_rows(written)}}};\n"
