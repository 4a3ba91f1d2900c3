"""
The two forms on the wire: lines into words and requests, replies into lines.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import BadArgument, BadJSON, BadLine, BadRequest, NotFound, RateLimited, Refusal
from securehub.reply import Listing, Reply, Row, table
from securehub.wire import characters, jsonrpc, text, words


class CharacterTests(SynchronousTestCase):
    """What one member writes cannot disturb another's terminal."""

    def test_plain_lines(self) -> None:
        """ASCII without controls need not be looked at again."""
        self.assertEqual(characters.decode(b"PING hello"), ("PING hello", True))
        self.assertEqual(characters.decode("PING é".encode()), ("PING é", False))
        self.assertEqual(characters.decode(b"PING\thello"), ("PING\thello", False))

    def test_bad_lines(self) -> None:
        """Wrong UTF-8 in all its kinds, and each control character but tab."""
        for line in (b"\xff", b"\xc3(", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"abc\xe2\x82"):
            self.assertRaises(BadLine, characters.decode, line)
        for code in {*range(0x20), 0x7F, *range(0x80, 0xA0)} - {0x09}:
            self.assertRaises(BadLine, characters.decode, f"PING {chr(code)}".encode())

    def test_texts(self) -> None:
        """What may be in a line may still not be in a text."""
        forbidden = [*range(0x20), 0x7F, *range(0x80, 0xA0), 0xD800, 0xDFFF, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
        for code in forbidden:
            self.assertRaises(BadArgument, characters.check, f"a{chr(code)}b")
        for allowed in ("", "é", "日本語", "🎉", "\u200d", "a b"):
            characters.check(allowed)

    def test_several_lines(self) -> None:
        """LF alone, and only where a text may have several."""
        characters.check("one\ntwo", multiline=True)
        for other in ("\r", "\t", "\u2028", "\x0b", "\x85"):
            self.assertRaises(BadArgument, characters.check, f"one{other}two", multiline=True)


class WordTests(SynchronousTestCase):
    """A line of text is taken apart word by word."""

    def test_verb(self) -> None:
        lines = {
            "PING": ("PING", ""),
            "PING a  b ": ("PING", "a  b "),
            "  PING   a": ("PING", "a"),
            "PING\ta": ("PING", "a"),
            "PING \t a\tb": ("PING", "a\tb"),
            "PING\ta b": ("PING", "a b"),
        }
        for line, parts in lines.items():
            self.assertEqual(words.split_verb(line), parts, line)

    def test_quotes(self) -> None:
        rests = {
            '"a b" c': ("a b", "c"),
            '"a"': ("a", ""),
            '""': ("", ""),
            r'"a \"b\" \\" c': ('a "b" \\', "c"),
            '"a"\tb': ("a", "b"),
            '"a"   b  c': ("a", "b  c"),
        }
        for rest, parts in rests.items():
            self.assertEqual(words.unquote(rest), parts, rest)

    def test_wrong_quotes(self) -> None:
        for rest in ('"', '"a', '"a"b', r'"a\"', r'"a\b"', '"a""b"', '"\\'):
            self.assertRaises(BadArgument, words.unquote, rest)

    def test_rest_of_the_line(self) -> None:
        """As it stands, but for one pair of quotes around all of it."""
        rests = {
            "a b": "a b",
            '"a b"': "a b",
            '"a" and "b"': '"a" and "b"',
            '"a': '"a',
            'a "b"': 'a "b"',
            '""': "",
            '""a""': '""a""',
            '"': '"',
            r'"C:\dir\"': "C:\\dir\\",
            r'"\"': "\\",
            r'"in \"quotes\""': r"in \"quotes\"",
            r'"a\" and "b"': r'"a\" and "b"',
        }
        for rest, expected in rests.items():
            self.assertEqual(words.without_quotes(rest), expected, rest)

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40))
    def test_quoting_and_back(self, word: str) -> None:
        """Any word can be quoted."""
        quoted = '"' + word.replace("\\", r"\\").replace('"', r"\"") + '"'
        self.assertEqual(words.unquote(f"{quoted} next"), (word, "next"))


