#!/usr/bin/env python3
# What it costs to type nc: starting, and moving bytes, pier-nc beside OpenBSD's nc.
"""Measures pier-nc beside nc.openbsd, with the same words for both: the time of runs that only start, look at a port or
fail, and of transfers, each of which is first tried with every byte counted.

  scripts/bench nc [--quick] [--runs 400] [--size 1G] [--rounds 5] [--only start,WAY,…] [--write]

Runs and rounds are interleaved. Exit 1: pier-nc failed.
"""

import argparse
import contextlib
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import build as builds
import relay
import report
from files import folder_with_room
from programs import Program
from relay_ways import Contender, Reach, Way
from transfer import Transfers

NAMES = ("pier-nc", "nc.openbsd")
CONTENDERS = tuple(Contender(name, f"{name} -d -l 127.0.0.1 {{port}}", f"{name} -N 127.0.0.1 {{port}}")
                   for name in NAMES)
FASTER = (Reach("nc.openbsd", "throughput", least=1.5),)
WAYS = (Way("file-null", "file → net → null", "file", "null", "nc.openbsd", CONTENDERS, FASTER),
        Way("file-file", "file → net → file", "file", "file", "nc.openbsd", CONTENDERS, FASTER),
        Way("pipe-pipe", "pipe → net → pipe", "pipe", "pipe", "nc.openbsd", CONTENDERS, FASTER))
# (what, the words, the exit code)
STARTS = (("help", "-h", 0), ("an open port", "-z 127.0.0.1 {port}", 0), ("a closed port", "-z 127.0.0.1 1", 1),
          ("a closed port by name, -v", "-zv localhost 1", 1), ("wrong usage", "-k 127.0.0.1 1", 1))
MOST = 1.2  # times nc's start
BOUND = 20  # seconds in which a run has ended


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench nc", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--runs", type=int, metavar="N", help="of each start (default: 400, quick 60)")
    parser.add_argument("--size", type=relay.size_of, metavar="N", help="of one transfer (default: 1G, quick 256M)")
    parser.add_argument("--rounds", type=int, metavar="N", help="of transfers (default: 5, quick 2)")
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are (default: /dev/shm, or else TMPDIR)")
    parser.add_argument("--only", metavar="PART,…", help=f"of: start, {', '.join(way.key for way in WAYS)}")
    args = parser.parse_args()
    args.runs = args.runs or (60 if args.quick else 400)
    args.size = args.size or (256 << 20 if args.quick else 1 << 30)
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.parts = args.only.split(",") if args.only else ["start", *(way.key for way in WAYS)]
    if not set(args.parts) <= {"start", *(way.key for way in WAYS)}:
        parser.error("--only takes the names that --help tells")
    return args


def take_and_close(listener):
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()


def start(build, folder, args, stack):
    """The table of starts, and whether ours failed in one."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    threading.Thread(target=take_and_close, args=(listener,), daemon=True).start()
    rows, reached, bad = [], [], False
    for what, words, code in STARTS:
        took, failed = {name: [] for name in NAMES}, {}
        for _, name in report.interleaved(NAMES, args.runs):
            if name in failed:
                continue
            report.progress(f"{what}: {name}")
            if why := build.lacks(name):
                failed[name] = why
                continue
            command = build.command(f"{name} {words}", port=listener.getsockname()[1])
            with Program(build.timed, command, subprocess.DEVNULL, subprocess.DEVNULL, folder / "log") as run:
                ended = run.wait(time.monotonic() + BOUND)
            if ended.code != code:
                failed[name] = f"exits {ended.code}, not {code}"
            took[name].append((ended.end - ended.start) * 1e6)
        ours, theirs = (took[name] for name in NAMES)
        cells = [failed.get(name) or f"{min(took[name]):.0f} / {statistics.median(took[name]):.0f}" for name in NAMES]
        rows.append([what, *cells])
        ratio = report.ratio(ours, theirs) if not failed else None
        reached.append("- " + report.judge(f"pier-nc, start to nc.openbsd, {what}", ratio, most=MOST))
        bad = bad or "pier-nc" in failed
    report.progress("")
    header = ["", *(f"{name}, µs: fastest / median" for name in NAMES)]
    return "### Start\n\n" + report.table(header, rows) + "\n\n" + "\n".join(reached), bad


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `with`
    build = builds.Build(args.bin_dir)
    facts = report.machine()
    bad = False
    with contextlib.ExitStack() as stack:
        folder = folder_with_room(2 * args.size + 2 * relay.TRIAL + (64 << 20), args.dir, stack)
        transfers = Transfers(build, folder, limit=20 + args.size / (50 << 20))
        paper = report.Paper(
            f"{facts}. {report.versions(build, ['pier', 'nc.openbsd'])}.\n\nThe same words for both. Starts: {args.runs} "
            f"runs in turns, from fork to end. Transfers: {args.size / 2**20:g} MiB over 127.0.0.1, {args.rounds} "
            "interleaved rounds: medians, and the least and the most.")
        if "start" in args.parts:
            text, bad = start(build, folder, args, stack)
            paper.add(text)
        for way in (way for way in WAYS if way.key in args.parts):
            samples, failed = relay.measure(transfers, way, args)
            paper.add(relay.describe(way, samples, failed))
            bad = bad or any(not why.endswith("in this build") for name, why in failed.items() if name == "pier-nc")
        if args.write:
            paper.write("nc")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
