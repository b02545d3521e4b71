"""pier-listen --proxy-protocol: the client that a PROXY header names."""

import json
import socket
import struct
import threading

from harness import DEVNULL, RESET, TestCase, end_side, recv_all, reset, run, wait_until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="203.0.113.7", destination="192.0.2.1"):
    return f"PROXY TCP4 {source} {destination} 4000 443\r\n".encode()


def v2(source="203.0.113.7", destination="192.0.2.1", command=0x21):
    body = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack(">HH", 4000, 443)
    return SIGNATURE + bytes([command, 0x11]) + struct.pack(">H", len(body)) + body


class ProxyProtocol(TestCase):
    WHO = 'echo "$PIER_REMOTE_ADDR $PIER_REMOTE_PORT $TCPLOCALIP $TCPLOCALPORT"; cat'

    def ask(self, server, data, host="127.0.0.1"):
        client = self.enterContext(socket.socket())
        client.settimeout(60)
        client.bind((host, 0))
        client.connect(("127.0.0.1", server.port))
        client.sendall(data)
        end_side(client)
        return recv_all(client), client.getsockname()[1]

    def test_both_versions_are_shown_exported_and_kept_from_the_data(self):
        for header in (v1(), v2()):
            for words in ([], ["--idle-timeout", "1m"]):
                with self.subTest(header=header[:8], words=words):
                    events = self.tmp() / "events"
                    server = self.listen("-k", "127.0.0.1:0", "--proxy-protocol", "--events", events, *words, "-c", self.WHO)
                    answer, port = self.ask(server, header + b"data")
                    self.assertEqual(answer, b"203.0.113.7 4000 192.0.2.1 443\ndata")
                    server.wait_err(rf"^203\.0\.113\.7:4000 connected \(client, registered\) by way of 127\.0\.0\.1:{port}$")
                    records = [json.loads(line) for line in events.read_text().splitlines()]
                    connected = next(r for r in records if r["type"] == "connected")
                    self.assertEqual((connected["remote_addr"], connected["remote_port"], connected["via_addr"], connected["via_port"]),
                                     ("203.0.113.7", 4000, "127.0.0.1", port))

    def test_unknown_and_local_are_the_connection_itself(self):
        server = self.listen("-k", "127.0.0.1:0", "--proxy-protocol", "-c", self.WHO)
        for header in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0"):
            answer, port = self.ask(server, header)
            self.assertEqual(answer.split()[:2], [b"127.0.0.1", b"%d" % port])

    def test_it_is_believed_from_some_only(self):
        for words, host, believed in (([], "127.0.0.1", True), ([], "127.9.9.9", True),
                                      (["--proxy-from", "127.0.0.2"], "127.0.0.2", True),
                                      (["--proxy-from", "127.0.0.2"], "127.0.0.1", False),
                                      (["--proxy-from", "10.0.0.0/8", "--proxy-from", "127.0.0.1"], "127.0.0.1", True)):
            with self.subTest(words=words, host=host):
                server = self.listen("127.0.0.1:0", "--proxy-protocol", *words, "-c", self.WHO)
                answer, port = self.ask(server, v1() + b"data", host)
                wanted = b"203.0.113.7 4000" if believed else f"{host} {port}".encode()
                self.assertTrue(answer.startswith(wanted + b" ") and answer.endswith(b"\ndata"), answer)

    def test_allow_and_deny_judge_the_real_client(self):
        server = self.listen("-v", "-k", "127.0.0.1:0", "--proxy-protocol", "--allow", "203.0.113.0/24", "--deny", "203.0.113.9",
                             "-c", self.WHO)
        self.assertTrue(self.ask(server, v1("203.0.113.7"))[0].startswith(b"203.0.113.7 "))
        for source in ("203.0.113.9", "198.51.100.1"):
            with self.assertRaises(RESET):
                self.ask(server, v1(source) + b"x" * 1000)
            server.wait_err(rf"^{source}:4000 refused: not allowed$")

    def test_who_says_nothing_of_it_is_sent_away_and_no_client(self):
        server = self.listen("-v", "127.0.0.1:0", "--proxy-protocol", stdin=DEVNULL)
        for data in (b"GET / HTTP/1.0\r\n\r\n", b"PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n", b""):
            with self.assertRaises(RESET):
                self.ask(server, data + b"x" * 10 if data else b"")
        stalled = self.raw_connect(("127.0.0.1", server.port))
        stalled.sendall(b"PROXY ")
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(v1() + b"mine")
        client.close()
        self.assertEqual(server.wait()[:2], (0, b"mine"))

    def test_one_that_stalls_is_ended_by_the_idle_timeout(self):
        server = self.listen("-v", "-k", "127.0.0.1:0", "--proxy-protocol", "--idle-timeout", "0.1", stdin=DEVNULL)
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(b"PROXY ")
        with self.assertRaises(ConnectionResetError):
            recv_all(client)
        server.wait_err("refused: PROXY header: it did not come in time")

    def test_a_header_in_single_bytes(self):
        server = self.listen("127.0.0.1:0", "--proxy-protocol", stdin=DEVNULL)
        client = self.raw_connect(("127.0.0.1", server.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in v2() + b"data":
            client.sendall(bytes([byte]))
        client.close()
        self.assertEqual(server.wait()[:2], (0, b"data"))

    def test_in_front_of_tls_and_of_a_relay(self):
        far = self.raw_listener()
        server = self.listen("127.0.0.1:0", "--proxy-protocol", "--to", f"127.0.0.1:{far.getsockname()[1]}", stdin=DEVNULL)
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(v1() + b"data")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(self.accept(far)), b"data")
        server = self.spawn(["pier-listen", "127.0.0.1:0", "--proxy-protocol", "--tls", "--recv-only"], stdin=DEVNULL)
        pin = server.wait_err(r"fingerprint.*: (\S+)$")[1]
        port = int(server.wait_err(r"listening on 127\.0\.0\.1:(\d+)")[1])
        # A relay that puts the header in front of what a TLS client says.
        front = self.raw_listener()
        secure = self.connect("--tls", "--pin", pin, f"127.0.0.1:{front.getsockname()[1]}")
        middle, back = self.accept(front), self.raw_connect(("127.0.0.1", port))
        back.sendall(v2())
        def carry(a, b):
            try:
                while data := a.recv(65536):
                    b.sendall(data)
                b.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        threads = [threading.Thread(target=carry, args=pair, daemon=True) for pair in ((middle, back), (back, middle))]
        for thread in threads:
            thread.start()
        self.assertEqual(secure.finish(b"secret").code, 0)
        self.assertEqual(server.wait()[:2], (0, b"secret"))
        self.assertIn("203.0.113.7:4000 connected", server.err)

    def test_a_reset_before_the_header_costs_nobody(self):
        server = self.listen("-k", "127.0.0.1:0", "--proxy-protocol", "-c", self.WHO)
        for _ in range(20):
            reset(self.raw_connect(("127.0.0.1", server.port)))
        self.assertTrue(self.ask(server, v1())[0].startswith(b"203.0.113.7 "))
        wait_until(lambda: not server.children(), "no program left")

    def test_bad_usage(self):
        self.assert_usage_error(run(["pier-listen", "0", "--proxy-from", "127.0.0.1"], stdin=DEVNULL), "--proxy-protocol")
        self.assert_usage_error(run(["pier-listen", "-u", "0", "--proxy-protocol"], stdin=DEVNULL))
        self.assert_usage_error(run(["pier-listen", "0", "--proxy-protocol", "--proxy-from", "1.2.3"], stdin=DEVNULL), "--proxy-from")
