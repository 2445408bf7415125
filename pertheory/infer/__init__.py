"""Conditioning and information of nearly-Gaussian outputs: one expansion in the cumulants of a theory.

`expansion.py`    connected diagrams: cumulants as vertices whose legs act on the Gaussian density
`writing.py`      diagrams as text and LaTeX
`contraction.py`  diagrams as numbers
`conditioning.py` a kernel, cumulants and data in: evidence, mean, covariance out, order by order
`checks.py`       whether what is given makes sense
`posterior.py`    a theory and data in; `record.py` what comes out, `pure.py` what it takes of the theory
`hidden.py`       what data say about the kernel of a hidden layer
`information.py`  entropy and mutual information of outputs, with symbols for how many there are
`aspect.py`       the ratio of depth to width at which that is largest
"""
