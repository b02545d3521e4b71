// The PROXY protocol: what is read is written and read again as the same.
#include "proxy/proxy_protocol.h"
#include "tests/fuzz/negotiation.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes = pier::text_of(data, size);
  pier::run_in_every_way([] { return std::make_unique<pier::ProxyProtocolReader>(); }, bytes);
  pier::ProxyProtocolReader reader;
  const auto fed = reader.receive(bytes);
  if (!fed || !fed->done || !reader.header().source) return 0;
  const pier::ProxyHeader& header = reader.header();
  pier::ProxyProtocolReader again;
  const auto back =
      again.receive(pier::write_proxy_header(2, *header.source, *header.destination, header.datagram));
  if (!back || !back->done || again.header().source != header.source ||
      again.header().destination != header.destination)
    std::abort();
  return 0;
}
