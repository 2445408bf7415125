"""Property tests draw new examples on a person's machine, and the same ones each time where CI is set."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
