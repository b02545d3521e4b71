"""pier-connect: reaching a server, checking, waiting, and what it says."""

import json
import os
import re
import signal
import socket

import harness
from harness import DEVNULL, Lab, TestCase, need_ipv6, recv_all, recv_exactly, run, wait_until


class Reaching(TestCase):
    """Each way to write an endpoint reaches the same server."""

    def greeted(self, *words, listener=None):
        listener = listener or self.listener
        program = self.connect(*words, stdin=DEVNULL)
        peer = self.accept(listener)
        peer.sendall(b"hello")
        peer.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"hello"), (words, done))

    def test_every_form_of_endpoint(self):
        self.listener = self.raw_listener()
        port = self.listener.getsockname()[1]
        for words in (["127.0.0.1", port], [f"127.0.0.1:{port}"], [f"tcp://127.0.0.1:{port}"], ["localhost", port],
                      [port], [f"tcp://127.0.0.1:{port}/path"], ["-4", "localhost", port],
                      ["127.0.0.1", port, "-4"]):
            with self.subTest(words=words):
                self.greeted(*words)

    def test_every_form_of_ipv6_endpoint(self):
        need_ipv6()
        self.listener = self.raw_listener(socket.AF_INET6)
        port = self.listener.getsockname()[1]
        for words in (["::1", port], [f"[::1]:{port}"], [f"tcp://[::1]:{port}"]):
            with self.subTest(words=words):
                self.greeted(*words)

    def test_unix_paths_and_names(self):
        path = self.tmp() / "s"
        listener = self.raw_listener(socket.AF_UNIX, address=str(path))
        for words in ([f"unix:{path}"], ["-U", path], ["--unix", path], [f"unix://{path}"]):
            with self.subTest(words=words):
                self.greeted(*words, listener=listener)
        name = f"pier-test-{os.getpid()}"
        self.greeted(f"unix:@{name}", listener=self.raw_listener(socket.AF_UNIX, address="\0" + name))

    def test_unix_datagrams_can_be_answered(self):
        path = self.tmp() / "s"
        server = self.raw_listener(socket.AF_UNIX, socket.SOCK_DGRAM, str(path))
        for words in ([f"unix-dgram:{path}"], ["-u", "-U", path],
                      ["--source", f"unix:{path.parent / 'c'}", f"unix-dgram:{path}"]):
            with self.subTest(words=words):
                program = self.connect("--reply-timeout", "300ms", *words)
                program.write(b"ping")
                data, client = server.recvfrom(100)
                self.assertEqual(data, b"ping")
                program.close_stdin()
                server.sendto(b"pong", client)
                self.assertEqual(program.wait()[:2], (0, b"pong"))

    def test_udp(self):
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        port = server.getsockname()[1]
        for words in (["-u", "127.0.0.1", port], [f"udp://127.0.0.1:{port}"]):
            with self.subTest(words=words):
                program = self.connect("--reply-timeout", "300ms", *words)
                program.write(b"ping")
                data, client = server.recvfrom(100)
                program.close_stdin()
                server.sendto(data[::-1], client)
                self.assertEqual(program.wait()[:2], (0, b"gnip"))

    def test_source_address_and_port(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        with socket.socket() as held:  # a number that is free once we let it go
            held.bind(("127.0.0.9", 0))
            free = held.getsockname()[1]
        for words, expected in ((["--source", "127.0.0.7"], ("127.0.0.7", None)),
                                (["--source", f"127.0.0.9:{free}"], ("127.0.0.9", free))):
            with self.subTest(words=words):
                program = self.connect(*words, "127.0.0.1", port, stdin=DEVNULL)
                peer = self.accept(listener)
                address, source_port = peer.getpeername()
                self.assertEqual((address, expected[1] and source_port), expected)
                harness.reset(peer)  # leaves no TIME-WAIT on the port
                program.wait()

    def test_source_port_alone(self):
        listener = self.raw_listener()
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            free = held.getsockname()[1]
        for words in (["--source-port", free], ["-p", free]):
            program = self.connect(*words, "127.0.0.1", listener.getsockname()[1], stdin=DEVNULL)
            peer = self.accept(listener)
            self.assertEqual(peer.getpeername(), ("127.0.0.1", free))
            harness.reset(peer)
            program.wait()

    def test_crlf_and_summary(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        program = self.connect("--crlf", "--summary", "127.0.0.1", port)
        peer = self.accept(listener)
        program.write(b"GET / HTTP/1.0\n\r\n")
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"GET / HTTP/1.0\r\n\r\n")
        peer.sendall(b"200")
        peer.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"200"), done)
        self.assertRegex(done.err, rf"\A127\.0\.0\.1:{port}: 3 B in, 18 B out, \d+\.\d+ s, closed first: us\n\Z")

    def test_nothing_on_stderr_by_default(self):
        self.listener = self.raw_listener()
        program = self.connect("127.0.0.1", self.listener.getsockname()[1], stdin=DEVNULL)
        self.accept(self.listener).close()
        self.assertEqual(program.wait(), (0, b"", ""))


