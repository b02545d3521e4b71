"""pier-scan between two hosts joined by a cable (namespaces): `a` scans, `b` is scanned."""

import json
import re
import socket

from harness import Lab, TestCase, run

NETWORK = "10.80.0.0/16"  # all of it is b, behind b as a router


class ScanLabTestCase(TestCase):
    """What follows --json --all-states in each scan is `words`."""

    words = ()

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def serve(self, host, address, port):
        return self.listener(host, address, port).getsockname()[1]

    def listener(self, host, address, port):
        sock = self.enterContext(host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
        sock.bind((address, port))
        sock.listen(64)
        return sock

    def scan(self, *words, host=None, **options):
        """(records of ports, summary, exit code) of a scan on host a, every state."""
        cmd = ["pier-scan", "--json", "--all-states", *self.words, *map(str, words)]
        done = run((host or self.a).command(cmd), **options)
        records = [json.loads(line) for line in done.lines]
        self.assertTrue(records, done)
        return [r for r in records if r["type"] == "port"], records[-1], done.code

    def verdict(self, address, port=80, *words):
        [record], _, code = self.scan("-p", port, "--probe-timeout", "300ms", *words, address)
        return record["state"], record["reason"], code


class SynTestCase(ScanLabTestCase):
    words = ("--syn",)

    def setUp(self):
        super().setUp()
        # Whoever is reached by frames has a MAC address that is known: one packet makes it so.
        for address in (self.b.ip4, self.b.ip6):
            with self.a.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"", (address, 9))

    def route_network(self):
        self.b.ip("route", "add", "local", NETWORK, "dev", "lo")
        self.a.ip("route", "add", NETWORK, "via", self.b.ip4)

    def pin_neighbours(self):
        # The kernel's table of neighbours is one for all namespaces, and another test may fill it: what is permanent
        # stays in it.
        for host, other in ((self.a, self.b), (self.b, self.a)):
            [mac] = re.findall(r"link/ether (\S+)", other.ip("link", "show", "eth0"))
            for address in (other.ip4, other.ip6):
                host.ip("neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent")

    def spawn_syn(self, *words):
        return self.spawn(self.a.command(["pier-scan", "--syn", *map(str, words)]))
