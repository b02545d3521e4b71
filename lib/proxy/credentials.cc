#include "proxy/credentials.h"

#include <algorithm>

namespace pier {
namespace {

// Takes as long for the first byte that differs as for the last.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |=
        static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? '\1' : b[i % b.size()]);
  return difference == 0;
}

}  // namespace

Result<std::vector<Credentials>> parse_credentials(std::string_view text, std::string_view path) {
  std::vector<Credentials> all;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      return fail(ErrorKind::local, "read", std::string(path) + ":" + std::to_string(number),
                  "not a line `user:password`");
    all.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 1))});
  }
  if (all.empty()) return fail(ErrorKind::local, "read", path, "no line `user:password` in it");
  return all;
}

CheckCredentials check_against(std::vector<Credentials> known) {
  return [known = std::move(known)](std::string_view user, std::string_view password) {
    bool good = false;
    for (const Credentials& each : known) {
      const bool same_user = same_secret(user, each.user);
      const bool same_password = same_secret(password, each.password);
      good |= same_user && same_password;
    }
    return good;
  };
}

}  // namespace pier
