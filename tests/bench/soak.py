#!/usr/bin/env python3
# Random clients, good and bad, against servers of several kinds at once: nothing is left behind, the good are served.
"""Lets random clients loose on pier-listen -k: echoing, running programs, behind TLS, reading PROXY headers, UDP.

  scripts/bench soak [--minutes 5] [--quick] [--seconds S] [--threads 6] [--seed N]

Some clients are honest: what they send must come back, and the end after it. The others reset, leave in the middle,
stay silent, send a byte at a time, send garbage where a TLS handshake or a PROXY header belongs, or have a program that
dies. When all have gone, each server must have the descriptors and the children it had before, and about the memory it
had after a tenth of the time. Exit 1: an honest client was not served, a server ended, or something was left.
"""

import argparse
import contextlib
import pathlib
import random
import signal
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

import build as builds
import report
from programs import Failure, Server, free_port, wait_listening

PATIENCE = 60  # seconds for an answer, and for a server to be rid of its clients
GROWTH = 1 << 20  # bytes of memory that count as none: what the allocator keeps from its busiest moment differs

# name: what serves, and how an honest client speaks to it
SERVICES = {
    "echo": ("pier-listen -q -k 127.0.0.1 {port} --echo", "plain"),
    "cat": ("pier-listen -q -k 127.0.0.1 {port} --exec -- /bin/cat", "plain"),
    "dies": ("pier-listen -q -k 127.0.0.1 {port} --sh-exec 'read_and_die'", "dying"),
    "idle": ("pier-listen -q -k 127.0.0.1 {port} --idle-timeout 300ms --echo", "plain"),
    "tls": ("pier-listen -q -k 127.0.0.1 {port} --tls --echo --idle-timeout 2s", "tls"),
    "proxy": ("pier-listen -q -k 127.0.0.1 {port} --proxy-protocol --echo --idle-timeout 2s", "proxied"),
    "relay": ("pier-listen -q -k 127.0.0.1 {port} --to 127.0.0.1:{to}", "plain"),
    "datagrams": ("pier-listen -q -u -k 127.0.0.1 {port} --echo --idle-timeout 1s", "datagrams"),
}
DYING = "head -c 4; kill -9 $$"
PROXY_HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n"


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    builds.add_options(parser)
    parser.add_argument("--minutes", type=float, default=5, metavar="M", help="(default: 5; --quick: half a one)")
    parser.add_argument("--seconds", type=float, metavar="S", help="in place of --minutes")
    parser.add_argument("--threads", type=int, default=6, metavar="N", help="clients at once (default: 6)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N", help="of what they do")
    args = parser.parse_args()
    args.seconds = args.seconds or (30 if args.quick else args.minutes * 60)
    return args


