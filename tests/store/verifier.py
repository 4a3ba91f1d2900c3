"""
A check of the journal's chain that shares no code with the store, as anybody could write it; and what a forger would write.
"""

from __future__ import annotations

import json
from hashlib import sha256


def _begun(lines: list[bytes]) -> bool:
    """Whether anything was ever written into a segment: its first line is whole, or there is more."""
    try:
        return len(lines) > 1 or bool(lines and json.loads(lines[0]))
    except ValueError:
        return False


def verify(files: dict[str, bytes]) -> int:
    """
    An independent check of a journal: every line that counts hangs on the one before.

    @return: the number of the last commit.
    """
    files = {name.removeprefix("archive/"): content for name, content in files.items()}
    begun = [name for name, content in files.items() if name.startswith("journal") and _begun(content.splitlines())]
    segments = sorted((int(name[:-6].split("-")[2]), name) for name in begun)
    headers = [json.loads(files[name].split(b"\n")[0]) for _, name in segments]
    limits = [header["after"] for header in headers[1:]] + [float("inf")]
    # Where older ones have been pruned, what the first line hangs on is not there to be seen.
    pruned = bool(segments) and segments[0][0] > 1
    first = number = headers[0]["after"] if headers else 0
    heads = {"0" * 64}
    for (_, name), limit in zip(segments, limits, strict=True):
        for place, line in enumerate(files[name].splitlines()):
            if place and number == limit:
                break
            body, _, tail = line.rpartition(b',"hash":"')
            whole = (pruned and not place and number == first) or any(
                sha256(head.encode() + body).hexdigest() == tail[:64].decode() for head in heads
            )
            assert whole, (name, place)
            assert tail[64:] == b'"}', (name, place)
            heads = {tail[:64].decode(), *(heads if not place else ())}
            number += bool(place)
            assert json.loads(line)["n" if place else "after"] == number, (name, place)
    return number


def digest_of(snapshot: bytes) -> str:
    """What the last line of a snapshot has to state of those before it."""
    return sha256(b"".join(snapshot.splitlines(keepends=True)[:-1])).hexdigest()


def redigested(snapshot: bytes) -> bytes:
    """A snapshot whose last line states those that are before it now."""
    rows = snapshot.splitlines(keepends=True)[:-1]
    return b"".join([*rows, b'{"records":%d,"digest":"%b"}\n' % (len(rows) - 1, digest_of(snapshot).encode())])


def linked(line: bytes, before: bytes) -> tuple[bytes, bytes]:
    """
    A line of the journal as it would hang on another one.

    @param before: the hash of that.

    @return: the line, and its hash then.
    """
    body = line.rpartition(b',"hash":"')[0]
    head = sha256(before + body).hexdigest().encode()
    return body + b',"hash":"' + head + b'"}\n', head
