"""
The tests of SecureHub.
"""

import gc
from contextlib import suppress

# As the daemon has it: with Python's own the collector looks at everything some times while a single world is made.
gc.set_threshold(50_000, 20, 100)

# Environments that only install it, or scan it, have no hypothesis and need none.
with suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # A test says the same on a slow machine as on a fast one, and the same each time.
    settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")
