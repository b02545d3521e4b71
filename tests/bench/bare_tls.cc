// The calls of a fast TLS relay and nothing else, on blocking sockets.
//
//   bench_bare_tls send PORT                 stdin to 127.0.0.1:PORT, 256 KiB a read and an SSL_write
//   bench_bare_tls recv PORT CERT KEY        one client to stdout, 256 KiB a write
//
// Records are gathered by a buffering BIO before they are written and read ahead, so that the system calls
// are few: OpenSSL by itself makes one or two for each record of 16 KiB. Protocol and cipher are what
// OPENSSL_CONF says. Nothing is verified.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace {

constexpr int kBuffer = 256 * 1024;

long check(long result, const char* call) {
  if (result >= 0) return result;
  std::perror(call);
  std::exit(1);
}

void check_tls(bool worked, const char* call) {
  if (worked) return;
  std::fprintf(stderr, "%s\n", call);
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

int open_connection(const char* port, bool listening) {
  const int fd = static_cast<int>(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  if (!listening) {
    check(connect(fd, where, sizeof address), "connect");
    return fd;
  }
  check(bind(fd, where, sizeof address), "bind");
  check(listen(fd, 1), "listen");
  return static_cast<int>(check(accept4(fd, nullptr, nullptr, SOCK_CLOEXEC), "accept4"));
}

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL, Free>;

Session open_session(SSL_CTX* context, int socket) {
  check_tls(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kBuffer);
  Session session(SSL_new(context));
  check_tls(session != nullptr, "SSL_new");
  BIO* reads = BIO_new_socket(socket, BIO_NOCLOSE);
  BIO* gather = BIO_new(BIO_f_buffer());
  const long room = kBuffer + kBuffer / 16;  // and the records' own bytes
  check_tls(reads != nullptr && gather != nullptr && BIO_set_write_buffer_size(gather, room) == 1, "BIO_new");
  SSL_set_bio(session.get(), reads, BIO_push(gather, BIO_new_socket(socket, BIO_NOCLOSE)));
  return session;
}

void flush(SSL* session) {
  check_tls(BIO_flush(SSL_get_wbio(session)) == 1, "BIO_flush");
}

void send_all(const char* port) {
  const Context context(SSL_CTX_new(TLS_client_method()));
  const Session holder = open_session(context.get(), open_connection(port, false));
  SSL* const session = holder.get();
  check_tls(SSL_connect(session) == 1, "SSL_connect");
  std::vector<char> buffer(kBuffer);
  while (const long got = check(read(STDIN_FILENO, buffer.data(), buffer.size()), "read")) {
    std::size_t written = 0;
    check_tls(SSL_write_ex(session, buffer.data(), static_cast<std::size_t>(got), &written) == 1,
              "SSL_write");
    flush(session);
  }
  SSL_shutdown(session);
  flush(session);
  while (SSL_read(session, buffer.data(), kBuffer) > 0) {  // until the peer has ended too
  }
}

void write_out(const char* bytes, std::size_t size) {
  while (size > 0) {
    const auto done = static_cast<std::size_t>(check(write(STDOUT_FILENO, bytes, size), "write"));
    bytes += done;
    size -= done;
  }
}

void receive_all(const char* port, const char* certificate, const char* key) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  check_tls(context != nullptr && SSL_CTX_use_certificate_chain_file(context.get(), certificate) == 1 &&
                SSL_CTX_use_PrivateKey_file(context.get(), key, SSL_FILETYPE_PEM) == 1,
            "certificate or key");
  const Session holder = open_session(context.get(), open_connection(port, true));
  SSL* const session = holder.get();
  check_tls(SSL_accept(session) == 1, "SSL_accept");
  flush(session);
  std::vector<char> buffer(kBuffer);
  std::size_t held = 0;
  std::size_t got = 0;
  while (SSL_read_ex(session, buffer.data() + held, buffer.size() - held, &got) == 1) {
    held += got;
    if (held < buffer.size() && SSL_has_pending(session) == 1) continue;
    write_out(buffer.data(), held);
    held = 0;
  }
  write_out(buffer.data(), held);
  check_tls((SSL_get_shutdown(session) & SSL_RECEIVED_SHUTDOWN) != 0, "no close_notify: truncated");
  SSL_shutdown(session);
  flush(session);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view way = argc > 1 ? argv[1] : "";
  if (way == "send" && argc == 3) {
    send_all(argv[2]);
  } else if (way == "recv" && argc == 5) {
    receive_all(argv[2], argv[3], argv[4]);
  } else {
    std::fputs("usage: bench_bare_tls send PORT, or recv PORT CERT KEY\n", stderr);
    return 2;
  }
  return 0;
}
