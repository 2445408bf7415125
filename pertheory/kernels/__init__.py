"""The kernel language, the gate before code generation, and the lowering of a theory into it.

`language`  what a program of kernels is made of
`lower`     a closed theory becomes a program
"""
