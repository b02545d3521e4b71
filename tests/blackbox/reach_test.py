"""pier-connect --check and --wait: what "up" means, for how long it is waited for, and what is said of it."""

import json
import os
import socket
import threading
import time

import harness
from harness import DEVNULL, PTY, TestCase, need_ipv6, recv_all, recv_exactly, reset, run


class Base(TestCase):
    def held_port(self, address="127.0.0.1", family=socket.AF_INET):
        """A socket bound to a port that refuses until it listens."""
        sock = self.enterContext(socket.socket(family))
        sock.settimeout(harness.SAFETY)
        sock.bind((address, 0))
        return sock, sock.getsockname()[1]

    def serve(self, act, listener=None):
        """A server in a thread: `act(socket)` for each client until the test ends. Returns its port."""
        listener = listener or self.raw_listener()

        def loop():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    try:
                        act(client)
                    except OSError:
                        pass

        threading.Thread(target=loop, daemon=True).start()
        return listener.getsockname()[1]

    def check(self, *words, **options):
        """(exit code, state, reason) of --check of one endpoint."""
        done = run(["pier-connect", "--check", *words], **options)
        self.assertEqual(len(done.lines), 1, done)
        cells = done.lines[0].split("\t")
        self.assertEqual(len(cells), 8, done)
        return done.code, cells[5], cells[6]


class Several(Base):
    def ports(self, *states):
        """One port each, in ascending order: True listens, False refuses."""
        while True:
            socks = sorted((socket.socket() for _ in states), key=id)
            for sock in socks:
                sock.bind(("127.0.0.1", 0))
            socks.sort(key=lambda s: s.getsockname()[1])
            break
        for sock, state in zip(socks, states):
            self.enterContext(sock)
            if state:
                sock.listen()
        return [s.getsockname()[1] for s in socks]

    def states(self, done):
        return [(int(r[3]), r[5]) for r in (line.split("\t") for line in done.lines)]

    def test_a_set_of_ports_of_one_host(self):
        one, two, three = self.ports(True, False, True)
        expected = [(one, "open"), (two, "closed"), (three, "open")]
        for words in ([f"127.0.0.1:{three},{one},{two}"], ["127.0.0.1", f"{two},{one},{three}"],
                      [f"tcp://127.0.0.1:{one},{two},{three}"], [f"{one},{two},{three}", "-4"]):
            with self.subTest(words=words):
                done = run(["pier-connect", "--check", *words])
                self.assertEqual((done.code, self.states(done)), (1, expected), done)
        done = run(["pier-connect", "--check", f"127.0.0.1:{one}-{one + 2},!{one + 1},!{one + 2}"])
        self.assertEqual((done.code, self.states(done)), (0, expected[:1]), done)

    def test_sets_beside_endpoints(self):
        one, two, three = self.ports(True, True, True)
        done = run(["pier-connect", "--check", f"127.0.0.1:{one}", "127.0.0.1", f"{two},{three}", "127.0.0.1", one])
        self.assertEqual(self.states(done), [(p, "open") for p in (one, two, three, one)], done)

    def test_a_set_over_ipv6(self):
        need_ipv6()
        listener = self.raw_listener(socket.AF_INET6)
        port = listener.getsockname()[1]
        for words in ([f"[::1]:{port},{port}"], ["::1", f"{port},{port}"]):
            done = run(["pier-connect", "--check", *words])
            self.assertEqual((done.code, self.states(done)), (0, [(port, "open")]), done)

    def test_a_set_of_both_transports(self):
        tcp = self.raw_listener().getsockname()[1]
        udp = self.raw_listener(kind=socket.SOCK_DGRAM).getsockname()[1]
        done = run(["pier-connect", "--check", "--connect-timeout", "100ms", "127.0.0.1", f"T:{tcp},U:{udp}"])
        rows = {tuple(line.split("\t")[i] for i in (0, 3, 5)) for line in done.lines}
        self.assertEqual(rows, {("tcp", str(tcp), "open"), ("udp", str(udp), "open|filtered")})
        self.assertEqual(done.code, 3)

    def test_bad_sets_are_refused(self):
        for words, text in ((["db:80,"], "80,"), (["db:90-80"], "90-80"), (["db", "80,x y"], "x y"),
                            (["db:80,0"], "0")):
            with self.subTest(words=words):
                self.assert_usage_error(run(["pier-connect", "--check", *words]), text)
        self.assert_usage_error(run(["pier-connect", "db:80,81"]), "80,81")

    def test_any_is_up_when_one_is(self):
        one, two, three = self.ports(False, True, False)
        done = run(["pier-connect", "--check", "--any", f"127.0.0.1:{one},{two},{three}"])
        self.assertEqual((done.code, [s for _, s in self.states(done)]), (0, ["closed", "open", "closed"]), done)
        done = run(["pier-connect", "--check", "--all", f"127.0.0.1:{one},{two},{three}"])
        self.assertEqual(done.code, 1, done)
        done = run(["pier-connect", "--check", "--any", f"127.0.0.1:{one},{three}"])
        self.assertEqual(done.code, 1, done)

    def test_wait_for_any_ends_with_the_first(self):
        one, two = self.ports(False, True)
        done = run(["pier-connect", "--wait", "60s", "--any", f"127.0.0.1:{one},{two}", "--", "echo", "up"])
        self.assertEqual(done, (0, b"up\n", ""))

    def test_wait_for_all_names_those_that_did_not_come(self):
        one, two = self.ports(False, True)
        done = run(["pier-connect", "--wait", "200ms", f"127.0.0.1:{one},{two}"])
        self.assertEqual((done.code, done.out), (124, b""), done)
        self.assertRegex(done.err, rf"\Apier-connect: connect 127.0.0.1:{one}: not up within 0.20 s: connection "
                                   r"refused\n\Z")

    def test_options_that_need_check_or_wait(self):
        for words in (["--any"], ["--all"], ["--stable", "1s"], ["--expect", "x"], ["--send-text", "x"]):
            self.assert_usage_error(run(["pier-connect", *words, "127.0.0.1:9"]), words[0], "--wait")


