#include "cmd/transfer_progress.h"

#include <unistd.h>

#include "base/atomic_file.h"

namespace pier {
namespace {

constexpr Duration kRedraw = std::chrono::milliseconds(100);
constexpr Duration kLine = std::chrono::seconds(1);

void to_stderr(std::string_view text) {
  (void)write_all(STDERR_FILENO, text);
}

}  // namespace

TransferProgress::TransferProgress(const App& app, News& news, Loop& loop, const LocalEnds& ends, Ask ask)
    : app_(app), news_(news), loop_(loop), ask_(std::move(ask)), line_(app.err, to_stderr) {
  const auto when = app.args.text("progress");
  active_ = when && !app.quiet && (app.err.terminal || *when == "always");
  if (!active_) return;
  const bool changed = app.args.has("crlf") || app.args.has("recv-only");
  if (!changed) size_ = ends.input_size();
  news.before_lines([this] { line_.erase(); });
  to_file_ = !ends.recv_title().empty();
  sent_title_ = ends.send_title().empty() ? "sent" : ends.send_title();
  received_title_ = to_file_ ? ends.recv_title() : "received";
  arm();
}

void TransferProgress::arm() {
  timer_ = loop_.timer(Deadline::after(app_.err.redraws ? kRedraw : kLine), [this] { tick(); });
}

void TransferProgress::tick() {
  const TimePoint when = now();
  if (const auto totals = ask_()) {
    sent_.sample(totals->sent, when);
    received_.sample(totals->received, when);
    if (app_.err.redraws)
      line_.draw(line(*totals, {}), when);
    else
      app_.note(line(*totals, {}));
  }
  arm();
}

void TransferProgress::end(const std::optional<RelayResult>& result) {
  timer_.cancel();
  line_.erase();
  if (active_ && result) app_.note(line({result->received, result->sent}, result->took));
  active_ = false;
}

std::string TransferProgress::line(Totals totals, std::optional<Duration> took) const {
  const auto part = [&](const std::string& title, std::uint64_t done, std::optional<std::uint64_t> size,
                        const RateMeter& meter) {
    if (!took) return running_line({title, done, size, meter.rate()});
    const double lasted = std::max(seconds(*took), 1e-6);
    return ended_line({title, done, size, static_cast<double>(done) / lasted});
  };
  std::string text;
  if (size_ || totals.sent > 0) text = part(sent_title_, totals.sent, size_, sent_);
  if (to_file_ || totals.received > 0 || text.empty())
    text += (text.empty() ? "" : ";  ") + part(received_title_, totals.received, {}, received_);
  return text;
}

}  // namespace pier
