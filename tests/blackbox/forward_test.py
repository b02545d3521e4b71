"""pier-listen --to, --serve-http-proxy and --serve-socks: clients carried on to somebody else."""

import base64
import json
import signal
import socket
import struct
import threading

from harness import DEVNULL, RESET, TestCase, end_side, need_ipv6, pattern, recv_all, recv_exactly, reset, run, wait_until


class To(TestCase):
    """A relay to one endpoint."""

    def relay(self, target, *words, **options):
        return self.listen("127.0.0.1:0", "--to", target, *words, stdin=DEVNULL, **options)

    def target(self):
        listener = self.raw_listener()
        return listener, f"127.0.0.1:{listener.getsockname()[1]}"

    def pair(self, *words):
        """A client and the target's side of its connection, and the relay between."""
        listener, where = self.target()
        server = self.relay(where, *words)
        client = self.raw_connect(("127.0.0.1", server.port))
        return client, self.accept(listener), server

    def test_both_halves_end_by_themselves(self):
        for words in ([], ["--idle-timeout", "1m"]):
            with self.subTest(words=words):
                client, far, server = self.pair(*words)
                client.sendall(b"question")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(far), b"question")
                far.sendall(b"answer")
                far.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(client), b"answer")
                self.assertEqual(server.wait()[:2], (0, b""))

    def test_the_target_may_end_first(self):
        client, far, server = self.pair("--summary")
        far.sendall(b"banner")
        far.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(client), b"banner")
        client.sendall(b"late")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(far), b"late")
        done = server.wait()
        self.assertEqual(done.code, 0)
        self.assertRegex(done.err, r"(?m): 4 B in, 6 B out, ")

    def test_resets_are_passed_on(self):
        client, far, server = self.pair()
        client.sendall(b"x")
        recv_exactly(far, 1)
        reset(client)
        with self.assertRaises(ConnectionResetError):
            recv_all(far)
        self.assertEqual(server.wait().code, 1)
        client, far, server = self.pair()
        client.sendall(b"x")
        recv_exactly(far, 1)
        reset(far)
        with self.assertRaises(ConnectionResetError):
            recv_all(client)
        done = server.wait()
        self.assertEqual(done.code, 1)
        self.assertIn("the target", done.err)

    def test_an_answer_that_comes_before_the_question_has_ended_arrives(self):
        client, far, server = self.pair()
        client.sendall(b"x" * 1000)
        self.assertEqual(recv_exactly(far, 10), b"x" * 10)
        far.sendall(b"enough")
        far.close()  # with unread bytes: a reset
        self.assertEqual(recv_exactly(client, 6), b"enough")

    def test_fifty_megabytes_both_ways_at_once(self):
        client, far, server = self.pair()
        data = pattern(50_000_000)
        back = {}

        def talk(name, sock):
            sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            back[name] = recv_all(sock)
            sender.join()

        threads = [threading.Thread(target=talk, args=(n, s)) for n, s in (("client", client), ("far", far))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(back["client"] == data and back["far"] == data)
        self.assertEqual(server.wait().code, 0)

    def test_families_and_unix_sockets_are_crossed(self):
        need_ipv6()
        v6 = self.raw_listener(socket.AF_INET6)
        path = str(self.tmp() / "s")
        local = self.raw_listener(socket.AF_UNIX, address=path)
        for listener, where in ((v6, f"[::1]:{v6.getsockname()[1]}"), (local, f"unix:{path}")):
            with self.subTest(where=where):
                server = self.relay(where)
                client = self.raw_connect(("127.0.0.1", server.port))
                far = self.accept(listener)
                client.sendall(b"hi")
                self.assertEqual(far.recv(10), b"hi")
                far.close()
                self.assertEqual(recv_all(client), b"")
                client.close()
                self.assertEqual(server.wait().code, 0)

    def test_from_a_unix_socket(self):
        listener, where = self.target()
        path = self.tmp() / "s"
        server = self.spawn(["pier-listen", f"unix:{path}", "--to", where], stdin=DEVNULL)
        server.wait_err("listening")
        client = self.raw_connect(str(path), socket.AF_UNIX)
        far = self.accept(listener)
        client.sendall(b"hi")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(far), b"hi")
        far.close()
        self.assertEqual(server.wait().code, 0)

    def test_a_target_that_is_not_there_resets_its_client(self):
        listener, where = self.target()
        listener.close()
        server = self.relay(where)
        client = self.raw_connect(("127.0.0.1", server.port))
        with self.assertRaises(ConnectionResetError):
            client.recv(1)
        done = server.wait()
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, rf"(?m)^pier-listen: connect {where}: connection refused$")

    def test_many_at_once_and_nothing_left(self):
        listener, where = self.target()
        server = self.relay(where, "-k")
        before = len(server.fds_at_rest())
        pairs = []
        for number in range(50):
            client = self.raw_connect(("127.0.0.1", server.port))
            client.sendall(b"%d" % number)
            pairs.append((client, self.accept(listener)))
        seen = sorted(int(far.recv(10)) for _, far in pairs)
        self.assertEqual(seen, list(range(50)))
        for client, far in pairs:
            client.close()
        for client, far in pairs:
            self.assertEqual(recv_all(far), b"")
            far.close()
        wait_until(lambda: len(server.fds()) == before, "every descriptor back")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)

    def test_idle_pairs_end(self):
        client, far, server = self.pair("--idle-timeout", "0.1")
        for sock in (client, far):
            with self.assertRaises(ConnectionResetError):
                recv_all(sock)
        self.assertEqual(server.wait().code, 124)

    def test_tls_both_ways(self):
        far = self.spawn(["pier-listen", "-k", "--tls", "127.0.0.1:0", "--exec", "--", "cat"])
        pin = far.wait_err(r"fingerprint.*: (\S+)$")[1]
        port = far.wait_err(r"listening on \S+:(\d+)")[1]
        server = self.spawn(["pier-listen", "127.0.0.1:0", "--tls", "--to", f"tls://127.0.0.1:{port}", "--pin", pin],
                            stdin=DEVNULL)
        own = server.wait_err(r"fingerprint.*: (\S+)$")[1]
        where = server.wait_err(r"listening on (\S+)")[1]
        data = pattern(3_000_000)
        done = run(["pier-connect", "--tls", "--pin", own, where], stdin=data)
        self.assertEqual((done.code, done.out == data), (0, True), done.err)
        self.assertEqual(server.wait().code, 0)

    def test_a_target_that_does_not_verify_is_refused(self):
        far = self.spawn(["pier-listen", "-k", "--tls", "127.0.0.1:0"], stdin=DEVNULL)
        port = far.wait_err(r"listening on \S+:(\d+)")[1]
        server = self.relay(f"tls://127.0.0.1:{port}")
        client = self.raw_connect(("127.0.0.1", server.port))
        with self.assertRaises(ConnectionResetError):
            client.recv(1)
        done = server.wait()
        self.assertEqual(done.code, 1)
        self.assertIn("tls", done.err)

    def test_bad_usage(self):
        for words in (["--to", "db"], ["--to", "udp://db:53"], ["--to", ""], ["--to", "db:1", "--exec", "--", "cat"],
                      ["--to", "db:1", "--send-only"], ["--to", "tcp://db:1", "-u"], ["--to", "db:1", "--serve-socks"],
                      ["--to", "db:1", "--ca", "x"], ["--ca", "x"], ["--proxy-auth-file", "x"], ["--to", "db:1", "--crlf"],
                      ["--to", "db:1", "--allow-target", "10.0.0.1"]):
            with self.subTest(words=words):
                self.assert_usage_error(run(["pier-listen", "127.0.0.1:0", *words], stdin=DEVNULL))


