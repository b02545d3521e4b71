// HTTP CONNECT, both sides: the first byte chooses the dialogue that the rest is fed to.
#include "proxy/http_connect.h"
#include "proxy/http_server.h"
#include "tests/fuzz/negotiation.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = pier::text_of(data + 1, size - 1);
  // A digest that needs no library: what is parsed is the proxy's text, whatever it is digested to.
  const auto auth = [] {
    return std::make_shared<pier::HttpProxyAuth>(
        pier::Credentials{"me", "secret"},
        [](pier::DigestAlgorithm, std::string_view text) { return std::to_string(text.size()); },
        [] { return std::string("nonce"); });
  };
  switch (data[0] % 4) {
    case 0:
      pier::run_in_every_way(
          [] { return std::make_unique<pier::HttpConnectClient>(pier::ProxyTarget{"db", 1}); }, bytes);
      break;
    case 1:
      pier::run_in_every_way(
          [&] { return std::make_unique<pier::HttpConnectClient>(pier::ProxyTarget{"db", 1}, auth()); },
          bytes);
      break;
    case 2:
      pier::run_in_every_way([] { return std::make_unique<pier::HttpProxyServer>(); }, bytes);
      break;
    default:
      pier::run_in_every_way(
          [] {
            return std::make_unique<pier::HttpProxyServer>(
                [](std::string_view user, std::string_view) { return user == "me"; });
          },
          bytes);
  }
  return 0;
}
