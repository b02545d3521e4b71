#!/usr/bin/env python3
# Sessions a second, memory of idle clients, a relay in the middle, a broker: pier beside ncat, nc, socat, a bare loop.
"""Measures a server: sessions a second at 1, 50 and 500 at once, memory for 1,000 and 10,000 idle clients, throughput
through --to, and how fast a broker's clients join.

  scripts/bench serve [--quick] [--rounds 5] [--seconds 2] [--only PART,…] [--write]

A session connects, sends a line, reads it back, ends its side, waits for the server's end and closes; one that is
reset, refused or gets other bytes is a failure and told. Rounds are interleaved. Exit 1: pier failed.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import signal
import sys

import build as builds
import report
from files import folder_with_room
from serve_bench import Bench
from serve_parts import PARTS

DESCRIPTORS = 20000  # limit of every server: the same for all, and not so many that one that closes each is slow


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench serve", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 5, quick 2)")
    parser.add_argument("--seconds", type=float, metavar="S", help="of one measurement of a rate (default: 2, quick 0.5)")
    parser.add_argument("--clients", type=int, metavar="N", action="append", help="idle ones (default: 1000 and 10000)")
    parser.add_argument("--size", type=int, metavar="MIB", help="through --to (default: 1024, quick 256)")
    parser.add_argument("--dir", type=pathlib.Path, help="where that file is (default: /dev/shm, or else TMPDIR)")
    parser.add_argument("--only", metavar="PART,…", help=f"of: {', '.join(PARTS)}")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.seconds = args.seconds or (0.5 if args.quick else 2)
    args.clients = args.clients or ([1000] if args.quick else [1000, 10000])
    args.size = (args.size or (256 if args.quick else 1024)) << 20
    args.parts = args.only.split(",") if args.only else list(PARTS)
    if not set(args.parts) <= set(PARTS):
        parser.error("--only takes the names that --help tells")
    return args


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `with`
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, DESCRIPTORS), hard))
    os.environ["LC_ALL"] = "C"  # or /bin/cat spends a third of its life on the locale, whoever starts it
    build = builds.Build(args.bin_dir)
    with contextlib.ExitStack() as stack:
        bench = Bench(args, build, folder_with_room(args.size + (64 << 20), args.dir, stack))
        names = ["pier", "nc.openbsd", "ncat", "socat"]
        paper = report.Paper(
            f"{report.machine()}. {report.versions(build, names)}.\n\nOver 127.0.0.1, {args.rounds} interleaved rounds of "
            f"{args.seconds:g} s: medians, and the least and the most. The clients are one process and take a processor "
            "of their own where they can. CPU is the server's with all its children. LC_ALL=C.")
        for name in args.parts:
            for text in PARTS[name](bench):
                paper.add(text)
        if args.write:
            paper.write("serve")
    return 1 if bench.pier_failed() else 0


if __name__ == "__main__":
    sys.exit(main())
