"""
Checks the journal of a state directory from outside: python verify_chain.py DIR. See docs/store.md.

It shares no code with SecureHub, on purpose: what it finds does not depend on what it checks.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path

MARK = b',"hash":"'


def begun(lines):
    header, more = next(lines, b""), next(lines, b"")
    try:
        return bool(more or json.loads(header))
    except ValueError:
        return False


def main(directory):
    paths = {path.name: path for folder in ("archive", ".") for path in Path(directory, folder).glob("journal-*.jsonl")}
    segments = sorted(paths.values(), key=lambda path: int(path.stem.split("-")[2]))
    # One whose first line is all that it has, and not whole, was never begun.
    segments = [path for path in segments if begun(path.open("rb"))]
    starts = [int(path.stem.split("-")[1]) for path in segments]
    if not segments:
        return f"{directory}: there is no journal in it"
    # Where the archive has been pruned, or all began with an import, the first line hangs on what is not here: it is taken as it is,
    # and all that follows hangs on it.
    first = number = starts[0]
    pruned = first > 0 or int(segments[0].stem.split("-")[2]) > 1
    heads, head = {"0" * 64}, "0" * 64
    for place, path in enumerate(segments):
        # What a segment holds beyond the start of the next one was never acknowledged, and is dead.
        last = starts[place + 1] if place + 1 < len(segments) else None
        for row, line in enumerate(path.open("rb"), 1):
            if row > 1 and number == last:
                break
            body, mark, tail = line.rpartition(MARK)
            before = [each for each in (heads if row == 1 else {head}) if sha256(each.encode() + body).hexdigest() == tail[:64].decode()]
            known = before or (pruned and row == 1 and number == first)
            if not mark or not known or tail[64:] != b'"}\n':
                return f"{path.name}, line {row}: the chain is broken after commit {number}"
            found, head = json.loads(line), tail[:64].decode()
            if found.get("n", found.get("after")) != number + (row > 1):
                return f"{path.name}, line {row}: expected commit {number + 1}"
            heads = heads | {head} if row == 1 else {head}
            number += row > 1
        if last is not None and number < last:
            return f"{path.name} ends at commit {number}, but the next segment begins after {last}"
    print(f"{len(segments)} segments, commits {first + 1} to {number}, head {head}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
