"""
The network: bytes, TLS, lines, who may connect and who reads too slowly. Nobody below it knows that there is one.
"""