class Stable(Base):
    def test_a_server_that_stays(self):
        port = self.serve(lambda s: s.recv(1))
        self.assertEqual(self.check("--stable", "50ms", f"127.0.0.1:{port}"), (0, "open", "stable"))

    def test_a_server_that_accepts_and_closes(self):
        for act, word in ((lambda s: s.close(), "closed"), (reset, "reset")):
            with self.subTest(word=word):
                port = self.serve(act)
                self.assertEqual(self.check("--stable", "10s", f"127.0.0.1:{port}"),
                                 (1, "closed", f"accepted, then {word}"))

    def test_wait_until_it_stays(self):
        seen = []

        def act(client):
            seen.append(client)
            if len(seen) > 2:
                client.recv(1)

        port = self.serve(act)
        done = run(["pier-connect", "--wait", "60s", "--stable", "100ms", f"127.0.0.1:{port}", "--", "echo", "up"])
        self.assertEqual(done, (0, b"up\n", ""))
        self.assertEqual(len(seen), 3)

    def test_talk_goes_on_over_the_connection_that_was_stable(self):
        clients = []

        def act(client):
            clients.append(client)
            client.sendall(b"220 hello\r\n")
            client.sendall(client.recv(100).upper())

        port = self.serve(act)
        program = self.connect("--wait", "60s", "--stable", "50ms", f"127.0.0.1:{port}")
        program.write(b"question")
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"220 hello\r\nQUESTION"), done)
        self.assertEqual(len(clients), 1)

    def test_not_with_datagrams(self):
        self.assert_usage_error(run(["pier-connect", "--check", "-u", "--stable", "1s", "127.0.0.1:9"]), "--stable")


