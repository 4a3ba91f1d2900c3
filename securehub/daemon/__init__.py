"""The process as its operator meets it: its log, its signals, systemd, the tools that run beside it, and its vitals."""
