"""
The store: what every store promises, and what the journal store does to keep it.
"""
