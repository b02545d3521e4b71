// Build-time tool: turns IANA's service-names-port-numbers.csv into the table of lib/ports/registry_table.h.
//
//   generate_registry CSV OUT.cc
//
// It reads strictly: a row that it does not understand ends the build with the row's number, so that a newer
// registry in another form is noticed and not half read.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace {

constexpr std::array<std::string_view, 4> kProtocols{"tcp", "udp", "sctp", "dccp"};
constexpr std::string_view kSource =
    "IANA Service Name and Transport Protocol Port Number Registry (RFC 6335)";

constexpr std::size_t kBlock = 256;  // ports of one step of kBlocks

using Fields = std::vector<std::string>;

// RFC 4180: fields may be quoted, quotes inside are doubled, a quoted field may hold line ends.
std::vector<Fields> read_csv(std::string_view text) {
  std::vector<Fields> rows;
  Fields row;
  std::string field;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"')
        field += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        field += text[i++];
      else
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      row.push_back(std::exchange(field, {}));
    } else if (c == '\n') {
      row.push_back(std::exchange(field, {}));
      rows.push_back(std::exchange(row, {}));
    } else if (c != '\r') {
      field += c;
    }
  }
  if (quoted) throw std::runtime_error("the file ends inside a quoted field");
  if (!field.empty() || !row.empty()) {
    row.push_back(field);
    rows.push_back(row);
  }
  return rows;
}

// One line: runs of blanks and line ends become one blank, other control characters are refused.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else if (byte < 0x20 || byte == 0x7f) {
      throw std::runtime_error("a control character");
    } else {
      line += c;
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

struct Row {
  std::string service, description, notes, unauthorized_use = {};
  bool has_port = false;
  std::uint16_t first = 0, last = 0;
  std::vector<unsigned> protocols = {};
};

std::uint16_t read_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size())
    throw std::runtime_error("not a port: '" + std::string(text) + "'");
  return port;
}

struct Columns {
  std::size_t service, port, protocol, description, registered, modified, unauthorized_use, notes;

  explicit Columns(const Fields& header) {
    const auto find = [&](std::string_view name) {
      const auto at = std::find(header.begin(), header.end(), name);
      if (at == header.end()) throw std::runtime_error("no column '" + std::string(name) + "'");
      return static_cast<std::size_t>(at - header.begin());
    };
    service = find("Service Name");
    port = find("Port Number");
    protocol = find("Transport Protocol");
    description = find("Description");
    registered = find("Registration Date");
    modified = find("Modification Date");
    unauthorized_use = find("Unauthorized Use Reported");
    notes = find("Assignment Notes");
  }
};

Row read_row(const Fields& fields, const Columns& at) {
  Row row{.service = one_line(fields[at.service]),
          .description = one_line(fields[at.description]),
          .notes = one_line(fields[at.notes]),
          .unauthorized_use = one_line(fields[at.unauthorized_use])};
  const std::string_view port = fields[at.port];
  if (!port.empty()) {
    const std::size_t dash = port.find('-');
    row.has_port = true;
    row.first = read_port(port.substr(0, dash));
    row.last = dash == std::string_view::npos ? row.first : read_port(port.substr(dash + 1));
    if (row.first > row.last) throw std::runtime_error("a backwards range: '" + std::string(port) + "'");
  } else if (row.service.empty()) {
    throw std::runtime_error("neither a name nor a port");
  }
  const std::string& protocol = fields[at.protocol];
  // Rows without a transport are from the time of tcp and udp, and stand for both.
  if (protocol.empty()) {
    row.protocols = {0, 1};
  } else {
    const auto known = std::find(kProtocols.begin(), kProtocols.end(), protocol);
    if (known == kProtocols.end()) throw std::runtime_error("not a transport: '" + protocol + "'");
    row.protocols = {static_cast<unsigned>(known - kProtocols.begin())};
  }
  return row;
}

// The ports and ranges of ports that a text names: "ports 28017, 28018 and 28019", "33436-33534".
std::vector<std::pair<unsigned, unsigned>> ports_named_in(std::string_view text) {
  std::vector<std::pair<unsigned, unsigned>> named;
  const auto digits = [&](std::size_t at) {
    return std::min(text.find_first_not_of("0123456789", at), text.size());
  };
  for (std::size_t at = 0; (at = text.find_first_of("0123456789", at)) != std::string_view::npos;) {
    unsigned first = 0;
    std::size_t end = digits(at);
    std::from_chars(text.data() + at, text.data() + end, first);
    unsigned last = first;
    if (end + 1 < text.size() && text[end] == '-' && digits(end + 1) > end + 1) {
      at = end + 1;
      end = digits(at);
      std::from_chars(text.data() + at, text.data() + end, last);
    }
    named.emplace_back(first, last);
    at = end;
  }
  return named;
}

