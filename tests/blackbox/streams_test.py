"""Streams, descriptors and terminals of listen and connect: large transfers, what is held open, what is said where."""

import fcntl
import hashlib
import os
import re
import resource
import select
import signal
import socket
import threading
import time

import harness
from harness import CLOSED, DEVNULL, PTY, TestCase, need_ipv6, recv_all, recv_exactly, run, wait_until

ESCAPE = "\x1b"


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Large(TestCase):
    """Our two programs with each other: tens of megabytes each way at the same time."""

    SIZE = 48 << 20

    def exchange(self, listen, connect, size=SIZE):
        folder = self.tmp()
        for seed, name in enumerate(("a", "b")):
            (folder / name).write_bytes(harness.pattern(1 << 20, seed) * (size >> 20))
        with open(folder / "a", "rb") as a, open(folder / "b_received", "wb") as b_received:
            server = self.listen(*listen(folder), stdin=a, stdout=b_received)
        with open(folder / "b", "rb") as b, open(folder / "a_received", "wb") as a_received:
            client = self.connect(*connect(folder, server.port), stdin=b, stdout=a_received)
        self.assertEqual((client.wait().code, server.wait().code), (0, 0))
        for name in ("a", "b"):
            self.assertEqual(digest(folder / name), digest(folder / f"{name}_received"))

    def test_tcp_over_ipv4(self):
        self.exchange(lambda _: ["127.0.0.1:0"], lambda _, port: ["127.0.0.1", port])

    def test_tcp_over_ipv6(self):
        need_ipv6()
        self.exchange(lambda _: ["[::1]:0"], lambda _, port: ["::1", port])

    def test_unix(self):
        self.exchange(lambda folder: [f"unix:{folder}/s"], lambda folder, _: [f"unix:{folder}/s"])

    def test_pipes_both_ways(self):
        data = harness.pattern(1 << 20) * 16
        server = self.listen("127.0.0.1:0")
        client = self.connect("127.0.0.1", server.port)
        threads = [threading.Thread(target=p.write, args=(data,)) for p in (server, client)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.close_stdin()
        client.close_stdin()
        expected = hashlib.sha256(data).digest()
        for program in (server, client):
            done = program.wait()
            self.assertEqual((done.code, hashlib.sha256(done.out).digest()), (0, expected), done.err)

    def test_many_small_writes_arrive_whole(self):
        server = self.listen("127.0.0.1:0", stdin=DEVNULL)
        client = self.connect("127.0.0.1", server.port)
        lines = b"".join(b"line %d\n" % n for n in range(20_000))
        for start in range(0, len(lines), 7):
            client.write(lines[start:start + 7])
        client.close_stdin()
        self.assertEqual(client.wait().code, 0)
        self.assertEqual(server.wait()[:2], (0, lines))

    def test_a_large_output_file_is_not_sparse_or_short(self):
        folder = self.tmp()
        with open(folder / "out", "wb") as out:
            server = self.listen("127.0.0.1:0", stdin=DEVNULL, stdout=out)
        done = run(["pier-connect", "127.0.0.1", server.port], stdin=b"\0" * (3 << 20))
        self.assertEqual((done.code, server.wait().code), (0, 0))
        self.assertEqual((folder / "out").read_bytes(), b"\0" * (3 << 20))

    def test_appending_to_a_file_keeps_what_was_there(self):
        path = self.tmp() / "log"
        path.write_bytes(b"old\n")
        with open(path, "ab") as log:
            server = self.listen("127.0.0.1:0", stdin=DEVNULL, stdout=log)
        self.assertEqual(run(["pier-connect", "127.0.0.1", server.port], stdin="new\n").code, 0)
        self.assertEqual(server.wait().code, 0)
        self.assertEqual(path.read_bytes(), b"old\nnew\n")


class Descriptors(TestCase):
    KINDS = re.compile(r"/dev/null|socket:|pipe:|anon_inode:\[(eventpoll|signalfd|timerfd|eventfd)\]|/dev/pts/\d+")

    def test_only_what_is_needed_is_open(self):
        server = self.listen("-k", "127.0.0.1:0")
        self.raw_connect(("127.0.0.1", server.port))
        server.wait_err("connected")
        fds = server.fds_at_rest()
        for fd, what in fds.items():
            self.assertRegex(what, self.KINDS, fds)
        self.assertEqual(sum(w.startswith("socket:") for w in fds.values()), 2, fds)
        self.assertEqual(len({w for w in fds.values() if w.startswith("pipe:")}), 3, fds)  # 0, 1 and 2
        self.assertLess(len(fds), 12, fds)

    def test_every_other_is_close_on_exec(self):
        server = self.listen("127.0.0.1:0")
        for fd, what in server.fds_at_rest().items():
            info = open(f"/proc/{server.pid}/fdinfo/{fd}", encoding="ascii").read()
            flags = int(re.search(r"flags:\s*(\d+)", info)[1], 8)
            self.assertEqual(bool(flags & os.O_CLOEXEC), fd > 2, (fd, what))

    def test_closed_standard_descriptors_are_no_sockets(self):
        server = self.spawn(["pier-listen", "--port-file", self.tmp() / "port", "127.0.0.1:0"], stdin=CLOSED,
                            stdout=CLOSED, stderr=CLOSED)
        wait_until(lambda: sum(w.startswith("socket:") for w in server.fds().values()) == 1, "its socket")
        self.assertEqual([server.fds()[fd] for fd in (0, 1, 2)], ["/dev/null"] * 3)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)

    def test_the_flags_of_what_others_share_are_left_alone(self):
        # O_NONBLOCK belongs to the open file, which the shell's next command uses too.
        reader, writer = os.pipe()
        server = self.listen("127.0.0.1:0", stdout=writer)
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(b"x")
        self.assertEqual(os.read(reader, 1), b"x")
        self.assertFalse(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK)
        client.close()
        self.assertEqual(server.wait().code, 0)
        self.assertFalse(fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK)
        os.close(reader)
        os.close(writer)

    def test_no_free_descriptor_is_told_and_outlived(self):
        server = self.listen("-k", "127.0.0.1:0", stdin=DEVNULL,
                             preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(20)]
        server.wait_err("(?i)too many open files|descriptor")
        self.assertTrue(server.running())
        for client in clients:
            client.sendall(b"x")
            client.close()
        server.wait_out_size(20)


