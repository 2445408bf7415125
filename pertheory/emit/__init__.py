"""Printers: programs of kernels as source text. They know the kernel language and nothing else.

`numpy`   one module that needs only NumPy
"""
