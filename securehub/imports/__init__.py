"""
The import of what members had in the small programs that SecureHub replaces: a budget manager, an ordering service, a bank.

C{sources} reads their files and knows nothing of a hub; C{rules} say what of it a hub takes in; C{tool} does it to a state directory in
which no daemon runs. See docs/import.md.
"""
