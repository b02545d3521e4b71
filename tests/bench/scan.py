#!/usr/bin/env python3
# How fast ports are scanned, and how many of the open ones are found: pier beside nmap, pnscan, nc and a bare loop.
"""Measures scans: time, processor time, recall (found of what is open) and false opens.

  scripts/bench scan [--quick] [--rounds 3] [--only CASE,…] [--write]

All are run in network namespaces made for the run: a loopback of its own, and two hosts joined by a cable, of which the
second answers for whole networks, loses packets or takes SYNs at a rate only, by nftables. Needs root. Rounds are
interleaved. What does not end within --patience is stopped and told. Exit 1: pier failed, or called a port open that is
not.
"""

import argparse
import contextlib
import ipaddress
import pathlib
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import build as builds
import report
from programs import Failure, Program
from scan_rows import CASES, missed_by_pier

sys.path.insert(0, str(builds.ROOT / "tests" / "blackbox"))
from namespaces import Lab  # noqa: E402

NETWORK = "10.80.0.0/16"  # the second host answers for all of it


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench scan", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--rounds", type=int, metavar="N", help="(default: 3, quick 1)")
    parser.add_argument("--patience", type=float, metavar="S", default=120, help="of one scan, in seconds (default: 120)")
    parser.add_argument("--only", metavar="CASE,…", help=f"of: {', '.join(c.key for c in CASES)}")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.peer_rounds = args.rounds
    keys = args.only.split(",") if args.only else [c.key for c in CASES]
    if not set(keys) <= {c.key for c in CASES}:
        parser.error("--only takes the names that --help tells")
    args.cases = [c for c in CASES if c.key in keys]
    return args


class Door:
    """Accepts whoever comes, and closes: some scanners call a port open only when it says something or ends. UDP is
    answered with what came."""

    def __init__(self):
        self._epoll = select.epoll()
        self._sockets = {}
        self._over = False
        self._thread = threading.Thread(target=self._serve)

    def watch(self, sock):
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _serve(self):
        while not self._over:
            for fd, _ in self._epoll.poll(0.1):
                sock = self._sockets[fd]
                with contextlib.suppress(OSError):
                    if sock.type == socket.SOCK_DGRAM:
                        sock.sendto(*sock.recvfrom(65535))
                    else:
                        sock.accept()[0].close()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()
        self._epoll.close()