class JsonTests(SynchronousTestCase):
    """Strict JSON-RPC, and nothing else."""

    def read(self, line: str) -> jsonrpc.Request:
        return jsonrpc.read(line, line.isascii() and line.isprintable())

    def test_requests(self) -> None:
        """Whatever is optional may be left out, and blanks may stand where JSON lets them."""
        request = self.read('{"jsonrpc":"2.0","id":1,"method":"a.b","params":{"x":1}}')
        self.assertEqual((request.id, request.method, request.params), (1, "a.b", {"x": 1}))
        self.assertIs(self.read('{"jsonrpc":"2.0","method":"a.b"}').id, UNSET)
        self.assertIs(self.read('{"jsonrpc":"2.0","method":"a.b"}').params, UNSET)
        self.assertIsNone(self.read('{"jsonrpc":"2.0","id":null,"method":"a.b","params":null}').id)
        self.assertEqual(self.read('{"jsonrpc":"2.0","id":"x","method":"a.b","params":[1,"2"]}').params, [1, "2"])
        self.assertEqual(self.read(' {\t"params" : { "x" : [ 1 ] } , "id" : -5 , "method" : "a.b" , "jsonrpc" : "2.0" } ').id, -5)
        self.assertEqual(self.read('{"jsonrpc":"2.0","method":"a.b","params":{"x":"\\":\\" : "}}').params, {"x": '":" : '})

    def test_names_that_are_given_twice(self) -> None:
        """However they are written, and however deep."""
        doubled = [
            '{"jsonrpc":"2.0","jsonrpc":"2.0","method":"m"}',
            '{"jsonrpc":"2.0","method":"m","method":"m"}',
            '{"jsonrpc":"2.0","method":"m","id":1,"id":1}',
            '{"jsonrpc":"2.0","method":"m","params":{},"params":{}}',
            '{"jsonrpc":"2.0","method":"m","params":{"a":1,"a":2}}',
            '{"jsonrpc":"2.0","method":"m","params":{"a":1,"\\u0061":2}}',
            '{"jsonrpc":"2.0","method":"m","params":{"a" :1,"a" :2}}',
            '{"jsonrpc":"2.0","method":"m","params":{"a"\t:1,"a"\t:2}}',
            '{"jsonrpc":"2.0","method":"m","params":{"a":1,"a"  :2}}',
            '{"jsonrpc":"2.0","method":"m","method" \t :"n"}',
            '{"jsonrpc":"2.0","method":"m","params":{"b":"\\":","a":1,"a":2}}',
            '{"jsonrpc":"2.0","method":"m","params":[{"a":1,"a":2}]}',
            '{"jsonrpc":"2.0","method":"m","params":{"x":{"a":1,"a":2}}}',
        ]
        for line in doubled:
            self.assertRaises(BadJSON, self.read, line)

    def test_many_names(self) -> None:
        """A line of thousands of names, of which the last is given twice, is not searched through for each of them."""
        looks = 0

        class Name(str):
            __hash__ = str.__hash__

            def __eq__(self, other: object) -> bool:
                nonlocal looks
                looks += 1
                return str.__eq__(self, other)

        names = [Name(number) for number in range(500)]
        with self.assertRaisesRegex(BadJSON, "'499' is given twice"):
            jsonrpc._object([(name, 1) for name in (*names, Name(499))])
        self.assertLess(looks, 5_000)

    def test_numbers(self) -> None:
        """Up to 15 digits, and never what JSON does not have."""
        for number in ("999999999999999", "-999999999999999", "0", "-0", "1.5", "1e3"):
            self.read(f'{{"jsonrpc":"2.0","method":"m","params":[{number}]}}')
        for number in (
            "1000000000000000",
            "-1000000000000000",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "01",
            "+1",
            "1.",
            ".5",
            "0x1",
            "1" * 5000,
        ):
            for params in (f"[{number}]", f'{{"x":{number}}}', f'{{"x":[{number}]}}'):
                self.assertRaises(BadJSON, self.read, f'{{"jsonrpc":"2.0","method":"m","params":{params}}}')
        for sign in ("", "-"):
            self.assertRaises(BadJSON, self.read, f'{{"jsonrpc":"2.0","id":{sign}1000000000000000,"method":"m"}}')
            # The colon makes it be read by the standard library.
            for method in ("m", "m:m"):
                largest = self.read(f'{{"jsonrpc":"2.0","id":{sign}999999999999999,"method":"{method}"}}')
                self.assertEqual(largest.id, int(f"{sign}999999999999999"))

    def test_fractions_as_ids(self) -> None:
        """JSON-RPC advises against them, and allows them; a program that takes its ids from C{Math.random()} knows them again."""
        for id in (0.8437291, 0.1 + 0.2, 1.0, -0.5, 1e100, 5e-324):
            for method in ("m", "m:m"):
                request = f'{{"jsonrpc":"2.0","id":{id!r},"method":"{method}"}}'
                for found in (self.read(request), *jsonrpc.read_batch(f"[{request}]")):
                    assert isinstance(found, jsonrpc.Request)
                    self.assertEqual(json.loads(jsonrpc.reply(found.id, {})), {"jsonrpc": "2.0", "id": id, "result": {}})
        self.assertRaises(BadJSON, self.read, '{"jsonrpc":"2.0","id":1e999,"method":"m"}')

    def test_null(self) -> None:
        """Is an id, and no parameters, however it is read."""
        for method in ("m", "m:m"):
            found = self.read(f'{{"jsonrpc":"2.0","id":null,"method":"{method}","params":null}}')
            self.assertEqual((found.id, found.params), (None, None))

    def test_depth(self) -> None:
        """32 levels and no more, brackets in strings not counted."""
        self.read('{"jsonrpc":"2.0","method":"m","params":' + "[" * 31 + "]" * 31 + "}")
        self.read('{"jsonrpc":"2.0","method":"m","params":["' + "[{" * 100 + '\\""]}')
        for deep in (32, 33, 5000):
            self.assertRaises(BadJSON, self.read, '{"jsonrpc":"2.0","method":"m","params":' + "[" * deep + "]" * deep + "}")
            self.assertRaises(BadJSON, jsonrpc.read_batch, "[" * (deep + 1))
            for before in ('"", ', "[], [], ", '"]]]", ', '"\\"", ', '"[[\\\\", '):
                self.assertRaises(BadJSON, jsonrpc.read_batch, f"[{before}{'[' * deep}{']' * deep}, []]")
        flat = ("[" + "[], " * 40, "[" + "[" * 31 + "]" * 31 + ", ", '["' + "[{" * 40 + '", ', '["\\"' + "[{" * 40 + '", ')
        for content in flat:
            self.assertTrue(jsonrpc.read_batch(f"{content}[]]"), content)

    def test_no_requests(self) -> None:
        for line in (
            "{}",
            '{"jsonrpc":"2.0"}',
            '{"method":"m"}',
            '{"jsonrpc":"2","method":"m"}',
            '{"jsonrpc":2.0,"method":"m"}',
            '{"jsonrpc":"2.0","method":null}',
            '{"jsonrpc":"2.0","method":["m"]}',
            '{"jsonrpc":"2.0","method":"m","id":true}',
            '{"jsonrpc":"2.0","method":"m","id":[]}',
            '{"jsonrpc":"2.0","method":"m","params":1}',
            '{"jsonrpc":"2.0","method":"m","params":"x"}',
            '{"jsonrpc":"2.0","method":"m","other":1}',
        ):
            self.assertRaises(BadRequest, self.read, line)

    def test_an_id_with_what_no_string_may_have(self) -> None:
        """Escaped or as it is, it would be echoed."""
        for id in ("\\u0007", "\\ud83d", "\\u2028", "\u202e", "\\n"):
            self.assertRaises(BadArgument, self.read, f'{{"jsonrpc":"2.0","method":"m","id":"{id}"}}')

    def test_batches(self) -> None:
        """One to a hundred; what is no request does not spoil the others."""
        request = '{"jsonrpc":"2.0","id":1,"method":"m"}'
        self.assertEqual(len(jsonrpc.read_batch(f"[{','.join([request] * 100)}]")), 100)
        self.assertRaises(BadRequest, jsonrpc.read_batch, f"[{','.join([request] * 101)}]")
        self.assertRaises(BadRequest, jsonrpc.read_batch, "[]")
        self.assertRaises(BadJSON, jsonrpc.read_batch, f"[{request}")
        mixed = jsonrpc.read_batch(f"[1,{request},{{}}]")
        self.assertEqual([isinstance(each, Refusal) for each in mixed], [True, False, True])

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(10**15), 10**15)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=8,
        )
    )
    @example({"params": {"a": '":'}})
    def test_reads_what_the_standard_library_reads(self, params: Any) -> None:
        """What is taken means the same to everybody."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", "params": params})
        try:
            request = self.read(line)
        except Refusal:
            return
        self.assertEqual(request.params, params)

    def test_answers(self) -> None:
        """A refusal has its number, its code, and what else belongs to it."""
        self.assertEqual(jsonrpc.reply("x", {"a": 1}), b'{"jsonrpc":"2.0","id":"x","result":{"a":1}}')
        error = json.loads(jsonrpc.error(UNSET, NotFound("no\nsuch")))
        self.assertEqual(
            error, {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "no\nsuch", "data": {"code": "not-found"}}}
        )
        self.assertNotIn(b"\n", jsonrpc.error(1, NotFound("no\nsuch")))
        error = json.loads(jsonrpc.error(1, RateLimited("later", 7)))
        self.assertEqual(error["error"]["data"], {"code": "rate-limited", "retry_after": 7})


class Fact(Reply, frozen=True):
    """A reply that shows its fields."""

    name: str
    large: bool | None = None


class Told(Reply, frozen=True):
    """A reply that shows a text as it is."""

    text: str

    def lines(self) -> list[str]:
        return [self.text, "OK\n* Bye"]


class Line(Row, frozen=True):
    """A row."""

    amount: str
    with_: str = msgspec.field(name="with")


class TextTests(SynchronousTestCase):
    """Nothing that anybody wrote can start in the first column."""

    def test_replies(self) -> None:
        self.assertEqual(text.reply(None, status_alone=False), b"OK\n")
        self.assertEqual(text.reply(Fact("x", True), status_alone=False), b"  name   x\n  large  yes\nOK\n")
        self.assertEqual(text.reply(Fact("x"), status_alone=False), b"  name   x\n  large  -\nOK\n")
        self.assertEqual(text.reply(Fact("x"), status_alone=True), b"OK\n")

    def test_tables(self) -> None:
        """Amounts are aligned to the right; the names are those of the wire."""
        listing = Listing([Line("1.00", "bob"), Line("-10.00", "carol")], more=True)
        shown = text.reply(listing, status_alone=False).decode().split("\n")
        self.assertEqual(shown[:3], ["  amount  with", "    1.00  bob", "  -10.00  carol"])
        self.assertTrue(shown[3].startswith("OK there is more"))
        self.assertEqual(text.reply(Listing([]), status_alone=False), b"OK\n")
        self.assertEqual(table([("a", "bb"), ("ccc", "d")]), ["a    bb", "ccc  d"])

    def test_wide_characters(self) -> None:
        """A column is as wide as a terminal shows it, to the left and to the right of what is in it."""
        rows = [("item", "price", "note"), ("tea", "1", "warm"), ("王小明 🍵", "10", ""), ("cafe\u0301", "2", "\u6771")]
        self.assertEqual(
            table(rows, {1}), ["item       price  note", "tea            1  warm", "王小明 🍵     10", "cafe\u0301           2  \u6771"]
        )
        self.assertEqual(table([("a", "\u6771"), ("b", "1")], {1}), ["a  \u6771", "b   1"])
        # A Korean syllable, as one character and as its three letters.
        self.assertEqual(table([("\uac01", "1"), ("\u1100\u1161\u11a8", "2")]), ["\uac01  1", "\u1100\u1161\u11a8  2"])

    def test_several_lines_of_a_member(self) -> None:
        """Each is indented, so none passes for a status or an event."""
        for line in text.reply(Fact("one\nOK\n* Bye"), status_alone=False).decode().split("\n")[:-2]:
            self.assertTrue(line.startswith("  "), line)
        self.assertEqual(text.event("one\n* two\nOK"), b"* one\n  * two\n  OK\n")
        self.assertEqual(text.reply(Told("one"), status_alone=False), b"  one\n  OK\n  * Bye\nOK\n")
        self.assertEqual(text.refusal(NotFound("one\nOK")), b"ERR not-found one / OK\n")

    def test_a_list_leaves_out_more(self) -> None:
        """In JSON C{more} is there only where there is more."""
        self.assertEqual(msgspec.json.encode(Listing([1])), b'{"items":[1]}')
        self.assertEqual(msgspec.json.encode(Listing([1], more=True)), b'{"items":[1],"more":true}')