class Proxy(TestCase):
    """What both proxies have in common, and SOCKS by its bytes."""

    KINDS = ("--serve-http-proxy", "--serve-socks")

    def proxy(self, kind, *words, **options):
        return self.listen("127.0.0.1:0", kind, *words, stdin=DEVNULL, **options)

    def ask(self, server, kind, host, port, credentials=None, early=b""):
        """A client that has asked for the target: its socket, and the answer's code."""
        client = self.raw_connect(("127.0.0.1", server.port))
        if kind == "--serve-http-proxy":
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            head = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n"
            if credentials:
                head += "Proxy-Authorization: Basic " + base64.b64encode(credentials.encode()).decode() + "\r\n"
            client.sendall((head + "\r\n").encode() + early)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += recv_exactly(client, 1)
            return client, int(answer.split()[1])
        if credentials:
            user, password = credentials.encode().split(b":", 1)
            client.sendall(b"\5\1\2")
            self.assertEqual(recv_exactly(client, 2), b"\5\2")
            client.sendall(b"\1" + bytes([len(user)]) + user + bytes([len(password)]) + password)
            if recv_exactly(client, 2) != b"\1\0":
                return client, 407
        else:
            client.sendall(b"\5\1\0")
            if recv_exactly(client, 2) != b"\5\0":
                return client, 407
        name = host.encode()
        client.sendall(b"\5\1\0\3" + bytes([len(name)]) + name + struct.pack(">H", port) + early)
        head = recv_exactly(client, 4)
        recv_exactly(client, 6 if head[3] == 1 else 18)
        return client, {0: 200, 2: 403, 3: 502, 4: 502, 5: 502, 6: 504}[head[1]]

    def test_bytes_go_both_ways_from_the_first(self):
        for kind in self.KINDS:
            with self.subTest(kind=kind):
                listener = self.raw_listener()
                server = self.proxy(kind)
                client, code = self.ask(server, kind, "127.0.0.1", listener.getsockname()[1], early=b"early")
                far = self.accept(listener)
                self.assertEqual(code, 200)
                self.assertEqual(recv_exactly(far, 5), b"early")
                far.sendall(b"answer")
                far.close()
                self.assertEqual(recv_all(client), b"answer")

    def test_names_are_looked_up_there(self):
        for kind in self.KINDS:
            with self.subTest(kind=kind):
                listener = self.raw_listener()
                client, code = self.ask(self.proxy(kind), kind, "localhost", listener.getsockname()[1])
                self.assertEqual(code, 200)
                client, code = self.ask(self.proxy(kind), kind, "no-such-host.invalid", 80)
                self.assertEqual(code, 502)

    def test_a_target_that_refuses_is_told_as_such(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        listener.close()
        for kind in self.KINDS:
            with self.subTest(kind=kind):
                server = self.proxy(kind)
                client, code = self.ask(server, kind, "127.0.0.1", port)
                self.assertEqual(code, 502)
                recv_all(client)
                server.wait_err(r"connection refused$")
                self.assertTrue(server.running())

    def test_targets_are_judged_by_their_addresses(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        for kind in self.KINDS:
            for words, host, code in ((["--deny", "127.0.0.2"], "127.0.0.2", 403), (["--deny", "127.0.0.2"], "127.0.0.1", 200),
                                      (["--allow", "127.0.0.1"], "127.0.0.2", 403), (["--allow", "127.0.0.1"], "127.0.0.1", 200),
                                      (["--deny-target", "127.0.0.1"], "localhost", 403),
                                      (["--allow-target", "10.0.0.0/8"], "127.0.0.1", 403),
                                      (["--allow-target", "127.0.0.0/8", "--allow", "127.0.0.1"], "127.0.0.1", 200)):
                with self.subTest(kind=kind, words=words, host=host):
                    # An IPv6 loopback listens to nobody on this port.
                    words = [*words, "--deny-target", "::1"] if host == "localhost" else words
                    client, answer = self.ask(self.proxy(kind, *words), kind, host, port)
                    self.assertEqual(answer, code)

    def test_passwords(self):
        auth = self.tmp() / "auth"
        auth.write_text("me:secret\nyou:a:b\n")
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        for kind in self.KINDS:
            server = self.proxy(kind, "--proxy-auth-file", auth)
            for credentials, code in (("me:secret", 200), ("you:a:b", 200), ("me:wrong", 407), (None, 407)):
                with self.subTest(kind=kind, credentials=credentials):
                    client, answer = self.ask(server, kind, "127.0.0.1", port, credentials)
                    self.assertEqual(answer, code)
            self.assertNotIn("secret", server.err)

    def test_a_bad_auth_file_is_exit_2_and_not_quoted(self):
        auth = self.tmp() / "auth"
        auth.write_text("topsecret\n")
        done = run(["pier-listen", "127.0.0.1:0", "--serve-socks", "--proxy-auth-file", auth], stdin=DEVNULL)
        self.assertEqual(done.code, 2, done)
        self.assertIn(f"{auth}:1", done.err)
        self.assertNotIn("topsecret", done.err)
        done = run(["pier-listen", "127.0.0.1:0", "--serve-socks", "--proxy-auth-file", "/no/such/file"], stdin=DEVNULL)
        self.assertEqual(done.code, 2, done)

    def test_others_may_use_it_only_when_it_is_said(self):
        for kind in self.KINDS:
            for where in ("0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"):
                with self.subTest(kind=kind, where=where):
                    done = run(["pier-listen", where, kind], stdin=DEVNULL)
                    self.assert_usage_error(done, kind, "--public")
            for words in (["--public", "0"], ["--public", "0.0.0.0:0"], ["0"], ["localhost", "0"]):
                with self.subTest(kind=kind, words=words):
                    self.listen(*words, kind, stdin=DEVNULL)

    def test_it_serves_many_and_says_so(self):
        listener = self.raw_listener()
        for kind in self.KINDS:
            events = self.tmp() / "events"
            server = self.proxy(kind, "--events", events)
            for _ in range(3):
                client, code = self.ask(server, kind, "127.0.0.1", listener.getsockname()[1])
                self.assertEqual(code, 200)
                self.accept(listener).close()
                self.assertEqual(recv_all(client), b"")
                client.close()
            closed = lambda: [r for r in map(json.loads, events.read_text().splitlines()) if r["type"] == "closed"]
            wait_until(lambda: len(closed()) == 3, "three sessions")

    def test_garbage_costs_nobody_else(self):
        listener = self.raw_listener()
        for kind in self.KINDS:
            with self.subTest(kind=kind):
                server = self.proxy(kind)
                waiting, _ = self.ask(server, kind, "127.0.0.1", listener.getsockname()[1])
                far = self.accept(listener)
                for garbage in (b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n\r\n", b"\0" * 100, b"A" * 100_000, b""):
                    client = self.raw_connect(("127.0.0.1", server.port))
                    try:
                        client.sendall(garbage)
                        end_side(client)
                        recv_all(client)
                    except RESET:
                        pass
                    client.close()
                far.sendall(b"still here")
                self.assertEqual(recv_exactly(waiting, 10), b"still here")

    def test_http_statuses(self):
        server = self.proxy("--serve-http-proxy")
        for request, status in ((b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n", 405), (b"CONNECT db HTTP/1.1\r\n\r\n", 400),
                                (b"nonsense\r\n\r\n", 400), (b"CONNECT " + b"x" * 5000, 414),
                                (b"CONNECT db:1 HTTP/1.1\r\n" + b"X-Y: z\r\n" * 3000, 413)):
            with self.subTest(request=request[:30]):
                client = self.raw_connect(("127.0.0.1", server.port))
                client.sendall(request)
                self.assertRegex(recv_all(client).decode(), rf"\AHTTP/1\.1 {status} ")

    def test_socks4a(self):
        listener = self.raw_listener()
        port = struct.pack(">H", listener.getsockname()[1])
        server = self.proxy("--serve-socks")
        for request in (b"\4\1" + port + b"\x7f\0\0\1me\0", b"\4\1" + port + b"\0\0\0\1\0localhost\0"):
            client = self.raw_connect(("127.0.0.1", server.port))
            client.sendall(request)
            self.assertEqual(recv_exactly(client, 8)[:2], b"\0\x5a")
            far = self.accept(listener)
            far.sendall(b"hi")
            self.assertEqual(recv_exactly(client, 2), b"hi")
