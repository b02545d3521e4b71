#!/usr/bin/env python3
# How fast bytes move, and by how many system calls: pier beside nc, ncat, socat, iperf3, openssl, cp and a bare loop.
"""Measures the relay: wall time, processor time of both ends, peak memory.

  scripts/bench relay [--quick] [--size 2G] [--rounds 5] [--only WAY,…] [--write]
  scripts/bench relay --strace [--write]     system calls per MiB of each end

Each contender is first tried with every byte counted, then measured in interleaved rounds. One that loses bytes,
fails or does not end in time is told, not timed. All have the kernel's congestion control (--congestion: another
one, in a network namespace made for the run) and one TLS cipher, which is read from the wire. Exit 1: pier failed.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import statistics
import subprocess
import sys

import build as builds
import report
from files import folder_with_room
from programs import Failure
from relay_ways import PEAK_MIB, WAYS
from transfer import Transfers

TRIAL = 64 << 20  # bytes of the counted trial before the rounds
CONGESTION = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def size_of(text):
    units = {"k": 2**10, "M": 2**20, "G": 2**30}
    return int(text.rstrip("kMG")) * units.get(text[-1], 1)


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench relay", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--size", type=size_of, metavar="N", help="of one transfer: 64k, 8M, 4G (default: 2G, quick 512M)")
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 5, quick 3)")
    parser.add_argument("--dir", type=pathlib.Path, help="where the files are (default: /dev/shm, or else TMPDIR)")
    parser.add_argument("--only", metavar="WAY,…", help=f"of: {', '.join(way.key for way in WAYS)}")
    parser.add_argument("--strace", action="store_true", help="count system calls instead of time")
    parser.add_argument("--congestion", metavar="NAME", help="TCP congestion control of every connection")
    args = parser.parse_args()
    args.size = args.size or (256 << 20 if args.strace else 512 << 20 if args.quick else 2 << 30)
    args.rounds = args.rounds or (3 if args.quick else 5)
    wanted = args.only.split(",") if args.only else [way.key for way in WAYS]
    args.ways = [way for way in WAYS if way.key in wanted]
    if args.size < 1 or args.rounds < 1 or len(args.ways) != len(wanted):
        parser.error("--size and --rounds are at least 1, and --only takes the names that --help tells")
    return args


def enter_namespace(congestion):
    """Starts this program again in a network namespace of its own, where the default is `congestion`."""
    inside = "PIER_BENCH_NAMESPACE"
    if inside not in os.environ:
        as_user = ["--map-root-user"] if os.geteuid() else []
        os.execvpe("unshare", ["unshare", "--net", *as_user, sys.executable, "-B", *sys.argv],
                   {**os.environ, inside: "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    try:
        CONGESTION.write_text(congestion)
    except OSError as error:
        allowed = CONGESTION.with_name("tcp_allowed_congestion_control").read_text().strip()
        sys.exit(f"bench: congestion control {congestion}: {error.strerror}; this host allows: {allowed}")


def missing(build, contender, way, *more):
    """Why it can't take part, or None."""
    return next(filter(None, map(build.lacks, (*contender.needs(way), *more))), None)


def measure(transfers, way, args):
    """{contender: [Sample, …]}, and {contender: why there is none}."""
    samples, failed = {c.name: [] for c in way.contenders}, {}

    def attempt(contender, size, counted):
        try:
            return transfers.run(way, contender, size, counted)
        except Failure as failure:
            failed[contender.name] = str(failure)
            return None

    for contender in way.contenders:
        if why := missing(transfers.build, contender, way):
            failed[contender.name] = why
        else:
            attempt(contender, min(TRIAL, args.size), True)
    for turn, contender in report.interleaved(way.contenders, args.rounds):
        if contender.name not in failed:
            report.progress(f"{way.title}: round {turn + 1} of {args.rounds}: {contender.name}")
            if sample := attempt(contender, args.size, False):
                samples[contender.name].append(sample)
    report.progress("")
    return samples, failed


def column(samples, what):
    return [sample.get(what) for sample in samples]


def describe(way, samples, failed):
    """The table of one way and its lines of the reach."""
    base = samples[way.base]
    rows = []
    for name, mine in samples.items():
        if name in failed:
            rows.append([name, failed[name]])
            continue
        ends = range(len(mine[0].cpu))
        rows.append([
            name, report.spread([rate / 2**30 for rate in column(mine, "throughput")]), report.spread(column(mine, "time"), 3),
            " + ".join(f"{statistics.median(s.cpu[end] for s in mine):.3f}" for end in ends),
            report.spread(column(mine, "CPU"), 3),
            " / ".join(f"{max(s.peak[end] for s in mine) / 2**20:.1f}" for end in ends),
            *(report.times(report.ratio(column(mine, what), column(base, what))) for what in ("throughput", "CPU"))])
    header = ["", "GiB/s (least–most)", "wall s", "CPU s, sender + receiver", "CPU s, both", "peak MiB, each",
              f"speed to {way.base}", "CPU to it"]
    lines = "\n".join(f"- {line}" for line in reached(way, samples))
    return f"### {way.title}\n\n{report.table(header, rows)}\n\n{lines}"


