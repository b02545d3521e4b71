#include "cmd/connect/events.h"

namespace pier::client {
namespace {

std::string_view result_word(Attempt::End end) {
  switch (end) {
    case Attempt::End::connected:
      return "connected";
    case Attempt::End::failed:
      return "failed";
    case Attempt::End::no_answer:
      return "no answer";
    case Attempt::End::overtaken:
      break;
  }
  return "overtaken";
}

}  // namespace

JsonObject attempt_record(const Endpoint& endpoint, const Attempt& attempt) {
  JsonObject record("attempt");
  record.text("proto", to_string(endpoint.transport)).text("host", endpoint.host);
  if (attempt.address.is_ip())
    record.text("addr", attempt.address.ip().to_string()).number("port", attempt.address.port());
  else
    record.text("addr", attempt.address.to_string()).null("port");
  record.text("result", result_word(attempt.end));
  if (attempt.end != Attempt::End::failed)
    record.null("reason");
  else
    record.text("reason", errno_text(attempt.code) + (attempt.icmp ? ", " + describe(*attempt.icmp) : ""));
  return record.number("elapsed_us", attempt.took.count() / 1000);
}

}  // namespace pier::client
