"""Servers that say something: what --banner is asked of."""

import contextlib
import socket
import threading

from harness import SAFETY


def serve_each(test, listener, talk, context=None):
    """Gives each connection to `talk` on a thread of its own, over TLS with a context, as long as the test runs."""

    def one(sock):
        with contextlib.suppress(OSError), sock:
            sock.settimeout(SAFETY)
            if context:
                sock = context.wrap_socket(sock, server_side=True)
            talk(sock)
            sock.close()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    # In this order, before the listener is closed: a thread that still waits in accept() would wait for whatever gets
    # the number of the descriptor next.
    test.addCleanup(thread.join)
    test.addCleanup(listener.shutdown, socket.SHUT_RDWR)


def greeter(text):
    """Speaks first, as SSH and mail do."""

    def talk(sock):
        sock.sendall(text)
        sock.recv(1)

    return talk


def http(sock):
    request = sock.recv(4096)
    assert request.startswith(b"GET / HTTP/1.0\r\n"), request
    sock.sendall(b"HTTP/1.1 200 OK\r\nServer: tests/1.0\r\nContent-Length: 0\r\n\r\n")
