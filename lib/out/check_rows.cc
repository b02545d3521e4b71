#include "out/check_rows.h"

#include "base/number.h"

namespace pier {
namespace {

std::string host_of(const CheckResult& result) {
  const Endpoint& endpoint = result.endpoint;
  if (!endpoint.path.empty()) return endpoint.path;
  if (endpoint.transport == Transport::vsock) return std::to_string(endpoint.cid);
  return endpoint.host.empty() ? "localhost" : endpoint.host;
}

}  // namespace

std::vector<std::string> check_cells(const CheckResult& result, std::string_view service) {
  const bool ip = result.address && result.address->is_ip();
  const bool has_port = result.endpoint.path.empty();
  return {std::string(to_string(result.endpoint.transport)),
          host_of(result),
          ip ? result.address->ip().to_string() : "-",
          has_port ? std::to_string(result.endpoint.port) : "-",
          service.empty() ? "-" : std::string(service),
          std::string(to_string(result.state)),
          result.reason.empty() ? "-" : result.reason,
          result.state == CheckState::fault ? "-" : format_duration(result.rtt)};
}

JsonObject check_record(const CheckResult& result, std::string_view service) {
  JsonObject record("check");
  record.text("proto", to_string(result.endpoint.transport)).text("host", host_of(result));
  if (result.address && result.address->is_ip())
    record.text("addr", result.address->ip().to_string());
  else
    record.null("addr");
  if (result.endpoint.path.empty())
    record.number("port", result.endpoint.port);
  else
    record.null("port");
  if (service.empty())
    record.null("service");
  else
    record.text("service", service);
  record.text("state", to_string(result.state)).text("reason", result.reason);
  if (result.state == CheckState::fault)
    record.null("rtt_us");
  else
    record.number("rtt_us", result.rtt.count() / 1000);
  return record;
}

}  // namespace pier
