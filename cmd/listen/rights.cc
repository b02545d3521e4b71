#include "cmd/listen/rights.h"

#include <algorithm>

namespace pier::server {
namespace {

// One to four octal digits, none above 0777: a socket has no use for more.
Result<mode_t> parse_mode(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '7'; });
  mode_t mode = 0;
  if (digits && !text.empty() && text.size() <= 4)
    for (const char c : text) mode = mode * 8 + static_cast<mode_t>(c - '0');
  else
    mode = 01000;
  if (mode > 0777) return usage_error("--mode", text, "not an octal mode from 0 to 777, such as 660");
  return mode;
}

}  // namespace

Result<std::optional<Account>> wanted_user(const Parsed& args) {
  const auto text = args.text("user");
  if (!text) return std::nullopt;
  auto account = find_user_account("--user", *text);
  if (!account) return std::unexpected(account.error());
  return std::move(*account);
}

Result<FileRights> file_rights(const Parsed& args, const Endpoint& endpoint) {
  FileRights rights;
  for (const std::string_view flag : {"mode", "owner"})
    if (args.has(flag) && (endpoint.path.empty() || endpoint.path.starts_with('@')))
      return usage_error("--" + std::string(flag), *args.text(flag),
                         "only a Unix socket with a path has a file");
  if (const auto text = args.text("mode")) {
    const auto mode = parse_mode(*text);
    if (!mode) return std::unexpected(mode.error());
    rights.mode = *mode;
  }
  if (const auto text = args.text("owner")) {
    const auto account = find_account("--owner", *text);
    if (!account) return std::unexpected(account.error());
    rights.user = account->user;
    // As with chown(1), USER alone leaves the group as it is.
    if (text->find(':') != std::string::npos) rights.group = account->group;
  }
  return rights;
}

}  // namespace pier::server
