"""Whether anything in a picture covers a text, and whether things that should stand apart touch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from pertheory.draw.scene import Blob, Dot, Line, Point, Scene, Text, text_box

Box = tuple[float, float, float, float]

#: Pieces of a curve.
PIECES = 24
#: What lines may come nearer to texts than, and things to each other.
CLOSE = 0.5


def flat(line: Line) -> list[Point]:
    """A line as a chain of points."""
    if not line.curved:
        return list(line.points)
    a, b, c, d = line.points
    chain = []
    for i in range(PIECES + 1):
        t = i / PIECES
        u = 1 - t
        weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
        x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1))
        chain.append((x, y))
    return chain


def crosses(first: Point, second: Point, box: Box) -> bool:
    """Whether a segment meets a box (the segment cut by the four half planes)."""
    left, top, right, bottom = box
    (x, y), (u, v) = first, second
    if (x < left and u < left) or (x > right and u > right) or (y < top and v < top) or (y > bottom and v > bottom):
        return False
    low, high = 0.0, 1.0
    for start, end, least, most in ((first[0], second[0], left, right), (first[1], second[1], top, bottom)):
        step = end - start
        if abs(step) < 1e-12:
            if not least <= start <= most:
                return False
            continue
        near, far = sorted(((least - start) / step, (most - start) / step))
        low, high = max(low, near), min(high, far)
    return low <= high


def rim(blob: Blob) -> list[tuple[Point, Point]]:
    """The four sides."""
    corners = [
        (blob.x, blob.y),
        (blob.x + blob.width, blob.y),
        (blob.x + blob.width, blob.y + blob.height),
        (blob.x, blob.y + blob.height),
    ]
    return list(zip(corners, [*corners[1:], corners[0]], strict=True))


def distance(point: Point, first: Point, second: Point) -> float:
    """From a point to a segment."""
    dx, dy = second[0] - first[0], second[1] - first[1]
    size = dx * dx + dy * dy
    t = 0.0 if not size else min(1.0, max(0.0, ((point[0] - first[0]) * dx + (point[1] - first[1]) * dy) / size))
    return ((first[0] + t * dx - point[0]) ** 2 + (first[1] + t * dy - point[1]) ** 2) ** 0.5


def say(text: Text) -> str:
    return repr("".join(run.text for run in text.runs))


def overlaps(scene: Scene) -> Iterator[str]:
    """Every fault of a picture, in words."""
    texts = [(item, text_box(item)) for item in scene.items if isinstance(item, Text)]
    lines = [(item, flat(item)) for item in scene.items if isinstance(item, Line)]
    dots = [item for item in scene.items if isinstance(item, Dot)]
    blobs = [item for item in scene.items if isinstance(item, Blob)]
    segments = [(item.kind, pair) for item, chain in lines for pair in pairwise(chain)]
    segments += [(blob.kind, side) for blob in blobs for side in rim(blob)]
    for text, box in texts:
        left, top, right, bottom = box
        if left < 0 or top < 0 or right > scene.width or bottom > scene.height:
            yield f"{say(text)} leaves the picture"
        wide = (left - CLOSE, top - CLOSE, right + CLOSE, bottom + CLOSE)
        for kind, (first, second) in segments:
            if crosses(first, second, wide):
                yield f"{say(text)} is crossed by a {kind}"
        for dot in dots:
            nearest = (min(max(dot.x, left), right), min(max(dot.y, top), bottom))
            apart = ((nearest[0] - dot.x) ** 2 + (nearest[1] - dot.y) ** 2) ** 0.5
            corners = [((x - dot.x) ** 2 + (y - dot.y) ** 2) ** 0.5 for x in (left, right) for y in (top, bottom)]
            if apart < dot.radius + CLOSE and max(corners) > dot.radius:
                yield f"{say(text)} is crossed by a circle"
    for (text, a), (other, b) in combinations(texts, 2):
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            yield f"{say(text)} and {say(other)} cover each other"
    for one, two in combinations(dots, 2):
        if ((one.x - two.x) ** 2 + (one.y - two.y) ** 2) ** 0.5 < one.radius + two.radius + 2:
            yield f"two circles touch at {one.x:.0f}, {one.y:.0f}"
    for dot in dots:
        for line, chain in lines:
            for first, second in pairwise(chain):
                if distance((dot.x, dot.y), first, second) < dot.radius - 0.2:
                    yield f"a {line.kind} runs through the circle at {dot.x:.0f}, {dot.y:.0f}"
    for one, two in combinations(blobs, 2):
        (a, b, c, d), (e, f, g, h) = ((o.x, o.y, o.x + o.width, o.y + o.height) for o in (one, two))
        meet = a < g + 2 and e < c + 2 and b < h + 2 and f < d + 2
        nested = (a < e and b < f and c > g and d > h) or (e < a and f < b and g > c and h > d)
        if meet and not nested:
            yield f"a {one.kind} and a {two.kind} touch"
    for blob in blobs:
        for dot in dots:
            inside = blob.x < dot.x - dot.radius and dot.x + dot.radius < blob.x + blob.width
            inside = inside and blob.y < dot.y - dot.radius and dot.y + dot.radius < blob.y + blob.height
            x, y = (
                max(blob.x, min(dot.x, blob.x + blob.width)),
                max(blob.y, min(dot.y, blob.y + blob.height)),
            )
            if not inside and ((x - dot.x) ** 2 + (y - dot.y) ** 2) ** 0.5 < dot.radius + 1:
                yield f"a circle touches a {blob.kind}"
