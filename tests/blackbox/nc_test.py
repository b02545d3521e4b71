"""pier-nc by itself: linked as nc, and what no other nc has. Beside OpenBSD's nc it stands in tests/interop."""

import os
import pty
import socket
import struct
import subprocess

import harness
import proxies
from harness import DEVNULL, Spawn, TestCase, binary, recv_all, run


class Nc(TestCase):
    def linked(self):
        link = self.tmp() / "nc"
        link.symlink_to(binary("pier-nc"))
        return str(link)

    def port(self, listener):
        return str(listener.getsockname()[1])

    def test_linked_as_nc_its_messages_begin_so(self):
        done = run([self.linked(), "-v", "127.0.0.1", "1"])
        self.assertEqual(done, (1, b"", "nc: connect to 127.0.0.1 port 1 (tcp) failed: Connection refused\n"))
        done = run(["pier-nc", "-v", "127.0.0.1", "1"])
        self.assertEqual(done.err, "pier-nc: connect to 127.0.0.1 port 1 (tcp) failed: Connection refused\n")

    def test_the_front_door_runs_it(self):
        self.assertEqual(run(["pier", "nc", "-z", "127.0.0.1", "1"]), (1, b"", ""))

    def test_long_options_are_refused(self):
        for words in (["--help"], ["--version"], ["--listen", "1"], ["--print-flags", "x"]):
            done = run(["pier-nc", *words])
            self.assertEqual((done.code, done.out), (1, b""), words)
            self.assertRegex(done.err, r"invalid option -- '-'\nusage: ")

    def test_help_names_every_option(self):
        done = run(["pier-nc", "-h"])
        self.assertEqual((done.code, done.out), (0, b""))
        for letter in "46bCDdFhIiklMmNnOPpqrSsTtUuVvWwXxZz":
            self.assertRegex(done.err, rf"(?m)^  -{letter} ")
        for line in done.err.splitlines():
            self.assertLessEqual(len(line), 100)

    def test_random_order_visits_every_port(self):
        done = run(["pier-nc", "-rzv", "127.0.0.1", "1-9"])
        ports = [line.split()[5] for line in done.err.splitlines()]
        self.assertEqual(sorted(ports, key=int), [str(n) for n in range(1, 10)])

    def test_service_names_of_the_registry_are_known(self):
        done = run(["pier-nc", "-zvn", "127.0.0.1", "tcpmux"])
        self.assertIn("port 1 (tcp) failed", done.err)

    def test_a_timeout_of_connecting_is_1(self):
        listener = self.raw_listener()
        listener.listen(0)
        full = [self.enterContext(socket.socket()) for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        done = run(["pier-nc", "-vw1", "127.0.0.1", self.port(listener)])
        self.assertEqual(done.code, 1)
        self.assertRegex(done.err, r"\(tcp\) timed out: Operation now in progress\n\Z")

    def test_a_key_or_password_without_a_terminal_is_refused(self):
        listener = self.raw_listener()
        self.assertEqual(run([binary("pier-nc"), "-S", "127.0.0.1", self.port(listener)], preexec=os.setsid).err,
                         f"{os.path.basename(binary('pier-nc'))}: Unable to read TCP MD5SIG password\n")

    def on_terminal(self, words, answers):
        """Runs words on a terminal of its own, and answers each prompt: (exit code, all that was shown)."""
        pid, master = pty.fork()
        if pid == 0:
            os.execve(binary("pier-nc"), ["nc", *words], harness.clean_env())
        shown = b""
        try:
            for prompt, answer in answers:
                while prompt not in shown:
                    shown += os.read(master, 4096)
                os.write(master, answer)
            while True:
                data = os.read(master, 4096)
                if not data:
                    break
                shown += data
        except OSError:  # EIO: the terminal's other side is closed
            pass
        finally:
            os.close(master)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown

    def test_the_password_is_not_shown(self):
        # A refusal without a signature is not believed, so that the time runs out.
        code, shown = self.on_terminal(["-Sw1", "127.0.0.1", "1"], [(b"key: ", b"secret\r")])
        self.assertEqual(code, 1)
        self.assertNotIn(b"secret", shown)

    def test_signs_with_the_key(self):
        listener = self.raw_listener()
        anybody = struct.pack("=H126sBBHi80s", socket.AF_INET, b"", 1, 0, 6, 0, b"secret")
        try:
            listener.setsockopt(socket.IPPROTO_TCP, 32, anybody)  # TCP_MD5SIG_EXT of linux/tcp.h
        except OSError as error:
            self.skipTest(f"no TCP MD5 signatures here: {error}")
        words = ["-Szw5", "127.0.0.1", self.port(listener)]
        self.assertEqual(self.on_terminal(words, [(b"key: ", b"secret\r")])[0], 0)
        words[0] = "-Szw1"
        self.assertEqual(self.on_terminal(words, [(b"key: ", b"another\r")])[0], 1)

    def test_asks_for_the_password_of_a_proxy(self):
        for keeps_open in (True, False):
            proxy = proxies.Http(self, names={"far.example": "127.0.0.1"}, password="me:secret")
            proxy.keep = keeps_open
            far = self.raw_listener()
            words = ["-z", "-Xconnect", "-P", "me", "-x", f"127.0.0.1:{proxy.port}", "far.example", self.port(far)]
            prompt = b"Proxy password for me@127.0.0.1: "
            self.assertEqual(self.on_terminal(words, [(prompt, b"secret\r")]), (0, prompt + b"\r\n"))
            self.assertEqual(proxy.asked, [f"far.example:{self.port(far)}"])
            code, shown = self.on_terminal(words, [(prompt, b"wrong\r")])
            self.assertEqual(code, 1)
            self.assertIn(b'Proxy error: "HTTP/1.1 407 Who are you"', shown)
            self.assertEqual(len(proxy.asked), 1)

    def test_ctrl_c_at_the_prompt_ends_it(self):
        code, shown = self.on_terminal(["-S", "127.0.0.1", "1"], [(b"key: ", b"sec\x03")])
        self.assertEqual(code, 1)
        self.assertIn(b"Unable to read TCP MD5SIG password", shown)

    def test_keeps_one_listener(self):
        with Spawn([binary("pier-nc"), "-lk", "127.0.0.1", "0"], stdin=DEVNULL) as server:
            port = harness.port_of(server, "tcp")
            before = [v for v in server.fds().values() if v.startswith("socket:")]
            for i in range(3):
                client = self.raw_connect(("127.0.0.1", port))
                client.sendall(b"%d" % i)
                client.close()
            server.wait_out_size(3)
            harness.wait_until(lambda: [v for v in server.fds().values() if v.startswith("socket:")] == before,
                               "the same one socket")

    def test_a_slow_reader_loses_nothing(self):
        data = harness.pattern(3 << 20)
        listener = self.raw_listener()
        with Spawn([binary("pier-nc"), "-N", "127.0.0.1", self.port(listener)]) as client:
            peer = self.accept(listener)
            harness.threading.Thread(target=harness._feed, args=(client, data), daemon=True).start()
            self.assertEqual(recv_all(peer), data)
            peer.close()
            self.assertEqual(client.wait().code, 0)

    def test_nothing_else_is_loaded(self):
        """It starts as fast as nc, for it has neither the parser nor the TLS library of the others."""
        needed = subprocess.run(["ldd", binary("pier-nc")], capture_output=True, text=True).stdout
        for library in ("ssl", "crypto", "mnl"):
            self.assertNotIn(library, needed)
