"""
Rules on a bare transaction, without a hub, a session or a network.
"""
