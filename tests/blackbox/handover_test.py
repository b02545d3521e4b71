"""--handover of pier-listen and pier-connect, and one file over several connections (--streams)."""

import contextlib
import hashlib
import re
import socket

import harness
from harness import DEVNULL, TestCase, run, wait_until

OFFER = re.compile(r"PIER/1 HANDOVER (\d+) ([0-9a-f]{32}) ([0-9a-f]{32})\n")
TOKEN = "0123456789abcdef" * 2


def line_of(sock):
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            break
        line += byte
    return line.decode()


class Handover(TestCase):
    def server(self, *words, **options):
        return self.listen("--handover", "127.0.0.1:0", *words, **options)

    def offer(self, server):
        """A client by hand: its connection to the known port, and the port, claim and proof that it got there."""
        known = self.raw_connect(("127.0.0.1", server.port))
        port, claim, proof = OFFER.fullmatch(line_of(known)).groups()
        return known, int(port), claim, proof

    def claim(self, port, text):
        sock = self.raw_connect(("127.0.0.1", port))
        sock.sendall(f"PIER/1 CLAIM {text}\n".encode())
        return sock


class Plain(Handover):
    def test_both_ways_and_to_the_end(self):
        server = self.server()
        client = self.connect("--handover", "127.0.0.1", server.port)
        client.write(b"from the client")
        server.wait_out(b"from the client")
        server.write(b"from the server")
        client.wait_out(b"from the server")
        client.close_stdin()
        server.close_stdin()
        self.assertEqual(client.wait().code, 0)
        self.assertEqual(server.wait().code, 0)

    def test_the_known_port_stays_free_and_each_has_a_port_of_its_own(self):
        server = self.server("-k", "--echo")
        offers = [self.offer(server) for _ in range(5)]
        self.assertEqual(len({port for _, port, _, _ in offers}), 5)
        self.assertEqual(len({claim for _, _, claim, _ in offers} | {proof for *_, proof in offers}), 10)
        socks = []
        for number, (_, port, claim, proof) in enumerate(offers):
            sock = self.claim(port, claim)
            self.assertEqual(line_of(sock), f"PIER/1 TAKEN {proof}\n")
            socks.append(sock)
        for number, sock in enumerate(socks):
            sock.sendall(b"%d" % number)
            self.assertEqual(sock.recv(10), b"%d" % number)
        done = run(["pier-connect", "--handover", "127.0.0.1", server.port], stdin="last")
        self.assertEqual(done[:2], (0, b"last"), done)

    def test_with_a_program(self):
        server = self.server("-k", "--exec", "--", "cat")
        for text in ("one", "two"):
            self.assertEqual(run(["pier-connect", "--handover", f"127.0.0.1:{server.port}"], stdin=text)[:2],
                             (0, text.encode()))

    def test_the_claim_may_come_with_the_first_bytes_and_by_hand(self):
        server = self.server("-k", "--echo")
        _, port, claim, proof = self.offer(server)
        sock = self.raw_connect(("127.0.0.1", port))
        sock.sendall(f"PIER/1 CLAIM {claim}\r\nhello".encode())
        self.assertEqual(line_of(sock), f"PIER/1 TAKEN {proof}\n")
        self.assertEqual(sock.recv(5, socket.MSG_WAITALL), b"hello")

    def test_a_wrong_token_is_1(self):
        path = self.tmp() / "file"
        for text in (TOKEN, TOKEN + " 1/2"):
            server = self.server("--recv", path)
            _, port, _, _ = self.offer(server)
            self.claim(port, text)
            done = server.wait()
            self.assertEqual(done.code, 1, done)
            self.assertIn("wrong token", done.err)
            self.assertEqual(list(path.parent.iterdir()), [])

    def test_a_wrong_token_ends_one_client_of_many(self):
        server = self.server("-k", "--echo")
        _, port, _, _ = self.offer(server)
        self.claim(port, TOKEN)
        server.wait_err("wrong token")
        self.assertEqual(run(["pier-connect", "--handover", "127.0.0.1", server.port], stdin="x")[:2], (0, b"x"))

    def test_a_token_is_good_once(self):
        server = self.server("-k", "--echo")
        _, port, claim, _ = self.offer(server)
        line_of(self.claim(port, claim))
        self.assertRaises(ConnectionRefusedError, self.raw_connect, ("127.0.0.1", port))

    def test_another_host_does_not_count_and_neither_does_who_says_nothing(self):
        server = self.server("-k", "--echo")
        _, port, claim, proof = self.offer(server)
        stranger = self.enterContext(socket.socket())
        stranger.settimeout(60)
        stranger.bind(("127.0.0.2", 0))
        with self.assertRaises(ConnectionResetError):  # it may come before connect() returns
            stranger.connect(("127.0.0.1", port))
            stranger.recv(10)
        self.raw_connect(("127.0.0.1", port)).close()
        self.assertEqual(line_of(self.claim(port, claim)), f"PIER/1 TAKEN {proof}\n")

    def test_who_does_not_come_is_1_and_the_time_is_in_the_help(self):
        server = self.server("--idle-timeout", "300ms")
        self.offer(server)
        done = server.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("has not come", done.err)
        self.assertRegex(run(["pier-listen", "--help"]).text, r"--handover +[^-]* 10s")


