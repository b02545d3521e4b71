#!/usr/bin/env python3
# How long pier-connect takes to start, to check, to notice and to get a first byte: beside nc and openssl.
"""Measures a client: one --check beside nc -z, a thousand endpoints of which a tenth is silent, how soon --wait notices
a port that opens, the first byte through TLS beside openssl s_client, and a name with a dead IPv6 address.

  scripts/bench connect [--quick] [--only PART,…] [--write]

The thousand and the dead address are in network namespaces made for the run, which needs root. Rounds are interleaved.
Exit 1: pier failed.
"""

import argparse
import contextlib
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import build as builds
import report
from programs import Failure, Program, free_port

sys.path.insert(0, str(builds.ROOT / "tests" / "blackbox"))
from namespaces import Lab  # noqa: E402
from pki import Pki  # noqa: E402

PATIENCE = 60


class Bench:
    def __init__(self, args, build, folder):
        self.args, self.build, self.folder = args, build, folder

    def end(self, words, code=0):
        """How a program ended that had to end with this code; what it printed is in the file out."""
        with open(self.folder / "out", "wb") as out, \
             Program(self.build.timed, words, subprocess.DEVNULL, out, self.folder / "log") as program:
            ended = program.wait(time.monotonic() + PATIENCE)
            if ended.code != code:
                raise Failure(f"{program.name}: exit {ended.code}: {program.complaint()}")
        return ended

    def rounds(self, count, rows, measure):
        """The samples of each row, taken in turns: `measure` gets the row's words."""
        samples = {name: [] for name in rows}
        for turn, name in report.interleaved(list(rows), count):
            report.progress(f"round {turn + 1} of {count}: {name}")
            samples[name].append(measure(rows[name]))
        return samples


