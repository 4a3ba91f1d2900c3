"""
The tests of SecureHub.
"""
