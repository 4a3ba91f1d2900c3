"""
Texts as they are compared when somebody looks for something.
"""

import sys

from twisted.trial.unittest import SynchronousTestCase

from securehub.casefolding import fold


class FoldTests(SynchronousTestCase):
    """L{fold}."""

    def test_same(self) -> None:
        """Capitals and accents make no difference, however an accented letter is written."""
        for alike in (
            ("cafe", "Cafe", "CAFÉ", "cafe\u0301"),
            ("manana", "mañana", "MAN\u0303ANA"),
            ("viet", "Việt", "vie\u0323\u0302t"),
            ("strasse", "Straße", "STRASSE"),
            ("istanbul", "İstanbul", "i\u0307stanbul"),
            ("αθηνα", "Αθήνα"),
        ):
            self.assertEqual({fold(each) for each in alike}, {alike[0]})

    def test_other(self) -> None:
        """What no accent tells apart stays apart; the marks of other scripts are no accents."""
        self.assertEqual(fold("¿5 €? Łódź, øre"), "¿5 €? łodz, øre")
        self.assertEqual(fold("हिन्दी 한국어"), "हिन्दी 한국어")

    def test_folded(self) -> None:
        """What is folded stays as it is: so texts are found by parts of what was found."""
        characters = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
        folded = fold(characters)
        self.assertEqual(fold(folded), folded)
