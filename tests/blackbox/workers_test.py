"""pier-listen --workers: several threads, one server."""

import json
import os
import pathlib
import signal
import socket

from harness import DEVNULL, RESET, TestCase, need_ipv6, need_root, recv_all, recv_exactly, reset, run, wait_until


def threads(program):
    return len(os.listdir(f"/proc/{program.pid}/task"))


class Workers(TestCase):
    def client(self, server, host="127.0.0.1"):
        """One that is served; None where it was reset."""
        client = self.enterContext(socket.socket())
        client.settimeout(60)
        try:
            client.connect((host, server.port))
            client.sendall(b"x")
            recv_exactly(client, 1)
        except RESET:
            return None
        return client

    def busy(self, server):
        """How many of its threads have used the processor or waited for clients: those that hold sockets."""
        waits = 0
        for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir():
            fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            waits += int(fields["voluntary_ctxt_switches"]) > 5
        return waits

    def test_all_serve_and_end_together(self):
        events = self.tmp() / "events"
        server = self.listen("--workers", "4", "--echo", "--events", events, "127.0.0.1:0")
        wait_until(lambda: threads(server) == 4, "its threads")
        clients = [self.client(server) for _ in range(60)]
        self.assertGreater(self.busy(server), 1)
        for client in clients[:30]:
            client.close()
        wait_until(lambda: server.err.count("done:") == 30, "their ends")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        for client in clients[30:]:
            self.assertEqual(recv_all(client), b"")
        records = [json.loads(line) for line in events.read_text().splitlines()]
        for kind in ("connected", "closed"):
            ids = [r["id"] for r in records if r["type"] == kind]
            self.assertEqual(sorted(ids), list(range(1, 61)))
        last = records[-1]
        self.assertEqual((last["type"], last["sessions"], last["bytes_in"], last["bytes_out"]), ("summary", 60, 60, 60))

    def test_each_way_of_serving(self):
        need_ipv6()
        far = self.listen("-k", "--echo", "127.0.0.1:0")
        for words in (["-c", "cat"], ["--exec"], ["--idle-timeout", "1m", "-c", "cat"], ["--to", f"127.0.0.1:{far.port}"]):
            with self.subTest(words=words):
                more = ["--", "cat"] if words == ["--exec"] else []
                server = self.listen("--workers", "3", *words, ":0", *more)
                for host in ["127.0.0.1", "::1"] * 10:
                    client = self.raw_connect((host, server.port), socket.AF_INET6 if ":" in host else socket.AF_INET)
                    client.sendall(b"hello")
                    client.shutdown(socket.SHUT_WR)
                    self.assertEqual(recv_all(client), b"hello")
                wait_until(lambda: not server.children(), "no program left")

    def test_programs_end_with_it(self):
        server = self.listen("--workers", "3", "-c", "echo x; exec sleep 1000", "127.0.0.1:0")
        clients = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(12)]
        for client in clients:
            self.assertEqual(recv_exactly(client, 2), b"x\n")
        children = list(server.children())
        self.assertEqual(len(children), 12)
        server.signal(signal.SIGINT)
        self.assertEqual(server.wait().code, 130)
        for pid in children:
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())

    def test_limits_are_of_the_whole(self):
        server = self.listen("--workers", "4", "--max-clients", "10", "--echo", "127.0.0.1:0")
        served = [client for client in (self.client(server) for _ in range(40)) if client]
        self.assertEqual(len(served), 10)
        server.signal(signal.SIGTERM)
        self.assertIn("reset because of --max-clients or --per-host: 30", server.wait().err)
        server = self.listen("--workers", "4", "--per-host", "3", "--echo", "127.0.0.1:0")
        self.assertEqual(len([client for client in (self.client(server) for _ in range(20)) if client]), 3)

    def test_drain_waits_for_all(self):
        server = self.listen("--workers", "4", "--drain", "1m", "--echo", "127.0.0.1:0")
        clients = [self.client(server) for _ in range(20)]
        server.signal(signal.SIGTERM)
        server.wait_err("draining: clients have 60.0 s to finish: 20")

        def refused():
            try:
                socket.create_connection(("127.0.0.1", server.port)).close()
                return False
            except OSError:
                return True

        wait_until(refused, "nobody to listen")
        for client in clients:
            client.sendall(b"after")
            self.assertEqual(recv_exactly(client, 5), b"after")
            self.assertTrue(server.running())
            client.close()
        self.assertEqual(server.wait().code, 143)
        server = self.listen("--workers", "4", "--drain", "0.1", "--echo", "127.0.0.1:0")
        clients = [self.client(server) for _ in range(20)]
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)

    def test_tls_and_a_unix_socket(self):
        path = self.tmp() / "s"
        for listen, connect in ((["--tls", "127.0.0.1:0"], ["--tls", "--insecure", "127.0.0.1"]),
                                ([f"unix:{path}"], [f"unix:{path}"])):
            with self.subTest(listen=listen):
                server = self.listen("--workers", "3", "--echo", *listen)
                where = [*connect, *([server.port] if server.port else [])]
                for _ in range(6):
                    done = run(["pier-connect", *where], stdin=b"hello")
                    self.assertEqual((done.code, done.out), (0, b"hello"), done.err)

    def test_a_taken_port_is_still_taken(self):
        server = self.listen("--workers", "2", "--echo", "127.0.0.1:0")
        for words in (["--workers", "2"], ["-k"]):
            done = run(["pier-listen", *words, "--echo", f"127.0.0.1:{server.port}"], stdin=DEVNULL)
            self.assertEqual(done.code, 2, done)
            self.assertIn("address in use by", done.err)

    def test_resets_and_many_clients_touch_nobody(self):
        server = self.listen("--workers", "4", "--echo", "127.0.0.1:0")
        honest = self.client(server)
        for _ in range(200):
            reset(self.raw_connect(("127.0.0.1", server.port)))
        honest.sendall(b"still here")
        self.assertEqual(recv_exactly(honest, 10), b"still here")
        honest.close()
        wait_until(lambda: len([f for f in server.fds().values() if f.startswith("socket:")]) <= 4, "only those that listen")

    def test_as_another_user(self):
        need_root()
        server = self.listen("--workers", "3", "--user", "nobody", "-c", "id -un", "127.0.0.1:0")
        for _ in range(9):
            self.assertEqual(recv_all(self.raw_connect(("127.0.0.1", server.port))), b"nobody\n")
        for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir():
            self.assertNotIn("Uid:\t0", (task / "status").read_text())

    def test_bad_usage(self):
        for words in ([], ["--broker"], ["--chat"], ["--echo", "--max-accepts", "3"], ["-u", "-c", "cat"], ["--echo", "--explain"]):
            with self.subTest(words=words):
                self.assert_usage_error(run(["pier-listen", "--workers", "2", *words, "0"], stdin=DEVNULL), "--workers")
        self.assert_usage_error(run(["pier-listen", "--workers", "0", "--echo", "0"], stdin=DEVNULL), "--workers")
