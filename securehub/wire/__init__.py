"""
The two forms in which requests, replies and events cross the wire: text for people, JSON-RPC for programs.

Everything here is pure: values in, values out, and no knowledge of the network.
"""
