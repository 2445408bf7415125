"""The C printer: `printer` puts a theory into one source and one header, `folder` into a folder that stands alone."""
