"""
Tests with real processes, sockets and disks. They need the programs of an installed SecureHub, and some of them C{openssl}.
"""