class Fakes(Handover):
    """What pier-connect makes of servers that are none."""

    def follow(self, *lines, thief=None, words=("--handover",)):
        known = self.raw_listener()
        program = self.connect(*words, f"127.0.0.1:{known.getsockname()[1]}", stdin=DEVNULL)
        sock = self.accept(known)
        sock.sendall("".join(lines).encode())
        if thief is None:
            sock.close()
        return program

    def test_no_offer_is_1(self):
        for lines in ((), ("SSH-2.0-x\r\n",), ("PIER/1 HANDOVER 70000 x y\n",), ("x" * 500,),
                      (f"PIER/1 TAKEN {TOKEN}\n",), ("PIER/1 HAND",)):
            done = self.follow(*lines).wait()
            self.assertEqual(done.code, 1, done)
            self.assertIn("handover", done.err)

    def test_a_stolen_port_is_1(self):
        for words in (("--handover",), ("--streams", "2")):
            thief = self.raw_listener()
            program = self.follow(f"PIER/1 HANDOVER {thief.getsockname()[1]} {TOKEN} {TOKEN[::-1]}\n", thief=thief,
                                  words=words)
            sock = self.accept(thief)
            self.assertRegex(line_of(sock), rf"PIER/1 CLAIM {TOKEN}")
            sock.sendall(f"PIER/1 TAKEN {TOKEN}\n".encode())  # all it knows is the claim
            done = program.wait()
            self.assertEqual((done.code, done.out), (1, b""), done)
            self.assertIn("not the server", done.err)

    def test_nobody_on_the_port_is_1(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            done = self.follow(f"PIER/1 HANDOVER {port} {TOKEN} {TOKEN}\n").wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("refused", done.err)

    def test_a_digest_that_differs_or_does_not_come_is_1(self):
        for answer in (f"PIER/1 DONE {'0' * 64}\n", "", "hello\n"):
            port = self.raw_listener()
            program = self.follow(f"PIER/1 HANDOVER {port.getsockname()[1]} {TOKEN} {TOKEN}\n", thief=port,
                                  words=("--streams", "1"))
            sock = self.accept(port)
            line_of(sock)
            sock.sendall(f"PIER/1 TAKEN {TOKEN}\n".encode())
            self.assertEqual(line_of(sock), f"PIER/1 END {hashlib.sha256(b'').hexdigest()}\n")
            sock.sendall(answer.encode())
            sock.close()
            done = program.wait()
            self.assertEqual(done.code, 1, done)
            self.assertTrue(done.err.startswith("pier-connect: "), done)


class Streams(Handover):
    def send(self, size, streams):
        source, target = self.tmp() / "source", self.tmp() / "target"
        source.write_bytes(harness.pattern(size))
        server = self.server("--recv", target)
        done = run(["pier-connect", "--streams", streams, "--send", source, f"127.0.0.1:{server.port}"], stdin=DEVNULL)
        self.assertEqual((done.code, done.out), (0, b""), done)
        done = server.wait()
        self.assertEqual(done.code, 0, done)
        self.assertEqual(target.read_bytes(), source.read_bytes())
        self.assertIn("done: ", done.err)

    def test_a_file_over_several_connections(self):
        for size, streams in ((0, 3), (1, 1), (131071, 2), (131072, 2), (131073, 2), (1 << 20, 7), (3 << 20, 64)):
            with self.subTest(size=size, streams=streams):
                self.send(size, streams)

    def test_from_a_pipe_to_a_pipe(self):
        server = self.server(stdin=DEVNULL)
        data = harness.pattern(1 << 20)
        client = self.connect("--streams", 4, "127.0.0.1", server.port)
        client.write(data[:1000])
        server.wait_out_size(1000)
        client.write(data[1000:])
        client.close_stdin()
        self.assertEqual(client.wait().code, 0)
        self.assertEqual(server.wait()[:2], (0, data))

    def by_hand(self, count, claimed, *words):
        """A listener with --recv and the claimed ones of `count` streams: (server, its folder, sockets)."""
        path = self.tmp() / "file"
        server = self.server("--recv", path, *words, stdin=DEVNULL)
        _, port, claim, proof = self.offer(server)
        return server, path.parent, [self.claim(port, f"{claim} {i}/{count}") for i in claimed], proof

    def assert_failed(self, server, folder, pattern):
        done = server.wait()
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, pattern)
        self.assertEqual(list(folder.iterdir()), [])

    def test_blocks_take_turns_and_the_receipt_comes_last(self):
        server, folder, (one, two), proof = self.by_hand(2, (1, 2))
        for sock in (one, two):
            self.assertEqual(line_of(sock), f"PIER/1 TAKEN {proof}\n")
        two.sendall(b"PIER/1 BLOCK 3\ndef")
        one.sendall(b"PIER/1 BLOCK 3\nabc")
        digest = hashlib.sha256(b"abcdef").hexdigest()
        one.sendall(f"PIER/1 END {digest}\n".encode())
        self.assertEqual(line_of(one), f"PIER/1 DONE {digest}\n")
        self.assertEqual((folder / "file").read_bytes(), b"abcdef")
        self.assertEqual(server.wait().code, 0)

    def test_another_digest_is_1_and_no_file(self):
        server, folder, (one,), _ = self.by_hand(1, (1,))
        one.sendall(f"PIER/1 BLOCK 3\nabcPIER/1 END {'0' * 64}\n".encode())
        self.assert_failed(server, folder, "digests differ")
        with contextlib.suppress(ConnectionResetError):
            self.assertNotIn("DONE", line_of(one) + line_of(one))

    def test_a_missing_stream_is_1_and_no_file(self):
        server, folder, _, _ = self.by_hand(3, (1, 3), "--idle-timeout", "2s")
        self.assert_failed(server, folder, "2 of 3 streams came")

    def test_a_stream_that_ends_early_is_1_and_no_file(self):
        for text in (b"", b"PIER/1 BLOCK 10\nabc", b"PIER/1 BLO"):
            server, folder, (one, two), _ = self.by_hand(2, (1, 2))
            for sock in (one, two):
                line_of(sock)
            one.sendall(b"PIER/1 BLOCK 1\na")
            two.sendall(text)
            two.close()
            self.assert_failed(server, folder, "stream 2 of 2: .*ended in the middle")

    def test_streams_that_do_not_belong_together_are_1(self):
        for claims in (("1/2", "1/2"), ("1/2", "2/3"), ("1/2", "")):
            path = self.tmp() / "file"
            server = self.server("--recv", path)
            _, port, claim, _ = self.offer(server)
            for text in claims:
                self.claim(port, f"{claim} {text}".strip())
            self.assert_failed(server, path.parent, "belong together")

    def test_a_sender_that_is_killed_leaves_no_file(self):
        path = self.tmp() / "file"
        server = self.server("--recv", path)
        client = self.connect("--streams", 3, f"127.0.0.1:{server.port}")
        client.write(harness.pattern(300000))
        wait_until(lambda: any(f.stat().st_size > 100000 for f in path.parent.iterdir()), "some of it")
        client.process.kill()
        self.assert_failed(server, path.parent, "stream . of 3")

    def test_a_listener_that_fails_fails_the_sender(self):
        source = self.tmp() / "source"
        source.write_bytes(harness.pattern(1 << 20))
        with open("/dev/full", "wb") as full:
            server = self.server(stdin=DEVNULL, stdout=full)
            done = run(["pier-connect", "--streams", 2, "--send", source, f"127.0.0.1:{server.port}"], stdin=DEVNULL)
        self.assertEqual(done.code, 1, done)
        self.assertEqual(server.wait().code, 1)

    def test_they_are_for_one_client(self):
        server = self.server("-k", "--discard")
        done = run(["pier-connect", "--streams", 2, f"127.0.0.1:{server.port}"], stdin="x")
        self.assertEqual(done.code, 1, done)
        server.wait_err("--recv, without --keep-open")


class Usage(TestCase):
    def test_what_does_not_go_together_is_refused(self):
        for words in (["-u", "0"], ["unix:x"], ["--tls", "0"], ["tls://localhost:0"]):
            self.assert_usage_error(run(["pier-listen", "--handover", *words], stdin=DEVNULL), "--handover")
        for words in (["-u", "h:1"], ["unix:x"], ["--tls", "h:1"], ["https://h"], ["--proxy", "socks5://p:1", "h:1"],
                      ["--check", "h:1"]):
            self.assert_usage_error(run(["pier-connect", "--handover", *words], stdin=DEVNULL), "--handover")
            self.assert_usage_error(run(["pier-connect", "--streams", 2, *words], stdin=DEVNULL), "--streams")
        for number in ("0", "65", "x", "-1"):
            self.assert_usage_error(run(["pier-connect", "--streams", number, "h:1"], stdin=DEVNULL), "--streams")
        for words in (["--recv", "f"], ["--recv-only"], ["--send-only"], ["-c", "true"]):
            self.assert_usage_error(run(["pier-connect", "--streams", 2, *words, "h:1"], stdin=DEVNULL), "--streams")
