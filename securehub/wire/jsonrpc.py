"""
The JSON form: strict JSON-RPC 2.0, one message a line (section 4 of the protocol).

msgspec reads what is plainly right. Whatever it refuses, or might have read too leniently (a name given twice), the standard library reads
again, with hooks that know the reason. So strictness costs honest clients next to nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from securehub.refusals import BadArgument, BadJSON, BadRequest, Refusal, shown
from securehub.wire import characters

MAX_BATCH = 100
MAX_DEPTH = 32
MAX_DIGITS = 15
_TOO_LARGE = 10**MAX_DIGITS

RequestId = int | float | str | None | UnsetType


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """
    One JSON-RPC request.

    @ivar id: unset in a notification, which is carried out and never answered.
    """

    jsonrpc: str
    method: str
    id: RequestId = UNSET
    params: dict[str, Any] | list[Any] | UnsetType | None = UNSET


_decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode


def read(text: str, plain: bool) -> Request:
    """
    The request of a line that starts with C{&#123;}.

    @param plain: whether the line is ASCII without control characters.

    @raise BadJSON: it is not strict JSON.
    @raise BadRequest: it is not a request. As JSON-RPC has it, the answer carries no C{id}, even if one could be read.
    """
    try:
        request = _decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return _request(_read_strictly(text))
    if not _surely_strict(request, text):
        return _request(_read_strictly(text))
    if request.jsonrpc != "2.0":
        raise BadRequest('"jsonrpc" must be "2.0"')
    if request.id.__class__ is str and not (plain and "\\" not in text):
        _check_id(request.id)
    return request


def read_batch(text: str) -> list[Request | Refusal]:
    """
    The requests of a line that starts with C{[}: for each, the request, or why it is none.

    @raise BadJSON: the line is not strict JSON.
    @raise BadRequest: an empty batch, or one of over C{MAX_BATCH}.
    """
    items = _read_strictly(text)
    if not items:
        raise BadRequest("an empty batch")
    if len(items) > MAX_BATCH:
        raise BadRequest(f"a batch of {len(items)} requests; at most {MAX_BATCH} are taken")
    requests: list[Request | Refusal] = []
    for item in items:
        try:
            requests.append(_request(item))
        except Refusal as refusal:
            # Without its traceback, which refers to this list: a cycle.
            requests.append(refusal.with_traceback(None))
    return requests


def reply(id: RequestId, result: object) -> bytes:
    """A successful answer, as JSON without its line end."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode(id), encode(result))


def error(id: RequestId, refusal: Refusal) -> bytes:
    """An unsuccessful answer, as JSON without its line end."""
    body = {"code": refusal.number, "message": str(refusal), "data": refusal.data}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (encode(None if id is UNSET else id), encode(body))


def notification(method: str, params: object) -> bytes:
    """An event, as JSON without its line end."""
    return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (encode(method), encode(params))


def _surely_strict(request: Request, text: str) -> bool:
    """
    Whether nothing in the line can have been read too leniently.

    Every name is followed by a colon of its own. So if the line has no more colons than the names that were read, no name was given twice.
    A colon within a string only means a second, slower look.
    """
    names = 2 + (request.id is not UNSET)
    if request.id.__class__ is int and not -_TOO_LARGE < request.id < _TOO_LARGE:
        return False
    params = request.params
    values: Iterable[Any] = ()
    if params is not UNSET:
        names += 1
        if isinstance(params, dict):
            names += len(params)
            values = params.values()
        else:
            values = params or ()
    for value in values:
        kind = value.__class__
        if kind is int:
            if not -_TOO_LARGE < value < _TOO_LARGE:
                return False
        elif kind is dict or kind is list:
            return False
    return text.count(":") == names


def _read_strictly(text: str) -> Any:
    """Any JSON, read by the standard library with hooks for what it would let pass."""
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise BadJSON(f"deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_whole, parse_float=_fraction)
    except json.JSONDecodeError as fault:
        raise BadJSON(f"not JSON: {fault.msg} at character {fault.pos + 1}") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise BadJSON(f"the name {shown(twice)} is given twice")
    return fields


def _no_constant(word: str) -> Any:
    raise BadJSON(f"{word} is not a number of JSON")


def _whole(word: str) -> int:
    if len(word.lstrip("-")) > MAX_DIGITS:
        raise BadJSON(f"a whole number may have up to {MAX_DIGITS} digits; write longer ones as strings")
    return int(word)


def _fraction(word: str) -> float:
    number = float(word)
    if number in (float("inf"), float("-inf")):
        raise BadJSON("a number is out of range")
    return number


def _request(item: Any) -> Request:
    """A request out of decoded JSON, or the reason why it is none."""
    if not isinstance(item, dict):
        raise BadRequest("a request is a JSON object")
    unknown = item.keys() - {"jsonrpc", "method", "id", "params"}
    if unknown:
        raise BadRequest(f"a request has no member {shown(min(unknown))}")
    if item.get("jsonrpc") != "2.0":
        raise BadRequest('"jsonrpc" must be "2.0"')
    method, id, params = item.get("method"), item.get("id", UNSET), item.get("params", UNSET)
    if not isinstance(method, str):
        raise BadRequest('"method" must be a string')
    if id is not UNSET and id is not None and id.__class__ not in (int, float, str):
        raise BadRequest('"id" must be a string, a number or null')
    if isinstance(id, str):
        _check_id(id)
    if params is not UNSET and params is not None and not isinstance(params, (dict, list)):
        raise BadRequest('"params" must be an object or an array')
    return Request("2.0", method, id, params)


def _check_id(id: Any) -> None:
    try:
        characters.check(id)
    except BadArgument as refusal:
        raise BadArgument(f"id: {refusal}") from None
