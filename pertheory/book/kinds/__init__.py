"""What decides statements, one module each; `pertheory.book.check` has the table."""
