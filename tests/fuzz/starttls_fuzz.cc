// STARTTLS: the first byte chooses the protocol. Cut or whole it is the same, but that bytes behind the
// go-ahead are seen only when they come with it.
#include "proxy/starttls.h"
#include "tests/fuzz/negotiation.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const auto protocol = static_cast<pier::StarttlsProtocol>(data[0] % 8);
  const std::string_view bytes = pier::text_of(data + 1, size - 1);
  const auto run = [&](std::size_t piece) {
    const std::string all = pier::run_in_pieces(*pier::make_starttls(protocol, "chat.example"), bytes, piece);
    // How much of the server's answer an error quotes depends on how much has come.
    const std::size_t no = all.find("): the server says no: ");
    return no == std::string::npos ? all : all.substr(0, no);
  };
  const std::string whole = run(bytes.size() + 1);
  const std::string cut = run(1);
  const bool early = whole.ends_with("go-ahead: they could be anybody's");
  if (early ? cut.find("|done at ") == std::string::npos : cut != whole) std::abort();
  return 0;
}
