"""Faults that were found once, each kept away by a test."""

import array
import contextlib
import fcntl
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import termios

from harness import DEVNULL, TestCase, binary, need_ipv6, recv_all, reset, run, wait_until


def descriptors(soft, hard=None):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))


def unused_port(family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as sock:
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock.getsockname()[1]


def waiting(pipe):
    """How many bytes are in a pipe, not yet read."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, count)
    return count[0]


def takes_signals_itself(pid):
    """Whether the process has a signalfd, and so no handler, and now waits for something."""
    folder = pathlib.Path(f"/proc/{pid}")
    links = [os.readlink(link) for link in (folder / "fd").iterdir()]
    waits = re.search(r"State:\s*S", (folder / "status").read_text())
    return waits and "anon_inode:[signalfd]" in links


class UnixDatagrams(TestCase):
    def bound(self, path):
        sock = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sock.settimeout(60)
        sock.bind(str(path))
        return sock

    def test_the_file_of_a_source_path_goes_with_the_client(self):
        folder = self.tmp()
        self.bound(folder / "server")
        done = run(["pier-connect", "--source", f"unix:{folder}/me", f"unix-dgram:{folder}/server",
                    "--reply-timeout", "1ms"], stdin=b"hi")
        self.assertEqual((done.code, sorted(os.listdir(folder))), (0, ["server"]), done)

    def test_waiting_with_a_source_path_tries_more_than_once(self):
        folder = self.tmp()
        client = self.connect("--wait", "60", "--source", f"unix:{folder}/me", f"unix-dgram:{folder}/server",
                              "--explain", "--reply-timeout", "1ms")
        client.wait_err(r"(?s)connect .*connect .*no such file")
        server = self.bound(folder / "server")
        client.write(b"hi")
        self.assertEqual(server.recvfrom(10), (b"hi", f"{folder}/me"))
        self.assertEqual(client.finish().code, 0)
        self.assertFalse((folder / "me").exists())

    def test_a_signal_removes_the_file_of_a_source_path(self):
        folder = self.tmp()
        self.bound(folder / "server")
        client = self.connect("--source", f"unix:{folder}/me", f"unix-dgram:{folder}/server")
        wait_until((folder / "me").exists)
        wait_until(lambda: len([f for f in client.fds().values() if f.startswith("socket:")]) == 1)
        client.signal(signal.SIGTERM)
        self.assertEqual(client.wait().code, 143)
        self.assertFalse((folder / "me").exists())

    def full_client(self, *options):
        """A server with more to send than its client's queue holds, that client, and how many bytes."""
        folder = self.tmp()
        server = self.listen(*options, f"unix-dgram:{folder}/server")
        client = self.bound(folder / "client")
        client.sendto(b"hello", str(folder / "server"))
        server.wait_out(b"hello")
        allowed = int(pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
        for number in range(allowed + 2):
            server.write(b"x")
            # One read of the input is one datagram: the next is written when this one has been taken.
            wait_until(lambda: number >= allowed or waiting(server.process.stdin) == 0)
        return server, client, allowed + 2

    def test_a_full_receiver_is_waited_for_without_spinning(self):
        for options in ([], ["-k"]):
            with self.subTest(options=options):
                server, client, total = self.full_client(*options)
                before = server.cpu_ticks()
                with contextlib.suppress(AssertionError):
                    wait_until(lambda: server.cpu_ticks() - before > 40, within=1.0)
                self.assertLessEqual(server.cpu_ticks() - before, 40)
                server.close_stdin()
                got = b""
                while len(got) < total:
                    got += client.recv(1 << 16)

    def test_a_client_that_has_gone_is_forgotten(self):
        folder = self.tmp()
        server = self.listen("-k", f"unix-dgram:{folder}/server", "--events", folder / "events")
        gone = self.bound(folder / "gone")
        gone.sendto(b"1", str(folder / "server"))
        server.wait_out(b"1")
        gone.close()
        stays = self.bound(folder / "stays")
        stays.sendto(b"2", str(folder / "server"))
        server.wait_out(b"12")
        server.write(b"news")
        self.assertEqual(stays.recv(10), b"news")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        records = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
        closed = [record["id"] for record in records if record["type"] == "closed"]
        self.assertEqual(closed, [1, 2])
        self.assertEqual((records[-1]["type"], records[-1]["bytes_in"], records[-1]["bytes_out"]),
                         ("summary", 2, 4))

    def test_a_client_without_a_name_is_told_of(self):
        folder = self.tmp()
        server = self.listen(f"unix-dgram:{folder}/server")
        nameless = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        nameless.sendto(b"hi", str(folder / "server"))
        server.wait_out(b"hi")
        server.write(b"answer")
        done = server.wait()
        self.assertEqual(done.code, 1)
        self.assertIn("has not bound its socket", done.err)


class ManyDatagramPeers(TestCase):
    def test_the_oldest_is_closed_where_there_are_too_many(self):
        folder = self.tmp()
        server = self.spawn(["pier-listen", "-k", "-u", "-4", "0", "-q", "--events", str(folder / "events"),
                             "--port-file", str(folder / "port")])
        wait_until((folder / "port").exists)
        port = int((folder / "port").read_text())
        sent, used = 0, set()
        while len(used) < 4097:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", port))
                used.add(sock.getsockname()[1])
                sock.send(b"x")
                sent += 1
            if sent % 32 == 0:
                server.wait_out_size(sent)
        server.wait_out_size(sent)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        records = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
        opened = sum(record["type"] == "connected" for record in records)
        closed = sum(record["type"] == "closed" for record in records)
        self.assertGreaterEqual(opened, 4097)
        self.assertEqual(closed, opened)
        self.assertEqual(records[-1]["bytes_in"], sent)


class SendOnly(TestCase):
    def test_a_server_with_nothing_to_send_closes_at_once(self):
        server = self.listen("--send-only", 0, stdin=DEVNULL)
        client = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_all(client), b"")
        self.assertEqual(server.wait().code, 0)

    def test_a_reset_after_the_peers_end_is_noticed(self):
        listener = self.enterContext(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = self.connect("--send-only", "--explain", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        peer.shutdown(socket.SHUT_WR)
        client.write(b"x" * 100_000)
        client.close_stdin()
        client.wait_err(r"^shutdown .*stdin ended")
        reset(peer)
        done = client.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("reset", done.err)


class Source(TestCase):
    def test_a_source_port_alone_fits_both_families(self):
        need_ipv6()
        listener = self.raw_listener(socket.AF_INET6)
        port = unused_port(socket.AF_INET6)
        client = self.connect("-p", port, "::1", listener.getsockname()[1])
        peer, where = listener.accept()
        peer.close()
        self.assertEqual(where[1], port)
        self.assertEqual(client.finish().code, 0)

    def test_a_unix_socket_has_no_source_port(self):
        self.assert_usage_error(run(["pier-connect", "-p", "5000", "unix:/nowhere"]), "5000")


class Descriptors(TestCase):
    def test_a_server_without_free_descriptors_says_so_once(self):
        server = self.listen("-k", 0, preexec=descriptors(16))
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(30)]
        server.wait_err("not accepting until a client has gone")
        for number, client in enumerate(clients):
            client.sendall(b"x")
            server.wait_out_size(number + 1)
            client.close()
        server.signal(signal.SIGTERM)
        done = server.wait()
        self.assertEqual((done.code, len(done.out)), (143, 30))
        self.assertEqual(done.err.count("not accepting"), 1, done.err)

    def test_more_endpoints_than_descriptors(self):
        listeners = [self.raw_listener() for _ in range(100)]
        endpoints = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
        for limits in (descriptors(32, 512), descriptors(32)):
            done = run(["pier-connect", "--check", *endpoints], preexec=limits)
            self.assertEqual(done.code, 0, done)
            self.assertEqual([line.split("\t")[5] for line in done.lines], ["open"] * 100)

    def test_a_command_has_the_limit_it_would_have_without_us(self):
        listener = self.raw_listener()
        done = run(["pier-connect", "--wait", "60", f"127.0.0.1:{listener.getsockname()[1]}", "--", "sh", "-c",
                    "ulimit -n"], preexec=descriptors(64, 512))
        self.assertEqual((done.code, done.out), (0, b"64\n"))


class Check(TestCase):
    def test_a_unix_datagram_socket_that_is_open(self):
        folder = self.tmp()
        server = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        server.bind(str(folder / "server"))
        done = run(["pier-connect", "--check", f"unix-dgram:{folder}/server"])
        self.assertEqual((done.code, done.text.split("\t")[5]), (0, "open"), done)

    def test_a_name_that_does_not_resolve_has_its_reason(self):
        done = run(["pier-connect", "--check", "no-such-host.invalid:80"])
        self.assertEqual(done.code, 1)
        self.assertEqual(done.text.split("\t")[5], "error")
        self.assertNotIn(done.text.split("\t")[6], ("", "-", "success"))

    def test_a_refused_udp_port_is_asked_again_until_it_is_up(self):
        port = unused_port(kind=socket.SOCK_DGRAM)
        client = self.connect("--check", "-u", "--wait", "60", "--explain", "127.0.0.1", port)
        client.wait_err(r"(?s)connect .*connect .*connect ")
        server = self.raw_listener(kind=socket.SOCK_DGRAM, address=("127.0.0.1", port))
        _, where = server.recvfrom(10)
        server.sendto(b"here", where)
        done = client.wait()
        self.assertEqual((done.code, done.text.split("\t")[5]), (0, "open"), done)

    def test_what_is_known_is_told_when_it_is_cut_short(self):
        known = self.raw_listener()
        silent = self.raw_listener(kind=socket.SOCK_DGRAM)
        words = ["--check", "--json", "--connect-timeout", "60", f"tcp://127.0.0.1:{known.getsockname()[1]}",
                 f"udp://127.0.0.1:{silent.getsockname()[1]}"]
        for options, code in (([], 143), (["--timeout", "50ms"], 124)):
            with self.subTest(code=code):
                client = self.connect(*options, *words)
                if not options:
                    silent.recv(10)  # by now both are asked
                    self.accept(known)
                    wait_until(lambda: len([f for f in client.fds().values() if f.startswith("socket:")]) == 1)
                    client.signal(signal.SIGTERM)
                done = client.wait()
                records = [json.loads(line) for line in done.lines]
                self.assertEqual(done.code, code, done)
                self.assertEqual((records[0]["type"], records[-1]["type"]), ("start", "summary"))
                self.assertEqual((records[-1]["complete"], records[-1]["exit"]), (False, code))
                if not options:
                    self.assertEqual([record["state"] for record in records[1:-1]], ["open"])

    def test_the_events_of_a_run_that_becomes_a_command_are_whole(self):
        listener = self.raw_listener()
        events = self.tmp() / "events"
        done = run(["pier-connect", "--wait", "60", "--events", events,
                    f"127.0.0.1:{listener.getsockname()[1]}", "--", "true"])
        self.assertEqual(done.code, 0, done)
        last = json.loads(events.read_text().splitlines()[-1])
        self.assertEqual((last["type"], last["complete"]), ("summary", True))

    def test_json_without_check_is_refused(self):
        self.assert_usage_error(run(["pier-connect", "--json", "127.0.0.1", "1"]), "--json", "--events")


class StalledStderr(TestCase):
    def test_sigterm_ends_a_program_whose_stderr_nobody_reads(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        program = subprocess.Popen([binary("pier-listen"), "0"], stdin=DEVNULL, stdout=DEVNULL, stderr=writer)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        os.close(writer)
        wait_until(lambda: takes_signals_itself(program.pid), "the program waiting, its signals taken by a loop")
        program.send_signal(signal.SIGTERM)
        self.assertIn(program.wait(60), (-signal.SIGTERM, 128 + signal.SIGTERM))


class Listening(TestCase):
    def test_what_does_not_fit_the_transport_of_an_endpoint_is_refused(self):
        folder = self.tmp()
        self.assert_usage_error(run(["pier-listen", "--public", f"unix:{folder}/s"]), "--public", f"{folder}/s")
        self.assert_usage_error(run(["pier-listen", "--max-accepts", "2", "udp://127.0.0.1:0"]), "--max-accepts")
        self.assert_usage_error(run(["pier-listen", "--backlog", "2", "udp://127.0.0.1:0"]), "--backlog")

    def test_a_port_file_that_is_a_pipe_is_written_to(self):
        fifo = self.tmp() / "fifo"
        os.mkfifo(fifo)
        reader = self.spawn(["cat", fifo])
        server = self.listen("--port-file", fifo, 0)
        self.assertEqual(reader.wait().text, f"{server.port}\n")
        self.assertTrue(fifo.is_fifo())

    def test_a_port_file_on_a_descriptor(self):
        readable, writable = os.pipe()
        try:
            server = self.listen("--port-file", f"/dev/fd/{writable}", 0, pass_fds=(writable,))
            self.assertEqual(os.read(readable, 100), b"%d\n" % server.port)
        finally:
            os.close(readable)
            os.close(writable)

    def test_a_port_file_that_is_a_link_stays_one(self):
        folder = self.tmp()
        (folder / "file").write_text("old")
        (folder / "link").symlink_to("file")
        server = self.listen("--port-file", folder / "link", 0)
        self.assertEqual((folder / "file").read_text(), f"{server.port}\n")
        self.assertTrue((folder / "link").is_symlink())
