// The record of what happened, for programs: NDJSON in a file or on a descriptor (--events FILE|fd:N).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "out/ndjson.h"
#include "out/sink.h"
#include "out/writer.h"

namespace pier {

// Begins with {"type":"start","schema":1,…}; every record is flushed as it is written, so that a reader sees
// it at once and an end by a signal loses nothing.
class EventLog {
 public:
  // A path, created or emptied, or "fd:N", a descriptor that was passed to us and is made close-on-exec.
  // ErrorKind::usage for text that is neither, or a descriptor that is not open; ErrorKind::local when the
  // file can't be made.
  [[nodiscard]] static Result<std::unique_ptr<EventLog>> open(const std::string& where,
                                                              std::string_view program);

  // From any thread.
  void write(const JsonObject& record) {
    const std::string line = record.str();
    const std::lock_guard lock(mutex_);
    writer_.line(line);
  }
  // What became of it: ErrorKind::local when a record could not be written; nothing was written from there
  // on.
  [[nodiscard]] Result<void> check();

 private:
  EventLog(std::string where, Sink sink)
      : where_(std::move(where)), sink_(std::move(sink)), writer_(sink_.fd, true) {}

  std::string where_;
  Sink sink_;
  std::mutex mutex_;  // guards the writer
  Writer writer_;
};

}  // namespace pier
