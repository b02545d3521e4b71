"""What the tests of pier-whoami-port share: asking it, and telling this test's own sockets from all others."""

import json
import os
import socket
import unittest

from harness import TestCase, binary, need_program, need_root, run


def whoami(*args, **options):
    return run(["pier-whoami-port", *map(str, args)], **options)


def records(done):
    return [json.loads(line) for line in done.lines]


class WhoamiTestCase(TestCase):
    # An address of the loopback for this test alone: a port number that another test uses, or that is in
    # time-wait after one, is at another address.
    ip = "127.2." + ".".join(map(str, divmod(os.getpid() & 0xffff, 256)))

    def raw_listener(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, address=None):
        return super().raw_listener(family, kind, address or ((self.ip, 0) if family == socket.AF_INET else None))

    def raw_connect(self, address):
        client = self.enterContext(socket.create_connection(address, source_address=(self.ip, 0)))
        client.settimeout(60)
        return client

    def sockets(self, *args, **options):
        """The socket records of this test's own address."""
        return [r for r in self.json(*args, **options) if r["local_addr"] == self.ip]

    def rows(self, *args, **options):
        """The rows of --port for this test's own address, which is an owned one: exit 0."""
        done = whoami(*args, **options)
        self.assertEqual(done.code, 0, done)
        return [line for line in done.lines if f"{self.ip}:" in line]

    def json(self, *args, code=0, **options):
        """The records between start and summary, which are checked here."""
        done = whoami(*args, "--json", **options)
        self.assertEqual(done.code, code, done)
        first, *between, last = records(done)
        self.assertEqual((first["type"], first["schema"]), ("start", 1))
        self.assertEqual(last["type"], "summary")
        self.last = last
        return between

    def port_of(self, sock):
        return sock.getsockname()[1]

    def as_nobody(self, host, *args):
        """The question on a host of a Lab, by a user who may look into nothing of ours."""
        need_root("needs root, to ask as another user")
        need_program("setpriv")
        program = binary("pier-whoami-port")
        probe = run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "test", "-x", program])
        if probe.code != 0:
            raise unittest.SkipTest("user nobody cannot reach the build folder")
        return run(host.command(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program,
                                 *map(str, args)]))
