"""Formulas without kinks as polynomials in generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pertheory.errors import InputError
from pertheory.functions.derivatives import MAX_DERIVATIVE, Ring
from pertheory.functions.formula import Binary, Call, Name, Negate, Node, Scalar, check_exponent, constant, depends_on_x
from pertheory.functions.polynomials import Polynomial, X, add, bounded, is_plain


@dataclass(frozen=True)
class Converter:
    """Turns formulas into polynomials of one ring.

    Attributes:
        ring: gets the generators of the formulas.
        parameters: a value for every parameter.
    """

    ring: Ring
    parameters: Mapping[str, Scalar]

    def convert(self, node: Node) -> Polynomial:
        """Turn a formula without kinks into a polynomial of this ring."""
        if not depends_on_x(node):
            value = constant(node, self.parameters)
            return {(): value} if value else {}
        match node:
            case Name():
                return X
            case Negate(operand):
                return add({}, self.convert(operand), -1)
            case Call("sqrt", (argument,)):
                return self.ring.generator("power:1/2", self.convert(argument))
            case Call("log", (argument,)):
                inner = self._one_plus_exp(argument)
                if inner is not None:
                    return self.ring.generator("softplus", self.convert(inner))
                return self.ring.generator("log", self.convert(argument))
            case Call(function, (argument,)):
                return self.ring.generator(function, self.convert(argument))
            case Binary("/", left, right):
                return self.ring.product(self.convert(left), self._inverse(right))
            case Binary("^", left, right):
                exponent = constant(right, self.parameters)
                check_exponent(exponent)
                if exponent != int(exponent):
                    return self.ring.generator(f"power:{Fraction(exponent)}", self.convert(left))
                if exponent < 0:
                    return self.ring.power(self._inverse(left), -int(exponent))
                return self.ring.power(self.convert(left), int(exponent))
            case Binary("*", left, right):
                return self.ring.product(self.convert(left), self.convert(right))
            case Binary("-", Call("exp", (argument,)), right) if self._is_expm1(argument, right):
                return self.ring.generator("expm1", self.convert(argument))
            case Binary(operator, left, right):
                a, b = self.convert(left), self.convert(right)
                if len(a) + len(b) > MAX_DERIVATIVE and not (is_plain(a) and is_plain(b)):
                    a, b = self.ring.share(a), self.ring.share(b)
                return add(a, b, 1 if operator == "+" else -1)
        raise AssertionError(node)

    def _inverse(self, node: Node) -> Polynomial:
        """Convert one over a formula; factor by factor, so that 1/(1 + exp(v)) is recognised anywhere."""
        if not depends_on_x(node):
            value = constant(node, self.parameters)
            if value == 0:
                raise InputError("formula: division by zero")
            return {(): bounded(1 / value)}
        inner = self._one_plus_exp(node)
        if inner is not None:
            return self.ring.generator("logistic", add({}, self.convert(inner), -1))
        match node:
            case Binary("*", left, right):
                return self.ring.product(self._inverse(left), self._inverse(right))
            case Binary("^", left, right) if (e := constant(right, self.parameters)) == int(e) and e > 0:
                return self.ring.power(self._inverse(left), int(e))
            case Call("exp", (argument,)):
                return self.ring.generator("exp", add({}, self.convert(argument), -1))
        return self.ring.generator("reciprocal", self.convert(node))

    def _one_plus_exp(self, node: Node) -> Node | None:
        """Return v where the formula is 1 + exp(v)."""
        match node:
            case Binary("+", left, Call("exp", (v,))) | Binary("+", Call("exp", (v,)), left):
                if self._is_one(left):
                    return v
        return None

    def _is_expm1(self, argument: Node, right: Node) -> bool:
        return depends_on_x(argument) and self._is_one(right)

    def _is_one(self, node: Node) -> bool:
        return not depends_on_x(node) and constant(node, self.parameters) == 1
