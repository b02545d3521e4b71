"""pier-scan on real listeners of this host's loopback, and what it says of them."""

import json
import socket

from harness import TestCase, run

LOOPBACK = "127.0.0.1"


class ScanTestCase(TestCase):
    def scan(self, *words, **options):
        return run(["pier-scan", *map(str, words)], **options)

    def spawn_scan(self, *words, **options):
        return self.spawn(["pier-scan", *map(str, words)], **options)

    def open_port(self, address=LOOPBACK):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.raw_listener(family, address=(address, 0)).getsockname()[1]

    def closed_port(self, address=LOOPBACK):
        """Ours, so that nobody else can open it, and refusing: bound without listening."""
        sock = self.enterContext(socket.socket())
        sock.bind((address, 0))
        return sock.getsockname()[1]

    def silent_port(self):
        """A listener whose queue is full: further SYNs are dropped, as by a firewall."""
        sock = self.enterContext(socket.socket())
        sock.bind((LOOPBACK, 0))
        sock.listen(0)
        for _ in range(4):
            filler = self.enterContext(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        return sock.getsockname()[1]

    def records(self, done):
        """Of --json: the start, the records between, and the summary. Every line must be an object."""
        records = [json.loads(line) for line in done.lines]
        self.assertEqual((records[0]["type"], records[0]["schema"]), ("start", 1))
        self.assertEqual(records[-1]["type"], "summary")
        self.assertNotIn("start", [r["type"] for r in records[1:]])
        self.assertNotIn("summary", [r["type"] for r in records[:-1]])
        return records[0], records[1:-1], records[-1]

    def states(self, done):
        _, ports, _ = self.records(done)
        return {(r["addr"], r["port"]): r["state"] for r in ports if r["type"] == "port"}
