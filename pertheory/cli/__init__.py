"""The command line: one file a verb.

`main`      the entry point
`options`   flags that several verbs share, input files, output
`derive`, `describe`, `emit`, `run`
"""
