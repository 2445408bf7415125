"""The kernel language, the gate before code generation, and the lowering of a theory into it.

`language`  what a program of kernels is made of
`lower`     a closed theory becomes a program
`plan`        what a routine for Gaussian averages has to know about a program
`requests`    a program and chosen functions become a plan
`nodes`       averages over distinct inputs as sums of simpler ones, kinks reduced
`evaluation`  derivatives of functions as straight-line code
"""
