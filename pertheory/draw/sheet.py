"""Pictures beside and below each other, with words under each."""

from __future__ import annotations

from collections.abc import Sequence

from pertheory.draw.diagram import MOVES, diagram_items
from pertheory.draw.scene import LARGE, MEDIUM, SMALL, Item, Run, Scene, Text, moved, run_width, scene
from pertheory.draw.shape import Shape
from pertheory.draw.words import wrapped

#: Width of a sheet, and what is left between pictures.
WIDTH, GAP = 960.0, 20.0


def sheet(title: str, cells: Sequence[Scene], width: float = WIDTH) -> Scene:
    """Pictures in rows, as many in a row as its width holds, in the order in which they are given."""
    items: list[Item] = []
    x = y = high = 0.0
    for cell in cells:
        if x and x + cell.width > width:
            x, y, high = 0.0, y + high + GAP, 0.0
        items += moved(cell.items, x, y)
        x += cell.width + GAP
        high = max(high, cell.height)
    return scene(title, items)


def table(title: str, cells: Sequence[Scene], columns: int) -> Scene:
    """Pictures in so many columns, each in the middle of its own, row after row."""
    widths = [max(cell.width for cell in cells[column::columns]) for column in range(min(columns, len(cells)))]
    items: list[Item] = []
    y = 0.0
    for first in range(0, len(cells), columns):
        row = cells[first : first + columns]
        x = 0.0
        for cell, wide in zip(row, widths, strict=False):
            items += moved(cell.items, x + (wide - cell.width) / 2, y)
            x += wide + GAP
        y += max(cell.height for cell in row) + GAP
    return scene(title, items)


def under(picture: Scene, words: str, style: str = "r", least: float = 240.0) -> Scene:
    """A picture with words below it; ``least`` is how wide they may be below a narrow one."""
    lines = wrapped(words, SMALL, max(picture.width, least), style)
    wide = max(picture.width, *(run_width(Run(text, style), SMALL) for text in lines))
    items = list(moved(picture.items, (wide - picture.width) / 2, 0.0))
    for number, text in enumerate(lines):
        items.append(Text(wide / 2, picture.height + 12.0 + 15.0 * number, (Run(text, style),), SMALL))
    return scene(picture.title, items)


def words_scene(title: str, words: str) -> Scene:
    """Nothing but words."""
    return scene(title, [Text(0.0, 0.0, (Run(words, "code"),), SMALL, "start")])


def headed(picture: Scene, words: str) -> Scene:
    """A picture with a heading."""
    heading = Text(picture.width / 2, -6.0, (Run(words),), MEDIUM)
    return scene(picture.title, [heading, *picture.items])


def strip(title: str, stories: Sequence[tuple[Shape, Sequence[tuple[str, str]]]]) -> Scene:
    """How diagrams come about: for each the six moves, each with the picture that it leaves and the choice in words.

    Args:
        title: what is explained.
        stories: each diagram with its steps as (move, words); steps that are no move are words without a picture.
    """
    rows: list[Scene] = []
    for shape, steps in stories:
        cells = []
        rest = []
        for move, words in steps:
            if move in MOVES:
                picture = scene(f"{move}: {words}", diagram_items(shape, move))
                number = MOVES.index(move) + 1
                cells.append(under(headed(picture, f"{number}. {move}"), words))
            elif move != "tensor":
                rest.append(f"{move}: {words}")
        row = table(title, cells, 3)
        rows.append(under(row, " ".join(rest)) if rest else row)
    parts: list[Item] = []
    y = 0.0
    for number, text in enumerate(wrapped(title, LARGE, max(row.width for row in rows))):
        parts.append(Text(0.0, y := 20.0 * number, (Run(text),), LARGE, "start"))
    y += 14.0
    for row in rows:
        parts += moved(row.items, 0.0, y)
        y += row.height + GAP
    return scene(title, parts)
