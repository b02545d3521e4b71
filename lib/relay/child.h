// Programs that run for peers: started, hung up when their peer has gone, always reaped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "event/loop.h"
#include "relay/program.h"

namespace pier {

class Children;

// One running program. Destroying the handle hangs the program up, without waiting: it is reaped by its
// Children, and its callback never runs. The handle must not outlive the Children.
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept : children_(std::exchange(other.children_, nullptr)), id_(other.id_) {}
  Child& operator=(Child&& other) noexcept;
  ~Child() { let_go(); }

  [[nodiscard]] bool running() const;
  // SIGHUP to its process group now, and SIGTERM if it still runs Children::kHangUpGrace later. Its end is
  // told as any other. Once is enough.
  void hang_up();

 private:
  friend class Children;
  Child(Children* children, std::uint64_t id) : children_(children), id_(id) {}
  void let_go();
  Children* children_ = nullptr;
  std::uint64_t id_ = 0;
};

// All the programs that one server, or one client, has started.
class Children {
 public:
  // Between SIGHUP and SIGTERM for a program whose peer has gone: long enough to write down a state, short
  // enough that peers who come and go do not leave many behind. The man pages name it.
  static constexpr Duration kHangUpGrace = std::chrono::seconds(2);
  // Between SIGHUP with SIGTERM, and SIGKILL, when we ourselves end.
  static constexpr Duration kEndGrace = std::chrono::seconds(1);

  // `descriptors`: the soft limit of open descriptors that programs are given, where this process has raised
  // its own (a program that uses select(2) can do with no more than the usual).
  explicit Children(Loop& loop, std::optional<std::size_t> descriptors = {});
  ~Children();  // end_all()
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // Called once with the exit code a shell would give: 0 to 255, or 128+N for a signal.
  using Exited = std::function<void(int exit_code)>;

  // Starts a program with `input` and `output` as its descriptors 0 and 1 (they stay the caller's, and may be
  // the same) and our standard error as its 2; no other is open in it. It leads a process group of its own,
  // blocks no signal and ignores none. When it ends, what is left of its group is hung up, as when a
  // terminal's session leader ends. Errors: as find_program(), where the file has changed since, or
  // ErrorKind::local (EAGAIN: no more processes).
  [[nodiscard]] Result<Child> start(const Program& program, std::span<const std::string> environment,
                                    int input, int output, Exited exited);

  // How many are still to be reaped.
  [[nodiscard]] std::size_t size() const { return running_.size(); }

  // Ends all: SIGHUP and SIGTERM, and after kEndGrace SIGKILL. Waits until none is left; callbacks do not
  // run.
  void end_all();

 private:
  friend class Child;
  struct Running;

  void hang_up(std::uint64_t id);
  void let_go(std::uint64_t id);
  void on_exit(std::uint64_t id);
  [[nodiscard]] static bool reap(pid_t pid);

  Loop& loop_;
  std::optional<std::size_t> descriptors_;
  std::uint64_t next_id_ =
      1;  // not the pid: the kernel gives that again, and a handle may outlive its program
  std::unordered_map<std::uint64_t, std::unique_ptr<Running>> running_;
};

}  // namespace pier
