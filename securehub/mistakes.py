"""Typing mistakes: which command somebody may have meant who typed none."""

from __future__ import annotations

from collections.abc import Iterable

from securehub.command import Command

LONGEST = 32
"""In characters; a longer word is not a mistyped command."""

_MARKS = "/\\!?.,:;*'\"`<>()"


class Mistakes:
    """
    Suggests which command somebody may have meant who typed none.

    @param commands: all that there are, once somebody makes a mistake.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self._commands = commands
        # By each name, whole and with any one letter taken out: so words meet that differ in one letter, or in the order of two.
        self._near: dict[str, set[tuple[str, str]]] = {}
        self._verbs: list[str] = []

    def instead(self, word: str) -> str:
        """
        What to say.

        @param word: what was typed.
        """
        likely = self._likely(word.lower().strip(_MARKS)) if word.isascii() and len(word) <= LONGEST else []
        return f"did you mean {' or '.join(likely)}? HELP lists them all" if likely else "HELP lists them"

    def _likely(self, wanted: str) -> list[str]:
        """The commands that are meant most likely, as they are typed; three at most."""
        if not self._near:
            self._learn()
        near = set().union(*(self._near.get(each, ()) for each in _with_one_less(wanted)))
        exact = {typed for name, typed in near if name == wanted}
        slips = {typed for name, typed in near if len(wanted) > 3 and abs(len(name) - len(wanted)) < 2}
        begun = {verb for verb in self._verbs if len(wanted) > 2 and (verb.lower().startswith(wanted) or wanted.startswith(verb.lower()))}
        # Verbs, which are in capitals, come first.
        return sorted(exact or slips or begun)[:3]

    def _learn(self) -> None:
        self._verbs = [each.verb for each in self._commands if each.verb and len(each.verb) > 3]
        for each in self._commands:
            for name in {(each.verb or each.name).lower(), each.name, each.name.rpartition(".")[2], *each.elsewhere}:
                for part in _with_one_less(name):
                    self._near.setdefault(part, set()).add((name, each.verb or each.name))


def _with_one_less(word: str) -> set[str]:
    """A word, and all that is left of it without one of its letters."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}
