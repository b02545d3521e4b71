#include "cmd/scan/confine.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <span>

#include "base/system_calls.h"

namespace pier::scan {
namespace {

// What any process needs.
constexpr AllowedCall kCommon[] = {
    {SYS_read},
    {SYS_write},
    {SYS_close},
    {SYS_sendto},
    {SYS_recvfrom},
    {SYS_recvmsg},
    {SYS_getsockopt},
    {SYS_clock_gettime},
    // The names of interfaces.
    {SYS_socket, 0, AF_UNIX, 1, SOCK_DGRAM | SOCK_CLOEXEC},
    {SYS_ioctl, 1, SIOCGIFNAME},
    // Memory, threads that wait for nobody, the end.
    {SYS_mmap},
    {SYS_munmap},
    {SYS_mremap},
    {SYS_mprotect},
    {SYS_madvise},
    {SYS_brk},
    {SYS_futex},
    {SYS_sched_yield},
    {SYS_rt_sigreturn},
    {SYS_rt_sigprocmask},
    {SYS_rt_sigaction},
    {SYS_restart_syscall},
    {SYS_getpid},
    {SYS_gettid},
    {SYS_exit},
    {SYS_exit_group},
#ifdef __SANITIZE_ADDRESS__
    // What the sanitizers need: the search for leaks at the end,
    {SYS_pipe},  // and looks at memory by
    {SYS_pipe2},
    {SYS_clone},
    {SYS_wait4},
    {SYS_ptrace},
    {SYS_prctl},
    {SYS_openat},
    {SYS_open},
    {SYS_readlink},
    {SYS_getdents},
    {SYS_getdents64},
    {SYS_sigaltstack},
    {SYS_getppid},
    {SYS_process_vm_readv},
    {SYS_getrlimit},
    {SYS_prlimit64},
    {SYS_sched_getaffinity},
#endif
};

constexpr AllowedCall kOfScan[] = {
    // Sending and receiving by what is open.
    {SYS_sendmmsg},
    {SYS_ppoll},
#ifdef SYS_poll
    {SYS_poll},
#endif
    // Results.
    {SYS_writev},
    {SYS_lseek},
    {SYS_fsync},
    {SYS_fdatasync},
    {SYS_fstat},
#ifdef SYS_newfstatat
    {SYS_newfstatat},
#endif
#ifdef SYS_rename
    {SYS_rename},
    {SYS_unlink},
#endif
    {SYS_renameat},
    {SYS_renameat2},
    {SYS_unlinkat},
    {SYS_ioctl, 1, TIOCGWINSZ},
};

constexpr std::uint32_t kTcpSocket = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr AllowedCall kOfAsker[] = {
    {SYS_socket, 0, AF_INET, 1, kTcpSocket},
    {SYS_socket, 0, AF_INET6, 1, kTcpSocket},
    {SYS_setsockopt},
    {SYS_bind},
    {SYS_connect},
    {SYS_getsockname},
    {SYS_getpeername},
    {SYS_sendmsg},
    {SYS_shutdown},
    {SYS_epoll_ctl},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait},
#endif
    {SYS_epoll_pwait},
    {SYS_getrandom},  // of TLS
    {SYS_ioctl, 1, SIOCGIFINDEX},
};

// What AtomicFile needs to make a file.
constexpr AllowedCall kNewFileCalls[] = {
    {SYS_openat, 2, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC},
#ifdef SYS_access
    {SYS_access},
    {SYS_readlink},
#endif
    {SYS_faccessat},
    {SYS_readlinkat},
    {SYS_getcwd},
    {SYS_umask},
    {SYS_fchown},
    {SYS_fchmod},
    {SYS_getrandom},
};

std::filesystem::path folder_of(const std::string& file) {
  std::error_code ignored;
  // Of a file in the working directory that is not there yet, it would leave the bare name.
  const auto target = std::filesystem::weakly_canonical(std::filesystem::absolute(file, ignored), ignored);
  return (ignored || target.empty() ? std::filesystem::path(file) : target).parent_path();
}

// Whether the account may put files there; root asks as if it were that already.
bool may_write(const std::filesystem::path& folder, const Account& account) {
  const bool root = ::geteuid() == 0;
  const gid_t group = ::getegid();
  if (root && (::setegid(*account.group) != 0 || ::seteuid(*account.user) != 0)) return false;
  const bool may = ::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
  if (root && (::seteuid(0) != 0 || ::setegid(group) != 0)) return false;
  return may;
}

Result<std::optional<Account>> checked(Account account, const std::vector<std::string>& files) {
  for (const std::string& file : files)
    if (!may_write(folder_of(file), account))
      return fail(ErrorKind::local, "write " + pier::quoted(file), "",
                  "permission denied for user " + pier::quoted(account.text) +
                      ", which this scan is once its sockets are open: see --user");
  return account;
}

Result<void> give_up_rights(const std::optional<Account>& account) {
  return account ? become(*account) : drop_all_capabilities();
}

// False where this kernel can't.
Result<bool> filter_calls(std::span<const AllowedCall> calls) {
  std::vector<AllowedCall> all(std::begin(kCommon), std::end(kCommon));
  all.insert(all.end(), calls.begin(), calls.end());
  all.push_back({SYS_tgkill, 0, static_cast<std::uint32_t>(::getpid())});  // abort(3)
  if (const auto done = allow_only(all); !done) {
    if (done.error().code != ENOSYS && done.error().code != EINVAL) return std::unexpected(done.error());
    return false;
  }
  return true;
}

}  // namespace

Result<std::optional<Account>> scan_account(const App& app, const std::vector<std::string>& files) {
  if (const auto text = app.args.text("user")) {
    auto account = find_user_account("--user", *text);
    if (!account) return std::unexpected(account.error());
    return checked(std::move(*account), files);
  }
  if (::geteuid() != 0) return std::nullopt;
  if (files.empty()) {
    auto nobody = find_account("--user", "nobody");
    if (!nobody) return std::unexpected(nobody.error());
    return std::move(*nobody);
  }
  struct stat folder{};
  if (::stat(folder_of(files.front()).c_str(), &folder) != 0)
    return system_error("stat", pier::quoted(folder_of(files.front()).string()), errno, ErrorKind::local);
  return checked({.text = fmt::format("{}:{}", folder.st_uid, folder.st_gid),
                  .user = folder.st_uid,
                  .group = folder.st_gid,
                  .name = {}},
                 files);
}

Result<void> confine(const App& app, const std::optional<Account>& account, const StillAllowed& still) {
  if (auto done = give_up_rights(account); !done) return done;
  if (account) app.detail(fmt::format("user {} from here on", pier::quoted(account->text)));
  std::vector<AllowedCall> calls(std::begin(kOfScan), std::end(kOfScan));
  if (still.child) {
    calls.push_back({SYS_kill, 0, static_cast<std::uint32_t>(*still.child), 1, SIGKILL});
    calls.push_back({SYS_wait4, 0, static_cast<std::uint32_t>(*still.child)});
  }
  if (still.new_files) calls.insert(calls.end(), std::begin(kNewFileCalls), std::end(kNewFileCalls));
  const auto filtered = filter_calls(calls);
  if (!filtered) return std::unexpected(filtered.error());
  if (!*filtered) app.detail("this kernel does not filter system calls: all of them stay allowed");
  return {};
}

Result<void> confine_asker(const std::optional<Account>& account) {
  if (auto done = give_up_rights(account); !done) return done;
  const auto filtered = filter_calls(kOfAsker);
  if (!filtered) return std::unexpected(filtered.error());
  return {};
}

}  // namespace pier::scan
