"""--send FILE and --recv FILE: a file in place of stdin and stdout, whole or not at all."""

import contextlib
import os
import pathlib
import signal
import socket
import stat
import subprocess
import threading

import harness
from harness import CLOSED, DEVNULL, PIPE, TestCase, need_root, pattern, recv_all, recv_exactly, reset, run, wait_until


def left_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


class Send(TestCase):
    def test_connect_sends_a_file(self):
        data = pattern(3 << 20)
        file = self.tmp() / "report.pdf"
        file.write_bytes(data)
        listener = self.raw_listener()
        program = self.connect("--send", file, "--summary", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        self.assertEqual(recv_all(peer), data)  # to its half-close, with stdin still open
        peer.sendall(b"thanks")
        peer.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b"thanks"), done)
        self.assertIn(f"6 B in, {len(data)} B out, ", done.err)

    def test_listen_sends_a_file_to_its_client(self):
        data = pattern(300000)
        file = self.tmp() / "f"
        file.write_bytes(data)
        server = self.listen("--send", file, "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_all(peer), data)
        peer.sendall(b"thanks")
        peer.close()
        self.assertEqual(server.wait()[:2], (0, b"thanks"))

    def test_stdin_is_not_read(self):
        file = self.tmp() / "f"
        file.write_bytes(b"from the file")
        listener = self.raw_listener()
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        os.write(write, b"from stdin")
        program = self.connect("--send", file, "127.0.0.1", listener.getsockname()[1], stdin=read)
        peer = self.accept(listener)
        self.assertEqual(recv_all(peer), b"from the file")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        self.assertEqual(os.read(read, 100), b"from stdin")

    def test_a_dash_is_stdin(self):
        listener = self.raw_listener()
        program = self.connect("--send", "-", "127.0.0.1", listener.getsockname()[1])
        peer = self.accept(listener)
        program.write(b"typed")
        program.close_stdin()
        self.assertEqual(recv_all(peer), b"typed")
        peer.close()
        self.assertEqual(program.wait().code, 0)

    def test_null_is_an_empty_file(self):
        server = self.listen("--send", "/dev/null", "0")
        peer = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_all(peer), b"")
        peer.close()
        self.assertEqual(server.wait().code, 0)

    def test_a_fifo_is_waited_for(self):
        fifo = self.tmp() / "fifo"
        os.mkfifo(fifo)
        listener = self.raw_listener()
        program = self.connect("--send", fifo, "127.0.0.1", listener.getsockname()[1], stdin=DEVNULL)
        fifo.write_bytes(b"through the pipe")
        self.assertEqual(recv_all(self.accept(listener)), b"through the pipe")
        program.signal(signal.SIGTERM)
        program.wait()

    def test_a_waiting_fifo_does_not_hold_off_sigint(self):
        fifo = self.tmp() / "fifo"
        os.mkfifo(fifo)
        program = self.connect("--send", fifo, "127.0.0.1", 9)
        stat_file = pathlib.Path(f"/proc/{program.pid}/stat")
        wait_until(lambda: ") S " in stat_file.read_text(), "it sleeps in open(2)")
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait().code, 130)

    def test_what_cannot_be_sent_is_refused_before_connecting(self):
        folder = self.tmp()
        listener = self.raw_listener()
        listener.setblocking(False)
        cases = [(folder / "missing", "no such file"), (folder, "is a directory")]
        if os.geteuid() != 0:
            (folder / "secret").touch(0)
            cases.append((folder / "secret", "permission denied"))
        for path, why in cases:
            for command in (["pier-connect", "127.0.0.1", listener.getsockname()[1]], ["pier-listen", "0"]):
                with self.subTest(path=path, command=command):
                    done = run([*command, "--send", path])
                    self.assert_usage_error(done, f"'{path}'", why)
        with self.assertRaises(BlockingIOError):
            listener.accept()

    def test_datagrams(self):
        file = self.tmp() / "query"
        file.write_bytes(b"question")
        server = self.raw_listener(kind=socket.SOCK_DGRAM)
        answer = self.tmp() / "answer"
        program = self.connect("-u", "--reply-timeout", "200ms", "--send", file, "--recv", answer, "127.0.0.1",
                               server.getsockname()[1])
        data, client = server.recvfrom(100)
        self.assertEqual(data, b"question")
        server.sendto(b"answer", client)
        self.assertEqual(program.wait().code, 0)
        self.assertEqual(answer.read_bytes(), b"answer")


