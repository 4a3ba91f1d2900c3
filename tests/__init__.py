"""
The tests of SecureHub.
"""

import gc
from contextlib import suppress

# Environments that try how it is installed do not have it themselves.
with suppress(ModuleNotFoundError):
    from securehub.daemon.collector import THRESHOLDS

    # With Python's own the collector looks at everything some times while a single world is made.
    gc.set_threshold(*THRESHOLDS)

# Environments that only install it, or scan it, have no hypothesis and need none.
with suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # A test says the same on a slow machine as on a fast one, and the same each time.
    settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")
