"""pier-listen and pier-connect with the netcats people have: OpenBSD nc, ncat and socat, in both roles."""

import hashlib
import os
import pathlib
import threading

import harness
from harness import TestCase, need_ipv6, need_program, port_of, wait_until

SIZE = 4 << 20


class Interop:
    """The tests of one peer. A subclass gives its program and its command lines."""

    server_ends_at_eof = False  # as a server it hangs up when its client has ended, though it has more to say

    def setUp(self):
        self.peer_path = need_program(self.program)

    # Two running programs, ours and the peer, joined.
    def we_listen(self, transport):
        if transport == "unix":
            path = str(self.tmp() / "s")
            ours = self.listen(f"unix:{path}")
            return ours, self.spawn([self.peer_path, *self.unix_client(path)])
        host = "::1" if transport == "tcp6" else "127.0.0.1"
        udp = transport == "udp"
        ours = self.listen(*(["-u"] if udp else []), f"[{host}]:0" if ":" in host else f"{host}:0")
        return ours, self.spawn([self.peer_path, *self.client(host, str(ours.port), udp)])

    def we_connect(self, transport):
        if transport == "unix":
            path = str(self.tmp() / "s")
            theirs = self.spawn([self.peer_path, *self.unix_server(path)])
            wait_until(lambda: os.path.exists(path) and self.listens(path), f"{path} to listen")
            return self.connect(f"unix:{path}"), theirs
        host = "::1" if transport == "tcp6" else "127.0.0.1"
        udp = transport == "udp"
        theirs = self.spawn([self.peer_path, *self.server(host, udp)])
        port = port_of(theirs, {"tcp4": "tcp", "tcp6": "tcp6", "udp": "udp"}[transport])
        return self.connect(*(["-u"] if udp else []), host, port), theirs

    @staticmethod
    def listens(path):
        # Flag 0x10000 of /proc/net/unix: it accepts connections.
        return any(line.endswith(" " + path) and line.split()[3] == "00010000"
                   for line in pathlib.Path("/proc/net/unix").read_text().splitlines())

    def exchange(self, ours, theirs):
        """Both send at once; then the peer ends first, as all of them can."""
        data = {ours: harness.pattern(SIZE, 1), theirs: harness.pattern(SIZE, 2)}
        threads = [threading.Thread(target=p.write, args=(d,)) for p, d in data.items()]
        for thread in threads:
            thread.start()
        for program in (ours, theirs):
            program.wait_out_size(SIZE)
        for thread in threads:
            thread.join()
        theirs.close_stdin()
        ours.close_stdin()
        for program, other in ((ours, theirs), (theirs, ours)):
            done = program.wait()
            self.assertEqual(done.code, 0, done.err)
            self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(data[other]).digest())

    def check(self, join, transport):
        if transport == "tcp6":
            need_ipv6()
        self.exchange(*join(transport))

    def test_tcp4_we_listen(self):
        self.check(self.we_listen, "tcp4")

    def test_tcp4_we_connect(self):
        self.check(self.we_connect, "tcp4")

    def test_tcp6_we_listen(self):
        self.check(self.we_listen, "tcp6")

    def test_tcp6_we_connect(self):
        self.check(self.we_connect, "tcp6")

    def test_unix_we_listen(self):
        self.check(self.we_listen, "unix")

    def test_unix_we_connect(self):
        self.check(self.we_connect, "unix")

    # Half-close: a question to its end, then an answer.
    def half_close(self, first, second):
        question, answer = harness.pattern(SIZE, 3), harness.pattern(SIZE, 4)
        first.write(question)
        first.close_stdin()
        second.wait_out_size(SIZE)
        second.write(answer)
        second.close_stdin()
        for program, received in ((first, answer), (second, question)):
            done = program.wait()
            self.assertEqual(done.code, 0, done)
            self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(received).digest())

    def test_half_close_by_us_we_listen(self):
        self.half_close(*self.we_listen("tcp4"))

    def test_half_close_by_us_we_connect(self):
        ours, theirs = self.we_connect("tcp4")
        if not self.server_ends_at_eof:
            return self.half_close(ours, theirs)
        # What it had for us by then has arrived.
        theirs.write(b"early answer")
        ours.wait_out(b"early answer")
        ours.write(b"question")
        ours.close_stdin()
        self.assertEqual(theirs.wait()[:2], (0, b"question"))
        self.assertEqual(ours.wait()[:2], (0, b"early answer"))

    def their_half_close(self, ours, theirs):
        # Our stdin must not be idle when the peer ends, or we leave it (row 4): the answer is there already.
        question, answer = harness.pattern(SIZE, 5), harness.pattern(40_000, 6)
        theirs.write(question)
        ours.wait_out_size(SIZE)
        ours.write(answer)
        theirs.close_stdin()
        ours.close_stdin()
        for program, received in ((ours, question), (theirs, answer)):
            done = program.wait()
            self.assertEqual(done.code, 0, done)
            self.assertEqual(hashlib.sha256(done.out).digest(), hashlib.sha256(received).digest())

    def test_half_close_by_them_we_listen(self):
        self.their_half_close(*self.we_listen("tcp4"))

    def test_half_close_by_them_we_connect(self):
        self.their_half_close(*self.we_connect("tcp4"))

    # Datagrams: a few each way; the peers have no end of their own, and are ended.
    def datagrams(self, client, server):
        client.write(b"question")
        server.wait_out(b"question")
        for number in range(3):
            server.write(b"answer %d;" % number)
            client.wait_out(b"answer %d;" % number)
            client.write(b"more %d;" % number)
            server.wait_out(b"more %d;" % number)

    def test_udp_we_listen(self):
        ours, theirs = self.we_listen("udp")
        self.datagrams(theirs, ours)
        ours.close_stdin()
        self.assertEqual(ours.wait().code, 0)

    def test_udp_we_connect(self):
        ours, theirs = self.we_connect("udp")
        self.datagrams(ours, theirs)
        ours.close_stdin()
        self.assertEqual(ours.wait().code, 0)


