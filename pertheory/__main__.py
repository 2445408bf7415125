"""``python -m pertheory`` is the command ``pertheory``."""

import sys

from pertheory.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
