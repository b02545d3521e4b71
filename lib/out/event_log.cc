#include "out/event_log.h"

namespace pier {

Result<std::unique_ptr<EventLog>> EventLog::open(const std::string& where, std::string_view program) {
  auto sink = open_sink("--events", where);
  if (!sink) return std::unexpected(sink.error());
  std::unique_ptr<EventLog> log(new EventLog(where, std::move(*sink)));
  JsonObject start("start");
  start.number("schema", 1).text("program", program).text("version", PIER_VERSION);
  log->write(start);
  return log;
}

Result<void> EventLog::check() {
  const std::lock_guard lock(mutex_);
  if (writer_.ok()) return {};
  return system_error("write --events", where_, writer_.failure(), ErrorKind::local);
}

}  // namespace pier
