#!/usr/bin/env python3
# How fast SYNs find open ports, and how many of them: pier --syn beside masscan, zmap and nmap -sS.
"""Measures scans by SYNs: packets a second, time, processor time, recall (found of what is open) and false opens.

  scripts/bench syn [--quick] [--rounds 3] [--only CASE,…] [--write]

All are run in network namespaces made for the run: two hosts joined by a cable, of which the second answers for a whole
/16, loses packets or takes SYNs at a rate only, by nftables. Needs root. Rounds are interleaved. What does not end within
--patience is stopped and told. Exit 1: pier failed, or called a port open that is not.
"""

import argparse
import contextlib
import json
import pathlib
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import build as builds
import report
import scan
from programs import Failure
from scan_rows import Case, Contender
from syn_rows import CASES, NET, PIER, SENDERS

from namespaces import Lab

OTHERS = ("sender", "growth", "garbage")
QUICK = ("net16", "host", "host-10", "sender", "garbage")


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench syn", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 3, quick 1)")
    parser.add_argument("--patience", type=float, metavar="S", default=90, help="of one scan, in seconds (default: 90)")
    parser.add_argument("--only", metavar="CASE,…", help=f"of: {', '.join([*OTHERS, *(c.key for c in CASES)])}")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    known = [*(c.key for c in CASES), *OTHERS]
    args.keys = args.only.split(",") if args.only else [k for k in known if not args.quick or k in QUICK]
    if not set(args.keys) <= set(known):
        parser.error("--only takes the names that --help tells")
    return args


def quiet_scene(lab, stack, target, ports):
    """Nothing is open."""
    return scan.Scene(lab, Case("", "", target, ports, (), 0, hosts=0), stack)


def sender(args, build, lab, folder, faults):
    """Packets that arrive, by the time of the whole run; they are dropped as early as rules can."""
    rates = {c.name: [] for c in SENDERS}
    failures = {}
    with contextlib.ExitStack() as stack:
        case = Case("sender", "", "10.80.0.0/12" if not args.quick else NET, "80-80", (), 0, hosts=0)
        scene = scan.Scene(lab, case, stack)
        lab.b.nft("add table netdev bench\nadd chain netdev bench early { type filter hook ingress device eth0 priority -500; }\n"
                  "add rule netdev bench early tcp dport 80 drop\n")
        for _, contender in report.interleaved(SENDERS, args.rounds):
            if lack := build.lacks(contender.command):
                failures[contender.name] = lack
                continue
            report.progress(f"sender: {contender.name}")
            before = lab.b.received()
            try:
                ended, _, _ = scan.measure(build, scene, case, contender, args.patience, folder, unread=True)
            except Failure as failure:
                failures[contender.name] = str(failure)
                continue
            # masscan waits, whatever it is told, and zmap needs a moment to end: its processor time tells more.
            rates[contender.name].append(((lab.b.received() - before) / (ended.end - ended.start),
                                          (lab.b.received() - before) / max(ended.cpu, 1e-3)))
    rows = []
    for name, values in rates.items():
        if not values:
            rows.append([name, failures.get(name, "")])
            continue
        rows.append([name, report.spread([v[0] / 1000 for v in values], 0), report.spread([v[1] / 1000 for v in values], 0)])
    if not rates[SENDERS[0].name]:
        faults.append("sender")
    lines = [report.judge(f"pier, packets per processor second to {name}",
                          report.ratio([v[1] for v in rates[SENDERS[0].name]], [v[1] for v in rates[name]]), least=1.5)
             for name in list(rates)[1:]]
    return ("### The sender alone\n\nEvery packet is dropped on arrival, on the same processors.\n\n"
            + report.table(["", "thousand packets/s", "thousand packets a CPU second"], rows) + "\n\n"
            + "\n".join(f"- {line}" for line in lines))


