#include "stream/tls_stream.h"

#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "stream/tls_error.h"

namespace pier {

TlsStream::TlsStream(TlsPtr<SSL> ssl, TlsVerdict verdict, std::unique_ptr<Stream> below)
    : below_(std::move(below)), verdict_(std::move(verdict)), ssl_(std::move(ssl)) {
  set_verdict(ssl_.get(), &verdict_);
  BIO* const bio = make_tls_bio(*this).release();
  ::SSL_set_bio(ssl_.get(), bio, bio);  // it owns the one reference
}

TlsStream::~TlsStream() {
  if (aborted_ || !established_) return;
  if (!finished_) finish_writing();
  discard_input();
}

Io TlsStream::handshake() {
  starved_ = false;
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(ssl_.get());
  Io io = Io::bytes(1);
  if (result == 1) {
    established_ = true;
    more_ = in_begin_ < in_end_;  // the peer's first bytes came with the end of its handshake
  } else {
    io = failure_of(result);
  }
  // After a failure too: the alert that tells the peer.
  const Io sent = flush();
  // A peer that closed has said why, perhaps: what it sent is read first.
  if (io.kind == Io::Kind::again && sent.kind == Io::Kind::error && starved_) return sent;
  return io;
}

Io TlsStream::read(std::span<std::byte> into) {
  if (over_) {
    told_ = true;
    return *over_;
  }
  starved_ = false;
  if (out_.size() - sent_ > kMostOut) {
    (void)flush();
    if (out_.size() - sent_ > kMostOut)
      over_ = fail(EPROTO, "the peer asks for answers (key updates) and takes none");
  }
  std::size_t got = 0;
  while (got < into.size() && !over_) {
    ::ERR_clear_error();
    std::size_t count = 0;
    const int result = ::SSL_read_ex(ssl_.get(), into.data() + got, into.size() - got, &count);
    if (result == 1) {
      got += count;
      continue;
    }
    const Io io = failure_of(result);
    if (io.kind != Io::Kind::again) over_ = io;
    break;
  }
  more_ = got == into.size();
  if (has_buffered_output()) (void)flush();  // an answer of the protocol's own
  if (got > 0) return Io::bytes(got);
  told_ = over_.has_value();
  return over_.value_or(Io::again());
}

bool TlsStream::has_buffered_input() const {
  if (over_) return !told_;
  return more_ || below_->has_buffered_input();
}

Io TlsStream::write(std::span<const std::byte> from) {
  const Io before = flush();
  if (before.kind == Io::Kind::error) return before;
  if (has_buffered_output() || from.empty()) return Io::again();
  if (encrypted_ == 0) {
    ::ERR_clear_error();
    // The records' headers, nonces and tags: 22 bytes for each 16 KiB, 29 in TLS 1.2.
    const std::size_t size = std::min(from.size(), kBuffer);
    out_.reserve(size + size / 256 + 64);
    std::size_t count = 0;
    const int result = ::SSL_write_ex(ssl_.get(), from.data(), size, &count);
    if (result != 1) return failure_of(result);
    encrypted_ = count;
    const Io io = flush();
    if (io.kind == Io::Kind::error) return io;
    if (has_buffered_output()) return Io::again();
  }
  const std::size_t told = std::min(encrypted_, from.size());
  encrypted_ -= told;
  return Io::bytes(told);
}

Io TlsStream::flush() {
  if (send_error_ != 0) return Io::error(send_error_);
  std::size_t moved = 0;
  while (sent_ < out_.size()) {
    const std::size_t left = out_.size() - sent_;
    const Io io = below_->write(std::span(out_).subspan(sent_));
    if (io.kind == Io::Kind::error) {
      send_error_ = io.code;
      out_.clear();
      sent_ = 0;
      return io;
    }
    if (io.kind != Io::Kind::bytes) break;
    sent_ += io.count;
    moved += io.count;
    if (io.count < left) break;  // it is full
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
    if (below_->has_buffered_output()) {
      const Io io = below_->flush();
      if (io.kind != Io::Kind::again) return io;
    }
  }
  return moved > 0 ? Io::bytes(moved) : Io::again();
}

void TlsStream::finish_writing() {
  if (finished_ || !established_) return;
  finished_ = true;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());
  (void)flush();
}

