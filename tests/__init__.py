"""
The tests of SecureHub.
"""

from contextlib import suppress

# Environments that only install it, or scan it, have no hypothesis and need none.
with suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # A test says the same on a slow machine as on a fast one, and the same each time.
    settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")
