"""The helpers themselves: a harness that cannot see a failure would pass everything."""

import signal
import socket
import sys

import harness
from harness import CLOSED, DEVNULL, PTY, Lab, TestCase, run

PYTHON = [sys.executable, "-c"]


class Harness(TestCase):
    def test_run_gives_code_stdout_and_stderr(self):
        done = run([*PYTHON, "import sys; print(sys.stdin.read()); sys.stderr.write('e'); sys.exit(3)"], stdin="in")
        self.assertEqual(done, (3, b"in\n", "e"))

    def test_a_signal_is_128_and_its_number(self):
        self.assertEqual(run(["sh", "-c", "kill -TERM $$"]).code, 128 + signal.SIGTERM)

    def test_closed_descriptors_are_closed(self):
        look = "import os; print([fd for fd in (0, 2) if not os.path.exists(f'/proc/self/fd/{fd}')])"
        self.assertEqual(run([*PYTHON, look], stdin=CLOSED, stderr=CLOSED).text, "[0, 2]\n")
        self.assertEqual(run([*PYTHON, look], stdin=DEVNULL).text, "[]\n")

    def test_each_stream_may_be_a_terminal(self):
        look = "import os; print([os.isatty(fd) for fd in (0, 1, 2)])"
        self.assertEqual(run([*PYTHON, look], stdin=PTY, stdout=PTY).text, "[True, True, False]\r\n")

    def test_a_sanitizer_report_fails(self):
        with self.assertRaisesRegex(AssertionError, "sanitizer report"):
            run(["sh", "-c", f"exit {harness.SANITIZER_EXIT}"])

    def test_waiting_for_what_an_ended_program_never_said_fails(self):
        program = self.spawn(["sh", "-c", "echo other >&2"])
        with self.assertRaisesRegex(AssertionError, "'ready' was not seen"):
            program.wait_err("ready")

    def test_a_program_that_was_not_built_fails(self):
        with self.assertRaisesRegex(AssertionError, "is not built"):
            run(["pier-nothing-of-the-kind"])

    def test_children_are_seen(self):
        program = self.spawn(["sh", "-c", "sleep 1000 & echo up; read x; kill $!"])
        program.wait_out(b"up")
        self.assertEqual(len(program.children()), 1)
        program.finish()

    def test_two_hosts_of_a_lab_reach_each_other(self):
        lab = self.enterContext(Lab())
        for family, address in ((socket.AF_INET, lab.b.ip4), (socket.AF_INET6, lab.b.ip6)):
            with lab.b.socket(family) as server, lab.a.socket(family) as client:
                server.bind((address, 0))
                server.listen()
                client.connect(server.getsockname())
                peer, _ = server.accept()
                with peer:
                    peer.sendall(b"x")
                    self.assertEqual(client.recv(1), b"x")
        self.assertIn("eth0", run(lab.a.command(["ip", "-br", "addr"])).text)