class NotReached(TestCase):
    def free_port(self):
        """A port that refuses: bound, but not listening."""
        sock = self.enterContext(socket.socket())
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]

    def test_refused_is_exit_1(self):
        port = self.free_port()
        self.assertEqual(run(["pier-connect", "127.0.0.1", port]),
                         (1, b"", f"pier-connect: connect 127.0.0.1:{port}: connection refused\n"))

    def test_refused_by_name(self):
        done = run(["pier-connect", "localhost", self.free_port()])
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"\Apier-connect: connect localhost:\d+: [^\n]*refused[^\n]*\n\Z")

    def test_a_unix_socket_that_is_not_there(self):
        done = run(["pier-connect", f"unix:{self.tmp() / 'none'}"])
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"\Apier-connect: connect [^\n]*/none: no such file or directory[^\n]*\n\Z")

    def test_a_name_that_does_not_resolve_is_exit_1(self):
        done = run(["pier-connect", "name.invalid", "80"])
        self.assertEqual((done.code, done.out), (1, b""), done)
        self.assertRegex(done.err, r"\Apier-connect: [^\n]*name\.invalid[^\n]*\n\Z")

    def test_a_source_that_is_not_ours_is_exit_2(self):
        done = run(["pier-connect", "--source", "192.0.2.1", "127.0.0.1", self.free_port()])
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.err, r"\Apier-connect: [^\n]*192\.0\.2\.1[^\n]*\n\Z")


