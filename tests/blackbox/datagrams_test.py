"""pier-connect -u: questions and replies, how many, from whom, how large."""

import json
import select
import socket

import harness
from harness import TestCase, need_ipv6, run


class Udp(TestCase):
    def server(self, family=socket.AF_INET):
        server = self.raw_listener(family, socket.SOCK_DGRAM)
        return server, server.getsockname()[1]

    def start(self, *words, **options):
        return self.connect("-u", *words, **options)


class Replies(Udp):
    def test_it_ends_with_the_last_reply_asked_for(self):
        server, port = self.server()
        program = self.start("--replies", 2, "--reply-timeout", "60s", f"127.0.0.1:{port}")
        program.write(b"ping")
        _, client = server.recvfrom(10)
        for reply in (b"one", b"two", b"three"):
            server.sendto(reply, client)
        done = program.wait()  # though its stdin is still open
        self.assertEqual((done.code, done.out), (0, b"onetwo"), done)

    def test_fewer_are_124(self):
        server, port = self.server()
        program = self.start("--replies", 2, "--reply-timeout", "100ms", f"127.0.0.1:{port}")
        program.write(b"ping")
        program.close_stdin()
        server.sendto(b"one", server.recvfrom(10)[1])
        done = program.wait()
        self.assertEqual((done.code, done.out), (124, b"one"), done)
        self.assertEqual(done.err, f"pier-connect: recv 127.0.0.1:{port}: 1 of 2 replies came, and no more within 0.10 s\n")

    def test_none_is_124_too(self):
        _, port = self.server()
        done = run(["pier-connect", "-u", "--replies", 1, "--reply-timeout", "50ms", "127.0.0.1", port], stdin="x")
        self.assertEqual((done.code, done.out), (124, b""), done)

    def test_unix_datagrams(self):
        path = self.tmp() / "s"
        server = self.raw_listener(socket.AF_UNIX, socket.SOCK_DGRAM, str(path))
        program = self.connect("--replies", 1, "--reply-timeout", "60s", f"unix-dgram:{path}")
        program.write(b"ping")
        server.sendto(b"pong", server.recvfrom(10)[1])
        self.assertEqual(program.wait()[:2], (0, b"pong"))

    def test_refused_is_1(self):
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        done = run(["pier-connect", "-u", "--replies", 1, "127.0.0.1", port], stdin="x")
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertIn("refused", done.err)

    def test_events_name_the_sender(self):
        server, port = self.server()
        path = self.tmp() / "events"
        program = self.start("--replies", 1, "--events", path, f"127.0.0.1:{port}")
        program.write(b"ping")
        server.sendto(b"pong!", server.recvfrom(10)[1])
        self.assertEqual(program.wait().code, 0)
        record = next(r for r in map(json.loads, path.read_text().splitlines()) if r["type"] == "datagram")
        self.assertEqual((record["remote_addr"], record["remote_port"], record["bytes"]), ("127.0.0.1", port, 5))

    def test_options_that_are_for_datagrams(self):
        for words in (["--replies", "1"], ["--max-datagram", "100"]):
            self.assert_usage_error(run(["pier-connect", *words, "127.0.0.1:9"]), words[0], "-u")
            self.assert_usage_error(run(["pier-connect", "--check", "-u", *words, "127.0.0.1:9"]), words[0])
        self.assert_usage_error(run(["pier-connect", "-u", "--max-datagram", "64k", "127.0.0.1:9"]), "65507")
        self.assert_usage_error(run(["pier-connect", "-u", "--max-datagram", "0", "127.0.0.1:9"]), "65507")
        self.assert_usage_error(run(["pier-connect", "-u", "--replies", "0", "127.0.0.1:9"]), "--replies")
        self.assert_usage_error(run(["pier-connect", "-u", "--ttl", "256", "127.0.0.1:9"]), "--ttl")


class Size(Udp):
    def sizes(self, server, total):
        sizes = []
        while sum(sizes) < total:
            sizes.append(len(server.recvfrom(1 << 16)[0]))
        return sizes

    def test_a_file_is_cut_into_datagrams_of_that_size(self):
        server, port = self.server()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        path = self.tmp() / "in"
        path.write_bytes(harness.pattern(3000))
        with path.open("rb") as file:
            program = self.start("--max-datagram", 1000, "--reply-timeout", "1ms", f"127.0.0.1:{port}", stdin=file)
            self.assertEqual(self.sizes(server, 3000), [1000] * 3)
            self.assertEqual(program.wait().code, 0)

    def test_the_largest_there_is(self):
        server, port = self.server()
        path = self.tmp() / "in"
        path.write_bytes(harness.pattern(65507))
        with path.open("rb") as file:
            program = self.start("--max-datagram", 65507, "--reply-timeout", "1ms", f"127.0.0.1:{port}", stdin=file)
            self.assertEqual(self.sizes(server, 65507), [65507])
            self.assertEqual(program.wait().code, 0)

    def test_each_write_is_a_datagram_and_empty_ones_count_as_replies(self):
        server, port = self.server()
        program = self.start("--replies", 2, f"127.0.0.1:{port}")
        for text in (b"a", b"bc"):
            program.write(text)
            data, client = server.recvfrom(10)
            self.assertEqual(data, text)
        server.sendto(b"", client)
        server.sendto(b"x", client)
        self.assertEqual(program.wait()[:2], (0, b"x"))


class Waiting(Udp):
    def test_the_first_datagram_is_sent_until_somebody_is_there(self):
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        path = self.tmp() / "dump"
        program = self.start("--wait", "60s", "--replies", 1, "--hex-dump", path, f"127.0.0.1:{port}")
        program.write(b"question")
        harness.wait_until(lambda: path.exists() and path.read_text().count("question") >= 2, "a second try")
        server = self.raw_listener(kind=socket.SOCK_DGRAM, address=("127.0.0.1", port))
        data, client = server.recvfrom(100)
        self.assertEqual(data, b"question")
        server.sendto(b"answer", client)
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"answer"), done)

    def test_a_silent_server_gets_it_once_and_the_rest_after_it(self):
        server, port = self.server()
        program = self.start("--wait", "60s", "--reply-timeout", "10ms", f"127.0.0.1:{port}")
        program.write(b"one")
        self.assertEqual(server.recvfrom(10)[0], b"one")
        program.write(b"two")
        self.assertEqual(server.recvfrom(10)[0], b"two")
        program.close_stdin()
        self.assertEqual(program.wait().code, 0)
        self.assertEqual(select.select([server], [], [], 0)[0], [])

    def test_nobody_in_time_is_124(self):
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        done = run(["pier-connect", "-u", "--wait", "200ms", "127.0.0.1", port], stdin="x")
        self.assertEqual((done.code, done.out), (124, b""), done)
        self.assertRegex(done.err, r"not up in time: connection refused")


class Ipv6(Udp):
    def test_ipv6(self):
        need_ipv6()
        server, port = self.server(socket.AF_INET6)
        program = self.start("--replies", 1, "--ttl", 5, "--explain", f"[::1]:{port}")
        program.write(b"ping")
        server.sendto(b"pong", server.recvfrom(10)[1])
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"pong"), done)
        self.assertRegex(done.err, r"(?m)^setsockopt +IPV6_UNICAST_HOPS 5")
