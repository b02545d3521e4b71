#include "host/account.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <vector>

#include "base/number.h"

namespace pier {
namespace {

// -1 is "no change" to the kernel.
constexpr std::uint64_t kMostId = std::numeric_limits<uid_t>::max() - 1;
constexpr std::size_t kMostEntry = std::size_t{1} << 20;

// Calls getpwnam_r(3) and the like with a buffer that is large enough. 0, or an errno.
template <class Call>
int with_buffer(std::vector<char>& buffer, Call call) {
  buffer.resize(1024);
  for (;;) {
    const int code = call();
    if (code != ERANGE || buffer.size() >= kMostEntry) return code;
    buffer.resize(buffer.size() * 2);
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Looked up by name first, as chown(1) does: a name may be made of digits.
Result<void> find_user(std::string_view option, std::string_view text, Account& account) {
  const std::string name(text);
  std::vector<char> buffer;
  passwd entry{};
  passwd* found = nullptr;
  int code = with_buffer(
      buffer, [&] { return ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found); });
  if (found == nullptr && is_number(text)) {
    const auto id = parse_unsigned(text, 0, kMostId, option);
    if (!id) return std::unexpected(id.error());
    account.user = static_cast<uid_t>(*id);
    code = with_buffer(
        buffer, [&] { return ::getpwuid_r(*account.user, &entry, buffer.data(), buffer.size(), &found); });
  }
  if (found != nullptr) {
    account.user = found->pw_uid;
    account.group = found->pw_gid;
    account.name = found->pw_name;
  }
  if (account.user) return {};
  if (code != 0 && code != ENOENT) return system_error("getpwnam", quoted(text), code, ErrorKind::local);
  return usage_error(option, text, "no user of this host");
}

Result<void> find_group(std::string_view option, std::string_view text, Account& account) {
  const std::string name(text);
  std::vector<char> buffer;
  group entry{};
  group* found = nullptr;
  const int code = with_buffer(
      buffer, [&] { return ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found); });
  if (found != nullptr) {
    account.group = found->gr_gid;
    return {};
  }
  if (is_number(text)) {
    const auto id = parse_unsigned(text, 0, kMostId, option);
    if (!id) return std::unexpected(id.error());
    account.group = static_cast<gid_t>(*id);
    return {};
  }
  if (code != 0 && code != ENOENT) return system_error("getgrnam", quoted(text), code, ErrorKind::local);
  return usage_error(option, text, "no group of this host");
}

bool drop_capabilities() {
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
                0);  // EINVAL before Linux 4.3, which has none
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

// Whether all of it is as asked, and nothing can be taken back.
bool is_done(uid_t user, gid_t group) {
  uid_t users[3];
  gid_t groups[3];
  if (::getresuid(&users[0], &users[1], &users[2]) != 0) return false;
  if (::getresgid(&groups[0], &groups[1], &groups[2]) != 0) return false;
  if (!std::ranges::all_of(users, [&](uid_t id) { return id == user; })) return false;
  if (!std::ranges::all_of(groups, [&](gid_t id) { return id == group; })) return false;
  return user == 0 || ::setuid(0) != 0;
}

}  // namespace

Result<Account> find_account(std::string_view option, std::string_view text) {
  Account account{.text = std::string(text), .user = {}, .group = {}, .name = {}};
  const std::size_t colon = text.find(':');
  const std::string_view user = text.substr(0, colon);
  if (user.empty() && (colon == std::string_view::npos || colon + 1 == text.size()))
    return usage_error(option, text, "give a user, USER:GROUP or :GROUP");
  if (!user.empty())
    if (const auto found = find_user(option, user, account); !found) return std::unexpected(found.error());
  if (colon == std::string_view::npos) return account;
  if (const auto found = find_group(option, text.substr(colon + 1), account); !found)
    return std::unexpected(found.error());
  return account;
}

Result<Account> find_user_account(std::string_view option, std::string_view text) {
  auto account = find_account(option, text);
  if (!account) return account;
  if (!account->user) return usage_error(option, text, "give a user: NAME or NAME:GROUP");
  if (!account->group) return usage_error(option, text, "this number has no group here: give UID:GID");
  return account;
}

Result<void> become(const Account& account) {
  const uid_t user = account.user.value();
  const gid_t group = account.group.value();
  const auto failed = [&](std::string_view call) {
    const int code = errno;
    if (code == EPERM)
      return fail(ErrorKind::local, call, quoted(account.text),
                  errno_text(code) + ": only root can become somebody else");
    return system_error(call, quoted(account.text), code, ErrorKind::local);
  };
  if (::geteuid() != 0 && ::getuid() == user && ::getgid() == group) {
    if (!drop_capabilities()) return failed("capset");
    return {};
  }
  const bool named = !account.name.empty();
  if ((named ? ::initgroups(account.name.c_str(), group) : ::setgroups(1, &group)) != 0)
    return failed("setgroups");
  if (::setresgid(group, group, group) != 0) return failed("setresgid");
  if (::setresuid(user, user, user) != 0) return failed("setresuid");
  if (!drop_capabilities()) return failed("capset");
  if (!is_done(user, group))
    return fail(ErrorKind::local, "setresuid", quoted(account.text), "privileges could not be given up");
  return {};
}

Result<void> drop_all_capabilities() {
  if (!drop_capabilities()) return system_error("capset", "", errno, ErrorKind::local);
  return {};
}

}  // namespace pier
