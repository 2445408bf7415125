"""Property tests draw the same examples everywhere: a failure is one of the code, not of the draw or of the machine.

New examples: ``pytest --hypothesis-profile=new``, or `make fuzz`, which draws for as long as one likes.
"""

import os

from hypothesis import HealthCheck, settings

# How fast examples are drawn and tried says how busy the machine is.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("new"), derandomize=True)
settings.load_profile("same")

# Arrays are small here: threads of BLAS would only wait for each other. Set before NumPy is loaded.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
