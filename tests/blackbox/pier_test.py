"""pier with the programs behind it: two of them talk, and nothing of the front door is left in between."""

import socket

from harness import TestCase, run


class Pier(TestCase):
    def test_a_command_is_the_program_beside_it(self):
        server = self.spawn(["pier", "listen", "127.0.0.1:0"])
        port = int(server.wait_err(r"^listening on 127\.0\.0\.1:(\d+) ")[1])
        client = self.spawn(["pier", "connect", "127.0.0.1", str(port)])
        client.finish(b"through both")
        self.assertEqual(server.wait()[:2], (0, b"through both"))

    def test_it_becomes_the_program(self):
        server = self.spawn(["pier", "listen", "127.0.0.1:0"])
        server.wait_err("^listening on ")
        with open(f"/proc/{server.pid}/comm", encoding="ascii") as name:
            self.assertEqual(name.read().strip(), "pier-listen")  # the same process, no parent in between
        self.assertEqual(server.children(), {})

    def test_exit_codes_and_words_pass_through(self):
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            done = run(["pier", "connect", "127.0.0.1", str(held.getsockname()[1])])
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"\Apier-connect: connect ")
        self.assertEqual(run(["pier", "connect", "a word", ""]).code, 2)

    def test_a_name_is_no_path(self):
        self.assert_usage_error(run(["pier", "../pier-listen"]), "../pier-listen")
        self.assert_usage_error(run(["pier", ""]), "''")

    def test_no_command_is_a_usage_error(self):
        done = run(["pier"])
        self.assertEqual(done.code, 2, done)
