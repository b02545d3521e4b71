#include "cmd/connect/readiness.h"

#include "base/escapes.h"
#include "scan/udp_service.h"

namespace pier::client {

Result<Readiness> readiness_of(const Parsed& args) {
  const bool reaches = args.has("check") || args.has("wait") || args.has("until-closed");
  for (const std::string name : {"stable", "expect", "send-text", "any", "all"}) {
    if (!args.has(name) || reaches) continue;
    const std::string given = args.text(name).value_or("--" + name);
    return usage_error("--" + name, given, "it is about what counts as up: give --check or --wait D too");
  }
  Readiness wanted;
  wanted.stable = args.duration("stable");
  if (const auto text = args.text("expect")) {
    auto pattern = Pattern::compile(*text, "--expect", Pattern::Mode::lines);
    if (!pattern) return std::unexpected(pattern.error());
    wanted.expect = std::make_shared<const Pattern>(std::move(*pattern));
  }
  if (const auto text = args.text("send-text")) {
    auto bytes = parse_escapes(*text, "--send-text");
    if (!bytes) return std::unexpected(bytes.error());
    wanted.send_text = std::move(*bytes);
  }
  wanted.reply_timeout = args.duration("reply-timeout").value_or(wanted.reply_timeout);
  return wanted;
}

Result<void> set_readiness(const Parsed& args, const Readiness& wanted, bool checks, ReachPlan& plan) {
  const Endpoint& to = plan.endpoint;
  const bool udp = to.transport == Transport::udp;
  if (is_datagram(to.transport)) {
    if (wanted.stable)
      return usage_error("--stable", to.to_string(), "datagrams have no connection that could stay open");
    for (const std::string name : {"expect", "send-text"})
      if (args.has(name) && !(udp && checks))
        return usage_error("--" + name, to.to_string(), "datagrams are asked with --check, over UDP only");
  } else if (args.has("send-text") && !args.has("expect")) {
    return usage_error("--send-text", *args.text("send-text"),
                       "it is to get an answer: say with --expect which one");
  } else if (args.has("reply-timeout") && !args.has("expect")) {
    return usage_error("--reply-timeout", *args.text("reply-timeout"),
                       "a stream ends by itself: it is for datagrams, or how long --expect waits");
  }
  plan.until_closed = args.has("until-closed");
  plan.ready = wanted;
  if (!udp || !checks) return {};
  DatagramQuestion question{.expect = wanted.expect};
  const UdpService* const service = udp_service_at(static_cast<std::uint16_t>(to.port));
  if (args.has("send-text"))
    question.messages = {wanted.send_text};
  else if (service != nullptr)
    question.messages = service->messages;
  question.telling = service != nullptr || args.has("send-text");
  question.timeout = args.duration("reply-timeout").value_or(plan.connect.timeout.value_or(question.timeout));
  plan.question = std::move(question);
  return {};
}

}  // namespace pier::client