class Scene:
    """The two hosts as one case wants them, and what is open there."""

    def __init__(self, lab, case, stack):
        self.case = case
        self.scanner = lab.a
        target = ipaddress.ip_network(case.target)
        listening = lab.a if target.is_loopback else lab.b
        first, last = map(int, case.ports.split("-"))
        self.open = set()
        for i in range(case.hosts):
            address = str(target[i + (1 if target.num_addresses > 1 else 0)])
            for j in range(case.open):
                # Spread over all of them, the same in each run.
                port = first + (j * 7919 + i * 31) % (last - first + 1)
                self.open.add((address, port))
        door = stack.enter_context(Door())
        for address, port in self.open:
            sock = stack.enter_context(listening.socket(kind=socket.SOCK_DGRAM if case.udp else socket.SOCK_STREAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what the last case left in TIME_WAIT
            sock.bind((address, port))
            if not case.udp:
                sock.listen(4096)
            door.watch(sock)
        rules = []
        neighbour = lab.b.ip("link", "show", "eth0").split("link/ether ")[1].split()[0]
        self.values = {"mac": neighbour, "source": lab.a.ip4}
        if case.loss:
            rules.append(f"numgen random mod 100 < {case.loss} drop")
        if case.syn_rate:
            rules.append(f"tcp flags syn / syn,ack limit rate over {case.syn_rate}/second burst 100 packets drop")
        lab.b.nft("table inet bench\ndelete table inet bench\n")
        if not rules and not case.silent:
            return
        lab.b.nft("add table inet bench\n"
                  "add chain inet bench incoming { type filter hook input priority 0; }\n"
                  + "".join(f"add rule inet bench incoming {rule}\n" for rule in rules))
        answers = [f"numgen random mod 100 < {case.loss} drop"] if case.both_ways else []
        if case.silent:
            answers.append("tcp flags & (rst | ack) == rst | ack drop")
        if answers:
            lab.b.nft("add chain inet bench outgoing { type filter hook output priority 0; }\n"
                      + "".join(f"add rule inet bench outgoing {rule}\n" for rule in answers))


class Runs:
    """What the rounds of one contender have come to."""

    def __init__(self):
        self.seconds, self.cpu, self.recall, self.false, self.peak = [], [], [], [], []
        self.missed = []  # pier's own estimate
        self.failure = ""


def measure(build, scene, case, contender, patience, folder, unread=False):
    first, last = case.ports.split("-")
    words = build.command(contender.command, target=case.target, ports=case.ports, first=first, last=last, **scene.values)
    out, log = folder / "out", folder / "log"
    with open(out, "wb") as stdout, \
         Program(build.timed, ["/sbin/ip", "netns", "exec", scene.scanner.name, *words], subprocess.DEVNULL, stdout,
                 log) as program:
        ended = program.wait(time.monotonic() + patience)
        complaint = program.complaint()
    text = (log if contender.stderr else out).read_text(errors="replace")
    if ended.code not in (0, 1) and not unread:
        raise Failure(f"exit {ended.code}: {complaint}")
    return ended, set() if unread else contender.read(text), text


def run_case(args, build, lab, case, folder, faults):
    runs = {c.name: Runs() for c in case.contenders}
    with contextlib.ExitStack() as stack:
        scene = Scene(lab, case, stack)
        for turn, contender in report.interleaved(case.contenders, args.rounds):
            if contender is not case.contenders[0] and turn >= args.peer_rounds:
                continue
            into = runs[contender.name]
            into.failure = into.failure or build.lacks(contender.command) or ""
            if into.failure:
                continue
            report.progress(f"{case.key}, round {turn + 1} of {args.rounds}: {contender.name}")
            try:
                ended, found, text = measure(build, scene, case, contender, args.patience, folder)
            except Failure as failure:
                into.failure = str(failure)
                if "in time" in into.failure:  # then what it is compared with is at most this share of its time
                    into.failure = f"stopped after {args.patience:g} s"
                    into.seconds.append(args.patience)
                continue
            into.seconds.append(ended.end - ended.start)
            into.cpu.append(ended.cpu)
            into.peak.append(ended.peak / 2**20)
            into.recall.append(len(found & scene.open) / len(scene.open))
            into.false.append(len(found - scene.open))
            if case.loss and contender is case.contenders[0]:
                into.missed.append(missed_by_pier(text))
        told = tell(case, runs, len(scene.open))
    ours = runs[case.contenders[0].name]
    if ours.failure or any(ours.false):
        faults.append(case.key)
    return told


def tell(case, runs, open_ports):
    base = case.contenders[1].name
    rows = []
    for name, r in runs.items():
        if not r.recall:
            rows.append([name, r.failure])
            continue
        rows.append([name + (f" (then {r.failure})" if r.failure else ""), report.spread(r.seconds), report.spread(r.cpu),
                     report.spread(r.peak, 1), f"{min(r.recall):.2%}", max(r.false),
                     report.times(report.ratio(r.seconds, runs[base].seconds))])
    header = ["", "wall s", "CPU s", "peak MiB", "recall, least", "false opens", f"time to {base}"]
    ours = runs[case.contenders[0].name]
    lines = [report.judge(f"pier, time to {other}", report.ratio(ours.seconds, runs[other].seconds), most=most)
             for other, most in case.reach]
    if case.floor:
        lines.append(report.judge(f"pier, time to {case.floor:.1f} s", statistics.median(ours.seconds) / case.floor
                                  if ours.seconds else None, most=2))
    lines.append(report.judge("pier, least recall", min(ours.recall) * 100 if ours.recall else None,
                              least=case.recall * 100, unit=" %"))
    if case.loss and ours.missed:
        known = [m for m in ours.missed if m is not None]
        if known:
            lines.append(f"pier's own estimate of open ports missed: {statistics.median(known):.2%}; "
                         f"in truth {1 - statistics.mean(ours.recall):.2%}")
    return (f"### {case.title}\n\n{open_ports} open.\n\n" + report.table(header, rows) + "\n\n"
            + "\n".join(f"- {line}" for line in lines))


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
        lab.b.ip("route", "add", "local", NETWORK, "dev", "lo")
        lab.a.ip("route", "add", NETWORK, "via", lab.b.ip4)
        paper = report.Paper(
            f"{report.machine()}. {report.versions(build, ['pier', 'nmap', 'pnscan', 'nc.openbsd'])}.\n\n"
            f"{args.rounds} interleaved rounds: medians, and the least and the most. Recall is what was found of what is open.")
        for case in args.cases:
            paper.add(run_case(args, build, lab, case, folder, faults))
        if args.write:
            paper.write("scan")
    if faults:
        print(f"bench: pier failed: {', '.join(faults)}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
