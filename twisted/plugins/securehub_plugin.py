"""
C{twistd securehub} and C{twist securehub}.
"""

from twisted.application.service import ServiceMaker

securehub = ServiceMaker("SecureHub", "securehub.tap", "A community's accounts, money and conversations behind one TLS port.", "securehub")
