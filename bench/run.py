"""
What the hub costs: requests a second, CPU for each, latency, memory and start, beside the goals for them.

    python bench/run.py [ping|balance|transfer|order|idle|start|logins|back|silent|fold|rooms|store|soak|all]
                        [--seconds S] [--runs R] [--fresh]

Goals are printed and never asserted: figures differ from machine to machine. README.md says what each one means.
The soak is another thing: it fails if anything was lost. It is no part of all, as it takes more than ten minutes by itself; soak.py plays
smaller ones.
"""

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace

import back
import fold
import generator
import idle
import logins
import rooms
import servers
import silent
import soak
import start
import store
import throughput

OTHERS = {"idle": idle, "start": start, "logins": logins, "back": back, "silent": silent, "fold": fold, "rooms": rooms, "store": store}


def read_arguments() -> Namespace:
    parser = ArgumentParser(description="What the hub costs, beside a bare Twisted server and the goals.")
    parser.add_argument("what", nargs="?", default="all", choices=[*throughput.SCENARIOS, *OTHERS, "soak", "all"])
    parser.add_argument("--seconds", type=float, default=3, help="length of a measurement (3)")
    parser.add_argument("--runs", type=int, default=3, help="measurements of each, of which the median is shown (3)")
    parser.add_argument("--fresh", action="store_true", help="forget the members and the journal that were made before")
    return parser.parse_args()


def prepare(fresh: bool) -> None:
    if fresh:
        shutil.rmtree(servers.BUILD, ignore_errors=True)
    servers.BUILD.mkdir(exist_ok=True)
    servers.allow_many_files()
    generator.compile_load()
    os.sched_setaffinity(0, {servers.LOAD_CORE})
    if servers.SERVER_CORE == servers.LOAD_CORE:
        print("There is one core only: server and load share it, and rates and times say little.")


def main() -> int:
    arguments = read_arguments()
    prepare(arguments.fresh)
    if arguments.what == "soak":
        return soak.run()
    wanted = [*throughput.SCENARIOS, *OTHERS] if arguments.what == "all" else [arguments.what]
    scenarios = [row for name in wanted if name in throughput.SCENARIOS for row in throughput.SCENARIOS[name]()]
    complete = not scenarios or throughput.run(scenarios, arguments.runs, arguments.seconds)
    for name, module in OTHERS.items():
        if name in wanted:
            module.run(arguments.runs)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