def reached(way, samples):
    ours = way.contenders[0].name
    mine = samples[ours]
    for reach in way.reach:
        value = report.ratio(column(mine, reach.what), column(samples[reach.of], reach.what))
        yield report.judge(f"{ours}, {reach.what} to {reach.of}", value, reach.least, reach.most)
    for name, bare in samples.items():
        if name.startswith("bare"):
            value = report.ratio(column(mine, "throughput"), column(bare, "throughput"))
            yield f"{ours}, throughput to the {name}: {report.times(value)}"
    peaks = [max(s.peak) / 2**20 for name, all_ in samples.items() if name.startswith("pier") for s in all_]
    yield report.judge("pier, peak memory of an end", max(peaks, default=None), most=PEAK_MIB, unit=" MiB")


def calls_of(path, size):
    """What strace -c counted: calls per MiB, and the most frequent ones."""
    counted = {}
    for line in path.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            counted[fields[-1]] = int(fields[3])
    most = sorted(counted.items(), key=lambda item: -item[1])[:3]
    return f"{sum(counted.values()) / (size / 2**20):.2f}", ", ".join(f"{name} {n}" for name, n in most)


def trace(transfers, way, args):
    """The table of one way's system calls, and {contender: why there are none}."""
    rows, failed = [], {}
    for contender in way.contenders:
        report.progress(f"{way.title}: {contender.name}")
        why = missing(transfers.build, contender, way, "strace")
        try:
            if why is None:
                transfers.run(way, contender, args.size, traced=True)
        except Failure as failure:
            why = str(failure)
        if why is not None:
            failed[contender.name] = why
            rows.append([contender.name, why])
            continue
        ends = ["sender"] if contender.alone else ["sender", "receiver"]
        rows.append([contender.name, *(cell for end in ends for cell in calls_of(transfers.calls_file(end), args.size))])
    report.progress("")
    return f"### {way.title}\n\n" + report.table(
        ["", "sender, per MiB", "most of them", "receiver, per MiB", "most of them"], rows), failed


def by_value(found):
    """{name: value} as [(value, names)]."""
    return [(value, [name for name in found if found[name] == value]) for value in sorted(set(found.values()), key=str)]


def circumstances(args, build, folder, facts):
    names = ["pier", "nc.openbsd", "nc.traditional", "ncat", "socat", "iperf3", "openssl", "cp"]
    file_system = report.first_line(["stat", "-f", "-c", "%T", str(folder)], r"(\S+)")
    how = (f"{args.size / 2**20:g} MiB a transfer over 127.0.0.1, files in {folder.parent} ({file_system}), congestion "
           f"control of all: {CONGESTION.read_text().strip()}.")
    if not args.strace:
        how += (f" {args.rounds} interleaved rounds: medians, and the least and the most. iperf3's time is its own, "
                "without its set-up; the others' is from the sender's start to both ends' end.")
    return f"{facts}. {report.versions(build, names + ['strace'] * args.strace)}.\n\n{how}"


def main():
    args = parse()
    if args.congestion:
        enter_namespace(args.congestion)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `with`
    build = builds.Build(args.bin_dir)
    facts = report.machine()
    bad = False
    with contextlib.ExitStack() as stack:
        # The source, the trial's source, and a copy.
        folder = folder_with_room(2 * args.size + 2 * TRIAL + (64 << 20), args.dir, stack)
        # A transfer may take ten times what the slowest contender took here.
        transfers = Transfers(build, folder, limit=20 + args.size / (50 << 20))
        paper = report.Paper(circumstances(args, build, folder, facts))
        for way in args.ways:
            if args.strace:
                text, failed = trace(transfers, way, args)
            else:
                samples, failed = measure(transfers, way, args)
                text = describe(way, samples, failed)
                if way.tls and transfers.agreed:
                    text += "\n- negotiated: " + "; ".join(f"{what} by {', '.join(names)}"
                                                         for what, names in by_value(transfers.agreed))
            paper.add(text)
            bad = bad or any(name.startswith("pier") and not why.endswith("in this build") for name, why in failed.items())
        if args.write:
            paper.write("relay, system calls" if args.strace else "relay")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
