"""
The process as its operator meets it: its log, its signals, systemd, what it does beside itself and how it is.
"""