@contextlib.contextmanager
def accepting(talk=lambda sock: None, host="127.0.0.1"):
    """A server that gives each client to `talk`, one after another, and closes; its port."""
    listener = socket.create_server((host, 0), backlog=4096)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as client, contextlib.suppress(OSError):
                    talk(client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def start(bench):
    """One open port of the loopback: the whole process."""
    with accepting() as port:
        rows = {"pier-connect --check": bench.build.command(f"pier-connect -q --check 127.0.0.1 {port}"),
                "nc.openbsd -z": bench.build.command(f"nc.openbsd -z 127.0.0.1 {port}")}
        ends = bench.rounds(50 if bench.args.quick else 300, rows, bench.end)
    wall = {name: [(e.end - e.start) * 1e3 for e in found] for name, found in ends.items()}
    peak = {name: [e.peak / 2**20 for e in found] for name, found in ends.items()}
    rows = [[name, report.spread(wall[name]), report.spread(peak[name])] for name in wall]
    ours, nc = wall
    return ("### One open port\n\n" + report.table(["", "wall ms", "peak MiB"], rows) + "\n\n- "
            + report.judge("pier, wall time to nc's", report.ratio(wall[ours], wall[nc]), most=1.1) + "\n- "
            + report.judge("pier, memory to nc's", report.ratio(peak[ours], peak[nc]), most=1))


def many(bench):
    """A thousand ports of a host in a namespace, of which every tenth is silent and some are open."""
    seconds = []
    with Lab() as lab, contextlib.ExitStack() as stack:
        for port in range(2001, 3001, 20):
            sock = stack.enter_context(lab.b.socket())
            sock.bind((lab.b.ip4, port))
            sock.listen()
        lab.b.drop("tcp dport { " + ", ".join(map(str, range(2000, 3000, 10))) + " }")
        words = lab.a.command([bench.build.path("pier-connect"), "--check", "--all", "--connect-timeout", "1", lab.b.ip4,
                               "2000-2999"])
        for _ in range(2 if bench.args.quick else 5):
            ended = bench.end(words, code=1)  # most are closed
            states = [line.split("\t")[5] for line in (bench.folder / "out").read_text().splitlines()]
            counts = {state: states.count(state) for state in sorted(set(states))}
            if counts != {"open": 50, "closed": 850, "filtered": 100}:
                raise Failure(f"50 open, 850 closed and 100 filtered were told as {counts}")
            seconds.append(ended.end - ended.start)
    return ("### A thousand endpoints, a hundred of them silent, --connect-timeout 1\n\n- "
            + report.judge(f"50 open, 850 closed, 100 filtered, all told right; {report.spread(seconds)} s: the longest",
                           max(seconds), most=1.3, unit=" s"))


def notice(bench):
    """From listen() on a port that was closed to the end of --wait, which has asked for it for a while."""
    late = []
    for turn in range(10 if bench.args.quick else 40):
        report.progress(f"--wait, {turn + 1}")
        port = free_port()
        words = bench.build.command(f"pier-connect -q --wait 30s 127.0.0.1 {port} -- true")
        with Program(bench.build.timed, words, subprocess.DEVNULL, subprocess.DEVNULL, bench.folder / "log") as program:
            time.sleep(random.uniform(0.2, 3))
            with socket.create_server(("127.0.0.1", port)):
                opened = time.monotonic()
                ended = program.wait(opened + PATIENCE)
            if ended.code != 0:
                raise Failure(f"--wait: exit {ended.code}: {program.complaint()}")
        late.append((ended.end - opened) * 1e3)
    return ("### How soon --wait notices a port that opens after 0.2 to 3 s\n\n- "
            + report.judge(f"{len(late)} times, {report.spread(late, 0)} ms: the mean", sum(late) / len(late), most=50,
                           unit=" ms"))


def first_byte(bench):
    """From the start of the process to the first byte that came through TLS."""
    own = Pki(bench.folder).self_signed("localhost", "DNS:localhost")
    context = own.server_context()

    def talk(client):
        client.settimeout(10)
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(client, server_side=True) as tls:
            tls.sendall(b"x")
            tls.recv(1)

    def measure(words):
        begin = time.monotonic()
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            byte = os.read(process.stdout.fileno(), 1)
            seconds = time.monotonic() - begin
            process.kill()
        if byte != b"x":
            raise Failure(f"{words[0]}: no byte came")
        return seconds * 1e3

    with accepting(talk) as port:
        rows = {"pier-connect --tls": bench.build.command(f"pier-connect -q --tls --ca {own.cert} localhost {port}"),
                "openssl s_client": bench.build.command(
                    f"openssl s_client -quiet -verify_return_error -CAfile {own.cert} -connect localhost:{port} -servername localhost")}
        wall = bench.rounds(15 if bench.args.quick else 100, rows, measure)
    ours, openssl = wall
    return ("### The first byte through TLS, verified\n\n"
            + report.table(["", "ms"], [[name, report.spread(found, 1)] for name, found in wall.items()]) + "\n\n- "
            + report.judge("pier, time to openssl's", report.ratio(wall[ours], wall[openssl]), most=1.1))


def dead_ipv6(bench):
    """A name with an IPv6 address that drops everything and an IPv4 address that answers."""
    with Lab() as lab, lab.b.socket() as sock:
        sock.bind((lab.b.ip4, 80))
        sock.listen(4096)
        lab.b.drop("meta nfproto ipv6 tcp dport 80")
        lab.a.hosts(f"127.0.0.1 localhost\n{lab.b.ip6} both\n{lab.b.ip4} both\n")
        pier = bench.build.path("pier-connect")
        wall = bench.rounds(3 if bench.args.quick else 15,
                            {name: lab.a.command([pier, "-q", *words, "both", "80", "--recv-only", "--idle-timeout", "1ms"])
                             for name, words in (("both families", ()), ("-4", ("-4",)))},
                            lambda words: bench.end(words, code=124))
    wall = {name: [(e.end - e.start) * 1e3 for e in found] for name, found in wall.items()}
    more = [a - b for a, b in zip(sorted(wall["both families"]), sorted(wall["-4"]))]
    return ("### A dead IPv6 address beside a live IPv4 one\n\n"
            + report.table(["", "ms"], [[name, report.spread(found, 0)] for name, found in wall.items()]) + "\n\n- "
            + report.judge("more than IPv4 alone, at most", max(more), most=300, unit=" ms"))


PARTS = {"start": start, "many": many, "wait": notice, "tls": first_byte, "dead-ipv6": dead_ipv6}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench connect", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--only", metavar="PART,…", help=f"of: {', '.join(PARTS)}")
    args = parser.parse_args()
    parts = args.only.split(",") if args.only else list(PARTS)
    if not set(parts) <= set(PARTS):
        parser.error("--only takes the names that --help tells")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `with`
    build = builds.Build(args.bin_dir)
    failed = False
    paper = report.Paper(f"{report.machine()}. {report.versions(build, ['pier', 'nc.openbsd', 'openssl'])}.\n\n"
                         "Interleaved: medians, and the least and the most.")
    with tempfile.TemporaryDirectory(prefix="pier-bench-") as folder:
        bench = Bench(args, build, pathlib.Path(folder))
        for name in parts:
            try:
                paper.add(PARTS[name](bench))
            except Failure as failure:
                failed = True
                paper.add(f"### {name}\n\n- **failed**: {failure}")
    if args.write:
        paper.write("connect")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
