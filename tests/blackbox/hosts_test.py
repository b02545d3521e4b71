"""pier-listen --allow and --deny: who may come."""

import json
import socket

from harness import DEVNULL, RESET, TestCase, end_side, need_ipv6, recv_all, run


class Hosts(TestCase):
    def come(self, server, host="127.0.0.1", port=None):
        """What a client from that address gets: "in" or "reset"."""
        client = self.enterContext(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        client.settimeout(60)
        client.bind((host, 0))
        try:  # a reset may come before connect() returns
            client.connect(("::1" if ":" in host else "127.0.0.1", port or server.port))
            client.sendall(b"hello")
            end_side(client)
            return "in" if recv_all(client) == b"hello" else "empty"
        except RESET:
            return "reset"

    def echo(self, *words, **options):
        return self.listen("-k", "127.0.0.1:0", *words, "--exec", "--", "cat", **options)

    def test_deny_beats_allow_and_lists_add_up(self):
        listed = self.tmp() / "hosts"
        listed.write_text("# more\n127.0.3.0/24\n")
        server = self.echo("--allow", "127.0.1.0/24,127.0.2.1-5", "--deny", "127.0.1.9", "--allow", f"@{listed}")
        for host, fate in (("127.0.1.1", "in"), ("127.0.1.9", "reset"), ("127.0.2.5", "in"), ("127.0.2.6", "reset"),
                           ("127.0.3.77", "in"), ("127.0.0.1", "reset")):
            self.assertEqual(self.come(server, host), fate, host)

    def test_deny_alone(self):
        server = self.echo("--deny", "127.0.0.2")
        self.assertEqual(self.come(server, "127.0.0.2"), "reset")
        self.assertEqual(self.come(server, "127.0.0.1"), "in")

    def test_ipv4_and_ipv6(self):
        need_ipv6()
        server = self.listen("-k", ":0", "--allow", "::1", "--exec", "--", "cat")
        self.assertEqual(self.come(server, "::1"), "in")
        self.assertEqual(self.come(server, "127.0.0.1"), "reset")

    def test_a_name_is_looked_up_at_the_start(self):
        server = self.echo("--allow", "localhost")
        self.assertEqual(self.come(server, "127.0.0.1"), "in")
        self.assertEqual(self.come(server, "127.0.0.2"), "reset")

    def test_a_refused_one_is_no_client(self):
        events = self.tmp() / "events"
        server = self.listen("127.0.0.1:0", "-v", "--events", events, "--allow", "127.0.0.1", stdin=DEVNULL)
        self.assertEqual(self.come(server, "127.0.0.2"), "reset")
        server.wait_err(r"^127\.0\.0\.2:\d+ refused: not allowed$")
        with self.raw_connect(("127.0.0.1", server.port)) as client:
            client.sendall(b"mine")
        self.assertEqual(server.wait()[:2], (0, b"mine"))
        records = [json.loads(line) for line in events.read_text().splitlines()]
        refused = [r for r in records if r["type"] == "refused"]
        self.assertEqual([(r["remote_addr"], r["reason"]) for r in refused], [("127.0.0.2", "not allowed")])
        self.assertEqual((records[-1]["sessions"], records[-1]["refused"]), (1, 1))

    def test_it_says_nothing_without_v(self):
        server = self.listen("127.0.0.1:0", "--deny", "127.0.0.2", stdin=DEVNULL)
        self.come(server, "127.0.0.2")
        self.raw_connect(("127.0.0.1", server.port)).close()
        self.assertNotIn("refused", server.wait().err)

    def test_datagrams_are_dropped(self):
        for words in ([], ["--exec", "--", "cat"]):
            with self.subTest(words=words):
                server = self.listen("-v", "-k", "-u", "127.0.0.1:0", "--deny", "127.0.0.2", *words)
                for host in ("127.0.0.2", "127.0.0.1"):
                    client = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    client.bind((host, 0))
                    client.sendto(host.encode(), ("127.0.0.1", server.port))
                server.wait_err(r"^127\.0\.0\.2:\d+ refused: not allowed$")
                server.wait_err(r"^127\.0\.0\.1:\d+ connected")
                if not words:
                    server.wait_out(rb"\A127\.0\.0\.1\Z")

    def test_bad_lists_are_refused_before_any_socket(self):
        for words, texts in ((["--allow", "10.0.0.0/33"], ("--allow", "10.0.0.0/33")),
                             (["--deny", "::1,,::2"], ("--deny", "::1,,::2")),
                             (["--allow", "10.0.0.5-1"], ("--allow", "backwards")),
                             (["--allow", "1.2.3"], ("--allow", "1.2.3")),
                             (["--allow", "-"], ("--allow", "@")),
                             (["--deny", "10.0.0.1:80"], ("--deny", "port"))):
            self.assert_usage_error(run(["pier-listen", "0", *words], stdin=DEVNULL), *texts)
        for words in (["unix:x", "--allow", "10.0.0.1"], ["-U", "x", "--deny", "10.0.0.1"]):
            self.assert_usage_error(run(["pier-listen", *words], stdin=DEVNULL))

    def test_a_list_that_cannot_be_read_is_exit_2_and_a_name_that_is_not_known_exit_1(self):
        done = run(["pier-listen", "0", "--allow", "@/no/such/file"], stdin=DEVNULL)
        self.assertEqual(done.code, 2, done)
        done = run(["pier-listen", "0", "--allow", "no-such-host.invalid"], stdin=DEVNULL)
        self.assertEqual(done.code, 1, done)
        self.assertIn("no-such-host.invalid", done.err)