class Idle(TestCase):
    """Nothing spins: while this test itself burns time, the program uses next to none."""

    def assert_idle(self, program):
        start, mine = program.cpu_ticks(), time.process_time()
        while time.process_time() - mine < 0.6:  # our own work, not a length of waiting
            for _ in range(10_000):
                pass
        self.assertTrue(program.running(), program.describe())
        self.assertLess(program.cpu_ticks() - start, 8, "clock ticks while nothing happens")

    def pair(self, *args, **options):
        listener = self.raw_listener()
        program = self.connect(*args, "127.0.0.1", listener.getsockname()[1], **options)
        return program, self.accept(listener)

    def test_waiting_for_a_client(self):
        self.assert_idle(self.listen("0"))

    def test_a_quiet_connection(self):
        program, peer = self.pair()
        peer.sendall(b"x")
        program.wait_out(b"x")
        self.assert_idle(program)

    def test_after_our_end(self):
        program, peer = self.pair(stdin=DEVNULL)
        self.assertEqual(recv_all(peer), b"")
        self.assert_idle(program)

    def test_after_the_peers_end_with_keep_stdin(self):
        program, peer = self.pair("--keep-stdin")
        peer.sendall(b"x")
        peer.shutdown(socket.SHUT_WR)
        program.wait_out(b"x")
        self.assert_idle(program)

    def test_after_the_peer_has_gone_with_keep_stdin(self):
        program, peer = self.pair("--keep-stdin")
        peer.sendall(b"x")
        peer.close()
        program.wait_out(b"x")
        self.assert_idle(program)

    def test_after_the_end_of_stdin_without_half_close(self):
        program, peer = self.pair("--no-half-close", stdin=DEVNULL)
        peer.sendall(b"x")
        program.wait_out(b"x")
        self.assert_idle(program)

    def test_output_that_nobody_reads(self):
        reader, writer = os.pipe()
        program, peer = self.pair(stdout=writer)
        os.close(writer)
        peer.settimeout(0.3)
        try:
            while True:
                peer.send(b"x" * 65536)
        except TimeoutError:
            pass
        self.assert_idle(program)
        os.close(reader)

    def test_a_peer_that_does_not_read(self):
        program, _ = self.pair(stdin=open("/dev/zero", "rb"))
        before = None

        def settled():
            nonlocal before
            select.select([], [], [], 0.05)
            now = program.cpu_ticks()
            same, before = now == before, now
            return same

        wait_until(settled, "the socket to be full")
        self.assert_idle(program)

    def test_a_server_without_clients_after_the_end_of_stdin(self):
        server = self.listen("-k", "127.0.0.1:0")
        server.close_stdin()
        with self.raw_connect(("127.0.0.1", server.port)) as client:
            client.sendall(b"x")
            server.wait_out(b"x")
        server.wait_err("closed first")
        self.assert_idle(server)

    def test_a_client_of_many_that_half_closed(self):
        server = self.listen("-k", "--recv-only", "127.0.0.1:0")
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(b"x")
        server.wait_out(b"x")
        self.assert_idle(server)

    def test_udp(self):
        server = self.listen("-u", "127.0.0.1:0")
        client = self.raw_connect(("127.0.0.1", server.port), kind=socket.SOCK_DGRAM)
        client.send(b"x")
        server.wait_out(b"x")
        self.assert_idle(server)

    def test_send_only_waiting_for_stdin(self):
        program, peer = self.pair("--send-only")
        peer.sendall(b"never read")
        program.write(b"x")
        self.assertEqual(recv_exactly(peer, 1), b"x")
        self.assert_idle(program)

    def test_send_only_after_the_peers_end(self):
        program, peer = self.pair("--send-only")
        peer.shutdown(socket.SHUT_WR)
        program.write(b"x")
        self.assertEqual(recv_exactly(peer, 1), b"x")
        self.assert_idle(program)


