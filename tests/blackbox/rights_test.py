"""pier-listen --user, --mode, --owner: whose the server and its socket are."""

import grp
import os
import pathlib
import pwd
import signal
import socket
import stat

from harness import DEVNULL, TestCase, need_program, need_root, recv_all, run


def status(program):
    """The lines of /proc/PID/status, by name."""
    text = pathlib.Path(f"/proc/{program.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


class User(TestCase):
    def setUp(self):
        need_root()
        self.nobody = pwd.getpwnam("nobody")

    def assert_unprivileged(self, program, user, group, others=()):
        seen = status(program)
        self.assertEqual(seen["Uid"].split(), [str(user)] * 4)
        self.assertEqual(seen["Gid"].split(), [str(group)] * 4)
        self.assertEqual(sorted(map(int, seen["Groups"].split())), sorted({group, *others}))
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(seen[kind], 16), 0, kind)

    def test_nothing_privileged_is_kept(self):
        server = self.listen("-k", "127.0.0.1:0", "--user", "nobody", "-c", "id -u; id -g; id -G; grep Cap /proc/self/status")
        self.assert_unprivileged(server, self.nobody.pw_uid, self.nobody.pw_gid)
        answer = recv_all(self.raw_connect(("127.0.0.1", server.port))).decode().splitlines()
        self.assertEqual(answer[:3], [str(self.nobody.pw_uid), str(self.nobody.pw_gid), str(self.nobody.pw_gid)])
        for line in answer[3:]:
            if not line.startswith("CapBnd"):
                self.assertEqual(int(line.split()[1], 16), 0, line)

    def test_a_privileged_port_is_bound_first(self):
        for port in range(1001, 1024):  # one of them is free
            done = self.spawn(["pier-listen", "-k", f"127.0.0.1:{port}", "--user", "nobody", "--echo"])
            if done.wait_err(r"listening on|in use")[0] == "listening on":
                self.assert_unprivileged(done, self.nobody.pw_uid, self.nobody.pw_gid)
                client = self.raw_connect(("127.0.0.1", port))
                client.sendall(b"x")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(recv_all(client), b"x")
                return
        self.fail("no privileged port is free")

    def test_group_and_numbers(self):
        other = next(g for g in grp.getgrall() if g.gr_gid not in (0, self.nobody.pw_gid))
        server = self.listen("-k", "0", "--user", f"nobody:{other.gr_name}", stdin=DEVNULL)
        self.assert_unprivileged(server, self.nobody.pw_uid, other.gr_gid)
        server = self.listen("-k", "0", "--user", "54321:54322", stdin=DEVNULL)
        self.assert_unprivileged(server, 54321, 54322)

    def test_datagrams_too(self):
        server = self.listen("-u", "127.0.0.1:0", "--user", "nobody", stdin=DEVNULL)
        self.assert_unprivileged(server, self.nobody.pw_uid, self.nobody.pw_gid)

    def test_a_file_for_each_must_be_readable_by_the_user(self):
        file = self.tmp() / "f"
        file.write_bytes(b"secret")
        file.chmod(0o600)
        done = run(["pier-listen", "-k", "0", "--user", "nobody", "--send", file], stdin=DEVNULL)
        self.assertEqual(done.code, 2, done)
        self.assertIn("permission", done.err.lower())

    def test_who_is_not_root_cannot(self):
        def drop():
            os.setgroups([])
            os.setgid(self.nobody.pw_gid)
            os.setuid(self.nobody.pw_uid)

        done = run(["pier-listen", "0", "--user", "root"], stdin=DEVNULL, preexec=drop)
        self.assertEqual(done.code, 2, done)
        self.assertIn("only root", done.err)
        server = self.listen("-k", "0", "--user", "nobody", stdin=DEVNULL, preexec=drop)  # as it is already
        self.assertTrue(server.running())

    def test_bad_usage(self):
        for name in ("no-such-user", "", ":nogroup", "54321", "nobody:no-such-group", "99999999999:1", "-1"):
            with self.subTest(name=name):
                self.assert_usage_error(run(["pier-listen", "0", f"--user={name}"], stdin=DEVNULL), "--user")


class SocketFile(TestCase):
    def test_the_mode_is_exact_whatever_the_umask(self):
        for umask in (0o000, 0o077, 0o777):
            for mode in ("660", "0600", "777", "000"):
                with self.subTest(umask=umask, mode=mode):
                    path = self.tmp() / "s"
                    server = self.listen("-k", f"unix:{path}", "--mode", mode, stdin=DEVNULL, preexec=lambda: os.umask(umask))
                    self.assertEqual(stat.S_IMODE(path.stat().st_mode), int(mode, 8))
                    server.signal(signal.SIGTERM)
                    self.assertEqual(server.wait().code, 143)
                    self.assertFalse(path.exists())

    def test_the_mode_of_others_files_is_the_umasks(self):
        path = self.tmp()
        self.listen("-k", f"unix:{path}/s", "--mode", "777", "--events", path / "e", "-c", f"touch {path}/t", stdin=DEVNULL,
                    preexec=lambda: os.umask(0o022))
        self.assertEqual(recv_all(self.raw_connect(f"{path}/s", socket.AF_UNIX)), b"")
        self.assertEqual(stat.S_IMODE((path / "t").stat().st_mode), 0o644)

    def test_owner(self):
        need_root()
        nobody = pwd.getpwnam("nobody")
        for owner, wanted in (("nobody", (nobody.pw_uid, 0)), (f":{nobody.pw_gid}", (0, nobody.pw_gid)),
                              ("54321:54322", (54321, 54322))):
            path = self.tmp() / "s"
            self.listen("-k", f"unix:{path}", "--owner", owner, "--mode", "600", stdin=DEVNULL)
            info = path.stat()
            self.assertEqual((info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)), (*wanted, 0o600))

    def test_who_has_no_right_does_not_come(self):
        need_root()
        nobody = pwd.getpwnam("nobody")
        folder = self.tmp()
        folder.chmod(0o755)
        server = self.listen("-k", f"unix:{folder}/s", "--mode", "600", "--echo")

        def drop():
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)

        done = run([need_program("socat"), "-u", "OPEN:/dev/null", f"UNIX-CONNECT:{folder}/s"], stdin=DEVNULL, preexec=drop)
        self.assertNotEqual(done.code, 0)
        self.assertTrue(server.running())

    def test_a_file_that_is_not_ours_any_more_is_left(self):
        path = self.tmp() / "s"
        server = self.listen("-k", f"unix:{path}", stdin=DEVNULL)
        path.unlink()
        other = self.raw_listener(socket.AF_UNIX, address=str(path))
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait().code, 143)
        self.assertTrue(path.exists())
        self.raw_connect(str(path), socket.AF_UNIX)
        other.close()

    def test_bad_usage(self):
        for words in (["0", "--mode", "600"], ["unix:@x", "--mode", "600"], ["unix:x", "--mode", "888"], ["unix:x", "--mode", "1777"],
                      ["unix:x", "--mode", ""], ["0", "--owner", "nobody"], ["unix:x", "--owner", "no-such-user"],
                      ["unix:x", "--owner", ":"]):
            with self.subTest(words=words):
                self.assert_usage_error(run(["pier-listen", *words], stdin=DEVNULL), words[1])
