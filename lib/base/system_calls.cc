#include "base/system_calls.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

namespace pier {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_RISCV64;
#else
constexpr std::uint32_t kArchitecture = 0;  // not known here: no filter
#endif

constexpr std::uint32_t kDenied = SECCOMP_RET_ERRNO | EPERM;
// The low half of an argument.
constexpr std::size_t kLow = std::endian::native == std::endian::little ? 0 : 4;

void load(std::vector<sock_filter>& program, std::size_t offset) {
  program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)});
}
void unless_equal_skip(std::vector<sock_filter>& program, std::uint32_t value, std::uint8_t skip) {
  program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value});
}
void end(std::vector<sock_filter>& program, std::uint32_t action) {
  program.push_back({BPF_RET | BPF_K, 0, 0, action});
}

// With the number of the call loaded, before and after.
void allow(std::vector<sock_filter>& program, const AllowedCall& call) {
  std::vector<std::pair<int, std::uint32_t>> conditions;
  for (const auto& condition :
       {std::pair(call.argument, call.value), std::pair(call.other_argument, call.other_value)})
    if (condition.first >= 0) conditions.push_back(condition);
  std::size_t left = 2 * conditions.size() + 1;  // to the end of what follows but the last
  unless_equal_skip(program, static_cast<std::uint32_t>(call.number),
                    static_cast<std::uint8_t>(conditions.empty() ? left : left + 1));
  for (const auto& [argument, value] : conditions) {
    load(program, offsetof(seccomp_data, args) + 8 * static_cast<std::size_t>(argument) + kLow);
    left -= 2;
    unless_equal_skip(program, value, static_cast<std::uint8_t>(left));
  }
  end(program, SECCOMP_RET_ALLOW);
  if (!conditions.empty()) load(program, offsetof(seccomp_data, nr));
}

}  // namespace

Result<void> allow_only(std::span<const AllowedCall> calls) {
  if (kArchitecture == 0) return system_error("seccomp", "", ENOSYS, ErrorKind::local);
  std::vector<sock_filter> program;
  load(program, offsetof(seccomp_data, arch));
  program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, kArchitecture});
  end(program, SECCOMP_RET_KILL_PROCESS);  // numbers of another architecture mean other calls
  load(program, offsetof(seccomp_data, nr));
  for (const AllowedCall& call : calls) allow(program, call);
  end(program, kDenied);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return system_error("PR_SET_NO_NEW_PRIVS", "", errno, ErrorKind::local);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // All threads, where there are any.
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
    return system_error("seccomp", "", errno, ErrorKind::local);
  return {};
}

}  // namespace pier
