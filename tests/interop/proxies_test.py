"""Our proxies with somebody else's clients."""

import http.server
import threading

from harness import DEVNULL, TestCase, need_program, pattern, run

BODY = pattern(2_000_000)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


class Curl(TestCase):
    def setUp(self):
        need_program("curl")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.port = server.server_address[1]

    def get(self, *words, host="127.0.0.1"):
        return run(["curl", "-sS", "--noproxy", "", "--max-time", "60", *words, f"http://{host}:{self.port}/"])

    def test_http_connect(self):
        proxy = self.listen("127.0.0.1:0", "--serve-http-proxy", stdin=DEVNULL)
        for _ in range(2):
            done = self.get("--proxytunnel", "-x", f"http://127.0.0.1:{proxy.port}")
            self.assertEqual((done.code, done.out == BODY), (0, True), done.err)
        done = self.get("-x", f"http://127.0.0.1:{proxy.port}", "-o", "/dev/null", "-w", "%{http_code}")
        self.assertEqual(done.out, b"405")  # GET by way of it is another proxy's work

    def test_socks(self):
        proxy = self.listen("127.0.0.1:0", "--serve-socks", stdin=DEVNULL)
        for scheme in ("socks4", "socks4a", "socks5", "socks5h"):
            with self.subTest(scheme=scheme):
                done = self.get("-x", f"{scheme}://127.0.0.1:{proxy.port}", host="localhost")
                self.assertEqual((done.code, done.out == BODY), (0, True), done.err)

    def test_passwords(self):
        auth = self.tmp() / "auth"
        auth.write_text("me:se cret\n")
        http_proxy = self.listen("127.0.0.1:0", "--serve-http-proxy", "--proxy-auth-file", auth, stdin=DEVNULL)
        socks = self.listen("127.0.0.1:0", "--serve-socks", "--proxy-auth-file", auth, stdin=DEVNULL)
        for words in (["--proxytunnel", "-x", f"http://127.0.0.1:{http_proxy.port}"],
                      ["--proxytunnel", "--proxy-anyauth", "-x", f"http://127.0.0.1:{http_proxy.port}"],
                      ["-x", f"socks5h://127.0.0.1:{socks.port}"]):
            with self.subTest(words=words):
                done = self.get(*words, "-U", "me:se cret")
                self.assertEqual((done.code, done.out == BODY), (0, True), done.err)
                self.assertNotEqual(self.get(*words, "-U", "me:wrong").code, 0)
                self.assertNotEqual(self.get(*words).code, 0)


class Ncat(TestCase):
    def test_ncats_proxy_types(self):
        need_program("ncat")
        echo = self.listen("-k", "127.0.0.1:0", "--exec", "--", "cat")
        for kind, words in (("--serve-http-proxy", ["http"]), ("--serve-socks", ["socks4"]), ("--serve-socks", ["socks5"])):
            with self.subTest(words=words):
                proxy = self.listen("127.0.0.1:0", kind, stdin=DEVNULL)
                done = run(["ncat", "--proxy", f"127.0.0.1:{proxy.port}", "--proxy-type", *words, "127.0.0.1", echo.port],
                           stdin=b"hello\n")
                self.assertEqual((done.code, done.out), (0, b"hello\n"), done)