class OpenbsdNc(Interop, TestCase):
    program = "nc.openbsd"
    server_ends_at_eof = True

    def client(self, host, port, udp):
        return ["-n", "-u", host, port] if udp else ["-n", "-N", host, port]

    def server(self, host, udp):
        return ["-n", "-u", "-l", host, "0"] if udp else ["-n", "-N", "-l", host, "0"]

    def unix_client(self, path):
        return ["-N", "-U", path]

    def unix_server(self, path):
        return ["-N", "-l", "-U", path]


class Ncat(Interop, TestCase):
    program = "ncat"
    server_ends_at_eof = True

    def client(self, host, port, udp):
        return [*(["-u"] if udp else []), host, port]

    def server(self, host, udp):
        return [*(["-u"] if udp else []), "-l", host, "0"]

    def unix_client(self, path):
        return ["-U", path]

    def unix_server(self, path):
        return ["-l", "-U", path]


class Socat(Interop, TestCase):
    program = "socat"

    @staticmethod
    def bracketed(host):
        return f"[{host}]" if ":" in host else host

    # -t: how long it waits for the other side after one has ended; its half a second would be a race.
    def client(self, host, port, udp):
        kind = "UDP" if udp else "TCP6" if ":" in host else "TCP4"
        return ["-t", "60", "-", f"{kind}:{self.bracketed(host)}:{port}"]

    def server(self, host, udp):
        kind = "UDP4" if udp else "TCP6" if ":" in host else "TCP4"
        return ["-t", "60", "-", f"{kind}-LISTEN:0,bind={self.bracketed(host)}"]

    def unix_client(self, path):
        return ["-t", "60", "-", f"UNIX-CONNECT:{path}"]

    def unix_server(self, path):
        return ["-t", "60", "-", f"UNIX-LISTEN:{path}"]
