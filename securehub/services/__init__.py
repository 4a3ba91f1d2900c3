"""
The services that come with SecureHub. Others are found in the same way: see docs/services.md.
"""