class Check(TestCase):
    """--check: a row of eight columns for each endpoint."""

    ROW = r"\A%s\t%s\t%s\t%d\t%s\t%s\t%s\t\d+\.\d+ (µs|us|ms|s)\n\Z"

    def row(self, proto, host, addr, port, service, state, reason):
        return self.ROW % (proto, re.escape(host), re.escape(addr), port, service, state, reason)

    def free_port(self):
        sock = self.enterContext(socket.socket())
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]

    def test_open(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        done = run(["pier-connect", "--check", "127.0.0.1", port], stdin="never sent")
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertRegex(done.text, self.row("tcp", "127.0.0.1", "127.0.0.1", port, r"\S+", "open", "syn-ack"))
        self.assertEqual(self.accept(listener).recv(10), b"")

    def test_host_stands_as_typed(self):
        port = self.raw_listener().getsockname()[1]
        done = run(["pier-connect", "--check", f"localhost:{port}"])
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.text, self.row("tcp", "localhost", "127.0.0.1", port, r"\S+", "open", "syn-ack"))

    def test_closed(self):
        port = self.free_port()
        done = run(["pier-connect", "--check", "127.0.0.1", port])
        self.assertEqual((done.code, done.err), (1, ""), done)
        self.assertEqual(done.text.split("\t")[5:6], ["closed"])
        self.assertRegex(done.text, self.row("tcp", "127.0.0.1", "127.0.0.1", port, r"\S+", "closed", "refused"))

    def test_several_and_the_worst_counts(self):
        up, down = self.raw_listener().getsockname()[1], self.free_port()
        done = run(["pier-connect", "--check", f"127.0.0.1:{up}", f"localhost:{down}", "127.0.0.1", up])
        self.assertEqual(done.code, 1, done)
        rows = [line.split("\t") for line in done.lines]
        self.assertEqual([(r[1], r[3], r[5]) for r in rows],
                         [("127.0.0.1", str(up), "open"), ("localhost", str(down), "closed"),
                          ("127.0.0.1", str(up), "open")])
        self.assertEqual({len(r) for r in rows}, {8})

    def test_json(self):
        port = self.raw_listener().getsockname()[1]
        done = run(["pier-connect", "--check", "--json", f"127.0.0.1:{port}"])
        self.assertEqual(done.code, 0, done)
        records = [json.loads(line) for line in done.lines]
        self.assertEqual((records[0]["type"], records[0]["schema"]), ("start", 1))
        self.assertEqual((records[-1]["type"], records[-1]["complete"]), ("summary", True))
        self.assertEqual([(r["port"], r["state"]) for r in records[1:-1]], [(port, "open")])

    def test_wait_until_it_is_up(self):
        held = self.enterContext(socket.socket())
        held.bind(("127.0.0.1", 0))
        program = self.connect("--check", "--wait", "60s", "--explain", "127.0.0.1", held.getsockname()[1])
        program.wait_err(r"^connect\b.*refused")
        held.listen()
        done = program.wait()
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.text.split("\t")[5], "open")

    def test_wait_has_an_end(self):
        done = run(["pier-connect", "--check", "--wait", "200ms", "127.0.0.1", self.free_port()])
        self.assertEqual(done.code, 124, done)

    def test_wait_then_talk(self):
        held = self.enterContext(socket.socket())
        held.settimeout(harness.SAFETY)
        held.bind(("127.0.0.1", 0))
        program = self.connect("--wait", "60s", "--explain", "127.0.0.1", held.getsockname()[1])
        program.wait_err(r"^connect\b.*refused")
        held.listen()
        peer = self.accept(held)
        program.write(b"hello")
        self.assertEqual(recv_exactly(peer, 5), b"hello")
        peer.close()
        self.assertEqual(program.wait().code, 0)

    def test_wait_without_check_that_ends_is_124(self):
        done = run(["pier-connect", "--wait", "200ms", "127.0.0.1", self.free_port()])
        self.assertEqual((done.code, done.out), (124, b""), done)
        self.assertRegex(done.err, r"(?m)^pier-connect: connect .*not up within ")

    def test_a_command_runs_once_all_is_up(self):
        port = self.raw_listener().getsockname()[1]
        done = run(["pier-connect", "--wait", "60s", f"127.0.0.1:{port}", "--", "sh", "-c", "echo ran; cat; exit 7"],
                   stdin="its stdin")
        self.assertEqual(done, (7, b"ran\nits stdin", ""))
        done = run(["pier-connect", "--wait", "100ms", f"127.0.0.1:{self.free_port()}", "--", "echo", "ran"])
        self.assertEqual((done.code, done.out), (124, b""), done)

    def test_a_command_inherits_standard_descriptors_only(self):
        port = self.raw_listener().getsockname()[1]
        look = ("import os; fds = map(int, os.listdir('/proc/self/fd'));"
                "print([fd for fd in fds if os.path.exists(f'/proc/self/fd/{fd}')])")
        done = run(["pier-connect", "--wait", "60s", f"127.0.0.1:{port}", "--", "python3", "-c", look])
        self.assertEqual(done.text, "[0, 1, 2]\n", done)

    def test_a_command_has_signals_as_usual(self):
        port = self.raw_listener().getsockname()[1]
        look = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
        plain = run(["sh", "-c", look]).text
        done = run(["pier-connect", "--wait", "60s", f"127.0.0.1:{port}", "--", "sh", "-c", look])
        self.assertEqual(done.text, plain, done)

    def test_a_command_that_is_not_there(self):
        port = self.raw_listener().getsockname()[1]
        words = ["pier-connect", "--wait", "60s", f"127.0.0.1:{port}", "--"]
        self.assertEqual(run([*words, "no-such-program-here"]).code, 127)
        path = self.tmp() / "plain"
        path.write_text("no program")
        self.assertEqual(run([*words, str(path)]).code, 126)

    def test_a_signal_ends_the_waiting(self):
        program = self.connect("--wait", "60s", "--explain", "127.0.0.1", self.free_port())
        program.wait_err(r"^connect\b.*refused")
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait().code, 130)


