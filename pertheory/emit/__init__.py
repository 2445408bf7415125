"""Printers: programs of kernels as source text. They know the kernel language and nothing else.

`numpy`   one module that needs only NumPy
`c`       a folder that stands alone: C99 with its averages, a self-test and what builds and calls it
"""
