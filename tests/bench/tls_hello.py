"""Which protocol and cipher two programs really agree on: a relay between them that reads the ServerHello.

The reply's suite and version stand there in the clear, for TLS 1.3 too (RFC 8446, section 4.1.3).
"""

import contextlib
import socket
import struct
import threading

SUITES = {0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384", 0x1303: "TLS_CHACHA20_POLY1305_SHA256",
          0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256", 0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
          0xC030: "ECDHE-RSA-AES256-GCM-SHA384"}
VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
SUPPORTED_VERSIONS = 43  # the extension that has the real version since TLS 1.3


def read_hello(data):
    """"TLS 1.3 TLS_AES_128_GCM_SHA256" of the server's first bytes, or None where they are no ServerHello."""
    try:
        if data[0] != 22 or data[5] != 2:  # a handshake record with a ServerHello
            return None
        version, = struct.unpack_from("!H", data, 9)
        at = 11 + 32
        at += 1 + data[at]  # the session's id
        suite, = struct.unpack_from("!H", data, at)
        at += 3
        end = at + 2 + struct.unpack_from("!H", data, at)[0] if at + 2 <= len(data) else at
        at += 2
        while at + 4 <= end:
            kind, size = struct.unpack_from("!HH", data, at)
            if kind == SUPPORTED_VERSIONS:
                version, = struct.unpack_from("!H", data, at + 4)
            at += 4 + size
    except (IndexError, struct.error):
        return None
    return f"{VERSIONS.get(version, hex(version))} {SUITES.get(suite, hex(suite))}"


class HelloRelay:
    """Takes one client at `.port`, joins it to 127.0.0.1:`to`; `.hello` is what the server answered."""

    def __init__(self, to):
        self.hello = None
        self._to = to
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self):
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            self._sockets.append(client)
            server = socket.create_connection(("127.0.0.1", self._to))
            self._sockets.append(server)
            back = threading.Thread(target=self._forward, args=(server, client, True), daemon=True)
            back.start()
            self._threads.append(back)
            self._forward(client, server, False)

    def _forward(self, source, sink, from_server):
        how = socket.SHUT_RDWR  # after a reset nothing more comes
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 18):
                if from_server and self.hello is None:
                    self.hello = read_hello(data)
                sink.sendall(data)
            how = socket.SHUT_WR
        with contextlib.suppress(OSError):
            sink.shutdown(how)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)
