// Bytes for people to read: the lines of `hexdump -C` (hexdump(1)), and the record that --hex-dump writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "out/sink.h"
#include "out/writer.h"

namespace pier {

// Appends a line for each 16 bytes, and a shorter one for the rest, as `hexdump -Cv` would write them if
// `bytes` stood at `offset` of a file: the offset in at least eight hexadecimal digits, two groups of eight
// bytes, and the printable ASCII. Repeated lines are not left out, and the end's offset is not written.
void append_hex_dump(std::string& out, std::uint64_t offset, std::span<const std::byte> bytes);

// What went over the network, as it went: a heading for each chunk, "<" for received or ">" for sent, the
// time in UTC and the peer, and under it the chunk's lines. Offsets run on in each direction of each session.
class HexDump {
 public:
  using Tap = std::function<void(std::span<const std::byte>)>;

  // `where` as for open_sink. `failed` is called once, from inside a tap, when the dump can't be written any
  // more.
  [[nodiscard]] static Result<std::unique_ptr<HexDump>> open(const std::string& where, bool stdout_is_free,
                                                             std::function<void(const Error&)> failed);
  HexDump(const HexDump&) = delete;
  HexDump& operator=(const HexDump&) = delete;

  // A sink for one direction of one session, at offset 0. `mark` is '<' or '>'. The dump must outlive it.
  [[nodiscard]] Tap tap(char mark, std::string peer);

 private:
  HexDump(Sink sink, std::string where, std::function<void(const Error&)> failed)
      : sink_(std::move(sink)), where_(std::move(where)), failed_(std::move(failed)), writer_(sink_.fd) {}
  void write(char mark, const std::string& peer, std::uint64_t offset, std::span<const std::byte> bytes);

  Sink sink_;
  std::string where_;
  std::function<void(const Error&)> failed_;
  Writer writer_;
};

}  // namespace pier
