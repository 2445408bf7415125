"""Networks on a single input, solved: the derived recursions of any rule in any arithmetic.

`averages`, `numbers`   what a layer needs to know of its activation: two slopes, expansions, symbols; many digits,
doubles
`fields`                rational functions of named symbols
`channels`              which hyperparameters criticality fixes, and what the others are
`layer`                 a recursion as a polynomial in the tensors below; the susceptibilities; the first layer
`flow`                  a closed theory, layer by layer
`roots`, `critical`     fixed points and critical points as numbers, all of a range
`near_zero`             averages at small K from Taylor series on either side of zero
`question`, `classify`  where an activation is critical, and its class; `small_kernels` and `positive_points` find the
                        points, `criticality` is the record
`phases`                kernels followed for many variances at once
`universality`          the universality classes at criticality whose kernel stands still, solved symbolically
`induction`             their tensors as polynomials in the depth
`vanishing`             the class whose kernel decays
`large_depth`, `growth` its tensors in powers of the depth and of its logarithm
`iterate`               recursions iterated to large depth in floating point, or with many digits
`derivatives`           of an activation at 0, exactly
`solutions`, `classes`  the classes in sympy, and which one an activation is in
`asymptotics`           one tensor with depth
`exponents`, `scaling`  a table of all; learning rates with depth and width
`moments`               moments of layers whose widths are told apart
`coincident`, `angle`   two inputs: nearly coincident, and at an angle
"""