class Terminal(TestCase):
    def test_a_hint_on_a_terminal_and_none_in_a_pipe(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        program = self.connect("127.0.0.1", port, stdin=PTY, stdout=PTY, stderr=PTY)
        peer = self.accept(listener)
        program.wait_err(rf"connected to 127\.0\.0\.1:{port}")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        program = self.connect("127.0.0.1", port, stdin=PTY, stdout=PTY)
        self.accept(listener).close()
        self.assertEqual(program.wait().err, "")

    def test_bytes_of_the_peer_reach_a_terminal_unchanged(self):
        listener = self.raw_listener()
        program = self.connect("127.0.0.1", listener.getsockname()[1], stdin=PTY, stdout=PTY)
        peer = self.accept(listener)
        peer.sendall(b"\x1b[31mred\x1b[0m")
        program.wait_out(re.escape(b"\x1b[31mred\x1b[0m"))

    def check_row(self, *args, **options):
        with self.raw_listener() as listener:
            return run(["pier-connect", "--check", *args, "127.0.0.1", listener.getsockname()[1]], stdin=DEVNULL,
                       **options)

    def test_rows_are_aligned_on_a_terminal_and_tabbed_in_a_pipe(self):
        self.assertEqual(self.check_row().text.count("\t"), 7)
        self.assertNotIn("\t", self.check_row(stdout=PTY).text)

    def test_no_colour_when_piped_or_unwanted(self):
        for args, options in (([], {}), ([], {"stdout": PTY, "stderr": PTY, "env": {"NO_COLOR": "1"}}),
                              ([], {"stdout": PTY, "stderr": PTY, "env": {"TERM": "dumb"}}),
                              (["--color", "never"], {"stdout": PTY, "stderr": PTY})):
            with self.subTest(args=args, options=options):
                done = self.check_row(*args, **options)
                self.assertNotIn(ESCAPE, done.text + done.err)

    def test_stderr_of_a_server_has_no_escapes_in_a_pipe(self):
        server = self.listen("--explain", "127.0.0.1:0")
        server.signal(signal.SIGTERM)
        self.assertNotIn(ESCAPE, server.wait().err)


class ClosedPipes(TestCase):
    """Text for a reader that has gone, or a disk that is full."""

    def test_help_into_a_closed_pipe_is_141_in_silence(self):
        for program in ("pier-listen", "pier-connect"):
            reader, writer = os.pipe()
            os.close(reader)
            with self.subTest(program=program):
                done = run([program, "--help"], stdout=writer)
                self.assertEqual(done, (141, b"", ""))
            os.close(writer)

    def test_help_on_a_full_disk_is_2_in_one_line(self):
        for program in ("pier-listen", "pier-connect"):
            with self.subTest(program=program), open("/dev/full", "wb") as full:
                done = run([program, "--help"], stdout=full)
                self.assertEqual(done.code, 2)
                self.assertRegex(done.err, rf"\A{program}: write standard output: no space left on device\n\Z")

    def test_rows_into_a_closed_pipe(self):
        listener = self.raw_listener()
        reader, writer = os.pipe()
        os.close(reader)
        done = run(["pier-connect", "--check", "127.0.0.1", listener.getsockname()[1]], stdout=writer)
        os.close(writer)
        self.assertEqual((done.code, done.err), (141, ""))

    def test_a_stderr_that_has_gone_ends_nothing(self):
        reader, writer = os.pipe()
        port_file = self.tmp() / "port"
        os.close(reader)
        server = self.spawn(["pier-listen", "-v", "--port-file", port_file, "127.0.0.1:0"], stderr=writer)
        os.close(writer)
        wait_until(port_file.exists, "the port file")
        with self.raw_connect(("127.0.0.1", int(port_file.read_text()))) as client:
            client.sendall(b"x")
        self.assertEqual(server.wait()[:2], (0, b"x"))

    def test_help_and_version_go_to_stdout(self):
        for program in ("pier-listen", "pier-connect"):
            for option in ("-h", "--help"):
                done = run([program, option])
                self.assertEqual((done.code, done.err), (0, ""))
                self.assertLess(done.text.index(f"{program} "), done.text.index("--udp"))  # examples lead
                self.assertNotIn(ESCAPE, done.text)
            done = run([program, "--version"])
            self.assertEqual((done.code, done.err), (0, ""))
            self.assertRegex(done.text, rf"\A{program} \d+\.\d+\.\d+\n")
