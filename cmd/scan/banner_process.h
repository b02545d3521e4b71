// --banner with --syn: open ports are asked what they are while the scan goes on, by a process beside it.
//
// A process, and not a thread. It is forked before the scan opens its raw sockets and never has one; it
// closes all else that is open, and then may make TCP sockets and connect them, which the scan may not:
// system calls are filtered for each process as a whole, and memory and descriptors are apart. What strangers
// say, their TLS and their certificates, is read where no packet can be forged and no result be changed; and
// should that ever end the process, the scan goes on and says so. With a thread all of this would be shared.
#pragma once

#include <sys/types.h>

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "cli/app.h"
#include "cmd/scan/report.h"
#include "host/account.h"
#include "scan/banner_message.h"
#include "scan/interrupt.h"
#include "scan/plan.h"
#include "scan/prober.h"

namespace pier::scan {

// Between the scan and its report: an open port is shown when it has been asked, and all else at once.
//
// The two processes are joined by a socket pair. The number of a pair in the plan, which both have, is asked,
// and a BannerMessage answers; kBannersAtOnce are under way at most, and the others wait here, some hundred
// bytes each for an open port that is not shown yet. The scan never waits for the other: it hears of answers
// by fd().
class BannerProcess final : public ScanObserver {
 public:
  // Forks; before any thread, before any right is dropped, and before sockets that it should not have.
  // Returns when the other is confined, as `account`. The app, the plan and the report must outlive it.
  // ErrorKind::local.
  [[nodiscard]] static Result<std::unique_ptr<BannerProcess>> start(const App& app,
                                                                    const std::optional<Account>& account,
                                                                    const ProbePlan& plan,
                                                                    const ProbeSource& source,
                                                                    Report& report);
  // Ends it (SIGKILL: it has nothing to lose) and reaps it. It also ends by itself when this process does.
  ~BannerProcess() override;
  BannerProcess(const BannerProcess&) = delete;
  BannerProcess& operator=(const BannerProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Readable when woken() should be called.
  [[nodiscard]] int fd() const { return channel_.get(); }

  [[nodiscard]] bool result(const PortResult& result) override;
  [[nodiscard]] bool crowded(const CrowdedHost& host) override { return report_.crowded(host); }
  void progress(const ScanStats& stats) override { report_.progress(stats); }
  [[nodiscard]] bool woken() override;
  void note(std::string_view line) override { report_.note(line); }
  void detail(std::string_view line) override { report_.detail(line); }

  // After the scan, which came to `end`: waits for what is under way, as long as neither a signal nor the
  // deadline comes, and shows the rest with an empty banner. What the scan has come to with that.
  [[nodiscard]] ScanEnd finish(ScanEnd end, const Deadline& deadline, Interrupt& interrupt);

 private:
  BannerProcess(const App& app, Report& report, pid_t pid, Fd channel)
      : app_(app), report_(report), pid_(pid), channel_(std::move(channel)) {}

  [[nodiscard]] Result<void> wait_until_ready();
  void hand_over();
  // Without a banner. False where nobody reads it any more.
  [[nodiscard]] bool show_rest();
  void give_up(const Error& why);

  const App& app_;
  Report& report_;
  pid_t pid_;
  Fd channel_;
  BannerMessageReader reader_;
  std::deque<PortResult> waiting_;
  std::unordered_map<std::uint64_t, PortResult> asked_;
  bool broken_ = false;  // it has ended, or says what cannot be read
  bool whole_ = true;    // each was asked to its end
};

}  // namespace pier::scan
