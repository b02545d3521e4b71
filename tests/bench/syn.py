#!/usr/bin/env python3
# How fast SYNs find open ports, and how many of them: pier --syn beside masscan, zmap and nmap -sS.
"""Measures scans by SYNs: packets a second, time, processor time, recall (found of what is open) and false opens.

  scripts/bench syn [--quick] [--rounds 3 [--peer-rounds 3]] [--only CASE,…] [--write]

All are run in network namespaces made for the run: two hosts joined by a cable, of which the second answers for a whole
/16, loses packets or takes SYNs at a rate only, by nftables. Needs root. Rounds are interleaved. What does not end within
--patience is stopped and told. Exit 1: pier failed, or called a port open that is not.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
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
    parser.add_argument("--peer-rounds", type=int, metavar="N", help="of the others, the first ones (default: as many)")
    parser.add_argument("--patience", type=float, metavar="S", default=90, help="of one scan, in seconds (default: 90)")
    parser.add_argument("--only", metavar="CASE,…", help=f"of: {', '.join([*OTHERS, *(c.key for c in CASES)])}")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.peer_rounds = args.peer_rounds or args.rounds
    known = [*(c.key for c in CASES), *OTHERS]
    args.keys = args.only.split(",") if args.only else [k for k in known if not args.quick or k in QUICK]
    if not set(args.keys) <= set(known):
        parser.error("--only takes the names that --help tells")
    return args


def quiet_scene(lab, stack, target, ports):
    """Nothing is open."""
    return scan.Scene(lab, Case("", "", target, ports, (), 0, hosts=0), stack)


def early(rule):
    """Rules that drop on arrival, before anything else is done with a packet."""
    return ("add table netdev early\n"
            "add chain netdev early in { type filter hook ingress device eth0 priority -500; }\n"
            f"add rule netdev early in {rule}\n")


def sender(args, build, lab, folder, faults):
    """Packets that arrive, by the time of the whole run; they are dropped as early as rules can."""
    rates = {c.name: [] for c in SENDERS}
    failures = {}
    with contextlib.ExitStack() as stack:
        scene = quiet_scene(lab, stack, "10.80.0.0/12" if not args.quick else NET, "80-80")
        lab.b.nft(early("tcp dport 80 drop"))
        stack.callback(lab.b.nft, "delete table netdev early\n")
        for _, contender in report.interleaved(SENDERS, args.rounds):
            if lack := build.lacks(contender.command):
                failures[contender.name] = lack
                continue
            report.progress(f"sender: {contender.name}")
            before = lab.b.received()
            try:
                ended, _, _ = scan.measure(build, scene, scene.case, contender, args.patience, folder, unread=True)
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
        for target, bits in (("10.80.0.0/22", 10), ("10.80.0.0/19", 13), ("10.80.0.0/16", 16), ("10.80.0.0/12", 20),
                             ("10.80.0.0/12", 22), ("10.80.0.0/12", 24))[:4 if args.quick else None]:
            ports = "80-80" if bits <= 20 else f"1-{1 << (bits - 20)}"
            scene = quiet_scene(lab, stack, target, ports)
            report.progress(f"growth: 2^{bits} pairs")
            ended, _, text = scan.measure(build, scene, scene.case, PIER, 10 * args.patience, folder)
            summary = json.loads(text.splitlines()[-1])
            if summary["closed"] != 1 << bits:
                faults.append(f"growth, 2^{bits}: {summary['closed']} closed")
            rows.append([f"2^{bits}", f"{ended.end - ended.start:.2f}", f"{ended.cpu / summary['probes'] * 1e6:.2f}",
                         f"{ended.peak / 2**20:.1f}", str(summary["probes"])])
    return ("### Growth\n\nAll refuse. The other host's answering is on the same processors, and in part on our account.\n\n"
            + report.table(["pairs", "wall s", "CPU µs a probe", "peak MiB", "probes"], rows))


SOURCE_PORT = 40000
# The kernel answers most of them with a reset: at a higher rate that takes all of a processor.
FORGED_RATE = 50000


def garbage(args, build, lab, folder, faults):
    """Forged answers to the source port of a scan while it runs; nothing else answers."""
    ports = "1-1" if args.quick else "1-96"
    patience = 60 if args.quick else 1800
    with contextlib.ExitStack() as stack:
        scene = quiet_scene(lab, stack, "10.80.0.0/12", ports)
        mac = lab.a.ip("link", "show", "eth0").split("link/ether ")[1].split()[0]
        lab.b.nft(early("meta l4proto tcp drop"))
        stack.callback(lab.b.nft, "delete table netdev early\n")
        report.progress("garbage")
        forger = subprocess.Popen(
            lab.b.command([build.path("bench_forge"), "eth0", mac, "10.80.0.0", str(1 << 20), "80", lab.a.ip4,
                           str(SOURCE_PORT), str(patience), str(FORGED_RATE)]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            pier = Contender("pier", "pier-scan --syn --json -q --rate 10M --retries 0 "
                             f"--source-port {SOURCE_PORT} -p {{ports}} {{target}}", PIER.read)
            _, found, text = scan.measure(build, scene, scene.case, pier, patience, folder, unread=True)
        finally:
            forger.terminate()
            forged = int(forger.communicate()[0] or 0)
    summary = json.loads(text.splitlines()[-1])
    if summary["open"] or summary["answers"] or not summary["complete"]:
        faults.append(f"garbage: {summary['open']} open, {summary['answers']} answers")
    return ("### Forged answers\n\n"
            f"{summary['probes']:,} probes that nobody answered, and {forged:,} forged packets meanwhile, from the scanned "
            "addresses to the scan's own source port: seven of ten SYN-ACKs with right checksums and numbers by chance, one a "
            "reset, one an ICMP error that quotes such a SYN, one noise. "
            f"**{summary['open']} false opens**, {summary['answers']} taken for an answer at all; one in 2^32 would be by chance.")


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
            f"{args.rounds} interleaved rounds, of the others {args.peer_rounds}: medians, and the least and the most. Recall is what was found of what is open. "
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