class Telling(TestCase):
    def talk(self, *args, **options):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        program = self.connect(*args, "127.0.0.1", port, **options)
        peer = self.accept(listener)
        program.write(b"question")
        self.assertEqual(recv_exactly(peer, 8), b"question")
        peer.sendall(b"ok")
        peer.close()
        return port, peer, program.wait()

    def test_events(self):
        path = self.tmp() / "events"
        port, _, done = self.talk("--events", path)
        self.assertEqual((done.code, done.out, done.err), (0, b"ok", ""))
        records = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual((records[0]["type"], records[0]["schema"]), ("start", 1))
        self.assertEqual((records[-1]["type"], records[-1]["complete"]), ("summary", True))
        connected, closed = [next(r for r in records if r["type"] == t) for t in ("connected", "closed")]
        self.assertEqual((connected["remote_addr"], connected["remote_port"], connected["role"]),
                         ("127.0.0.1", port, "server"))
        self.assertEqual((closed["bytes_in"], closed["bytes_out"], closed["closed_first"]), (2, 8, "peer"))

    def test_explain_names_the_ephemeral_port_and_the_roles(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        program = self.connect("--explain", "127.0.0.1", port, stdin=DEVNULL)
        peer = self.accept(listener)
        self.assertEqual(recv_all(peer), b"")  # our half-close comes first
        peer.sendall(b"x")
        mine = peer.getpeername()[1]
        peer.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"x"))
        order = ["socket", "connect", "roles", "shutdown", "close"]
        self.assertRegex(done.err, r"(?s)" + r".*".join(rf"(?:\A|\n){call}\b" for call in order))
        connect = re.search(r"(?m)^connect\b.*$", done.err)[0]
        self.assertIn(f"127.0.0.1:{port}", connect)
        self.assertRegex(connect, rf"\b{mine}\b")
        self.assertRegex(done.err, r"(?m)^roles\b.*\bclient\b.*\bserver\b")

    def test_explain_says_what_udp_has_instead(self):
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        done = run(["pier-connect", "-u", "--explain", "--reply-timeout", "50ms", "127.0.0.1", server.getsockname()[1]])
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.err, r"(?mi)^connect\b.*(no connection|nothing is sent|only)")

    def test_verbose_and_quiet(self):
        _, _, done = self.talk("-v")
        self.assertRegex(done.err, r"(?m)connected \(server, ")
        _, _, done = self.talk("-q", "--summary")
        self.assertEqual(done.err, "")
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            done = run(["pier-connect", "-q", "127.0.0.1", held.getsockname()[1]])
        self.assertRegex(done.err, r"\Apier-connect: connect [^\n]*refused\n\Z")  # errors are told all the same


class Racing(TestCase):
    """localhost with both its addresses, as /etc/hosts should have it: on a host of a lab it has."""

    def setUp(self):
        self.lab = self.enterContext(Lab())
        self.lab.a.hosts("127.0.0.1 localhost\n::1 localhost\n")

    def connect(self, *words, **options):
        return self.spawn(self.lab.a.command(["pier-connect", *words]), **options)

    def serve(self, family):
        listener = self.enterContext(self.lab.a.socket(family))
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 9000))
        listener.listen()
        return listener

    def test_a_name_is_reached_over_the_family_that_answers(self):
        for family in (socket.AF_INET, socket.AF_INET6):
            for words in (["localhost", 9000], ["9000"], ["localhost:9000"]):
                with self.subTest(family=family, words=words), self.serve(family) as listener:
                    program = self.connect(*words, stdin=DEVNULL)
                    harness.reset(self.accept(listener))  # leaves no TIME-WAIT on the port
                    self.assertEqual(program.wait().code, 1)

    def test_each_address_is_told_when_none_answers(self):
        done = run(self.lab.a.command(["pier-connect", "localhost", 9000]))
        self.assertEqual(done.code, 1, done)
        for address in ("127.0.0.1", "::1"):
            self.assertRegex(done.err, r"\Apier-connect: connect localhost:9000: [^\n]*"
                                       rf"{address}[^\n]*refused[^\n]*\n\Z")

    def test_a_family_alone(self):
        four, six = self.serve(socket.AF_INET), self.serve(socket.AF_INET6)
        for option, listener in (("-4", four), ("-6", six)):
            with self.subTest(option=option):
                program = self.connect(option, "localhost", 9000, stdin=DEVNULL)
                self.accept(listener).close()
                self.assertEqual(program.wait().code, 0)

    def test_the_losers_are_closed(self):
        listener = self.serve(socket.AF_INET)
        program = self.connect("localhost", 9000)
        peer = self.accept(listener)
        program.write(b"x")
        self.assertEqual(recv_exactly(peer, 1), b"x")
        wait_until(lambda: sum(t.startswith("socket:") for t in program.fds().values()) == 1, "one socket left")
        peer.close()
        program.wait()