// Whether the row's note of unauthorized use is about this port. A note on a range of ports mostly names the
// ports it means; one that names none of the range means all of it.
bool used_without_assignment(const Row& row, std::size_t port) {
  if (row.unauthorized_use.empty()) return false;
  if (row.first == row.last) return true;
  bool names_some = false;
  for (const auto& [first, last] : ports_named_in(row.unauthorized_use)) {
    if (first > row.last || last < row.first) continue;
    if (port >= first && port <= last) return true;
    names_some = true;
  }
  return !names_some;
}

// Texts, each once, NUL-terminated, in one block.
class Pool {
 public:
  std::uint32_t offset(const std::string& text) {
    if (text.empty()) return 0;
    const auto [at, fresh] = offsets_.try_emplace(text, static_cast<std::uint32_t>(size_));
    if (fresh) {
      texts_.push_back(text);
      size_ += text.size() + 1;
    }
    return at->second;
  }
  void write(std::ostream& out) const {
    out << "const char kPool[] =\n    \"\\0\"";
    for (const std::string& text : texts_) {
      out << "\n    \"";
      for (const char c : text) {
        if (c == '"' || c == '\\' || c == '?') out << '\\';  // "\?": no trigraph
        out << c;
      }
      out << "\\0\"";
    }
    out << ";\n";
  }

 private:
  std::map<std::string, std::uint32_t> offsets_;
  std::vector<std::string> texts_;
  std::size_t size_ = 1;
};

// What is said about a run of ports: the first row that names a service is canonical; without one, the first
// row.
using RowIds = std::vector<std::size_t>;

struct Registry {
  std::vector<Row> rows;
  std::string newest;

  explicit Registry(const std::vector<Fields>& csv) {
    if (csv.empty()) throw std::runtime_error("the file is empty");
    const Columns at(csv[0]);
    for (std::size_t i = 1; i < csv.size(); ++i) {
      try {
        if (csv[i].size() != csv[0].size()) throw std::runtime_error("not as many fields as the header");
        rows.push_back(read_row(csv[i], at));
        for (const std::size_t column : {at.registered, at.modified})
          if (csv[i][column].size() == std::string_view("YYYY-MM-DD").size())
            newest = std::max(newest, csv[i][column]);
      } catch (const std::runtime_error& error) {
        throw std::runtime_error("row " + std::to_string(i) + ": " + error.what());
      }
    }
    if (rows.empty()) throw std::runtime_error("there is no row under the header");
  }

  // The rows that speak about each port of one transport, in the file's order.
  std::vector<RowIds> by_port(unsigned protocol) const {
    std::vector<RowIds> ports(65536);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      if (!row.has_port ||
          std::find(row.protocols.begin(), row.protocols.end(), protocol) == row.protocols.end())
        continue;
      for (std::size_t port = row.first; port <= row.last; ++port) ports[port].push_back(i);
    }
    return ports;
  }
};

class Table {
 public:
  explicit Table(const Registry& registry) : registry_(registry) {
    // Names first: a search by name then touches few pages of the pool.
    std::set<std::string> names;
    for (const Row& row : registry.rows) names.insert(row.service);
    names.erase("");
    for (const std::string& name : names) pool_.offset(name);
    names_ = names.size();
  }

  void write(std::ostream& out) {
    out << "// Generated by data/generate_registry.cc from data/iana-service-names-port-numbers.csv.\n"
           "#include \"ports/registry_table.h\"\n\n"
           "#ifdef __clang__\n#pragma clang diagnostic ignored \"-Woverlength-strings\"\n#endif\n\n"
           "namespace pier::registry_table {\n\n";
    write_entries(out);
    write_names(out);
    write_facts(out);
    pool_.write(out);
    out << "\n}  // namespace pier::registry_table\n";
  }

 private:
  void write_entries(std::ostream& out) {
    std::ostringstream blocks;
    std::size_t count = 0;
    out << "const Entry kEntries[] = {\n";
    for (unsigned protocol = 0; protocol < kProtocols.size(); ++protocol) {
      const std::vector<RowIds> ports = registry_.by_port(protocol);
      std::size_t block = 0;
      blocks << "{";
      for (std::size_t first = 0; first < ports.size();) {
        std::size_t end = first + 1;
        while (end < ports.size() && ports[end] == ports[first] &&
               use_of(ports[end], end) == use_of(ports[first], first))
          ++end;
        if (!ports[first].empty()) {
          for (; block * kBlock <= end - 1; ++block) blocks << count << ",";
          write_entry(out, first, end - 1, ports[first]);
          ++count;
          if (named(ports[first])) assigned_[protocol] += end - first;
        }
        first = end;
      }
      for (; block <= ports.size() / kBlock; ++block) blocks << count << ",";
      blocks << "},\n";
    }
    if (count > UINT16_MAX) throw std::runtime_error("too many entries for the table's 16 bits");
    out << "};\nconst std::uint16_t kBlocks[4][257] = {\n" << blocks.str() << "};\nconst Text kAliases[] = {";
    for (const std::uint32_t alias : aliases_) out << alias << ", ";
    out << "0};\n";
  }