void TlsStream::abort() {
  aborted_ = true;
  below_->abort();
}

void TlsStream::discard_input() {
  std::byte scratch[16384];
  // Bounded: a peer that sends without end must not keep us here.
  for (int round = 0; round < 256; ++round)
    if (read(scratch).kind != Io::Kind::bytes) return;
}

std::size_t TlsStream::unacknowledged() const {
  return below_->unacknowledged() + out_.size() - sent_;
}

int TlsStream::take_failure() {
  discard_input();
  if (over_ && over_->kind == Io::Kind::error) return over_->code;
  return below_->take_failure();
}

std::string TlsStream::error_text(int code) const {
  if (code == EPROTO && !text_.empty()) return text_;
  // Who closes without having read our close_notify resets, and what was on its way to us is gone.
  if (code == ECONNRESET && finished_)
    return errno_text(code) + "; if it does not wait for our end, --no-half-close keeps that back";
  return below_->error_text(code);
}

// The buffer is empty. One that was full is replaced by one of full size: a client that says little, of the
// many that a server may have, costs little.
void TlsStream::make_room_for_input() {
  if (in_ && (in_size_ == kBuffer || in_end_ < in_size_)) return;
  in_size_ = in_ ? kBuffer : kFirstBuffer;
  in_ = std::make_unique_for_overwrite<std::byte[]>(in_size_);
}

int TlsStream::give_ciphertext(char* into, std::size_t size) {
  constexpr int kWait = -1, kOver = -2;
  if (in_begin_ == in_end_) {
    if (socket_ended_) return 0;
    if (socket_error_ != 0) return kOver;
    if (starved_) return kWait;
    make_room_for_input();
    const Io io = below_->read({in_.get(), in_size_});
    // A socket that has just given this much has the next segment as a rule by the time this one is
    // decrypted.
    constexpr std::size_t kBulk = 32 * 1024;
    starved_ = io.kind != Io::Kind::bytes || io.count < std::min(in_size_, kBulk);
    if (io.kind == Io::Kind::again) return kWait;
    if (io.kind == Io::Kind::end) {
      socket_ended_ = true;
      return 0;
    }
    if (io.kind == Io::Kind::error) {
      socket_error_ = io.code;
      return kOver;
    }
    in_begin_ = 0;
    in_end_ = io.count;
    if (began_size_ == 0) {
      began_size_ = std::min(io.count, began_.size());
      std::memcpy(began_.data(), in_.get(), began_size_);
    }
  }
  const std::size_t count = std::min(size, in_end_ - in_begin_);
  std::memcpy(into, in_.get() + in_begin_, count);
  in_begin_ += count;
  return static_cast<int>(count);
}

void TlsStream::take_ciphertext(const char* from, std::size_t size) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(from);
  out_.insert(out_.end(), bytes, bytes + size);
}

// What a call of OpenSSL that did not succeed has come to.
Io TlsStream::failure_of(int result) {
  const int kind = ::SSL_get_error(ssl_.get(), result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return Io::again();
  if (kind == SSL_ERROR_ZERO_RETURN) return Io::end();
  if (socket_error_ != 0) {
    ::ERR_clear_error();
    return Io::error(socket_error_);
  }
  if (socket_ended_) {
    ::ERR_clear_error();
    if (established_)
      return fail(EPROTO,
                  "truncated: the peer ended the connection without close_notify, so more may have "
                  "been meant to come");
    return fail(EPROTO, began_size_ == 0
                            ? "the peer closed the connection without an answer: does it speak TLS?"
                            : "the peer closed the connection in the middle of the handshake");
  }
  const bool server = ::SSL_is_server(ssl_.get()) == 1;
  return fail(EPROTO, take_tls_protocol_error(
                          established_ ? "" : std::string_view(began_.data(), began_size_), server));
}

Io TlsStream::fail(int code, std::string text) {
  text_ = std::move(text);
  return Io::error(code);
}

}  // namespace pier
