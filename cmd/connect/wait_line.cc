#include "cmd/connect/wait_line.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/fd.h"
#include "event/connector.h"

namespace pier::client {
namespace {

constexpr Duration kFirst = std::chrono::milliseconds(500);
constexpr Duration kNext = std::chrono::milliseconds(200);

void to_terminal(std::string_view text) {
  // What a terminal does not take is drawn again soon.
  [[maybe_unused]] const ssize_t written =
      retry_eintr([&] { return ::write(STDERR_FILENO, text.data(), text.size()); });
}

}  // namespace

WaitLine::WaitLine(Loop& loop, const App& app, std::function<std::string()> text)
    : loop_(loop), progress_(app.err, to_terminal), text_(std::move(text)) {
  if (app.quiet || !app.err.redraws || app.args.has("explain")) return;
  if (const auto wait = app.args.text("wait")) limit_ = " of " + *wait;
  timer_ = loop_.timer(Deadline::after(kFirst), [this] { tick(); });
}

void WaitLine::tick() {
  const TimePoint when = now();
  progress_.draw(fmt::format("waiting for {}; {:.1f} s{}", text_(), seconds(when - begun_), limit_), when);
  timer_ = loop_.timer(Deadline(when + kNext), [this] { tick(); });
}

std::string waiting_text(const Endpoint& endpoint, const CheckResult* latest, int tries) {
  std::string text = name_of(endpoint);
  if (latest != nullptr) text += ": " + latest->reason;
  if (tries > 1) text += fmt::format(" ({} tries)", tries);
  return text;
}

}  // namespace pier::client
