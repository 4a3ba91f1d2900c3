"""
twisted.words: an IRC server of Twisted's own, over TLS, which lets everybody in and makes rooms as they are joined.
"""

import bare
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.words import service
from zope.interface import implementer


@implementer(ICredentialsChecker)
class Anybody:
    """Lets everybody in who says a name."""

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> str:
        name = credentials.username
        return name.decode() if isinstance(name, bytes) else str(name)


def make_factory() -> service.IRCFactory:
    realm = service.InMemoryWordsRealm("bench")
    realm.createGroupOnRequest = realm.createUserOnRequest = True
    return service.IRCFactory(realm, Portal(realm, [Anybody()]))


if __name__ == "__main__":
    bare.main_of(make_factory())
