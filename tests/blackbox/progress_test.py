"""--progress: how far a transfer is, on a terminal, or elsewhere when asked for."""

import signal

from harness import DEVNULL, PTY, TestCase, pattern, recv_all, recv_exactly, run

BYTES = r"\d+(?:\.\d)? [kMG]?B"


class Progress(TestCase):
    def send(self, size, *options, **more):
        """A connect that sends a file of `size` bytes, and its peer, which has not read yet."""
        file = self.tmp() / "report.pdf"
        file.write_bytes(pattern(size))
        listener = self.raw_listener()
        program = self.connect("--send", file, *options, "127.0.0.1", listener.getsockname()[1], stdin=DEVNULL, **more)
        return program, self.accept(listener)

    def finish(self, program, peer):
        recv_all(peer)
        peer.close()
        done = program.wait()
        self.assertEqual(done.code, 0, done)
        return done

    def test_a_terminal_has_a_line_redrawn_and_one_that_stays(self):
        program, peer = self.send(100000, "--progress", "--limit-rate", "200k", stderr=PTY)
        program.wait_err(r"\rreport\.pdf  \d+%  " + BYTES + "  " + BYTES + r"/s  ETA 1 s\x1b\[K")
        done = self.finish(program, peer)
        self.assertRegex(done.err, r"\r\x1b\[Kreport\.pdf  100%  100\.0 kB  " + BYTES + r"/s\r\n\Z")
        self.assertLess(done.err.count("\r"), 30)  # ten a second, for half a second, and what stands still

    def test_elsewhere_nothing_is_drawn(self):
        program, peer = self.send(50000, "--progress", "--limit-rate", "100k")
        self.assertEqual(self.finish(program, peer).err, "")

    def test_elsewhere_a_line_a_second_when_forced(self):
        program, peer = self.send(150000, "--progress=always", "--limit-rate", "100k")
        done = self.finish(program, peer)
        lines = done.err.splitlines()
        self.assertNotRegex(done.err, r"[\r\x1b]")
        self.assertRegex(lines[0], r"\Areport\.pdf  \d\d%  ")
        self.assertRegex(lines[-1], r"\Areport\.pdf  100%  150\.0 kB  " + BYTES + r"/s\Z")
        self.assertIn(len(lines), (2, 3))

    def test_what_is_received_has_no_known_size(self):
        out = self.tmp() / "out.bin"
        listener = self.raw_listener()
        program = self.connect("--recv", out, "--progress=always", "127.0.0.1", listener.getsockname()[1],
                               stdin=DEVNULL)
        peer = self.accept(listener)
        peer.sendall(bytes(5000))
        peer.close()
        done = program.wait()
        self.assertRegex(done.err, r"\Aout\.bin  5\.0 kB  " + BYTES + r"/s\n\Z")

    def test_stdin_from_a_file_has_a_size(self):
        file = self.tmp() / "f"
        file.write_bytes(bytes(2000))
        listener = self.raw_listener()
        with file.open("rb") as source:
            source.seek(500)
            program = self.connect("--progress=always", "127.0.0.1", listener.getsockname()[1], stdin=source)
        peer = self.accept(listener)
        self.assertEqual(len(recv_all(peer)), 1500)
        peer.close()
        self.assertRegex(program.wait().err, r"\Asent  100%  1\.5 kB  ")

    def test_listen_begins_with_its_client(self):
        server = self.listen("--progress=always", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(bytes(3000))
        peer.close()
        done = server.wait()
        self.assertEqual(done.code, 0, done)
        self.assertRegex(done.err.splitlines()[-1], r"\Areceived  3\.0 kB  " + BYTES + r"/s\Z")

    def test_datagrams(self):
        file = self.tmp() / "query"
        file.write_bytes(bytes(100))
        done = run(["pier-connect", "-u", "--send", file, "--progress=always", "--reply-timeout", "50ms", "127.0.0.1",
                    self.listen("-u", "0").port], stdin=DEVNULL)
        self.assertRegex(done.err, r"\Aquery  100%  100 B  ")

    def test_an_end_by_a_signal_says_how_far_it_was(self):
        program, peer = self.send(1 << 20, "--progress=always", "--limit-rate", "100k")
        recv_exactly(peer, 5000)
        program.signal(signal.SIGINT)
        done = program.wait()
        self.assertEqual(done.code, 130, done)
        self.assertRegex(done.err, r"report\.pdf  \d%  " + BYTES)

    def test_other_lines_are_not_written_into_it(self):
        program, peer = self.send(100000, "--progress", "--summary", "--limit-rate", "200k", stderr=PTY)
        program.wait_err("ETA")
        done = self.finish(program, peer)
        self.assertRegex(done.err, r"\r\x1b\[K127\.0\.0\.1:\d+: 0 B in, 100000 B out, ")

    def test_quiet_is_quiet(self):
        program, peer = self.send(1000, "-q", "--progress=always")
        self.assertEqual(self.finish(program, peer).err, "")

    def test_what_does_not_fit_is_refused(self):
        for command, words, texts in (
                ("pier-connect", ["--progress=never", "9"], ["--progress 'never'", "auto, always"]),
                ("pier-connect", ["--progress=", "9"], ["--progress ''"]),
                ("pier-connect", ["--check", "--progress", "9"], ["--check", "--progress"]),
                ("pier-listen", ["-k", "--progress", "0"], ["--keep-open", "--progress"]),
                ("pier-listen", ["--progress", "--exec", "0", "--", "cat"], ["--exec", "--progress"])):
            with self.subTest(command=command, words=words):
                self.assert_usage_error(run([command, *words]), *texts)

    def test_the_word_after_it_is_an_operand(self):
        listener = self.raw_listener()
        program = self.connect("--progress", "127.0.0.1", listener.getsockname()[1], stdin=DEVNULL)
        self.accept(listener).close()
        self.assertEqual(program.wait().code, 0)
