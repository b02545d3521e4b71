#include "out/transcript.h"

#include <utility>

#include "base/base64.h"
#include "base/utf8.h"
#include "out/utc_time.h"

namespace pier {
namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Transcript>> Transcript::open(const std::string& where, bool stdout_is_free,
                                                     std::function<void(const Error&)> failed) {
  auto sink = open_sink("--transcript", where, stdout_is_free);
  if (!sink) return std::unexpected(sink.error());
  std::unique_ptr<Transcript> transcript(new Transcript(std::move(*sink), where, std::move(failed)));
  // From here on `failed` tells of it; nobody may be there yet to hear it.
  Writer& writer = transcript->writer_;
  writer.line(JsonObject("start").number("schema", 1).str());
  writer.flush();
  if (!writer.ok())
    return std::unexpected(Error{ErrorKind::local, "write", quoted(where), writer.failure(), {}});
  return transcript;
}

Transcript::Tap Transcript::tap(std::string direction, std::string peer) {
  return [this, direction = std::move(direction), peer = std::move(peer),
          offset = std::uint64_t{0}](std::span<const std::byte> bytes) mutable {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const bool plain = is_utf8(text);
    JsonObject record("data");
    record.text("direction", direction).text("time", utc_now_text()).text("peer", peer);
    record.number("offset", offset).number("size", bytes.size());
    record.text("encoding", plain ? "utf-8" : "base64");
    record.text("bytes", plain ? std::string(text) : base64_encode(text));
    write(record);
    offset += bytes.size();
  };
}

bool Transcript::end(int exit_code) {
  return write(JsonObject("summary").boolean("complete", exit_code == 0).number("exit", exit_code));
}

bool Transcript::write(const JsonObject& record) {
  if (!writer_.ok()) return false;
  writer_.line(record.str());
  writer_.flush();
  if (!writer_.ok()) failed_(Error{ErrorKind::local, "write", quoted(where_), writer_.failure(), {}});
  return writer_.ok();
}

}  // namespace pier
