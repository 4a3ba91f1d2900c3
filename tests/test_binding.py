"""
Arguments bound to parameters, out of either form.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from securehub import arguments
from securehub.binding import MISSING, TRY, Binder
from securehub.command import ANYONE, MEMBER, Command, command, declared_by, named, optional, prompted
from securehub.refusals import BadArgument
from securehub.reply import MoneyReply


@arguments.argument(accepts=(list,), words=True)
def things(given: Any) -> list[str]:
    """some words"""
    found = given.split() if isinstance(given, str) else given
    if "nothing" in found:
        raise BadArgument("that is nothing")
    return list(found)


class Example:
    """Commands of all shapes."""

    @command(
        "PAY",
        access=MEMBER,
        writes=True,
        to=arguments.username,
        count=arguments.whole,
        memo=optional(arguments.text),
        from_=named(arguments.username),
    )
    def pay(self, session: object, to: str, count: int, memo: str = "nothing", from_: str | None = None) -> None:
        """Pay."""

    @command("ASK", access=ANYONE, name=arguments.username, secret=prompted(arguments.password, "Secret"))
    def ask(self, session: object, name: str, secret: str) -> None:
        """Ask."""

    @command("MOVE", access=MEMBER, moves=True, to=arguments.username)
    def move(self, session: object, to: str) -> MoneyReply:
        """Move."""
        return MoneyReply()

    async def is_known(self, session: object, name: str) -> bool:
        """somebody knows you"""
        return True

    @command(
        "ENTER",
        access=ANYONE,
        writes=True,
        name=arguments.username,
        secret=prompted(arguments.password, "Secret", unless=is_known),
        times=named(arguments.whole, also="often"),
    )
    def enter(self, session: object, name: str, secret: str | None = None, times: int = 0) -> None:
        """Enter."""

    @command("TURN", access=ANYONE, on=arguments.switch)
    def turn(self, session: object, on: bool) -> None:
        """Turn."""

    @command("ORDER", access=ANYONE, writes=True, things=things, note=named(arguments.text))
    def order(self, session: object, things: list[str], note: str = "") -> None:
        """Order."""


def binder(verb: str) -> Binder:
    declared: Command = next(each for each in declared_by(Example()) if each.verb == verb)
    return Binder(declared.bound(Example(), "example", {}))


def plain(line: str) -> bool:
    return line.isascii() and line.isprintable()


class BindingCase(SynchronousTestCase):
    """What all these tests ask."""

    verb = "PAY"

    def bound(self, rest: str, *values: Any, key: str | None = None) -> None:
        self.assertEqual(tuple(binder(self.verb).from_text(rest, plain(rest))), (list(values), key), rest)

    def refused(self, rest: str, *said: str) -> None:
        refusal = self.assertRaises(BadArgument, binder(self.verb).from_text, rest, plain(rest))
        for word in said:
            self.assertIn(word, str(refusal))

    def bound_json(self, params: Any, *values: Any, key: str | None = None) -> None:
        self.assertEqual(tuple(binder(self.verb).from_params(params, False)), (list(values), key), params)

    def refused_json(self, params: Any, *said: str) -> None:
        refusal = self.assertRaises(BadArgument, binder(self.verb).from_params, params, False)
        for word in said:
            self.assertIn(word, str(refusal))


class TextTests(BindingCase):
    """Words, in their order or by name."""

    def test_in_order(self) -> None:
        self.bound("bob 5", "bob", 5, "nothing", None)
        self.bound("bob 5 for  lunch ", "bob", 5, "for  lunch ", None)
        self.bound("bob  5 ", "bob", 5, "nothing", None)
        self.bound('"bob" "5" "for lunch"', "bob", 5, "for lunch", None)
        self.bound("bob\t5\tx", "bob", 5, "x", None)

    def test_by_name(self) -> None:
        """Also between the others, as long as the text has not begun."""
        self.bound("count=5 to=bob", "bob", 5, "nothing", None)
        self.bound("count=5 bob x y", "bob", 5, "x y", None)
        self.bound("bob from=carol 5 key=k x", "bob", 5, "x", "carol", key="k")
        self.bound("bob 5 x from=carol", "bob", 5, "x from=carol", None)
        self.bound('bob 5 memo="a \\"b\\"" from="carol"', "bob", 5, 'a "b"', "carol")

    def test_by_another_name(self) -> None:
        """One parameter, which can be given once."""
        self.verb = "ENTER"
        self.bound("alice secret often=3", "alice", "secret", 3)
        self.bound('"alice" secret often="3"', "alice", "secret", 3)
        self.refused("alice secret times=2 often=3", "often=3", "too much")
        self.refused("alice secret often=x", "often", "x")
        self.refused('alice secret often="x"', "often", "x")

    def test_words_that_only_look_like_names(self) -> None:
        """A name that is no parameter, or is given already, is part of a plain word."""
        self.bound("bob 5 a=b", "bob", 5, "a=b", None)
        self.bound("bob 5 to=carol", "bob", 5, "to=carol", None)
        self.bound('"bob" 5 to=carol', "bob", 5, "to=carol", None)
        self.bound("bob 5 key=k key=l", "bob", 5, "key=l", None, key="k")
        self.bound("bob 5 =x", "bob", 5, "=x", None)
        self.refused("a=b 5", "to", "a=b")

    def test_refused(self) -> None:
        """The text names what is wrong."""
        self.refused("", "to is missing", "PAY to count")
        self.refused("bob", "count is missing")
        self.refused("bob five", "count", "'five'")
        self.refused("bob 5 memo=x y", "'y' is too much")
        self.refused("to= 5", "to")
        self.refused('"bob 5', "quot")
        self.refused('to="bob 5', "quot")
        self.refused("bob 5 key=", "key")
        self.refused("bob 5 a\u202eb", "memo", "U+202E")
        self.refused("bob 5 key=\u00e9", "key")

    def test_prompted(self) -> None:
        """What will be asked for is not missing yet."""
        self.verb = "ASK"
        self.bound("bob", "bob", MISSING)
        self.bound("bob s3cret", "bob", "s3cret")
        self.bound('bob ""', "bob", "")
        self.refused("", "name is missing")
        self.refused("bob a b", "'b' is too much")

    def test_excused(self) -> None:
        """What may turn out not to be needed is left open in both forms, with the key in its place; a null is as if left out."""
        self.verb = "ENTER"
        self.bound("bob", "bob", MISSING, 0)
        self.bound("bob times=3", "bob", MISSING, 3)
        self.bound("bob s3cret", "bob", "s3cret", 0)
        self.bound_json({"name": "bob"}, "bob", MISSING, 0)
        self.bound_json({"name": "bob", "secret": None, "times": 3, "key": "k"}, "bob", MISSING, 3, key="k")
        self.bound_json(["bob", "s3cret"], "bob", "s3cret", 0)
        self.refused_json({}, "name is missing")
        raised = self.assertRaises(BadArgument, binder("ENTER").refuse_left_out, 1)
        self.assertIn("secret is missing: a password", str(raised))

    def test_no_key_where_nothing_is_written(self) -> None:
        self.verb = "TURN"
        self.bound("on", True)
        self.refused("on key=k", "key=k")


class JsonTests(BindingCase):
    """An object or an array."""

    def test_by_name(self) -> None:
        self.bound_json({"to": "bob", "count": 5}, "bob", 5, "nothing", None)
        self.bound_json({"from": "carol", "memo": "a\nb", "count": 5, "to": "bob", "key": "k"}, "bob", 5, "a\nb", "carol", key="k")

    def test_by_another_name(self) -> None:
        self.verb = "ENTER"
        self.bound_json({"name": "alice", "secret": "secret", "often": 3}, "alice", "secret", 3)
        self.bound_json({"name": "alice", "secret": "secret", "often": None, "times": 3}, "alice", "secret", 3)
        self.refused_json({"name": "alice", "secret": "secret", "times": 2, "often": 3}, "times and often")

    def test_by_position(self) -> None:
        self.bound_json(["bob", 5], "bob", 5, "nothing", None)
        self.bound_json(["bob", 5, "x"], "bob", 5, "x", None)
        self.refused_json(["bob", 5, "x", "carol"], "4")

    def test_null_is_as_if_left_out(self) -> None:
        """For what is optional, and the key; not for what is not."""
        self.bound_json({"to": "bob", "count": 5, "memo": None, "from": None, "key": None}, "bob", 5, "nothing", None)
        self.bound_json(["bob", 5, None], "bob", 5, "nothing", None)
        self.refused_json({"to": None, "count": 5}, "to")

    def test_nothing(self) -> None:
        for nothing in (UNSET, None, {}, []):
            self.refused_json(nothing, "to is missing")

    def test_types(self) -> None:
        """A number is no string, a string no number, and truth neither."""
        for wrong in (
            {"to": 5},
            {"count": "5"},
            {"count": 5.0},
            {"count": True},
            {"to": ["bob"]},
            {"to": {"bob": 1}},
            {"memo": 1},
            {"key": 1},
        ):
            self.refused_json({"to": "bob", "count": 5} | wrong, next(iter(wrong)))

    def test_truth(self) -> None:
        self.verb = "TURN"
        self.bound_json({"on": True}, True)
        self.bound_json([False], False)
        self.refused_json({"on": "on"}, "on")
        self.refused_json({"on": 1}, "on")

    def test_unknown(self) -> None:
        self.refused_json({"to": "bob", "count": 5, "colour": "red"}, "colour")
        self.refused_json({"to": "bob", "count": 5, "from_": "carol"}, "from_")
        self.refused_json({"to": "bob", "count": 5, "\ud83d": 1}, "ud83d")
        self.verb = "TURN"
        self.refused_json({"on": True, "key": "k"}, "key")

    def test_what_no_text_may_have(self) -> None:
        """Controls, which JSON can escape; LF where there is one line only."""
        for wrong in ({"memo": "\x07"}, {"memo": "\t"}, {"memo": "\u2028"}, {"memo": "\ud800"}, {"to": "bob\n"}, {"key": "a\nb"}):
            self.refused_json({"to": "bob", "count": 5} | wrong, next(iter(wrong)))

    def test_nobody_is_asked(self) -> None:
        """A program gives what people are asked for."""
        self.verb = "ASK"
        self.refused_json({"name": "bob"}, "secret is missing")
        self.refused_json({"name": "bob", "secret": None}, "secret")
        self.bound_json(["bob", "s3cret"], "bob", "s3cret")


class BothFormsTests(BindingCase):
    """Both forms give the same, so that a key may be repeated in the other one."""

    def test_the_same(self) -> None:
        of_text = binder("PAY").from_text("bob 5 key=k from=carol for lunch", True)
        of_json = binder("PAY").from_params({"to": "bob", "count": 5, "memo": "for lunch", "from": "carol", "key": "k"}, True)
        self.assertEqual(of_text, of_json)


class TryTests(BindingCase):
    """C{try}, of commands that move money."""

    verb = "MOVE"

    def test_text(self) -> None:
        self.bound("bob", "bob")
        self.bound("bob key=k", "bob", key="k")
        self.bound("bob key=k try=off", "bob", key="k")
        for rest in ("bob try=on", "try=on bob key=k", 'bob key="k" try=on'):
            self.assertEqual(binder(self.verb).from_text(rest, plain(rest)), (["bob"], TRY), rest)
        self.refused("bob try=perhaps", "try", "neither on nor off")

    def test_json(self) -> None:
        bind = binder(self.verb).from_params
        self.assertEqual(bind({"to": "bob", "try": True, "key": "k"}, True), (["bob"], TRY))
        self.assertEqual(bind({"to": "bob", "try": False, "key": "k"}, True), (["bob"], "k"))
        self.assertEqual(bind({"to": "bob", "try": None}, True), (["bob"], None))
        self.assertRaises(BadArgument, bind, {"to": "bob", "try": "yes"}, True)


class WordsTests(SynchronousTestCase):
    """One parameter takes all words that are not given by name."""

    def setUp(self) -> None:
        self.binder = binder("ORDER")

    def bound(self, rest: str) -> Any:
        return self.binder.from_words(rest, plain(rest))

    def test_who_takes_them(self) -> None:
        self.assertTrue(self.binder.takes_words)
        self.assertFalse(binder("PAY").takes_words)

    def test_names_anywhere(self) -> None:
        """Quoted or not, in front, between and behind."""
        for rest in (
            "a 2 b=1 note=soon",
            "note=soon a 2 b=1",
            'a note="soon" 2 b=1',
            "a  2\tb=1   note=soon",
            "key=k1 a 2 note=soon b=1",
        ):
            values, key = self.bound(rest)
            self.assertEqual((values, key), ([["a", "2", "b=1"], "soon"], "k1" if "key" in rest else None), rest)

    def test_quoted(self) -> None:
        """A word in quotes is a word, as in every command; one that looks like a name in them is none."""
        for rest in ('"a" 2 b=1', 'a "2" b=1', 'a 2 "b=1"', '"a" "2" note="" "b=1"', '"a"\t"2"  "b=1"'):
            self.assertEqual(self.bound(rest)[0], [["a", "2", "b=1"], ""], rest)
        self.assertEqual(self.bound('"note=x"')[0], [["note=x"], ""])
        self.assertRaises(BadArgument, self.bound, '"a 2')

    def test_a_name_once(self) -> None:
        """The second is a word like others, as in every command."""
        self.assertEqual(self.bound("note=one note=two")[0], [["note=two"], "one"])
        self.assertEqual(self.bound('note="one" note=two')[0], [["note=two"], "one"])

    def test_by_its_name(self) -> None:
        self.assertEqual(self.bound('things="a 2"')[0], [["a", "2"], ""])
        self.assertRaises(BadArgument, self.bound, "things=a 2")

    def test_refused(self) -> None:
        for rest, text in (("", "things is missing"), ("note=x", "things is missing"), ("a nothing", "things: that is nothing")):
            self.assertIn(text, str(self.assertRaises(BadArgument, self.bound, rest)))
        self.assertRaises(BadArgument, self.bound, 'a note="open')
        self.assertRaises(BadArgument, self.bound, "a \x07")
        self.assertRaises(BadArgument, self.bound, "a note=\u202e")

    def test_declared(self) -> None:
        """It cannot stand beside another one that is not given by name."""

        def both(self: object, session: object, things: list[str], more: str) -> None:
            """Both."""

        self.assertRaises(TypeError, command(None, access=ANYONE, things=things, more=arguments.word), both)

    def test_json(self) -> None:
        self.assertEqual(self.binder.from_params({"things": ["a", "2"], "note": "x"}, True)[0], [["a", "2"], "x"])
