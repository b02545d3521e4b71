#include "out/explain.h"

#include <fmt/core.h>

#include "base/number.h"
#include "base/utf8.h"

namespace pier {
namespace {

// The fields whose value is a port, and what the line calls it.
constexpr std::pair<std::string_view, std::string_view> kPortFields[] = {{"port", "port"},
                                                                         {"local_port", "our port"}};

}  // namespace

JsonObject step_record(const Step& step) {
  JsonObject record("step");
  record.text("call", step.call);
  if (step.fd >= 0)
    record.number("fd", step.fd);
  else
    record.null("fd");
  record.text("text", step.text).text("result", step.result);
  for (const auto& [name, value] : step.fields) record.text(name, value);
  return record;
}

Explain::Explain(std::function<void(std::string_view)> say,
                 std::function<std::string(std::uint16_t)> port_words, EventLog* events)
    : say_(std::move(say)), port_words_(std::move(port_words)), events_(events) {}

void Explain::step(const Step& step) {
  if (events_ != nullptr) events_->write(step_record(step));
  std::string line = fmt::format("{:<10} {}", step.call, printable(step.text));
  for (const auto& [field, name] : kPortFields) {
    for (const auto& [key, value] : step.fields) {
      if (key != field) continue;
      const auto port = parse_port_number(value);
      if (port && *port != 0) line += fmt::format(" ({} {}: {})", name, *port, port_words_(*port));
    }
  }
  if (step.result != "ok" && step.text.find(step.result) == std::string::npos) line += ": " + step.result;
  say_(line);
}

}  // namespace pier