  // The note of unauthorized use of one port, or empty.
  std::string_view use_of(const RowIds& ids, std::size_t port) const {
    for (const std::size_t i : ids)
      if (used_without_assignment(registry_.rows[i], port)) return registry_.rows[i].unauthorized_use;
    return {};
  }

  bool named(const RowIds& ids) const {
    return std::any_of(ids.begin(), ids.end(),
                       [&](std::size_t i) { return !registry_.rows[i].service.empty(); });
  }

  void write_entry(std::ostream& out, std::size_t first, std::size_t last, const RowIds& ids) {
    const Row* canonical = nullptr;
    std::vector<std::string> names;
    for (const std::size_t i : ids) {
      const Row& row = registry_.rows[i];
      if (row.service.empty()) continue;
      if (canonical == nullptr)
        canonical = &row;
      else if (row.service != canonical->service &&
               std::find(names.begin(), names.end(), row.service) == names.end())
        names.push_back(row.service);
    }
    if (canonical == nullptr) canonical = &registry_.rows[ids.front()];
    out << "{" << first << "," << last << "," << pool_.offset(canonical->service) << ","
        << pool_.offset(canonical->description) << "," << pool_.offset(canonical->notes) << ","
        << pool_.offset(std::string(use_of(ids, first))) << "," << (names.empty() ? 0 : aliases_.size())
        << "," << names.size() << "},\n";
    for (const std::string& name : names) aliases_.push_back(pool_.offset(name));
  }

  void write_names(std::ostream& out) {
    struct Place {
      std::string folded;
      const Row* row;
      unsigned protocol;
    };
    std::vector<Place> places;
    std::set<std::string> with_port;
    for (const Row& row : registry_.rows)
      if (!row.service.empty() && row.has_port) {
        with_port.insert(row.service);
        for (const unsigned protocol : row.protocols) places.push_back({lower(row.service), &row, protocol});
      }
    std::set<std::string> without_port;
    for (const Row& row : registry_.rows)
      if (!row.service.empty() && !row.has_port && !with_port.contains(row.service) &&
          without_port.insert(row.service).second)
        places.push_back({lower(row.service), &row, 0});
    without_port_ = without_port.size();
    // The rows are in one vector: the order of their addresses is the file's.
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
      return std::tie(a.folded, a.row, a.protocol) < std::tie(b.folded, b.row, b.protocol);
    });
    out << "const Name kNames[] = {\n";
    for (const Place& place : places)
      out << "{" << pool_.offset(place.row->service) << "," << place.row->first << "," << place.row->last
          << "," << place.protocol << "," << (place.row->has_port ? "true" : "false") << "},\n";
    out << "};\nconst std::uint32_t kNameCount = " << places.size() << ";\n";
  }

  void write_facts(std::ostream& out) {
    const auto reported = std::count_if(registry_.rows.begin(), registry_.rows.end(),
                                        [](const Row& row) { return !row.unauthorized_use.empty(); });
    out << "const Facts kFacts = {" << pool_.offset(std::string(kSource)) << ","
        << pool_.offset(registry_.newest) << "," << registry_.rows.size() << "," << names_ << ","
        << without_port_ << ",{";
    for (const std::size_t n : assigned_) out << n << ",";
    out << "}," << reported << "};\n";
  }

  const Registry& registry_;
  Pool pool_;
  std::vector<std::uint32_t> aliases_;
  std::array<std::size_t, kProtocols.size()> assigned_{};
  std::size_t names_ = 0;
  std::size_t without_port_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: generate_registry CSV OUT.cc\n";
    return 2;
  }
  try {
    std::ifstream in(argv[1], std::ios::binary);
    if (!in) throw std::runtime_error("cannot be opened");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const Registry registry(read_csv(text));
    std::ofstream out(argv[2], std::ios::binary);
    Table(registry).write(out);
    out.close();
    if (!out) throw std::runtime_error("the table cannot be written to " + std::string(argv[2]));
  } catch (const std::exception& error) {
    std::cerr << "generate_registry: " << argv[1] << ": " << error.what() << '\n';
    return 1;
  }
}
