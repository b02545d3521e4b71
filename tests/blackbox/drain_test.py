"""pier-listen --drain: what SIGTERM does then."""

import signal
import socket
import time

from harness import DEVNULL, TestCase, recv_all, recv_exactly, run, wait_until


class Drain(TestCase):
    WAYS = ((["-k", "--echo"], None), (["--echo"], None), (["-k", "-c", "cat"], None), (["-k", "--to"], "relay"))

    def serve(self, words, relay, *more):
        if relay:
            far = self.listen("-k", "--echo", "127.0.0.1:0")
            words = [*words, f"127.0.0.1:{far.port}"]
        return self.listen(*words, *more, "127.0.0.1:0")

    def client(self, server):
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(b"before")
        self.assertEqual(recv_exactly(client, 6), b"before")
        return client

    def refused(self, server):
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
            return False
        except OSError:
            return True

    def test_clients_finish_and_nobody_new_comes(self):
        for words, relay in self.WAYS:
            with self.subTest(words=words):
                server = self.serve(words, relay, "--drain", "1m")
                client = self.client(server)
                server.signal(signal.SIGTERM)
                server.wait_err(r"^draining: clients have 60.0 s to finish: 1$")
                wait_until(lambda: self.refused(server), "nobody to listen")
                client.sendall(b"after")
                self.assertEqual(recv_exactly(client, 5), b"after")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(client), b"")
                self.assertEqual(server.wait().code, 143)

    def test_whoever_is_left_is_closed(self):
        for words, relay in self.WAYS:
            with self.subTest(words=words):
                server = self.serve(words, relay, "--drain", "0.2")
                client = self.client(server)
                started = time.monotonic()
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait().code, 143)
                self.assertGreaterEqual(time.monotonic() - started, 0.2)
                self.assertEqual(recv_all(client), b"")

    def test_without_a_client_it_ends_at_once(self):
        server = self.listen("-k", "--drain", "1h", "0", stdin=DEVNULL)
        server.signal(signal.SIGTERM)
        done = server.wait()
        self.assertEqual(done.code, 143)
        self.assertNotIn("draining", done.err)

    def test_a_second_signal_ends_it_at_once(self):
        for second, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            server = self.listen("-k", "--echo", "--drain", "1h", "0")
            self.client(server)
            server.signal(signal.SIGTERM)
            server.wait_err("draining")
            server.signal(second)
            self.assertEqual(server.wait().code, code)

    def test_sigint_does_not_wait(self):
        server = self.listen("-k", "--echo", "--drain", "1h", "0")
        self.client(server)
        server.signal(signal.SIGINT)
        self.assertEqual(server.wait().code, 130)

    def test_what_clients_sent_is_written(self):
        server = self.listen("-k", "--drain", "1m", "0")
        client = self.raw_connect(("127.0.0.1", server.port))
        client.sendall(b"one ")
        server.wait_out(b"one ")
        server.signal(signal.SIGTERM)
        server.wait_err("draining")
        server.write("to you")
        self.assertEqual(recv_exactly(client, 6), b"to you")
        client.sendall(b"two")
        client.close()
        self.assertEqual(server.wait()[:2], (143, b"one two"))

    def test_a_handshake_under_way_is_finished_too(self):
        server = self.listen("-k", "--tls", "--echo", "--drain", "0.2", "0")
        stalled = self.raw_connect(("127.0.0.1", server.port))
        stalled.sendall(b"\x16\x03")
        client = self.connect("--tls", "--insecure", server.port)
        client.write("x")
        client.wait_out(b"x")
        server.signal(signal.SIGTERM)
        server.wait_err("draining")
        self.assertEqual(client.finish(b"y").out, b"xy")
        self.assertEqual(server.wait().code, 143)

    def test_datagrams_have_nothing_to_finish(self):
        self.assert_usage_error(run(["pier-listen", "-u", "--drain", "1", "0"]))
        self.assert_usage_error(run(["pier-listen", "--drain", "1", "udp://:0"]), "--drain")
