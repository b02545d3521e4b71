"""pier-scan between two hosts joined by a cable (namespaces): `a` scans, `b` is scanned."""

import json
import socket

from harness import Lab, TestCase, run


class ScanLabTestCase(TestCase):
    """What follows --json --all-states in each scan is `words`."""

    words = ()

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.a, self.b = self.lab.a, self.lab.b

    def serve(self, host, address, port):
        sock = self.enterContext(host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET))
        sock.bind((address, port))
        sock.listen(64)
        return sock.getsockname()[1]

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
