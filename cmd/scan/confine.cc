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
#include <filesystem>

#include "base/system_calls.h"

namespace pier::scan {
namespace {

constexpr AllowedCall kCalls[] = {
    // Sending and receiving by what is open.
    {SYS_sendmmsg},
    {SYS_sendto},
    {SYS_recvfrom},
    {SYS_recvmsg},
    {SYS_ppoll},
    {SYS_getsockopt},
    {SYS_read},
    {SYS_clock_gettime},
#ifdef SYS_poll
    {SYS_poll},
#endif
    // Results.
    {SYS_write},
    {SYS_writev},
    {SYS_lseek},
    {SYS_fsync},
    {SYS_fdatasync},
    {SYS_close},
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
    // The names of interfaces.
    {SYS_socket, 0, AF_UNIX},
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
    {SYS_tgkill},
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

std::filesystem::path folder_of(const std::string& file) {
  std::error_code ignored;
  const auto target = std::filesystem::weakly_canonical(file, ignored);
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

Result<void> confine(const App& app, const std::optional<Account>& account) {
  if (account) {
    if (auto done = become(*account); !done) return done;
    app.detail(fmt::format("user {} from here on", pier::quoted(account->text)));
  } else if (auto done = drop_all_capabilities(); !done) {
    return done;
  }
  if (auto done = allow_only(kCalls); !done) {
    if (done.error().code != ENOSYS && done.error().code != EINVAL) return done;
    app.detail("this kernel does not filter system calls: all of them stay allowed");
  }
  return {};
}

}  // namespace pier::scan
