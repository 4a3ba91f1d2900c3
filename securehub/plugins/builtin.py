"""
The services that come with SecureHub.
"""

from securehub.services.admin import Admin
from securehub.services.auth import Auth
from securehub.services.budget import Budget
from securehub.services.chat import Chat
from securehub.services.hub import HubService
from securehub.services.ledger import Ledger
from securehub.services.loyalty import Loyalty
from securehub.services.orders import Orders
from securehub.services.rpc import RPC
from securehub.services.support import Support

__all__ = ["RPC", "Admin", "Auth", "Budget", "Chat", "HubService", "Ledger", "Loyalty", "Orders", "Support"]