class Expect(Base):
    def greeter(self, *parts):
        def act(client):
            for part in parts:
                client.sendall(part)
                time.sleep(0.01)  # segments of their own
            client.recv(1)

        return self.serve(act)

    def test_a_greeting_in_pieces(self):
        port = self.greeter(b"22", b"0 mail", b" ready\r\n")
        self.assertEqual(self.check("--expect", "^220 .* ready", f"127.0.0.1:{port}"), (0, "open", "match"))

    def test_an_answer_to_a_question(self):
        port = self.serve(lambda s: s.sendall({b"PING\r\n": b"+PONG\r\n"}.get(recv_exactly(s, 6), b"?")))
        words = ["--send-text", "PING\\r\\n", "--expect", "^.PONG"]
        self.assertEqual(self.check(*words, f"127.0.0.1:{port}"), (0, "open", "match"))

    def test_another_answer_is_no(self):
        port = self.greeter(b"500 out of order\r\n")
        self.assertEqual(self.check("--expect", "^220", "--reply-timeout", "100ms", f"127.0.0.1:{port}"),
                         (1, "open", "no match in 18 B"))
        port = self.serve(lambda s: s.sendall(b"500"))
        self.assertEqual(self.check("--expect", "^220", f"127.0.0.1:{port}"),
                         (1, "open", "closed after 3 B without a match"))
        port = self.serve(lambda s: s.close())
        self.assertEqual(self.check("--expect", "^220", f"127.0.0.1:{port}"), (1, "closed", "accepted, then closed"))

    def test_silence_is_no(self):
        port = self.serve(lambda s: s.recv(1))
        code, state, reason = self.check("--expect", "^220", "--reply-timeout", "50ms", f"127.0.0.1:{port}")
        self.assertEqual((code, state), (1, "open"))
        self.assertRegex(reason, r"\Anothing sent in \d")

    def test_a_flood_without_a_match_has_an_end(self):
        def act(client):
            while True:
                client.sendall(b"x" * 65536)

        port = self.serve(act)
        self.assertEqual(self.check("--expect", "^220", "--reply-timeout", "60s", f"127.0.0.1:{port}"),
                         (1, "open", "no match in the first 65,536 B"))

    def test_wait_until_the_answer_is_right(self):
        answers = iter([b"503 starting\r\n", b"503 starting\r\n"])
        port = self.serve(lambda s: s.sendall(next(answers, b"200 OK\r\n")))
        words = ["--wait", "60s", "--send-text", "GET\\n", "--expect", "^200"]
        done = run(["pier-connect", *words, f"127.0.0.1:{port}", "--", "echo", "up"])
        self.assertEqual(done, (0, b"up\n", ""))

    def test_wait_tells_what_came_last(self):
        port = self.serve(lambda s: s.sendall(b"503 starting\r\n"))
        done = run(["pier-connect", "--wait", "200ms", "--expect", "^200", f"127.0.0.1:{port}"])
        self.assertEqual((done.code, done.out), (124, b""), done)
        self.assertRegex(done.err, r"not up within 0.20 s: closed after 14 B without a match\n\Z")

    def test_what_has_arrived_belongs_to_the_session(self):
        def act(client):
            client.sendall(b"220 hello\r\nand more\r\n")
            client.sendall(recv_all(client)[::-1])

        port = self.serve(act)
        done = run(["pier-connect", "--wait", "60s", "--expect", "^220", f"127.0.0.1:{port}"], stdin="abc")
        self.assertEqual((done.code, done.out), (0, b"220 hello\r\nand more\r\ncba"), done)
        done = run(["pier-connect", "--wait", "60s", "--expect", "^220", f"127.0.0.1:{port}", "--sh-exec",
                    "exec 3>$OUT; printf abc; exec 1>&-; cat >&3"], env={"OUT": str(self.tmp() / "out")})
        self.assertEqual(done.code, 0, done)

    def test_unix_sockets(self):
        path = self.tmp() / "s"
        listener = self.raw_listener(socket.AF_UNIX, address=str(path))
        self.serve(lambda s: s.sendall(b"ready\n"), listener)
        done = run(["pier-connect", "--check", "--expect", "^ready$", f"unix:{path}"])
        self.assertEqual(done.code, 0, done)

    def test_bad_patterns_and_texts_are_refused(self):
        for words, text in ((["--expect", "a(b"], "a(b"), (["--expect", "x", "--send-text", "a\\q"], "a\\q'"),
                            (["--send-text", "x"], "--expect")):
            self.assert_usage_error(run(["pier-connect", "--check", *words, "127.0.0.1:9"]), text)

    def test_reply_timeout_is_for_those_that_wait_for_a_reply(self):
        self.assert_usage_error(run(["pier-connect", "--reply-timeout", "1s", "127.0.0.1:9"]), "--reply-timeout")
        self.assert_usage_error(run(["pier-connect", "--check", "--reply-timeout", "1s", "127.0.0.1:9"]),
                                "--reply-timeout")


class Datagrams(Base):
    def responder(self, answer):
        server = self.raw_listener(kind=socket.SOCK_DGRAM)

        def loop():
            while True:
                try:
                    data, client = server.recvfrom(65536)
                    reply = answer(data)
                    if reply is not None:
                        server.sendto(reply, client)
                except OSError:
                    return

        threading.Thread(target=loop, daemon=True).start()
        return server.getsockname()[1]

    def test_a_reply_is_open(self):
        port = self.responder(lambda data: b"pong")
        self.assertEqual(self.check("-u", f"127.0.0.1:{port}"), (0, "open", "reply"))

    def test_a_port_unreachable_is_closed(self):
        sock = self.enterContext(socket.socket(type=socket.SOCK_DGRAM))
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        sock.close()
        self.assertEqual(self.check("-u", f"127.0.0.1:{port}"), (1, "closed", "port unreachable"))

    def test_silence_is_never_success(self):
        port = self.responder(lambda data: None)
        self.assertEqual(self.check("-u", "--connect-timeout", "50ms", f"127.0.0.1:{port}"),
                         (3, "open|filtered", "no answer"))

    def test_a_question_and_the_answer_to_it(self):
        port = self.responder(lambda data: b"+" + data if data == b"PING\r\n" else None)
        words = ["-u", "--send-text", "PING\\r\\n"]
        self.assertEqual(self.check(*words, f"127.0.0.1:{port}"), (0, "open", "reply"))
        self.assertEqual(self.check(*words, "--expect", "^.PING", f"127.0.0.1:{port}"), (0, "open", "reply"))
        self.assertEqual(self.check(*words, "--expect", "^PONG", "--reply-timeout", "50ms", f"127.0.0.1:{port}"),
                         (1, "open", "no match in a reply of 7 B"))

    def test_a_known_port_is_asked_in_its_protocol(self):
        # An address of this host that nobody else is likely to use at the same time.
        address = f"127.{os.getpid() >> 16 & 255}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 | 2}"
        server = self.raw_listener(kind=socket.SOCK_DGRAM, address=(address, 3478))
        program = self.connect("--check", "-u", f"{address}:3478", "--reply-timeout", "60s")
        data, client = server.recvfrom(100)
        self.assertEqual((data[:2], data[4:8], len(data)), (b"\0\1", b"\x21\x12\xa4\x42", 20), "a STUN request")
        server.sendto(b"here", client)
        done = program.wait()
        self.assertEqual((done.code, done.lines[0].split("\t")[5:7]), (0, ["open", "reply"]), done)

    def test_a_question_that_was_lost_is_asked_again(self):
        questions = []

        def second(data):
            questions.append(data)
            return b"pong" if len(questions) == 2 else None

        port = self.responder(second)
        self.assertEqual(self.check("-u", "--connect-timeout", "200ms", f"127.0.0.1:{port}"), (0, "open", "reply"))

    def test_wait_until_a_udp_server_answers(self):
        with socket.socket(type=socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
        program = self.connect("--wait", "60s", "--explain", "-u", f"127.0.0.1:{port}", "--", "echo", "up")
        program.wait_err(r"(?s)socket.*socket")  # asked twice, so refused once
        server = self.raw_listener(kind=socket.SOCK_DGRAM, address=("127.0.0.1", port))
        data, client = server.recvfrom(10)
        server.sendto(b"here", client)
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"up\n"), done)


