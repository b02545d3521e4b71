// One TLS connection (RFC 8446, RFC 5246) over a socket, or over another stream: OpenSSL in the middle, and
// two buffers of ours between it and what lies below, so that one system call moves many records.
//
// Included by lib/stream/tls* alone; others know TlsHandshaker and Stream.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stream/stream.h"
#include "stream/tls_ptr.h"
#include "stream/tls_verify.h"

namespace pier {

class TlsStream final : public Stream {
 public:
  // Takes both over; `ssl` must be set to connect or to accept.
  TlsStream(TlsPtr<SSL> ssl, TlsVerdict verdict, std::unique_ptr<Stream> below);
  // Says close_notify as far as the socket takes it, but not after abort() or before the handshake's end.
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Goes on with the handshake: Io::bytes when it is complete, Io::again, or an error.
  [[nodiscard]] Io handshake();
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  [[nodiscard]] const TlsVerdict& verdict() const { return verdict_; }

  [[nodiscard]] int read_fd() const override { return below_->read_fd(); }
  [[nodiscard]] int write_fd() const override { return below_->write_fd(); }
  // The end is the peer's close_notify (RFC 8446, section 6.1); an end of the connection without it is an
  // error, for what has come may not be all.
  [[nodiscard]] Io read(std::span<std::byte> into) override;
  // Encrypts, and returns Io::bytes only once the socket has it all. After Io::again the same bytes must come
  // again, at any address and with any number behind them.
  [[nodiscard]] Io write(std::span<const std::byte> from) override;
  void finish_writing() override;
  void abort() override;
  [[nodiscard]] std::size_t unacknowledged() const override;
  // Reads on too, where nobody else does: a server that does not accept our certificate says so only after
  // the handshake (RFC 8446, section 4.4.2.4).
  [[nodiscard]] int take_failure() override;
  void discard_input() override;
  [[nodiscard]] bool has_buffered_input() const override;
  [[nodiscard]] bool has_buffered_output() const override {
    return sent_ < out_.size() || below_->has_buffered_output();
  }
  [[nodiscard]] Io flush() override;
  [[nodiscard]] std::string error_text(int code) const override;

  // For OpenSSL's BIO: ciphertext from the socket, and to it.
  [[nodiscard]] int give_ciphertext(char* into, std::size_t size);
  void take_ciphertext(const char* from, std::size_t size);
  [[nodiscard]] bool at_socket_end() const { return socket_ended_; }

 private:
  // What a pump has in hand at once. 64 KiB took a tenth longer; more than this gains nothing.
  static constexpr std::size_t kBuffer = 256 * 1024;
  static constexpr std::size_t kFirstBuffer = 16 * 1024;
  // Beside one buffer of data, what the protocol itself has to say may wait for the socket: a peer that makes
  // us answer (RFC 8446, section 4.6.3) and takes none of it is given no more memory than this.
  static constexpr std::size_t kMostOut = kBuffer + 64 * 1024;

  void make_room_for_input();
  [[nodiscard]] Io failure_of(int result);
  [[nodiscard]] Io fail(int code, std::string text);

  std::unique_ptr<Stream> below_;
  TlsVerdict verdict_;
  TlsPtr<SSL> ssl_;
  std::unique_ptr<std::byte[]> in_;  // ciphertext not yet given to OpenSSL: in_begin_ to in_end_
  std::size_t in_size_ = 0;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  std::vector<std::byte> out_;  // ciphertext not yet taken by the socket: from sent_ on
  std::size_t sent_ = 0;
  std::size_t encrypted_ = 0;     // bytes of write() that out_ holds and no caller has been told of
  std::array<char, 32> began_{};  // the first bytes received
  std::size_t began_size_ = 0;
  bool starved_ = false;       // the socket has given all that it had, in this call
  bool more_ = false;          // there is more to read that the socket does not tell of
  bool socket_ended_ = false;  // by FIN
  int socket_error_ = 0;       // errno of recv(2)
  int send_error_ = 0;         // errno of send(2)
  bool established_ = false;
  bool aborted_ = false;
  bool finished_ = false;   // our close_notify is said
  std::optional<Io> over_;  // how reading ended
  bool told_ = false;       // and whether read() has said it
  std::string text_;        // of an error whose code is EPROTO
};

// The BIO through which OpenSSL reads and writes a stream's buffers. Throws std::bad_alloc.
[[nodiscard]] TlsPtr<BIO> make_tls_bio(TlsStream& stream);

}  // namespace pier
