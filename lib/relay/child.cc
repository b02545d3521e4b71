#include "relay/child.h"

#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <vector>

namespace pier {
namespace {

// What posix_spawn(3) is told, given back at the end of the scope.
class SpawnOrders {
 public:
  SpawnOrders(int input, int output) {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawn_file_actions_adddup2(&files_, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    // Ours are close-on-exec; those we were given by our own parent need not be.
    ::posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnOrders() {
    ::posix_spawn_file_actions_destroy(&files_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnOrders(const SpawnOrders&) = delete;
  SpawnOrders& operator=(const SpawnOrders&) = delete;

  // 0, or an errno value.
  int run(const std::string& path, std::span<const std::string> arguments,
          std::span<const std::string> environment, pid_t& pid) const {
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    return ::posix_spawn(&pid, path.c_str(), &files_, &attributes_, argv.data(), envp.data());
  }

 private:
  static std::vector<char*> pointers(std::span<const std::string> strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
  }

  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

// The soft limit of open descriptors, in place of ours until the end of the scope: posix_spawn(3) can't set a
// child's. One thread at a time: the limit is the process's, and so is the lock.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(std::optional<std::size_t> wanted) : lock_(mutex()) {
    if (!wanted || ::getrlimit(RLIMIT_NOFILE, &ours_) != 0 || ours_.rlim_cur <= *wanted) return;
    const rlimit lower{*wanted, ours_.rlim_max};
    lowered_ = ::setrlimit(RLIMIT_NOFILE, &lower) == 0;
  }
  ~DescriptorLimit() {
    if (lowered_) ::setrlimit(RLIMIT_NOFILE, &ours_);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex only;
    return only;
  }

  std::lock_guard<std::mutex> lock_;
  rlimit ours_{};
  bool lowered_ = false;
};

Result<pid_t> spawn(const Program& program, std::span<const std::string> environment, int input, int output) {
  const SpawnOrders orders(input, output);
  pid_t pid = 0;
  int code = orders.run(program.path, program.arguments, environment, pid);
  if (code == ENOEXEC) {  // a script without "#!": the shell runs it, as execvp(3) has it
    std::vector<std::string> words{"sh", program.path};
    words.insert(words.end(), program.arguments.begin() + 1, program.arguments.end());
    code = orders.run("/bin/sh", words, environment, pid);
  }
  if (code == 0) return pid;
  const std::string name = quoted(program.arguments.front());
  if (code == ENOENT || code == ENOTDIR) return system_error("run", name, code, ErrorKind::not_found);
  const bool ours = code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE;
  return system_error("run", name, code, ours ? ErrorKind::local : ErrorKind::cannot_run);
}

int exit_code_of_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// A stopped program would keep the signals waiting.
void signal_group(pid_t leader, std::initializer_list<int> numbers) {
  for (const int number : numbers) ::kill(-leader, number);
  ::kill(-leader, SIGCONT);
}

}  // namespace

struct Children::Running {
  pid_t pid;
  Fd descriptor;  // pidfd_open(2)
  Watch watch;
  Timer terminate;
  bool hung_up = false;
  Exited exited;
};

Children::Children(Loop& loop, std::optional<std::size_t> descriptors)
    : loop_(loop), descriptors_(descriptors) {}

Children::~Children() {
  end_all();
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    let_go();
    children_ = std::exchange(other.children_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

bool Child::running() const {
  return children_ != nullptr && children_->running_.contains(id_);
}

void Child::hang_up() {
  if (children_ != nullptr) children_->hang_up(id_);
}

void Child::let_go() {
  if (children_ != nullptr) std::exchange(children_, nullptr)->let_go(id_);
}

Result<Child> Children::start(const Program& program, std::span<const std::string> environment, int input,
                              int output, Exited exited) {
  const DescriptorLimit limit(descriptors_);
  const auto pid = spawn(program, environment, input, output);
  if (!pid) return std::unexpected(pid.error());
  auto child = std::make_unique<Running>();
  child->pid = *pid;
  child->exited = std::move(exited);
  child->descriptor = Fd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  const int code = errno;
  const std::uint64_t id = next_id_++;
  auto watch = child->descriptor.valid()
                   ? loop_.watch(child->descriptor.get(), Interest::read, [this, id](Ready) { on_exit(id); })
                   : Result<Watch>(system_error("pidfd_open", program.path, code, ErrorKind::local));
  if (!watch) {  // its end would never be noticed
    ::kill(-*pid, SIGKILL);
    retry_eintr([&] { return ::waitpid(*pid, nullptr, 0); });
    return std::unexpected(watch.error());
  }
  child->watch = std::move(*watch);
  running_.emplace(id, std::move(child));
  return Child(this, id);
}

void Children::hang_up(std::uint64_t id) {
  const auto found = running_.find(id);
  if (found == running_.end() || found->second->hung_up) return;
  Running& child = *found->second;
  child.hung_up = true;
  signal_group(child.pid, {SIGHUP});
  child.terminate =
      loop_.timer(Deadline(now() + kHangUpGrace), [pid = child.pid] { signal_group(pid, {SIGTERM}); });
}

void Children::let_go(std::uint64_t id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  found->second->exited = nullptr;
  hang_up(id);
}

void Children::on_exit(std::uint64_t id) {
  const pid_t pid = running_.at(id)->pid;
  // While it is not reaped its number is nobody else's, so the group is surely its own.
  signal_group(pid, {SIGHUP});
  int status = 0;
  if (retry_eintr([&] { return ::waitpid(pid, &status, WNOHANG); }) != pid) return;
  const auto child = std::move(running_.at(id));
  running_.erase(id);
  child->watch.cancel();
  if (child->exited) child->exited(exit_code_of_status(status));
}

// Reaps it if it has ended.
bool Children::reap(pid_t pid) {
  siginfo_t info{};
  const int looked = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  if (looked == 0 && info.si_pid == 0) return false;
  ::kill(-pid, SIGKILL);  // what is left of its group
  (void)::waitpid(pid, nullptr, WNOHANG);
  return true;
}

void Children::end_all() {
  for (const auto& [id, child] : running_) {
    child->watch.cancel();
    child->terminate.cancel();
    signal_group(child->pid, {SIGHUP, SIGTERM});
  }
  const Deadline grace(now() + kEndGrace);
  bool killed = false;
  while (!running_.empty()) {
    if (!killed && grace.passed()) {
      killed = true;
      for (const auto& [id, child] : running_) ::kill(-child->pid, SIGKILL);
    }
    std::vector<pollfd> ends;
    for (const auto& [id, child] : running_) ends.push_back({child->descriptor.get(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*grace.at() - now()).count();
    ::poll(ends.data(), ends.size(), killed ? -1 : static_cast<int>(std::max<std::int64_t>(left, 0)));
    std::erase_if(running_, [](const auto& entry) { return reap(entry.second->pid); });
  }
}

}  // namespace pier
