"""An equation of the book and a chapter of them, as they stand in their files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pertheory.book.abbreviations import Definition, Inline
from pertheory.book.indices import check_indices
from pertheory.book.parse import Words, parse_statement
from pertheory.book.syntax import Statement
from pertheory.errors import InputError, RuleError
from pertheory.rulebook.network import Network
from pertheory.text import plural, shortened

#: where an equation stands, and who states it
SOURCES = ("print", "restatement", "recalled", "derived", "ours")
BOOK, CONSEQUENCE, OURS = "book", "consequences and repeats", "ours"
GROUPS = (BOOK, CONSEQUENCE, OURS)


@dataclass(frozen=True)
class Equation:
    """An equation of the book.

    Attributes:
        number: the book's, as "8.97"; `certain` tells whether it is known to be.
        title: what it states.
        kind: which decider of `pertheory.book.deciders` it is for; empty where nothing is posed.
        statement: the formula that is claimed to be right.
        printed: the form in the book, where that is wrong; it must fail.
        restated: the form of a restatement of the book that has a slip; it must fail, and is not charged to the book.
        source: one of `SOURCES`: the "print" itself is at hand; seen in print or in a faithful "restatement", which of
            the two is not known; "recalled"; "derived" from others; "ours", which is not in the book.
        follows: the number of the equation that this one repeats, or is a special case or another form of; or empty.
        one: whether it is about a single input.
        rule: the network.
        status: what a check is expected to find.
        note: for people.
        unchecked: the reason why it cannot be posed, or empty.
        certain: whether the number is known.
        setting: the class of activations or the limit that a solution is about, as its kind knows it.
        words: the names that its formulas may use.
        definitions: the abbreviations of its file.
        place: file and line, for messages.
    """

    number: str
    title: str
    kind: str
    statement: str
    printed: str
    restated: str
    source: str
    follows: str
    one: bool
    rule: Network
    status: str
    note: str
    unchecked: str
    certain: bool
    setting: str
    words: Words
    definitions: tuple[Definition, ...] = field(repr=False)
    place: str

    def __repr__(self) -> str:
        return f"Equation({self.number}: {shortened(self.title, 100)}; {shortened(self.statement, 120)})"

    @property
    def group(self) -> str:
        """How it is counted: as an equation of the book, as a consequence or repeat of others, or as ours."""
        if self.source == OURS:
            return OURS
        return CONSEQUENCE if self.follows or self.source == "derived" else BOOK

    @property
    def is_numbered(self) -> bool:
        """Whether it stands under the book's number, and that is certain."""
        return self.group == BOOK and self.certain and bool(re.fullmatch(r"(\d+|inf)\.\d+", self.number))

    def wrong(self, message: object) -> RuleError:
        """The error that says where in which file something is wrong."""
        return RuleError(f"{self.place}: equation {self.number}: {message}")

    def parsed(self, form: str) -> Statement:
        """A form of the equation, abbreviations kept.

        Raises:
            RuleError: names file, line and what is wrong.
        """
        try:
            return parse_statement(form, self.words, self.one)
        except InputError as error:
            raise self.wrong(error) from None

    def read(self, form: str) -> Statement:
        """A form of the equation with abbreviations written out and indices checked; errors as in `parsed`."""
        statement = self.parsed(form)
        try:
            inline = Inline(self.definitions, self.words, self.one)
            written = Statement(statement.text, tuple(inline(side) for side in statement.sides), statement.one)
            check_indices(written)
        except InputError as error:
            raise self.wrong(error) from None
        return written


@dataclass(frozen=True)
class Chapter:
    """A chapter: its name, its title and its equations in the order of the file."""

    name: str
    title: str
    equations: tuple[Equation, ...]

    def __repr__(self) -> str:
        return f"Chapter({self.name}: {shortened(self.title)}, {plural(len(self.equations), 'equation')})"
