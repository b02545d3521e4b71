#include "cmd/listen/run.h"
#include "event/resolve.h"
#include "proxy/proxy_preface.h"

namespace pier::server {
namespace {

Result<std::vector<IpAddress>> lookup(const std::string& name) {
  return resolve_now(name, std::nullopt);
}

// Reads the list of --proxy-from; without one it is this host's loopback.
Result<HostRules> read_believed(const App& app) {
  const std::vector<std::string> loopback{"127.0.0.0/8", "::1"};
  std::vector<std::string> notes;
  auto list = read_host_list(
      "--proxy-from", app.args.has("proxy-from") ? app.args.texts("proxy-from") : loopback, lookup, notes);
  if (!list) return std::unexpected(list.error());
  for (const std::string& note : notes) app.detail(note);
  return HostRules(std::move(*list), {});
}

}  // namespace

Result<HostRules> read_host_rules(const App& app, std::string_view allow, std::string_view deny) {
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

Result<void> read_hosts(Run& run) {
  auto hosts = read_host_rules(run.app);
  if (!hosts) return std::unexpected(hosts.error());
  run.hosts = std::move(*hosts);
  if (!run.app.args.has("proxy-protocol")) return {};
  auto believed = read_believed(run.app);
  if (!believed) return std::unexpected(believed.error());
  run.believed = std::move(*believed);
  run.preface = std::make_unique<ProxyPreface>();
  return {};
}

}  // namespace pier::server
