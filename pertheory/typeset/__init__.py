"""Recursions for readers: text, LaTeX, JSON.

`write`    text and LaTeX, in diagram form and in expanded form
`record`   the JSON schema ``pertheory.recursion/1``
"""
