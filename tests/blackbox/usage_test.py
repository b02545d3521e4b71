"""Bad input to listen and connect: one line that quotes it, exit 2, and nothing bound, connected or looked up."""

import ctypes
import platform
import struct

from harness import TestCase, run

# (words, texts that the one line must have)
BOTH = [
    (["--no-such-option", "80"], ["--no-such-option"]),
    (["--sumary", "80"], ["--sumary", "--summary"]),
    (["-Z", "80"], ["-Z"]),
    (["--idle-timeout", "80"], []),
    (["--idle-timeout", "soon", "80"], ["'soon'"]),
    (["--idle-timeout", "-1", "80"], ["-1"]),
    (["--idle-timeout", "1.5.5s", "80"], ["'1.5.5s'"]),
    (["65536"], ["'65536'", "65535"]),
    (["-1"], ["-1"]),
    (["127.0.0.1", "-1"], ["-1"]),
    (["0x50"], ["'0x50'"]),
    (["+80"], ["'+80'"]),
    ([" 80"], ["' 80'"]),
    (["80abc"], ["80abc"]),
    (["5-1"], ["5-1"]),
    (["1,,2"], ["1,,2"]),
    ([""], ["''"]),
    (["127.0.0.1", "65536"], ["'65536'"]),
    (["127.0.0.1", "0x50"], ["'0x50'"]),
    (["127.0.0.1", "80abc"], ["'80abc'"]),
    (["127.0.0.1:65536"], ["65536"]),
    (["127.0.0.1:"], ["127.0.0.1:"]),
    (["127.0.0.1", "htpp"], ["'htpp'", "http"]),
    (["[::1", "80"], ["[::1"]),
    (["[::1"], ["[::1"]),
    (["[::1]80"], ["[::1]80"]),
    (["::1]:80"], ["::1]:80"]),
    (["1.2.3", "80"], ["1.2.3"]),
    (["75.748.86.91", "80"], ["75.748.86.91"]),
    (["1.2.3:80"], ["1.2.3"]),
    (["127.0.0.1", "80", "81"], ["81"]),
    (["nosuchscheme://host"], ["nosuchscheme"]),
    (["-4", "-6", "80"], ["--ipv4", "--ipv6"]),
    (["--send-only", "--recv-only", "80"], ["--send-only", "--recv-only"]),
    (["-4", "::1", "8080"], ["-4", "::1"]),
    (["-6", "127.0.0.1", "8080"], ["-6", "127.0.0.1"]),
    (["unix:"], ["path"]),
    (["-U"], []),
    (["bad host", "80"], ["bad host"]),
    (["host\nname", "80"], ["host\\x0aname"]),
    (["--color", "sometimes", "80"], ["'sometimes'", "always"]),
]
CONNECT = [
    (["127.0.0.1"], ["127.0.0.1"]),
    (["localhost"], ["localhost"]),
    (["127.0.0.1", "0"], ["0"]),
    (["--check", "--send-only", "80"], ["--check", "--send-only"]),
    (["--source", "nonsense", "127.0.0.1", "80"], ["'nonsense'"]),
    (["--source-port", "65536", "127.0.0.1", "80"], ["'65536'"]),
    (["127.0.0.1", "80", "--", "true"], ["--"]),
    (["--check", "127.0.0.1:80", "--"], ["--"]),
]
LISTEN = [
    (["--max-accepts", "0", "80"], ["0"]),
    (["--max-accepts", "many", "80"], ["'many'"]),
    (["--public", "127.0.0.1", "80"], ["--public"]),
    (["-U", "--public", "/tmp/s"], ["--public"]),
    (["-U", "--port-file", "p", "/tmp/s"], ["--port-file"]),
]


class BadInput(TestCase):
    def refused_by(self, program, rows):
        for words, texts in rows:
            with self.subTest(program=program, words=words):
                self.assert_usage_error(run([program, *words]), *texts)

    def test_listen(self):
        self.refused_by("pier-listen", BOTH + LISTEN)

    def test_connect(self):
        self.refused_by("pier-connect", BOTH + CONNECT)

    def check_no_socket(self, program, rows):
        for words, _ in rows:
            with self.subTest(program=program, words=words):
                done = run([program, *words], preexec=forbid_sockets)
                self.assertEqual(done.code, 2, done)

    def test_the_guard_sees_a_socket(self):
        done = run(["python3", "-c", "import socket; socket.socket()"], preexec=forbid_sockets)
        self.assertEqual(done.code, 128 + 31, done)  # SIGSYS

    def test_listen_opens_no_socket(self):
        self.check_no_socket("pier-listen", BOTH + LISTEN)

    def test_connect_opens_no_socket(self):
        self.check_no_socket("pier-connect", BOTH + CONNECT)

    def test_no_port_at_all(self):
        for program in ("pier-listen", "pier-connect"):
            with self.subTest(program=program):
                self.assert_usage_error(run([program]), "port" if program == "pier-listen" else "endpoint")

    def test_tls_with_udp(self):
        for program in ("pier-listen", "pier-connect"):
            with self.subTest(program=program):
                self.assert_usage_error(run([program, "--udp", "--tls", "127.0.0.1", "8080"]), "--tls")


def forbid_sockets():
    """A seccomp filter that kills the process at socket(2), by prctl(2) alone."""
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    # Classic BPF: load the system call's number; equal: kill the process; else: allow.
    program = (struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 0, 1, number) +
               struct.pack("HBBI", 0x06, 0, 0, 0x80000000) + struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000))
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
