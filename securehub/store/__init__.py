"""
The store: records, transactions over them, and the journal that makes both durable. See docs/architecture.md and docs/store.md.
"""