class UntilClosed(Base):
    def test_it_ends_when_nobody_listens_any_more(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        program = self.connect("--until-closed", "--explain", f"127.0.0.1:{port}")
        self.accept(listener)
        self.accept(listener)
        self.assertTrue(program.running())
        listener.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b""), done)

    def test_with_check_the_row_says_closed(self):
        _, port = self.held_port()
        self.assertEqual(self.check("--until-closed", f"127.0.0.1:{port}"), (0, "closed", "refused"))

    def test_with_wait_it_has_an_end(self):
        port = self.raw_listener().getsockname()[1]
        done = run(["pier-connect", "--until-closed", "--wait", "150ms", f"127.0.0.1:{port}"])
        self.assertEqual(done.code, 124, done)
        self.assertRegex(done.err, r"\Apier-connect: connect 127.0.0.1:\d+: not closed within 0.15 s: still open\n\Z")

    def test_then_a_command_runs(self):
        _, port = self.held_port()
        done = run(["pier-connect", "--until-closed", f"127.0.0.1:{port}", "--", "echo", "gone"])
        self.assertEqual(done, (0, b"gone\n", ""))

    def test_unix_sockets(self):
        done = run(["pier-connect", "--until-closed", f"unix:{self.tmp() / 'none'}"])
        self.assertEqual(done.code, 0, done)


class Waiting(Base):
    def test_a_unix_socket_that_comes(self):
        path = self.tmp() / "s"
        program = self.connect("--wait", "60s", "--explain", f"unix:{path}")
        program.wait_err("no such file")
        listener = self.raw_listener(socket.AF_UNIX, address=str(path))
        peer = self.accept(listener)
        peer.sendall(b"hello")
        peer.close()
        program.close_stdin()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"hello"), done)

    def test_a_line_of_progress_on_a_terminal(self):
        _, port = self.held_port()
        program = self.connect("--wait", "60s", f"127.0.0.1:{port}", stdin=DEVNULL, stderr=PTY)
        program.wait_err(rf"\r?waiting for 127.0.0.1:{port}: refused \(\d+ tries\); \d+\.\d s of 60s")
        program.signal(15)
        self.assertEqual(program.wait().code, 143)
        program = self.connect("--wait", "60s", f"127.0.0.1:{port}", "127.0.0.1:9", stdin=DEVNULL, stderr=PTY)
        program.wait_err(r"waiting for 2 of 2: 127.0.0.1:\d+: refused")

    def test_no_line_elsewhere(self):
        done = run(["pier-connect", "--wait", "800ms", f"127.0.0.1:{self.held_port()[1]}"])
        self.assertEqual(len(done.err.splitlines()), 1, done)

    def test_events_of_the_attempts(self):
        _, port = self.held_port()
        path = self.tmp() / "events"
        done = run(["pier-connect", "--wait", "100ms", "--events", path, f"127.0.0.1:{port}"])
        self.assertEqual(done.code, 124, done)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        attempts = [r for r in records if r["type"] == "attempt"]
        self.assertGreaterEqual(len(attempts), 2)
        self.assertEqual({(a["result"], a["reason"]) for a in attempts}, {("failed", "connection refused")})
