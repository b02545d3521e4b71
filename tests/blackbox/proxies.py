"""Small proxies in threads, for tests of the way through them: SOCKS 4a, SOCKS 5 and HTTP CONNECT, each strict
about what it is told. `names` maps the names that they are asked for to addresses."""

import base64
import contextlib
import select
import socket
import ssl
import struct
import threading

import harness


def exactly(sock, size):
    return harness.recv_exactly(sock, size)


def line(sock):
    data = b""
    while not data.endswith(b"\n"):
        data += exactly(sock, 1)
    return data.decode().rstrip("\r\n")


def end(sock):
    """Ends our sending side: over TLS by a close_notify, to which the peer's is waited for."""
    if isinstance(sock, ssl.SSLSocket):
        sock.unwrap()
    else:
        sock.shutdown(socket.SHUT_WR)


def join(a, b):
    """Bytes both ways until both have ended."""
    ends = {a: b, b: a}
    while ends:
        for sock in select.select(list(ends), [], [])[0]:
            other = ends[sock]
            try:
                data = sock.recv(1 << 16)
                if data:
                    other.sendall(data)
                    continue
            except OSError:
                with contextlib.suppress(OSError):
                    harness.reset(other)
                return
            with contextlib.suppress(OSError):
                end(other)
            del ends[sock]


class Proxy:
    """A listening proxy. `asked` are the targets that it was asked for, "host:port"."""

    scheme = ""

    def __init__(self, test, names=None, refuse=None, password=None, wrap=None, early=b""):
        self.names, self.refuse, self.password, self.wrap, self.early = names or {}, refuse, password, wrap, early
        self.asked, self.connections = [], 0
        self.listener = test.raw_listener()
        self.port = self.listener.getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                client.settimeout(harness.SAFETY)
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, AssertionError, ValueError, KeyError):
            if self.wrap:
                client = self.wrap(client)
            with client:
                target = self.negotiate(client)
                if target is not None:
                    with target:
                        join(client, target)

    def dial(self, host, port):
        self.asked.append(f"{host}:{port}")
        return socket.create_connection((self.names.get(host, host), port), harness.SAFETY)


class Socks5(Proxy):
    scheme = "socks5"

    def negotiate(self, client):
        version, count = exactly(client, 2)
        methods = exactly(client, count)
        assert version == 5
        wanted = 2 if self.password else 0
        if wanted not in methods:
            client.sendall(b"\5\xff")
            return None
        client.sendall(bytes([5, wanted]))
        if self.password:
            assert exactly(client, 1) == b"\1"
            user = exactly(client, exactly(client, 1)[0]).decode()
            word = exactly(client, exactly(client, 1)[0]).decode()
            good = f"{user}:{word}" == self.password
            client.sendall(b"\1\0" if good else b"\1\1")
            if not good:
                return None
        _, command, _, kind = exactly(client, 4)
        if kind == 3:
            host = exactly(client, exactly(client, 1)[0]).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, exactly(client, size))
        port, = struct.unpack("!H", exactly(client, 2))
        if command == 3:
            return self.associate(client)
        if self.refuse is not None:
            self.asked.append(f"{host}:{port}")
            client.sendall(b"\5" + bytes([self.refuse]) + b"\0\1\0\0\0\0\0\0")
            return None
        try:
            target = self.dial(host, port)
        except ConnectionRefusedError:
            client.sendall(b"\5\5\0\1\0\0\0\0\0\0")
            return None
        client.sendall(b"\5\0\0\1\0\0\0\0\0\0" + self.early)
        return target

    def associate(self, client):
        with socket.socket(type=socket.SOCK_DGRAM) as relay, socket.socket(type=socket.SOCK_DGRAM) as out:
            relay.bind(("127.0.0.1", 0))
            client.sendall(b"\5\0\0\1\0\0\0\0" + struct.pack("!H", relay.getsockname()[1]))
            source = None
            while True:
                for sock in select.select([client, relay, out], [], [])[0]:
                    if sock is client:
                        return None  # its end is the association's
                    data, sender = sock.recvfrom(1 << 16)
                    if sock is out:
                        head = b"\0\0\0\1" + socket.inet_aton(sender[0]) + struct.pack("!H", sender[1])
                        relay.sendto(head + data, source)
                        continue
                    source = sender
                    assert data[:3] == b"\0\0\0"
                    if data[3] == 3:
                        end = 5 + data[4]
                        host = data[5:end].decode()
                    else:
                        end = 8
                        host = socket.inet_ntoa(data[4:8])
                    port, = struct.unpack("!H", data[end:end + 2])
                    self.asked.append(f"{host}:{port}")
                    out.sendto(data[end + 2:], (self.names.get(host, host), port))


class Socks4a(Proxy):
    scheme = "socks4a"

    def negotiate(self, client):
        version, command, port = struct.unpack("!BBH", exactly(client, 4))
        assert (version, command) == (4, 1)
        address = exactly(client, 4)

        def text():
            data = b""
            while not data.endswith(b"\0"):
                data += exactly(client, 1)
            return data[:-1].decode()

        self.user = text()
        host = text() if address[:3] == b"\0\0\0" and address[3] else socket.inet_ntoa(address)
        if self.refuse is not None:
            client.sendall(b"\0" + bytes([self.refuse]) + b"\0" * 6)
            return None
        target = self.dial(host, port)
        client.sendall(b"\0\x5a" + b"\0" * 6 + self.early)
        return target


class Http(Proxy):
    scheme = "http"
    keep = True  # whether a 407 leaves the connection open

    def negotiate(self, client):
        while True:
            method, where, _ = line(client).split()
            fields = {}
            while text := line(client):
                name, value = text.split(": ", 1)
                fields[name.lower()] = value
            assert method == "CONNECT" and fields["host"] == where
            expected = self.password and "Basic " + base64.b64encode(self.password.encode()).decode()
            if self.password and fields.get("proxy-authorization") != expected:
                client.sendall(b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                               b"Content-Length: 4\r\n" + (b"" if self.keep else b"Connection: close\r\n") +
                               b"\r\nbody")
                if self.keep:
                    continue
                return None
            break
        host, port = where.rsplit(":", 1)
        if self.refuse is not None:
            self.asked.append(where)
            client.sendall(f"HTTP/1.1 {self.refuse}\r\nContent-Length: 0\r\n\r\n".encode())
            return None
        target = self.dial(host.strip("[]"), int(port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n" + self.early)
        return target
