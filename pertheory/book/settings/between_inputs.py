"""Predictions between two training inputs: ``z_end = [z_mid - t z_plus - (1 - t) z_minus] + ... + O(d^3)``.

Two training inputs x_+ and x_-, a test input t x_+ + (1 - t) x_-, and a tangent kernel that is quadratic in where its
arguments stand between them: with e = 2t - 1 in [-1, 1],

    Theta(e1, e2) = Theta_00 + (e1 + e2)/2 dTheta_1 + (e1^2 + e2^2)/2 ddTheta_0 + e1 e2 ddTheta_2,

dTheta_1 of order d, ddTheta_0 and ddTheta_2 of order d^2, d the distance. The trained network at infinite width
predicts z - Theta Theta^-1 (z - y) (kind "trained" decides that); with the inverse of the two-by-two kernel this is a
rational function, and the statement is compared with it as far as its remainder says.
"""

from __future__ import annotations

from pertheory.book.scalar import Element, Setting
from pertheory.book.syntax import Node
from pertheory.errors import InputError
from pertheory.solve.fields import RationalFunctions

#: names and the order in d of what varies between the inputs
ORDERS = {"dTheta_1": 1, "ddTheta_0": 2, "ddTheta_2": 2}
NAMES = ("d", "t", "Theta_00", "z_mid", "z_plus", "z_minus", "y_plus", "y_minus", *ORDERS)
EVEN = "dTheta_1 = 0"
SETTINGS = ("", EVEN)


class BetweenTwoInputs(Setting):
    """Rational functions of the kernel's expansion.

    Args:
        even: whether dTheta_1 vanishes.
    """

    title = "the interpolation between two inputs"

    def __init__(self, even: bool) -> None:
        self.field = RationalFunctions(NAMES)
        given = self.field.symbols
        self.scale, self.make = given["d"], self.field.number
        self.given: dict[str, Element] = {
            name: value * self.scale ** ORDERS.get(name, 0) for name, value in given.items()
        }
        if even:
            self.given["dTheta_1"] = self.field.number(0)
        self.values = {**self.given, "z_end": self.prediction()}

    def kernel(self, first: Element, second: Element) -> Element:
        """The tangent kernel between two places."""
        of = self.given
        mixed = (first + second) * of["dTheta_1"] + (first**2 + second**2) * of["ddTheta_0"]
        return of["Theta_00"] + mixed / 2 + first * second * of["ddTheta_2"]

    def prediction(self) -> Element:
        """z - Theta Theta^-1 (z - y) at the test input."""
        of, one = self.given, self.field.number(1)
        place = 2 * of["t"] - 1
        (a, c), b = (self.kernel(one, one), self.kernel(one, -one)), self.kernel(-one, -one)
        errors = of["z_plus"] - of["y_plus"], of["z_minus"] - of["y_minus"]
        weights = (b * errors[0] - c * errors[1]) / (a * b - c**2), (a * errors[1] - c * errors[0]) / (a * b - c**2)
        return of["z_mid"] - self.kernel(place, one) * weights[0] - self.kernel(place, -one) * weights[1]

    def difference(self, left: Element, right: Element, remainder: Node | None) -> Element:
        """Zero if only powers of d are left that the remainder allows."""
        found = left - right
        if remainder is None or not found:
            return found
        allowed = self.interpret(remainder)
        order = next((k for k in range(1, 12) if allowed == self.scale**k), None)
        if order is None:
            raise InputError("the remainder must be a power of d, such as O(d^3)")
        return found if self.field.valuation(found, "d") < order else self.field.number(0)