class Clients:
    """What a client of one service may do. Each method is one client from its connect to its close."""

    def __init__(self, port, way, chance):
        self.port, self.way, self.chance = port, way, chance

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        if self.way == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        elif self.way == "proxied":
            sock.sendall(PROXY_HEADER)
        return sock

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    @staticmethod
    def reset(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @staticmethod
    def receive(sock, size):
        data = bytearray()
        while len(data) < size:
            piece = sock.recv(size - len(data))
            if not piece:
                raise Failure(f"{len(data)} of {size} bytes came back")
            data += piece
        return bytes(data)

    def honest(self):
        if self.way == "datagrams":
            return self.honest_datagrams()
        with self.connect() as sock:
            if self.way == "dying":
                sock.sendall(b"12345678")
                if self.receive(sock, 4) != b"1234":
                    raise Failure("other bytes came back")
                return None
            for _ in range(self.chance.randrange(1, 4)):
                data = self.chance.randbytes(self.chance.choice((1, 100, 20000)))
                sock.sendall(data)
                if self.receive(sock, len(data)) != data:
                    raise Failure("other bytes came back")
            if self.way == "tls":
                sock.unwrap().close()
                return None
            sock.shutdown(socket.SHUT_WR)
            if sock.recv(1):
                raise Failure("bytes came after the end")
        return None

    def honest_datagrams(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", self.port))
            for _ in range(self.chance.randrange(1, 4)):
                data = self.chance.randbytes(self.chance.randrange(0, 2000))
                sock.send(data)
                if sock.recv(65536) != data:
                    raise Failure("another datagram came back")

    def resets(self):
        with self.raw() as sock:
            sock.sendall(b"x" * self.chance.choice((0, 1, 5000)))
            self.reset(sock)

    def leaves(self):
        with self.connect() as sock:
            sock.sendall(b"half of a")

    def half_open(self):
        with self.raw() as sock:
            time.sleep(self.chance.random() * 0.5)
            self.reset(sock)

    def slow(self):
        with self.raw() as sock:
            for byte in b"\x16\x03\x01\x02slow":
                sock.sendall(bytes([byte]))
                time.sleep(self.chance.random() * 0.05)

    def garbage(self):
        with self.raw() as sock:
            sock.sendall(self.chance.randbytes(self.chance.randrange(1, 2000)))

    def oversize_header(self):
        with self.raw() as sock:
            sock.sendall(b"PROXY TCP4 " + b"1" * self.chance.choice((90, 3000)))
            sock.sendall(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + b"z" * 600)

    def reads_nothing(self):
        with self.raw() as sock:
            sock.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                for _ in range(64):
                    sock.sendall(b"y" * 65536)
            self.reset(sock)

    def stray_datagram(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(self.chance.randbytes(self.chance.randrange(0, 9000)), ("127.0.0.1", self.port))

    def one(self):
        """A client; the name of what it did."""
        bad = ([self.stray_datagram] if self.way == "datagrams" else
               [self.resets, self.leaves, self.half_open, self.slow, self.garbage, self.oversize_header, self.reads_nothing])
        what = self.chance.choice(bad) if self.chance.random() < 0.6 else self.honest
        try:
            what()
        except (OSError, Failure) as error:  # a bad client may be hung up at any moment
            if what == self.honest:
                raise Failure(f"honest client: {error or type(error).__name__}") from error
        return what.__name__


def echoes(port):
    """Whether a UDP server answers, asked once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        sock.connect(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            sock.send(b"there?")
            return sock.recv(100) == b"there?"
    return False


class Soak:
    def __init__(self, args, build, stack):
        self.args, self.servers, self.failures, self.counts = args, {}, [], {}
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pier.")))
        ports = {name: free_port() for name in SERVICES}
        for name, (serve, _) in SERVICES.items():
            words = build.command(serve, port=ports[name], to=ports["echo"])
            words = [DYING if word == "'read_and_die'" else word for word in words]
            server = stack.enter_context(Server(words, folder / f"log.{name}"))
            if name == "datagrams":
                self.wait(lambda p=ports[name]: echoes(p), f"{name} to be up")
            else:
                wait_listening(server, ports[name], time.monotonic() + PATIENCE)
            self.servers[name] = server
        self.ports = ports
        self.lock = threading.Lock()

    @staticmethod
    def wait(condition, what):
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until:
                raise Failure(f"waited in vain for {what}")
            time.sleep(0.01)

    def run(self, seconds, seed):
        until = time.monotonic() + seconds

        def loose(number):
            chance = random.Random(f"{seed} {number}")
            while time.monotonic() < until and not self.failures:
                name = chance.choice(list(SERVICES))
                try:
                    did = Clients(self.ports[name], SERVICES[name][1], chance).one()
                except Failure as failure:
                    self.failures.append(f"{name}: {failure}")
                    return
                with self.lock:
                    self.counts[name, did] = self.counts.get((name, did), 0) + 1

        threads = [threading.Thread(target=loose, args=(n,)) for n in range(self.args.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, server in self.servers.items():
            if not server.running():
                self.failures.append(f"{name} ended: {server.complaint()}")
        if self.failures:
            raise Failure("; ".join(self.failures))

    def settled(self, before):
        """{name: (descriptors, processes, memory)} once each server is rid of its clients."""
        found = {}
        for name, server in self.servers.items():
            if before:
                self.wait(lambda n=name, s=server: s.descriptors() <= before[n][0] and len(s.pids()) <= before[n][1],
                          f"{name} to have {before[name][0]} descriptors and {before[name][1]} processes again; it has "
                          f"{server.descriptors()} and {len(server.pids())}")
            found[name] = (server.descriptors(), len(server.pids()), server.memory([server.process.pid]))
        return found


def sanitized(server):
    return "asan" in pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = builds.Build(args.bin_dir)
    failed = 0
    with contextlib.ExitStack() as stack:
        try:
            soak = Soak(args, build, stack)
            before = soak.settled(None)
            soak.run(args.seconds / 10, f"{args.seed} first")
            warm = soak.settled(before)
            soak.run(args.seconds * 9 / 10, args.seed)
            after = soak.settled(before)
        except Failure as failure:
            print(f"soak: seed {args.seed}: {failure}", file=sys.stderr)
            return 1
        rows = []
        for name in SERVICES:
            mine = {did: n for (service, did), n in soak.counts.items() if service == name}
            grown = after[name][2] - warm[name][2]
            too_much = grown > GROWTH and not sanitized(soak.servers[name])
            failed += too_much
            rows.append([name, sum(mine.values()), mine.get("honest", 0), f"{before[name][0]} → {after[name][0]}",
                         f"{before[name][1]} → {after[name][1]}",
                         f"{warm[name][2] / 1024:.0f} → {after[name][2] / 1024:.0f}{' **grown**' if too_much else ''}"])
        paper = report.Paper(f"{report.machine()}. {report.versions(build, ['pier'])}.\n\n{args.seconds:g} s, "
                             f"{args.threads} clients at once, seed {args.seed}. Every honest client was served; "
                             "descriptors and processes before and after, memory after a tenth of the time and after it.")
        paper.add(report.table(["service", "clients", "honest ones", "descriptors", "processes", "KiB (PSS)"], rows))
        if args.write:
            paper.write("soak")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
