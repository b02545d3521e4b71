// SOCKS, both sides: the first byte chooses the dialogue that the rest is fed to.
#include "proxy/socks4.h"
#include "proxy/socks5.h"
#include "proxy/socks_server.h"
#include "tests/fuzz/negotiation.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = pier::text_of(data + 1, size - 1);
  const pier::ProxyTarget target{"db.example", 5432};
  const std::optional<pier::Credentials> me = pier::Credentials{"me", "secret"};
  switch (data[0] % 6) {
    case 0:
      pier::run_in_every_way([&] { return std::make_unique<pier::Socks4Client>(target, "me"); }, bytes);
      break;
    case 1:
      pier::run_in_every_way(
          [&] { return std::make_unique<pier::Socks5Client>(pier::SocksCommand::connect, target); }, bytes);
      break;
    case 2:
      pier::run_in_every_way(
          [&] { return std::make_unique<pier::Socks5Client>(pier::SocksCommand::udp_associate, target, me); },
          bytes);
      break;
    case 3:
      pier::run_in_every_way([] { return std::make_unique<pier::SocksServer>(); }, bytes);
      break;
    case 4:
      pier::run_in_every_way(
          [] {
            return std::make_unique<pier::SocksServer>([](std::string_view user, std::string_view password) {
              return user == "me" && password == "secret";
            });
          },
          bytes);
      break;
    default:
      if (const auto datagram = pier::unwrap_datagram(bytes)) {
        if (datagram->from.host.empty() || datagram->payload.size() > bytes.size()) std::abort();
        // A name may be written like an address, which is then written as one.
        const std::string wrapped = pier::wrap_datagram(datagram->from, datagram->payload);
        const auto again = pier::unwrap_datagram(wrapped);
        if (!again || again->payload != datagram->payload) std::abort();
      }
  }
  return 0;
}
