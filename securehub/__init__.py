"""
SecureHub: one daemon for all that a community runs on, behind one TLS port.
"""

__version__ = "0.1.0"