def growth(args, build, lab, folder, faults):
    """Ports of hosts that refuse: the time for each probe, and memory."""
    rows = []
    with contextlib.ExitStack() as stack:
        for target, bits in (("10.80.0.0/22", 10), ("10.80.0.0/19", 13), ("10.80.0.0/16", 16), ("10.80.0.0/16", 20)):
            ports = "80-80" if bits <= 16 else f"1-{1 << (bits - 16)}"
            case = Case("growth", "", target, ports, (), 0, hosts=0)
            scene = scan.Scene(lab, case, stack)
            report.progress(f"growth: 2^{bits} pairs")
            ended, _, text = scan.measure(build, scene, case, PIER, args.patience, folder)
            summary = json.loads(text.splitlines()[-1])
            if summary["closed"] != 1 << bits:
                faults.append(f"growth, 2^{bits}: {summary['closed']} closed")
            rows.append([f"2^{bits}", f"{ended.end - ended.start:.2f}", f"{ended.cpu / summary['probes'] * 1e6:.2f}",
                         f"{ended.peak / 2**20:.1f}", str(summary["probes"])])
    return ("### Growth\n\nAll refuse.\n\n"
            + report.table(["pairs", "wall s", "CPU µs a probe", "peak MiB", "probes"], rows))


def garbage(args, build, lab, folder, faults):
    """Forged SYN-ACKs to every source port that a scan may have, while it runs."""
    sent, opens = 0, 0
    with contextlib.ExitStack() as stack:
        case = Case("garbage", "", "10.80.0.0/20", "80-80", (), 0, hosts=0)
        scene = scan.Scene(lab, case, stack)
        stop = threading.Event()
        raw = stack.enter_context(lab.b.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
        chance = random.Random(1)
        count = [0]

        def forge():
            while not stop.is_set():
                source = struct.pack(">I", (10 << 24) + (80 << 16) + chance.randrange(4096))
                destination = socket.inet_aton(lab.a.ip4)
                segment = struct.pack(">HHIIBBHHH", 80, chance.randrange(32768, 61000), chance.getrandbits(32),
                                      chance.getrandbits(32), 0x50, 0x12, 64240, 0, 0)
                total = sum(struct.unpack(">14H", source + destination + struct.pack(">HH", 6, 20) + segment[:16])) \
                    + sum(struct.unpack(">2H", segment[16:]))
                while total >> 16:
                    total = (total & 0xffff) + (total >> 16)
                segment = segment[:16] + struct.pack(">H", ~total & 0xffff) + segment[18:]
                header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, source, destination)
                with contextlib.suppress(OSError):
                    raw.sendto(header + segment, (lab.a.ip4, 0))
                    count[0] += 1

        forger = threading.Thread(target=forge)
        forger.start()
        try:
            for _ in range(args.rounds):
                report.progress("garbage")
                case_rate = Contender("pier", "pier-scan --syn --json -q --rate 4k -p {ports} {target}", PIER.read)
                _, found, text = scan.measure(build, scene, case, case_rate, args.patience, folder)
                opens += len(found)
                if json.loads(text.splitlines()[-1])["closed"] != 4096:
                    faults.append("garbage: not all found closed")
        finally:
            stop.set()
            forger.join()
        sent = count[0]
    if opens:
        faults.append("garbage")
    return ("### Forged answers\n\n"
            f"{sent:,} SYN-ACKs with right checksums, from the scanned addresses and port, to ports by chance with numbers by "
            f"chance, during {args.rounds} scans: **{opens} false opens**.")


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `with`
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    build = builds.Build(args.bin_dir)
    faults = []
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pier-bench-")))
        lab = stack.enter_context(Lab())
        for host in (lab.a, lab.b):
            host.sysctl("net/core/somaxconn", 4096)
        lab.b.ip("route", "add", "local", "10.80.0.0/12", "dev", "lo")
        lab.a.ip("route", "add", "10.80.0.0/12", "via", lab.b.ip4)
        subprocess.run(lab.a.command(["ping", "-c", "1", "-W", "1", lab.b.ip4]), stdin=subprocess.DEVNULL,
                       capture_output=True, check=False)
        paper = report.Paper(
            f"{report.machine()}. {report.versions(build, ['pier', 'nmap', 'masscan', 'zmap'])}.\n\n"
            f"{args.rounds} interleaved rounds: medians, and the least and the most. Recall is what was found of what is open. "
            "Both hosts share the processors. Each is asked for 400,000 packets a second.")
        started = time.monotonic()
        for key, measured in (("sender", sender), ("growth", growth), ("garbage", garbage)):
            if key in args.keys:
                paper.add(measured(args, build, lab, folder, faults))
        for case in CASES:
            if case.key in args.keys:
                paper.add(scan.run_case(args, build, lab, case, folder, faults))
        report.progress(f"{time.monotonic() - started:.0f} s in all")
        if args.write:
            paper.write("syn")
    if faults:
        print(f"bench: pier failed: {', '.join(faults)}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
