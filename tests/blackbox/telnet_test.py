"""pier-connect --telnet, and --transcript: what is said beside the data, and all that was said."""

import base64
import json
import os
import re
import socket
import threading

import harness
from harness import PIPE, TestCase, recv_all, recv_exactly, run, wait_until

DO, DONT, WILL, WONT = 253, 254, 251, 252


def iac(*codes):
    return bytes([255, *codes])


class Telnet(TestCase):
    def start(self, *words, **options):
        listener = self.raw_listener()
        client = self.connect("--telnet", *words, "127.0.0.1", listener.getsockname()[1], **options)
        return client, self.accept(listener)

    def test_every_option_is_refused(self):
        client, sock = self.start(stdin=PIPE)
        sock.sendall(iac(DO, 24) + iac(WILL, 1) + b"login: ")
        self.assertEqual(recv_exactly(sock, 6), iac(WONT, 24) + iac(DONT, 1))
        client.wait_out(b"login: ")
        # Answers are not answered, nor is what is no question.
        sock.sendall(iac(DONT, 24) + iac(WONT, 1) + iac(250, 24, 1, 255, 240) + iac(241) + iac(249) + b"\r\0done")
        client.wait_out(b"done")
        client.close_stdin()
        self.assertEqual(recv_all(sock), b"")
        sock.close()
        done = client.wait()
        self.assertEqual((done.code, done.out), (0, b"login: \rdone"), done)

    def test_sequences_in_pieces_and_data_of_any_byte(self):
        data = harness.pattern(200_000).replace(b"\r", b"")
        client, sock = self.start(stdin=PIPE)
        answered = threading.Event()  # after our end there is no answering
        threading.Thread(target=lambda: (client.write(data), answered.wait(), client.close_stdin()), daemon=True).start()
        for byte in b"a" + iac(DO, 1) + b"b" + iac(255) + b"c":
            sock.sendall(bytes([byte]))
        client.wait_out(b"ab\xffc")
        answered.set()
        got = recv_all(sock)
        answer = iac(WONT, 1)
        at = next(m.start() for m in re.finditer(re.escape(answer), got)
                  if (m.start() - len(got[:m.start()].rstrip(b"\xff"))) % 2 == 0)
        self.assertEqual((got[:at] + got[at + 3:]).replace(b"\xff\xff", b"\xff"), data)
        sock.sendall(data.replace(b"\xff", b"\xff\xff"))
        sock.close()
        done = client.wait()
        self.assertEqual((done.code, done.out == b"ab\xffc" + data), (0, True), done.err)

    def test_with_a_program(self):
        listener = self.raw_listener()
        client = self.connect("--telnet", "--exec", "127.0.0.1", listener.getsockname()[1], "--", "head", "-c", "3")
        sock = self.accept(listener)
        sock.sendall(iac(DO, 24) + b"abc")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_all(sock), iac(WONT, 24) + b"abc")
        self.assertEqual(client.wait().code, 0)

    def test_one_that_asks_for_ever_and_does_not_listen(self):
        client, sock = self.start("--rcvbuf", "4k", "--sndbuf", "4k", stdin=PIPE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with self.assertRaises(OSError):
            for _ in range(100_000):
                sock.sendall(iac(DO, 1) * 1000)
        done = client.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("options", done.err)

    def test_usage(self):
        for words in (["--telnet", "-u", "h", "1"], ["--telnet", "--check", "h", "1"]):
            self.assert_usage_error(run(["pier-connect", *words]), "--telnet")


class Transcript(TestCase):
    def records(self, path):
        return [json.loads(line) for line in path.read_text().splitlines()]

    def content(self, record):
        raw = record["bytes"].encode() if record["encoding"] == "utf-8" else base64.b64decode(record["bytes"])
        self.assertEqual(len(raw), record["size"])
        return raw

    def test_both_directions_with_times(self):
        path = self.tmp() / "t"
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        client = self.connect("--transcript", path, "--hex-dump", f"{path}.hex", "127.0.0.1", port, stdin=PIPE)
        sock = self.accept(listener)
        client.write("grüß \"dich\"\n".encode())
        self.assertEqual(recv_exactly(sock, 14), "grüß \"dich\"\n".encode())
        sock.sendall(b"\x00\xff\x80")
        client.wait_out(rb"\x80")
        wait_until(lambda: len(self.records(path)) == 3, "each chunk is flushed")
        sock.sendall(b"bye")
        client.close_stdin()
        recv_all(sock)
        sock.close()
        self.assertEqual(client.wait().code, 0)
        records = self.records(path)
        self.assertEqual((records[0]["type"], records[0]["schema"]), ("start", 1))
        self.assertEqual((records[-1]["type"], records[-1]["complete"], records[-1]["exit"]), ("summary", True, 0))
        data = records[1:-1]
        self.assertEqual([(r["type"], r["direction"], r["encoding"], r["offset"]) for r in data],
                         [("data", "sent", "utf-8", 0), ("data", "received", "base64", 0),
                          ("data", "received", "utf-8", 3)])
        self.assertEqual([self.content(r) for r in data], ["grüß \"dich\"\n".encode(), b"\0\xff\x80", b"bye"])
        for record in data:
            self.assertRegex(record["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
            self.assertEqual(record["peer"], f"127.0.0.1:{port}")
        self.assertIn("67 72 c3 bc", (path.parent / "t.hex").read_text())

    def test_a_great_transfer_is_whole(self):
        path = self.tmp() / "t"
        data = harness.pattern(1 << 20)
        server = self.listen("--echo", "0")
        done = run(["pier-connect", "--transcript", path, "127.0.0.1", server.port], stdin=data)
        self.assertEqual((done.code, done.out == data), (0, True), done.err)
        for direction in ("sent", "received"):
            parts = [r for r in self.records(path) if r.get("direction") == direction]
            self.assertEqual(b"".join(map(self.content, parts)), data)
            self.assertEqual([r["offset"] for r in parts], [sum(r["size"] for r in parts[:i]) for i in range(len(parts))])

    def test_datagrams(self):
        path = self.tmp() / "t"
        sock = self.raw_listener(kind=socket.SOCK_DGRAM)

        def answer():
            data, sender = sock.recvfrom(100)
            sock.sendto(b"pong", sender)

        threading.Thread(target=answer, daemon=True).start()
        done = run(["pier-connect", "-u", "--replies", "1", "--reply-timeout", "60s", "--transcript", path, "127.0.0.1",
                    sock.getsockname()[1]], stdin=b"ping")
        self.assertEqual(done.code, 0, done)
        self.assertEqual([(r["direction"], r["bytes"]) for r in self.records(path)[1:-1]],
                         [("sent", "ping"), ("received", "pong")])

    def test_one_that_can_not_be_written(self):
        listener = self.raw_listener()
        port = listener.getsockname()[1]
        done = run(["pier-connect", "--transcript", "/dev/full", "127.0.0.1", port])
        self.assertEqual(done.code, 2, done)
        self.assertIn("/dev/full", done.err)
        done = run(["pier-connect", "--transcript", self.tmp() / "no" / "file", "127.0.0.1", port])
        self.assertEqual(done.code, 2, done)
        # One whose reader goes while the session lasts.
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        client = self.connect("--transcript", f"fd:{writer}", "127.0.0.1", port, pass_fds=[writer])
        sock = self.accept(listener)
        os.close(reader)
        sock.sendall(b"x")
        done = client.wait()
        self.assertEqual(done.code, 2, done)
        with self.assertRaises(ConnectionResetError):
            recv_all(sock)

    def test_usage(self):
        self.assert_usage_error(run(["pier-connect", "--transcript", "/dev/null", "--check", "h", "1"]), "--transcript")
        self.assert_usage_error(run(["pier-connect", "--transcript", "-", "127.0.0.1", "1"]), "--transcript")
