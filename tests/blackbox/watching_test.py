"""--limit-rate and --hex-dump: bytes held back, and bytes seen."""

import re
import socket
import subprocess
import time

from harness import DEVNULL, TestCase, need_program, pattern, recv_all, recv_exactly, run, wait_until

HEADING = re.compile(rb"^([<>]) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\S+)$")


def chunks(dump):
    """[(mark, peer, its lines)] of a --hex-dump file."""
    found = []
    for line in dump.read_bytes().splitlines(keepends=True):
        heading = HEADING.match(line.rstrip())
        if heading:
            found.append((heading[1].decode(), heading[2].decode(), b""))
        else:
            mark, peer, lines = found[-1]
            found[-1] = (mark, peer, lines + line)
    return found


def bytes_of(lines):
    """What the lines of `hexdump -C` say, from their hexadecimal columns, checked for running offsets."""
    data = b""
    for line in lines.splitlines():
        assert int(line[:8], 16) == len(data), line
        data += bytes.fromhex(line[9:59].decode())
    return data


class HexDump(TestCase):
    def session(self, *options, command="pier-connect"):
        """A session of known bytes; the dump's path."""
        dump = self.tmp() / "dump"
        listener = self.raw_listener()
        program = self.connect("--hex-dump", dump, *options, "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        program.write(b"hello\n")
        self.assertEqual(recv_exactly(peer, 6), b"hello\n")
        peer.sendall(b"good day to you, whoever you are\n")
        program.wait_out_size(33)
        program.write(b"bye\n")
        self.assertEqual(recv_exactly(peer, 4), b"bye\n")
        peer.close()
        self.assertEqual(program.finish().code, 0)
        return dump, f"127.0.0.1:{listener.getsockname()[1]}"

    def test_both_directions_with_time_and_peer(self):
        dump, peer = self.session()
        found = chunks(dump)
        self.assertEqual([(mark, name) for mark, name, _ in found], [(">", peer), ("<", peer), (">", peer)])
        self.assertEqual(found[0][2],
                         b"00000000  68 65 6c 6c 6f 0a                                 |hello.|\n")
        self.assertEqual(found[2][2],
                         b"00000006  62 79 65 0a                                       |bye.|\n")

    def test_the_lines_are_those_of_hexdump(self):
        hexdump = need_program("hexdump")
        dump, _ = self.session()
        received = b"".join(lines for mark, _, lines in chunks(dump) if mark == "<")
        real = subprocess.run([hexdump, "-Cv"], input=b"good day to you, whoever you are\n", capture_output=True,
                              check=True).stdout
        self.assertEqual(received, real[:real.rindex(b"\n", 0, -1) + 1])

    def test_a_large_transfer_is_all_there(self):
        data = pattern(300000)
        dump = self.tmp() / "dump"
        server = self.listen("--hex-dump", dump, "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(data)
        peer.close()
        done = server.wait()
        self.assertEqual((done.code, done.out), (0, data))
        found = chunks(dump)
        self.assertEqual({mark for mark, _, _ in found}, {"<"})
        seen = b""
        for _, _, lines in found:
            for line in lines.splitlines():
                self.assertEqual(int(line[:8], 16), len(seen))
                seen += bytes.fromhex(line[9:59].decode())
        self.assertEqual(seen, data)

    def test_what_the_network_has_is_shown(self):
        dump = self.tmp() / "dump"
        listener = self.raw_listener()
        program = self.connect("--crlf", "--hex-dump", dump, "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        program.write(b"a\n")
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"a\r\n")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        self.assertEqual(bytes_of(chunks(dump)[0][2]), b"a\r\n")

    def test_many_clients_have_offsets_of_their_own(self):
        dump = self.tmp() / "dump"
        server = self.listen("-k", "--hex-dump", dump, "0", stdin=DEVNULL)
        names = []
        for data in (b"one", b"two"):
            peer = self.raw_connect(("127.0.0.1", server.port))
            names.append(f"127.0.0.1:{peer.getsockname()[1]}")
            peer.sendall(data)
            server.wait_out(re.escape(data))
        found = chunks(dump)
        self.assertEqual([name for _, name, _ in found], names)
        self.assertEqual([bytes_of(lines) for _, _, lines in found], [b"one", b"two"])

    def test_input_for_many_clients_is_shown_for_each(self):
        dump = self.tmp() / "dump"
        server = self.listen("-k", "--hex-dump", dump, "0")
        peers = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(2)]
        wait_until(lambda: server.err.count(" connected ") == 2)
        server.write(b"all")
        for peer in peers:
            self.assertEqual(recv_exactly(peer, 3), b"all")
        self.assertEqual([(mark, bytes_of(lines)) for mark, _, lines in chunks(dump)], [(">", b"all")] * 2)

    def test_each_datagram_has_a_heading(self):
        dump = self.tmp() / "dump"
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        program = self.connect("-u", "--reply-timeout", "100ms", "--hex-dump", dump, "127.0.0.1",
                               server.getsockname()[1])
        program.write(b"ping")
        _, client = server.recvfrom(100)
        server.sendto(b"po", client)
        server.sendto(b"ng", client)
        program.wait_out(b"pong")
        self.assertEqual(program.finish().code, 0)
        self.assertEqual([(mark, lines[:8], lines[-5:]) for mark, _, lines in chunks(dump)],
                         [(">", b"00000000", b"ing|\n"), ("<", b"00000000", b"|po|\n"), ("<", b"00000002", b"|ng|\n")])

    def test_a_program_for_the_client_is_seen_too(self):
        dump = self.tmp() / "dump"
        server = self.listen("--hex-dump", dump, "--exec", "0", "--", "cat")
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"echo")
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(peer), b"echo")
        self.assertEqual(server.wait().code, 0)
        self.assertEqual([(mark, bytes_of(lines)) for mark, _, lines in chunks(dump)],
                         [("<", b"echo"), (">", b"echo")])

    def test_programs_for_datagrams_are_seen_too(self):
        dump = self.tmp() / "dump"
        server = self.listen("-u", "-k", "--hex-dump", dump, "0", "--exec", "--", "cat", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port), kind=socket.SOCK_DGRAM)
        peer.send(b"echo")
        self.assertEqual(peer.recv(100), b"echo")
        wait_until(lambda: [(mark, bytes_of(lines)) for mark, _, lines in chunks(dump)] ==
                   [("<", b"echo"), (">", b"echo")], "both are in the dump")

    def test_to_a_passed_descriptor_and_to_a_free_stdout(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        out = self.tmp() / "out"
        for options in (["--hex-dump", "fd:2"], ["--hex-dump", "-", "--recv", out]):
            with self.subTest(options=options):
                program = self.connect(*options, "127.0.0.1", port, stdin=DEVNULL)
                peer = self.accept(listener)
                peer.sendall(b"data")
                peer.close()
                done = program.wait()
                self.assertEqual(done.code, 0, done)
                self.assertIn("64 61 74 61", done.err if "fd:2" in options else done.text)

    def test_a_full_disk_under_the_dump_ends_the_run(self):
        listener = self.raw_listener()
        program = self.connect("--hex-dump", "/dev/full", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        peer.sendall(b"data")
        done = program.wait()
        self.assertEqual(done.code, 2, done)
        self.assertEqual(done.err, "pier-connect: write '/dev/full': no space left on device\n")
        with self.assertRaises(ConnectionResetError):
            peer.recv(1)
        server = self.listen("--hex-dump", "/dev/full", "0")
        self.raw_connect(("127.0.0.1", server.port)).sendall(b"data")
        done = server.wait()
        self.assertEqual(done.code, 2, done)
        self.assertIn("pier-listen: write '/dev/full': no space left on device\n", done.err)


class LimitRate(TestCase):
    def test_sending_is_held_back(self):
        data = pattern(60000)
        listener = self.raw_listener()
        program = self.connect("--limit-rate", "100k", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        begun = time.monotonic()
        program.write(data)
        program.close_stdin()
        self.assertEqual(recv_all(peer), data)
        self.assertGreater(time.monotonic() - begun, 0.5)  # 0.6 s less the burst of 50 ms
        peer.close()
        self.assertEqual(program.wait().code, 0)

    def test_receiving_is_held_back(self):
        data = pattern(60000)
        server = self.listen("--limit-rate", "100k", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        begun = time.monotonic()
        peer.sendall(data)
        peer.close()
        done = server.wait()
        self.assertGreater(time.monotonic() - begun, 0.5)
        self.assertEqual((done.code, done.out), (0, data))

    def test_a_wait_for_the_rate_uses_no_time(self):
        listener = self.raw_listener()
        program = self.connect("--limit-rate", "1k", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        program.write(pattern(10000))
        recv_exactly(peer, 500)
        before = program.cpu_ticks()
        recv_exactly(peer, 500)
        self.assertLess(program.cpu_ticks() - before, 20)


class BadInput(TestCase):
    def test_values_and_places_that_do_not_fit(self):
        for command, words, texts in (
                ("pier-connect", ["--limit-rate", "0", "9"], ["--limit-rate '0'"]),
                ("pier-connect", ["--limit-rate", "10q", "9"], ["--limit-rate '10q'"]),
                ("pier-connect", ["-u", "--limit-rate", "1k", "9"], ["--limit-rate", "datagrams"]),
                ("pier-listen", ["-k", "--limit-rate", "1k", "0"], ["--limit-rate '1k'", "--keep-open"]),
                ("pier-connect", ["--hex-dump", "-", "9"], ["--hex-dump '-'", "stdout carries the peer's bytes"]),
                ("pier-connect", ["--hex-dump", "fd:1", "9"], ["--hex-dump 'fd:1'"]),
                ("pier-listen", ["--hex-dump", "fd:99", "0"], ["--hex-dump 'fd:99'", "no such open descriptor"]),
                ("pier-listen", ["--hex-dump", "/no/such/folder", "0"], ["'/no/such/folder'"]),
                ("pier-connect", ["--check", "--hex-dump", "f", "9"], ["--check", "--hex-dump"]),
                ("pier-connect", ["--check", "--limit-rate", "1k", "9"], ["--check", "--limit-rate"])):
            with self.subTest(command=command, words=words):
                self.assert_usage_error(run([command, *words]), *texts)
