"""The command line: one file a verb.

`main`      the entry point: signals, streams
`verbs`     the parser, and errors as one line
`options`   flags that several verbs share, output
`inputs`    input files
`list`, `derive`, `describe`, `emit`, `run`, `check`
"""
