#include "cmd/scan/banner_process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ranges>
#include <utility>

#include "cmd/scan/banner_asker.h"
#include "cmd/scan/banner_talks.h"

namespace pier::scan {
namespace {

// What is there to be read: whole messages are taken from it.
Result<void> receive(int channel, BannerMessageReader& reader, int flags) {
  std::array<char, 1 << 16> buffer;
  const ssize_t n = retry_eintr([&] { return ::recv(channel, buffer.data(), buffer.size(), flags); });
  if (n > 0) reader.add({buffer.data(), static_cast<std::size_t>(n)});
  if (n > 0 || (n < 0 && errno == EAGAIN)) return {};
  return fail(ErrorKind::local, "--banner", "", "the process that asks has ended");
}

// Until one of them can be read, or the deadline has passed.
void wait_for(int channel, int signals, const Deadline& deadline) {
  std::array<pollfd, 2> fds{{{channel, POLLIN, 0}, {signals, POLLIN, 0}}};
  timespec left{};
  if (!deadline.never()) {
    const Duration wait = std::max(*deadline.at() - now(), Duration::zero());
    left.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(wait).count();
    left.tv_nsec = (wait % std::chrono::seconds(1)).count();
  }
  (void)::ppoll(fds.data(), fds.size(), deadline.never() ? nullptr : &left, nullptr);
}

}  // namespace

Result<std::unique_ptr<BannerProcess>> BannerProcess::start(const App& app,
                                                            const std::optional<Account>& account,
                                                            const ProbePlan& plan, const ProbeSource& source,
                                                            Report& report) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return system_error("socketpair", "", errno, ErrorKind::local);
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork", "", errno, ErrorKind::local);
  if (pid == 0) ask_banners(app, account, plan, source, std::move(theirs));
  theirs.reset();
  std::unique_ptr<BannerProcess> process(new BannerProcess(app, report, pid, std::move(ours)));
  if (const auto ready = process->wait_until_ready(); !ready) return std::unexpected(ready.error());
  if (StepSink* const steps = report.steps())
    steps->step({.call = "fork",
                 .text = "a process without rights asks open ports what they are, while this one scans",
                 .result = "ok",
                 .fields = {}});
  return process;
}

BannerProcess::~BannerProcess() {
  channel_.reset();
  (void)::kill(pid_, SIGKILL);
  (void)retry_eintr([&] { return ::waitpid(pid_, nullptr, 0); });
}

Result<void> BannerProcess::wait_until_ready() {
  for (;;) {
    const auto message = reader_.next();
    if (!message) return std::unexpected(message.error());
    if (*message && (*message)->banner.text.empty()) return {};
    if (*message) return fail(ErrorKind::local, "--banner", "", (*message)->banner.text);
    if (const auto received = receive(channel_.get(), reader_, 0); !received) return received;
  }
}

bool BannerProcess::result(const PortResult& result) {
  const bool wanted = report_.result(result);
  for (PortResult& port : report_.take_unshown()) waiting_.push_back(std::move(port));
  if (broken_) return show_rest() && wanted;
  hand_over();
  return wanted;
}

void BannerProcess::hand_over() {
  while (!broken_ && asked_.size() < kBannersAtOnce && !waiting_.empty()) {
    const std::uint64_t number = waiting_.front().index;
    // Without room it is tried again with the next answer: some are to come then.
    if (::send(channel_.get(), &number, sizeof number, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
    asked_.emplace(number, std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

bool BannerProcess::woken() {
  if (broken_) return true;
  if (const auto received = receive(channel_.get(), reader_, MSG_DONTWAIT); !received)
    give_up(received.error());
  bool wanted = true;
  while (!broken_ && wanted) {
    auto message = reader_.next();
    if (!message) give_up(message.error());
    if (!message || !*message) break;
    const auto port = asked_.extract((*message)->number);
    if (!port.empty()) wanted = report_.show_with(port.mapped(), (*message)->banner);
  }
  if (broken_) return show_rest() && wanted;
  hand_over();
  return wanted;
}

bool BannerProcess::show_rest() {
  const auto asked = std::exchange(asked_, {});
  const auto waiting = std::exchange(waiting_, {});
  if (!asked.empty() || !waiting.empty()) whole_ = false;
  return std::ranges::all_of(asked | std::views::values,
                             [this](const PortResult& port) { return report_.show_with(port, {}); }) &&
         std::ranges::all_of(waiting, [this](const PortResult& port) { return report_.show_with(port, {}); });
}

void BannerProcess::give_up(const Error& why) {
  broken_ = true;
  // Whatever it does: what it says is not listened to any more, and would wake us for ever.
  ::kill(pid_, SIGKILL);
  app_.error(why.message() + ": open ports are told without a banner from here on");
}

ScanEnd BannerProcess::finish(ScanEnd end, const Deadline& deadline, Interrupt& interrupt) {
  // What has come meanwhile is told, whatever ended the scan.
  bool wanted = end != ScanEnd::unwanted && woken();
  while (wanted && !broken_ && !(asked_.empty() && waiting_.empty()) && !interrupt.taken() &&
         !deadline.passed()) {
    wait_for(channel_.get(), interrupt.fd(), deadline);
    wanted = woken();
  }
  if (wanted) wanted = show_rest();
  if (!wanted) return ScanEnd::unwanted;
  if (end != ScanEnd::complete || whole_) return end;
  if (broken_) return ScanEnd::failed;
  return interrupt.taken() ? ScanEnd::interrupted : ScanEnd::deadline;
}

}  // namespace pier::scan
