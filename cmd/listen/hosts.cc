#include "cmd/listen/run.h"
#include "event/resolve.h"

namespace pier::server {

Result<HostRules> read_host_rules(const App& app, std::string_view allow, std::string_view deny) {
  const NameLookup lookup = [](const std::string& name) { return resolve_now(name, std::nullopt); };
  std::vector<std::string> notes;
  std::optional<AddressSet> allowed;
  AddressSet denied;
  if (app.args.has(allow)) {
    auto list = read_host_list("--" + std::string(allow), app.args.texts(allow), lookup, notes);
    if (!list) return std::unexpected(list.error());
    allowed = std::move(*list);
  }
  if (app.args.has(deny)) {
    auto list = read_host_list("--" + std::string(deny), app.args.texts(deny), lookup, notes);
    if (!list) return std::unexpected(list.error());
    denied = std::move(*list);
  }
  for (const std::string& note : notes) app.detail(note);
  return HostRules(std::move(allowed), std::move(denied));
}

}  // namespace pier::server
