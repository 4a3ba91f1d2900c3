"""
The hub's port in the eyes of sslyze: C{SSLYZE=... python -m twisted.trial tests.integration.scan}.

Not among the tests that C{trial tests} runs: sslyze wants an older C{cryptography} than the hub, so it has an environment of its own, which
C{tox -e scan} makes.
"""

from __future__ import annotations

import json
import os
import subprocess

from tests.integration.real import SECONDS
from tests.integration.test_daemon import DaemonCase


class ScanTests(DaemonCase):
    """Nothing that a scanner of TLS servers would complain of."""

    def test_scan(self) -> None:
        """It keeps to Mozilla's "intermediate" recommendation, and whoever has the CA trusts it."""
        port = self.start().started().port
        found = self.state.parent / "scan.json"
        command = [os.environ["SSLYZE"], "--mozilla_config=intermediate", "--certinfo", f"--certinfo_ca_file={self.state / 'ca.pem'}"]
        done = subprocess.run([*command, f"--json_out={found}", f"localhost:{port}"], capture_output=True, text=True, timeout=4 * SECONDS)
        self.assertIn("OK - Compliant", done.stdout, done.stdout[-2000:])
        self.assertEqual(done.returncode, 0, done.stderr)
        (server,) = json.loads(found.read_text())["server_scan_results"]
        (deployment,) = server["scan_result"]["certificate_info"]["result"]["certificate_deployments"]
        self.assertEqual(deployment["received_chain_has_valid_order"], True)
        self.assertIs(deployment["received_chain_contains_anchor_certificate"], False)
        trusting = [each for each in deployment["path_validation_results"] if "Supplied" in each["trust_store"]["name"]]
        self.assertEqual([each["was_validation_successful"] for each in trusting], [True])