class SendToEach(TestCase):
    """listen -k --send FILE."""

    def test_each_client_gets_all_of_it(self):
        data = pattern(2 << 20)
        file = self.tmp() / "f"
        file.write_bytes(data)
        server = self.listen("-k", "--send", file, "0")
        peers = [self.raw_connect(("127.0.0.1", server.port)) for _ in range(5)]
        for peer in peers:
            self.assertEqual(recv_all(peer), data)
            peer.sendall(b"thanks\n")
            peer.close()
        server.wait_out_size(7 * 5)
        late = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_all(late), data)
        self.assertTrue(server.running())

    def test_over_tls_and_to_unix_and_seen(self):
        data = pattern(300000)
        folder = self.tmp()
        (folder / "f").write_bytes(data)
        for listen, connect in ((["--tls", "0"], ["--tls", "--insecure", "127.0.0.1"]),
                                ([f"unix:{folder}/s"], [f"unix:{folder}/s"]),
                                (["--hex-dump", "/dev/null", "0"], ["127.0.0.1"])):
            with self.subTest(listen=listen):
                server = self.listen("-k", "--send", folder / "f", *listen, stdin=DEVNULL)
                for _ in range(2):
                    where = connect if server.port == 0 else [*connect, server.port]
                    done = run(["pier-connect", *where], stdin=b"request")
                    self.assertEqual((done.code, done.out), (0, data), done.err)
                server.wait_out(b"requestrequest")

    def test_one_that_does_not_read_holds_up_nobody(self):
        data = pattern(8 << 20)
        file = self.tmp() / "f"
        file.write_bytes(data)
        server = self.listen("-k", "--send", file, "--summary", "0", stdin=DEVNULL)
        slow = self.raw_connect(("127.0.0.1", server.port))
        recv_exactly(slow, 10)
        quick = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_all(quick), data)
        quick.close()
        server.wait_err(f"0 B in, {len(data)} B out")
        before = server.cpu_ticks()
        self.assertEqual(len(recv_all(slow)), len(data) - 10)
        slow.close()
        wait_until(lambda: server.err.count(f"0 B in, {len(data)} B out") == 2, "both got all of it")
        self.assertLess(server.cpu_ticks() - before, 100)

    def test_a_new_file_of_that_name_is_sent_from_then_on(self):
        file = self.tmp() / "f"
        file.write_bytes(b"first")
        server = self.listen("-k", "--send", file, "0", stdin=DEVNULL)
        self.assertEqual(run(["pier-connect", server.port], stdin=DEVNULL).out, b"first")
        file.write_bytes(b"second")
        self.assertEqual(run(["pier-connect", server.port], stdin=DEVNULL).out, b"second")
        file.unlink()
        self.assertEqual(run(["pier-connect", server.port], stdin=b"").code, 1)
        server.wait_err("no such file")
        self.assertTrue(server.running())

    def test_send_only_closes_when_all_is_acknowledged(self):
        data = pattern(300000)
        file = self.tmp() / "f"
        file.write_bytes(data)
        server = self.listen("-k", "--send-only", "--send", file, "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        self.assertEqual(recv_all(peer), data)
        server.wait_err("done: 0 B in, 300.0 kB out")

    def test_a_reset_ends_that_client_alone(self):
        file = self.tmp() / "f"
        file.write_bytes(pattern(8 << 20))
        server = self.listen("-k", "--send", file, "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        recv_exactly(peer, 10)
        reset(peer)
        server.wait_err(r"done: .*(reset|broken pipe)")
        self.assertTrue(server.running())

    def test_half_a_file_does_not_look_whole_after_a_signal(self):
        file = self.tmp() / "f"
        file.write_bytes(pattern(16 << 20))
        server = self.listen("-k", "--send", file, "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        recv_exactly(peer, 10)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        with self.assertRaises(ConnectionResetError):
            recv_all(peer)

    def test_send_only_over_tls_says_goodbye(self):
        file = self.tmp() / "f"
        file.write_bytes(pattern(300000))
        server = self.listen("-k", "--send-only", "--tls", "--send", file, "0", stdin=DEVNULL)
        for _ in range(2):
            done = run(["pier-connect", "--tls", "--insecure", server.port], stdin=DEVNULL)
            self.assertEqual((done.code, done.out), (0, file.read_bytes()), done.err)
        wait_until(lambda: server.err.count("done: 0 B in, 300.0 kB out") == 2, "both are served")

    def test_datagrams_have_no_file_each(self):
        self.assert_usage_error(run(["pier-listen", "-ku", "--send", "f", "0"]), "--send", "'f'")

    def test_only_regular_files(self):
        self.assert_usage_error(run(["pier-listen", "-k", "--send", "/dev/zero", "0"]), "'/dev/zero'", "regular file")


class Recv(TestCase):
    def serve(self, target, *options, **more):
        """A connect that receives into `target`, and its peer."""
        listener = self.raw_listener()
        program = self.connect("--recv", target, *options, "127.0.0.1", listener.getsockname()[1],
                               **{"stdin": DEVNULL, **more})
        return program, self.accept(listener)

    def test_a_file_has_its_name_only_when_it_is_complete(self):
        folder = self.tmp()
        data = pattern(1 << 20)
        program, peer = self.serve(folder / "out")
        peer.sendall(data[:100000])
        wait_until(lambda: any(f.stat().st_size == 100000 for f in folder.iterdir()), "the first part is written")
        self.assertFalse((folder / "out").exists())
        peer.sendall(data[100000:])
        peer.close()
        done = program.wait()
        self.assertEqual((done.code, done.out), (0, b""), done)
        self.assertEqual((folder / "out").read_bytes(), data)
        self.assertEqual(left_in(folder), ["out"])

    def test_listen_receives_into_a_file(self):
        folder = self.tmp()
        server = self.listen("--recv", folder / "out", "0", stdin=DEVNULL)
        peer = self.raw_connect(("127.0.0.1", server.port))
        peer.sendall(b"incoming")
        peer.close()
        self.assertEqual(server.wait()[:2], (0, b""))
        self.assertEqual((folder / "out").read_bytes(), b"incoming")

    def test_both_ends_at_once(self):
        folder = self.tmp()
        ours, theirs = pattern(400000, 1), pattern(500000, 2)
        (folder / "ours").write_bytes(ours)
        (folder / "theirs").write_bytes(theirs)
        server = self.listen("--send", folder / "theirs", "--recv", folder / "at-server", "0", stdin=DEVNULL)
        done = run(["pier-connect", "--send", folder / "ours", "--recv", folder / "at-client", server.port],
                   stdin=DEVNULL)
        self.assertEqual((done.code, done.out, server.wait().code), (0, b"", 0), done)
        self.assertEqual((folder / "at-server").read_bytes(), ours)
        self.assertEqual((folder / "at-client").read_bytes(), theirs)

    def test_an_incomplete_file_is_removed_and_said(self):
        folder = self.tmp()
        (folder / "out").write_bytes(b"what was there before")
        program, peer = self.serve(folder / "out", stdin=PIPE)
        peer.sendall(b"half of it")
        wait_until(lambda: any(f.stat().st_size == 10 for f in folder.iterdir()), "it is written")
        reset(peer)
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"\Apier-connect: recv: connection reset by peer; .*out' is not kept: 10 B of it")
        self.assertEqual(left_in(folder), ["out"])
        self.assertEqual((folder / "out").read_bytes(), b"what was there before")

    def test_partial_keeps_what_arrived(self):
        folder = self.tmp()
        program, peer = self.serve(folder / "out", "--partial", stdin=PIPE)
        peer.sendall(b"half of it")
        wait_until(lambda: any(f.stat().st_size == 10 for f in folder.iterdir()), "it is written")
        reset(peer)
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("out' has the 10 B that arrived", done.err)
        self.assertEqual((folder / "out").read_bytes(), b"half of it")
        self.assertEqual(left_in(folder), ["out"])

    def test_a_signal_leaves_nothing_behind(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                folder = self.tmp()
                program, peer = self.serve(folder / "out")
                peer.sendall(b"half of it")
                wait_until(lambda: any(f.stat().st_size == 10 for f in folder.iterdir()), "it is written")
                program.signal(number)
                done = program.wait()
                self.assertEqual(done.code, 128 + number, done)
                self.assertIn("10 B of it had arrived", done.err)
                self.assertEqual(left_in(folder), [])

    def test_a_refused_connection_leaves_nothing_behind(self):
        folder = self.tmp()
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            done = run(["pier-connect", "--recv", folder / "out", "127.0.0.1", held.getsockname()[1]], stdin=DEVNULL)
        self.assertEqual(done.code, 1, done)
        self.assertNotIn("out", done.err)
        self.assertEqual(left_in(folder), [])

    def test_listen_that_nobody_came_to_leaves_nothing_behind(self):
        folder = self.tmp()
        server = self.listen("--recv", folder / "out", "0", stdin=DEVNULL)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        self.assertEqual(left_in(folder), [])

    def test_a_deadline_is_not_complete(self):
        folder = self.tmp()
        program, peer = self.serve(folder / "out", "--idle-timeout", "100ms")
        peer.sendall(b"some")
        done = program.wait()
        self.assertEqual(done.code, 124, done)
        self.assertIn("4 B of it had arrived", done.err)
        self.assertEqual(left_in(folder), [])

    def test_mode_is_the_umask_or_that_of_the_file_there(self):
        folder = self.tmp()
        (folder / "there").touch()
        (folder / "there").chmod(0o604)
        for name, mode in (("new", 0o640), ("there", 0o604)):
            with self.subTest(name=name):
                program, peer = self.serve(folder / name, preexec=lambda: os.umask(0o027) and None)
                peer.close()
                self.assertEqual(program.wait().code, 0)
                self.assertEqual(stat.S_IMODE((folder / name).stat().st_mode), mode)

    def test_a_symbolic_link_stays_one(self):
        folder = self.tmp()
        (folder / "real").touch()
        (folder / "link").symlink_to("real")
        program, peer = self.serve(folder / "link")
        peer.sendall(b"data")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        self.assertTrue((folder / "link").is_symlink())
        self.assertEqual((folder / "real").read_bytes(), b"data")

    def test_a_fifo_and_a_device_are_written_to_as_they_are(self):
        fifo = self.tmp() / "fifo"
        os.mkfifo(fifo)
        got = []
        reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
        reader.start()
        program, peer = self.serve(fifo)
        peer.sendall(b"through the pipe")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        reader.join(harness.SAFETY)
        self.assertEqual(got, [b"through the pipe"])
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))
        program, peer = self.serve("/dev/null")
        peer.sendall(b"gone")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_a_dash_is_stdout(self):
        program, peer = self.serve("-")
        peer.sendall(b"data")
        peer.close()
        self.assertEqual(program.wait()[:2], (0, b"data"))

    def test_stdout_may_be_closed(self):
        folder = self.tmp()
        program, peer = self.serve(folder / "out", stdout=CLOSED)
        peer.sendall(b"data")
        peer.close()
        self.assertEqual(program.wait().code, 0)
        self.assertEqual((folder / "out").read_bytes(), b"data")

    def test_a_full_disk_is_row_8(self):
        program, peer = self.serve("/dev/full")
        peer.sendall(b"data")
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        self.assertIn("write '/dev/full': no space left on device", done.err)

    def test_a_full_disk_leaves_nothing_behind(self):
        need_root("a file system of its own needs root")
        folder = self.tmp()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "pier-test", folder],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"no file system can be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        program, peer = self.serve(folder / "out")
        with contextlib.suppress(ConnectionError):
            peer.sendall(pattern(200000))
        done = program.wait()
        self.assertEqual(done.code, 1, done)
        self.assertRegex(done.err, r"write '.*/out': no space left on device: 65536 B were written, \d+ B more had "
                                   r"arrived; '.*/out' is not kept: 65536 B of it")
        self.assertEqual(left_in(folder), [])

    def test_what_cannot_be_written_is_refused_before_connecting(self):
        folder = self.tmp()
        cases = [(folder, "is a directory"), (folder / "no" / "out", "no such file")]
        if os.geteuid() != 0:
            (folder / "read-only").touch(0o444)
            cases.append((folder / "read-only", "permission denied"))
        for path, why in cases:
            for command in (["pier-connect", "127.0.0.1", "9"], ["pier-listen", "0"]):
                with self.subTest(path=path, command=command):
                    self.assert_usage_error(run([*command, "--recv", path]), why)


class BadInput(TestCase):
    def test_what_does_not_go_together(self):
        for command, words, texts in (
                ("pier-connect", ["--send", "f", "--recv-only", "9"], ["--send", "--recv-only"]),
                ("pier-connect", ["--recv", "f", "--send-only", "9"], ["--recv", "--send-only"]),
                ("pier-connect", ["--check", "--send", "f", "9"], ["--check", "--send"]),
                ("pier-connect", ["--check", "--recv", "f", "9"], ["--check", "--recv"]),
                ("pier-connect", ["--wait", "1s", "--send", "f", "9", "10"], ["--send 'f'"]),
                ("pier-connect", ["--partial", "9"], ["--partial", "--recv"]),
                ("pier-connect", ["--recv", "", "9"], ["--recv ''"]),
                ("pier-listen", ["-k", "--recv", "f", "0"], ["--recv 'f'", "--keep-open"]),
                ("pier-listen", ["--max-accepts", "2", "--recv", "f", "0"], ["--recv 'f'", "--max-accepts"]),
                ("pier-listen", ["--send", "f", "--recv-only", "0"], ["--send", "--recv-only"])):
            with self.subTest(command=command, words=words):
                self.assert_usage_error(run([command, *words]), *texts)
