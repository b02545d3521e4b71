// One end of a relay: something bytes are read from and written to without blocking, whose sending side can
// end before its receiving side.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>

#include "base/error.h"
#include "stream/fd_kind.h"

namespace pier {

// What one read or write came to.
struct Io {
  enum class Kind : unsigned char {
    bytes,  // `count` bytes were moved, at least one
    again,  // nothing now: wait until the descriptor is ready
    end,    // read only: the other side has ended
    error,  // `code` says why; the direction is over
  };
  Kind kind = Kind::again;
  std::size_t count = 0;
  int code = 0;

  [[nodiscard]] static Io bytes(std::size_t n) { return {Kind::bytes, n, 0}; }
  [[nodiscard]] static Io again() { return {}; }
  [[nodiscard]] static Io end() { return {Kind::end, 0, 0}; }
  [[nodiscard]] static Io error(int code) { return {Kind::error, 0, code}; }
  // The result of read(2), write(2), recv(2) or send(2), with errno as the call left it. `reading`: 0 bytes
  // is the end.
  [[nodiscard]] static Io of(ssize_t result, bool reading);
};

class Stream {
 public:
  virtual ~Stream() = default;

  // The descriptors to wait on: to read, to write. They may be the same; -1 for a direction that does not
  // exist.
  [[nodiscard]] virtual int read_fd() const = 0;
  [[nodiscard]] virtual int write_fd() const = 0;

  // Neither ever blocks.
  [[nodiscard]] virtual Io read(std::span<std::byte> into) = 0;
  [[nodiscard]] virtual Io write(std::span<const std::byte> from) = 0;

  // Ends our sending side; the receiving side goes on (half-close).
  virtual void finish_writing() = 0;
  // Makes the coming close a reset where the transport has one, so that the peer cannot take what it has for
  // the whole.
  virtual void abort() = 0;

  // Bytes that the kernel has taken to send but the peer has not acknowledged; 0 where acknowledging is not
  // part of the transport.
  [[nodiscard]] virtual std::size_t unacknowledged() const { return 0; }
  // The errno of a connection that has failed where no read or write has told of it yet, or 0. Asking
  // forgets it.
  [[nodiscard]] virtual int take_failure() { return 0; }
  // Throws away what has arrived and nobody will read: a TCP socket closed with unread bytes sends a reset,
  // which can cost the peer what it has not yet read.
  virtual void discard_input() {}

  // Where the kernel may move the bytes by itself, past read() and write(): these descriptors then give and
  // take exactly the bytes that read() and write() would. Empty by default.
  [[nodiscard]] virtual RawEnd raw_input() const { return {}; }
  [[nodiscard]] virtual RawEnd raw_output() const { return {}; }

  // read() would give something, or an end, although the descriptor may not be readable: bytes decrypted but
  // not yet taken. Whoever waits for the descriptor asks this first.
  [[nodiscard]] virtual bool has_buffered_input() const { return false; }
  // write() or finish_writing() has taken what the kernel has not: flush() goes on with it when the
  // descriptor is writable, and closing now would lose it.
  [[nodiscard]] virtual bool has_buffered_output() const { return false; }
  // Io::bytes (a count of 0 means nothing here) when something went on, Io::again when nothing could, or an
  // error.
  [[nodiscard]] virtual Io flush() { return Io::again(); }

  // What the code of an Io::error means, for a sentence: the text of an errno, unless the stream knows better
  // ("truncated: no close_notify").
  [[nodiscard]] virtual std::string error_text(int code) const { return errno_text(code); }
};

}  // namespace pier
