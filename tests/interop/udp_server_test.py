"""pier-listen -u -k with the netcats people have, several at once on one socket."""

import socket

from harness import TestCase, need_program


class Peers(TestCase):
    def clients(self, program):
        path = need_program(program)
        words = {"nc.openbsd": ["-u"], "ncat": ["-u"]}.get(program)
        if words is None:
            return lambda port: [path, "-", f"UDP:127.0.0.1:{port}"]
        return lambda port: [path, *words, "127.0.0.1", str(port)]

    def ask(self, program, *words, answer="{}"):
        """Five of them at once, each with two questions: each must get its own answers."""
        command = self.clients(program)
        server = self.listen("-u", "-k", "127.0.0.1:0", *words)
        peers = [self.spawn(command(server.port)) for _ in range(5)]
        for turn in ("first", "second"):
            for number, peer in enumerate(peers):
                peer.write(f"{turn} of {number}\n".encode())
            for number, peer in enumerate(peers):
                peer.wait_out(answer.format(f"{turn} of {number}\n").encode())
        for number, peer in enumerate(peers):
            self.assertNotIn(f"of {(number + 1) % 5}".encode(), peer.out)

    def check(self, program):
        self.ask(program, "--echo")
        self.ask(program, "-c", 'while read line; do echo "got $line"; done', answer="got {}")
        target = self.listen("-u", "-k", "127.0.0.1:0", "--echo")
        self.ask(program, "--to", f"127.0.0.1:{target.port}")

    def test_nc(self):
        self.check("nc.openbsd")

    def test_ncat(self):
        self.check("ncat")

    def test_socat(self):
        self.check("socat")

    def test_socat_as_the_target(self):
        path = need_program("socat")
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        target = self.spawn([path, "-d", "-d", f"UDP-RECVFROM:{port},bind=127.0.0.1,fork", "EXEC:/bin/cat"])
        target.wait_err("receiving on")
        server = self.listen("-u", "-k", "127.0.0.1:0", "--to", f"127.0.0.1:{port}")
        for number in range(3):
            peer = self.raw_connect(("127.0.0.1", server.port), kind=socket.SOCK_DGRAM)
            peer.send(b"%d" % number)
            self.assertEqual(peer.recv(10), b"%d" % number)
