// What went over the network, for programs: NDJSON (--transcript FILE|fd:N).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "out/ndjson.h"
#include "out/sink.h"
#include "out/writer.h"

namespace pier {

// {"type":"start","schema":1}, then a record a chunk, flushed:
// {"type":"data","direction":"sent","time":"2026-11-21T08:07:19.123456Z","peer":"192.0.2.5:80","offset":0,
//  "size":6,"encoding":"utf-8","bytes":"hello\n"}. `bytes` are base64 where they are not UTF-8, and
//  `encoding`
// says so: nothing is lost. Offsets run on in each direction of each session. A datagram is a chunk.
class Transcript {
 public:
  using Tap = std::function<void(std::span<const std::byte>)>;

  // `where` as for open_sink. `failed` is called once, from inside a tap, when it can't be written any more.
  [[nodiscard]] static Result<std::unique_ptr<Transcript>> open(const std::string& where, bool stdout_is_free,
                                                                std::function<void(const Error&)> failed);
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;

  // A sink for one direction of one session, at offset 0. `direction` is "sent" or "received". The transcript
  // must outlive it.
  [[nodiscard]] Tap tap(std::string direction, std::string peer);
  // The last record: {"type":"summary","complete":…,"exit":…}. False where it can't be written.
  [[nodiscard]] bool end(int exit_code);

 private:
  Transcript(Sink sink, std::string where, std::function<void(const Error&)> failed)
      : sink_(std::move(sink)), where_(std::move(where)), failed_(std::move(failed)), writer_(sink_.fd) {}
  bool write(const JsonObject& record);

  Sink sink_;
  std::string where_;
  std::function<void(const Error&)> failed_;
  Writer writer_;
};

}  // namespace pier
