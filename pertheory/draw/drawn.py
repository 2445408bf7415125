"""What everything that has a picture can do with it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pertheory.draw.scene import Scene


class Drawn(ABC):
    """Shows itself in a notebook, writes itself as SVG, HTML, TikZ and PDF; docs/pictures.md tells how to read it."""

    @abstractmethod
    def scene(self) -> Scene:
        """The picture, arranged."""

    def to_svg(self) -> str:
        """An SVG document: transparent, light or dark as the reader has it."""
        from pertheory.draw.svg import write_svg

        return write_svg(self.scene())

    def to_html(self) -> str:
        """A page of HTML."""
        from pertheory.draw.page import write_page
        from pertheory.draw.svg import write_svg

        own = self.scene()
        return write_page(own.title, write_svg(own, inline=True))

    def to_tikz(self) -> str:
        """A ``tikzpicture``, for a document with the package tikz."""
        from pertheory.draw.tikz import write_tikz

        return write_tikz(self.scene())

    def to_pdf(self) -> bytes:
        """A PDF document, through matplotlib.

        Raises:
            MissingPackageError: matplotlib is not installed.
        """
        from pertheory.draw.pdf import write_pdf

        return write_pdf(self.scene())

    def element(self) -> str:
        """An SVG element that stands in a page and takes its colour."""
        from pertheory.draw.svg import write_svg

        return write_svg(self.scene(), inline=True)

    def _repr_svg_(self) -> str:
        return self.to_svg()
