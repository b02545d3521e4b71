"""pier-whoami-port --stun against servers of this test, which answer late, wrongly, in pieces or not at all."""

import socket
import struct
import threading

from harness import need_ipv6, recv_exactly
from whoami_case import WhoamiTestCase, whoami

COOKIE = 0x2112A442
BINDING, SUCCESS, ERROR = 0x0001, 0x0101, 0x0111


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind, ident, *attributes):
    body = b"".join(attributes)
    return struct.pack("!HHI", kind, len(body), COOKIE) + ident + body


def mapped(address, port, ident):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    mask = struct.pack("!I", COOKIE) + ident
    ip = bytes(a ^ b for a, b in zip(socket.inet_pton(family, address), mask))
    return attribute(0x0020, struct.pack("!BBH", 0, 2 if family == socket.AF_INET6 else 1, port ^ COOKIE >> 16) + ip)


class Stun(WhoamiTestCase):
    def serve(self, answer, family=socket.AF_INET):
        """A UDP server in a thread: `answer(request, peer, count)` gives the datagrams to send back. Its requests."""
        server = self.raw_listener(family, socket.SOCK_DGRAM)
        requests = []

        def loop():
            while True:
                data, peer = server.recvfrom(2048)
                if data == b"end":
                    return
                requests.append(data)
                for datagram in answer(data, peer, len(requests)):
                    server.sendto(datagram, peer)

        thread = threading.Thread(target=loop)
        thread.start()
        host, self.port = server.getsockname()[:2]

        def stop():
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"end", (host, self.port))
            thread.join()

        self.addCleanup(stop)
        return requests

    def test_what_the_server_sees(self):
        requests = self.serve(lambda data, peer, n: [message(SUCCESS, data[8:20], mapped("192.0.2.7", 4711, data[8:20]))])
        (port,) = self.json("--stun", f"{self.ip}:{self.port}")
        self.assertEqual((port["type"], port["mapped_addr"], port["mapped_port"], port["mapped_class"], port["translated"]),
                         ("port", "192.0.2.7", 4711, "registered", True))
        self.assertEqual((port["proto"], port["remote_addr"], port["remote_port"], port["role"], port["tries"]),
                         ("udp", self.ip, self.port, "client", 1))
        (request,) = requests
        kind, length, cookie = struct.unpack("!HHI", request[:8])
        self.assertEqual((kind, length, cookie), (BINDING, len(request) - 20, COOKIE))
        done = whoami("--stun", f"udp://{self.ip}:{self.port}")
        self.assertEqual((done.code, done.err), (0, ""), done)
        self.assertEqual(done.text.rstrip("\n").split("\t")[10:], ["192.0.2.7", "4711", "registered"])

    def test_a_request_is_repeated_with_its_id_until_it_is_answered(self):
        requests = self.serve(lambda data, peer, n: [] if n < 3 else
                              [message(SUCCESS, data[8:20], mapped(peer[0], peer[1], data[8:20]))])
        (port,) = self.json("--stun", f"{self.ip}:{self.port}")
        self.assertEqual((port["tries"], port["translated"]), (3, False))
        self.assertEqual(len(set(requests)), 1)
        self.assertGreaterEqual(port["rtt_us"], 1_500_000)  # 0.5 s, then 1 s: RFC 8489, section 6.2.1

    def test_answers_to_other_questions_and_noise_are_passed_over(self):
        def answer(data, peer, n):
            other = bytes(12)
            yield b"noise"
            yield message(SUCCESS, other, mapped("192.0.2.1", 1, other))
            yield message(SUCCESS, data[8:20], mapped("192.0.2.2", 2, data[8:20]))[:-1]
            yield message(SUCCESS, data[8:20], mapped("192.0.2.7", 4711, data[8:20]))
        self.serve(answer)
        (port,) = self.json("--stun", f"{self.ip}:{self.port}")
        self.assertEqual(port["mapped_addr"], "192.0.2.7")

    def test_an_old_server_tells_a_plain_address(self):
        self.serve(lambda data, peer, n: [message(SUCCESS, data[8:20], attribute(1, struct.pack("!BBH4B", 0, 1, 9, 192, 0, 2, 9)))])
        (port,) = self.json("--stun", f"{self.ip}:{self.port}")
        self.assertEqual((port["mapped_addr"], port["mapped_port"]), ("192.0.2.9", 9))

    def test_over_ipv6(self):
        need_ipv6()
        self.serve(lambda data, peer, n: [message(SUCCESS, data[8:20], mapped("2001:db8::7", 4711, data[8:20]))],
                   socket.AF_INET6)
        (port,) = self.json("--stun", f"[::1]:{self.port}")
        self.assertEqual((port["family"], port["mapped_addr"]), ("ipv6", "2001:db8::7"))

    def test_an_error_is_told_with_its_code(self):
        self.serve(lambda data, peer, n: [message(ERROR, data[8:20], attribute(9, b"\0\0\5\0Server\nError"))])
        done = whoami("--stun", f"{self.ip}:{self.port}")
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertRegex(done.err, r"\Apier-whoami-port: stun [^\n]*500 [^\n]*Server\\x0aError[^\n]*\n\Z")

    def test_an_attribute_that_must_be_understood_spoils_the_answer(self):
        self.serve(lambda data, peer, n: [message(SUCCESS, data[8:20], attribute(0x7ffe, b""), mapped("192.0.2.7", 1, data[8:20]))])
        done = whoami("--stun", f"{self.ip}:{self.port}")
        self.assertEqual(done.code, 3, done)
        self.assertIn("0x7ffe", done.err)

    def test_nobody_answers(self):
        silent = self.raw_listener(kind=socket.SOCK_DGRAM)
        done = whoami("--stun", f"{self.ip}:{self.port_of(silent)}", "--reply-timeout", "50ms")
        self.assertEqual((done.code, done.out), (3, b""), done)
        self.assertRegex(done.err, r"\Apier-whoami-port: stun [^\n]*no answer in 50\.0 ms to 1 request\n\Z")

    def test_nobody_is_there(self):
        gone = self.raw_listener(kind=socket.SOCK_DGRAM)
        port = self.port_of(gone)
        gone.close()
        for server in (f"{self.ip}:{port}", f"tcp://{self.ip}:{port}"):
            done = whoami("--stun", server)
            self.assertEqual((done.code, done.out), (3, b""), done)
            self.assertIn("connection refused", done.err)

    def test_over_tcp_in_pieces(self):
        server = self.raw_listener()

        def serve():
            sock = self.accept(server)
            data = recv_exactly(sock, 28)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in message(SUCCESS, data[8:20], mapped("192.0.2.7", 4711, data[8:20])):
                sock.send(bytes([byte]))

        thread = threading.Thread(target=serve)
        thread.start()
        (port,) = self.json("--stun", f"tcp://{self.ip}:{self.port_of(server)}")
        thread.join()
        self.assertEqual((port["proto"], port["mapped_addr"], port["tls"]), ("tcp", "192.0.2.7", False))

    def test_what_is_no_stun_server(self):
        server = self.raw_listener()
        thread = threading.Thread(target=lambda: self.accept(server).sendall(b"SSH-2.0-pier\r\n"))
        thread.start()
        done = whoami("--stun", f"tcp://{self.ip}:{self.port_of(server)}")
        thread.join()
        self.assertEqual(done.code, 3, done)
        self.assertIn("no STUN server", done.err)

    def test_a_server_without_a_second_address_leaves_the_nat_untold(self):
        self.serve(lambda data, peer, n: [message(SUCCESS, data[8:20], mapped("192.0.2.7", 4711, data[8:20]))])
        done = whoami("--stun", f"{self.ip}:{self.port}", "--nat", "--reply-timeout", "100ms")
        self.assertEqual(done.code, 3, done)
        self.assertRegex(done.text, r"(?m)^ipv4\tmapping\t-\t.*RFC 5780")

    def test_bad_words_are_one_line_and_exit_2(self):
        for words, texts in ((["--stun", "http://x"], ["http://x"]),
                             (["--stun", "[::1"], ["[::1"]),
                             (["--stun", "x:99999"], ["x:99999"]),
                             (["--stun", "x", "y"], ["y"]),
                             (["--nat"], ["--stun"]),
                             (["--stun", "tcp://x", "--nat"], ["--nat", "tcp://x"]),
                             (["--stun", "x", "--reply-timeout", "0"], ["0"]),
                             (["--stun", "x", "--ca", "f"], ["--ca", "tls://"]),
                             (["--stun", "x", "-4", "-6"], ["--ipv4", "--ipv6"]),
                             (["--stun", "x", "--port", "80"], ["--stun", "--port"]),
                             (["-4"], ["--ipv4", "--stun"])):
            with self.subTest(words=words):
                self.assert_usage_error(whoami(*words), *texts)
