#include "cmd/nc/run.h"

#include <unistd.h>

#include "out/writer.h"
#include "stream/fd_kind.h"

namespace pier::nc {
namespace {

void print(const std::string& line) {
  Writer err(STDERR_FILENO);
  err.put(line);
  err.flush();
}

}  // namespace

void Voice::warn(std::string_view text) const {
  print(program_ + ": " + std::string(text) + "\n");
}

void Voice::tell(std::string_view text) const {
  if (verbose_) print(std::string(text) + "\n");
}

RelayRules rules_of(const Options& options) {
  RelayRules rules;
  rules.send = !options.no_input;
  rules.half_close = options.half_close;
  rules.crlf = options.crlf;
  rules.idle_timeout = options.timeout;
  rules.idle_is_end = true;
  rules.output_may_go = true;
  rules.quit_after_input = options.quit;
  rules.most_reads = options.packets;
  // nc's client goes on sending to a peer that has ended its side, and its server does not.
  rules.keep_input = !options.listen;
  rules.idle_input = Duration::zero();
  return rules;
}

DatagramPlan datagram_plan_of(const Options& options) {
  DatagramPlan plan;
  plan.rules = rules_of(options);
  plan.reply_timeout = options.quit;
  plan.replies = options.packets;
  return plan;
}

int fail(const Error& error, const Voice& voice) {
  voice.warn(error.message());
  return kFailed;
}

int end_of(const RelayResult& result, const Voice& voice) {
  // Neither is a failure: a time that was given with -q or -w, nor an output whose reader has enough.
  if (!result.error || result.error->kind == ErrorKind::deadline) return 0;
  return fail(*result.error, voice);
}

}  // namespace pier::nc
