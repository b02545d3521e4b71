#include "net/endpoint.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/net/service_table.h"

namespace pier {
namespace {

using Words = std::vector<std::string>;

EndpointRules rules(Transport transport = Transport::tcp, bool port_zero = false) {
  return {.transport = transport, .port_zero = port_zero, .services = test_services()};
}

struct Good {
  Words words;
  Endpoint expected;
  std::string text;  // of to_string()
};

Endpoint tcp(std::string host, std::uint32_t port, bool every = false) {
  return {.host = std::move(host), .every_interface = every, .port = port};
}
Endpoint url(std::string scheme, std::string host, std::uint32_t port, bool tls = false) {
  return {.host = std::move(host), .port = port, .tls = tls, .scheme = std::move(scheme)};
}
Endpoint unix_socket(std::string path, Transport transport = Transport::unix_stream,
                     std::string scheme = {}) {
  return {.transport = transport, .path = std::move(path), .scheme = std::move(scheme)};
}

const Good kGood[] = {
    {{"db", "5432"}, tcp("db", 5432), "db:5432"},
    {{"db:5432"}, tcp("db", 5432), "db:5432"},
    {{"db", "http"}, tcp("db", 80), "db:80"},
    {{"db:http"}, tcp("db", 80), "db:80"},
    {{"a_b.example.org.", "0080"}, tcp("a_b.example.org.", 80), "a_b.example.org.:80"},
    {{"bücher.example:80"}, tcp("bücher.example", 80), "bücher.example:80"},
    {{"127.0.0.1:80"}, tcp("127.0.0.1", 80), "127.0.0.1:80"},
    {{"[::1]:80"}, tcp("::1", 80), "[::1]:80"},
    {{"::1", "80"}, tcp("::1", 80), "[::1]:80"},
    {{"[::1]", "80"}, tcp("::1", 80), "[::1]:80"},
    {{"[fe80::1%lo]:80"}, tcp("fe80::1%lo", 80), "[fe80::1%lo]:80"},
    {{"fe80::1%lo", "80"}, tcp("fe80::1%lo", 80), "[fe80::1%lo]:80"},
    {{":80"}, tcp("", 80, true), ":80"},
    {{":http"}, tcp("", 80, true), ":80"},
    {{"80"}, tcp("", 80), "80"},
    {{"65535"}, tcp("", 65535), "65535"},
    {{"http"}, tcp("", 80), "80"},
    {{"unix:/run/x.sock"}, unix_socket("/run/x.sock"), "unix:/run/x.sock"},
    {{"unix:a b:80"}, unix_socket("a b:80"), "unix:a b:80"},
    {{"unix:@name"}, unix_socket("@name"), "unix:@name"},
    {{"unix:///run/x.sock"},
     unix_socket("/run/x.sock", Transport::unix_stream, "unix"),
     "unix:///run/x.sock"},
    {{"unix-dgram:/x"}, unix_socket("/x", Transport::unix_dgram), "unix-dgram:/x"},
    {{"vsock:3:1024"}, {.transport = Transport::vsock, .port = 1024, .cid = 3}, "vsock:3:1024"},
    {{"vsock:4294967295:70000"},
     {.transport = Transport::vsock, .port = 70000, .cid = 4294967295},
     "vsock:4294967295:70000"},
    {{"tcp://db:80"}, url("tcp", "db", 80), "tcp://db:80"},
    {{"tcp://unix:80"}, url("tcp", "unix", 80), "tcp://unix:80"},
    {{"tls://db:80/"}, url("tls", "db", 80, true), "tls://db:80"},
    {{"redis://db"}, url("redis", "db", 6379), "redis://db:6379"},
    {{"redis://db/0?a=b@c"}, url("redis", "db", 6379), "redis://db:6379"},
    {{"redis://db:7000/0"}, url("redis", "db", 7000), "redis://db:7000"},
    {{"HTTPS://db"}, url("HTTPS", "db", 443, true), "HTTPS://db:443"},
    {{"https://[::1]:8443/x"}, url("https", "::1", 8443, true), "https://[::1]:8443"},
    {{"tcp://[fe80::1%25lo]:80"}, url("tcp", "fe80::1%lo", 80), "tcp://[fe80::1%25lo]:80"},
    {{"tcp://:80"}, {.every_interface = true, .port = 80, .scheme = "tcp"}, "tcp://:80"},
    {{"udp://db:80"},
     {.transport = Transport::udp, .host = "db", .port = 80, .scheme = "udp"},
     "udp://db:80"},
};

TEST(Endpoint, EveryFormOfTheGrammar) {
  for (const Good& good : kGood) {
    const auto endpoint = parse_endpoint(good.words, rules());
    ASSERT_TRUE(endpoint) << good.words[0] << ": " << endpoint.error().message();
    EXPECT_EQ(*endpoint, good.expected) << good.words[0];
  }
}

TEST(Endpoint, ItsTextParsesBackToTheSameValue) {
  for (const Good& good : kGood) {
    const Words again{good.text};
    const auto endpoint = parse_endpoint(again, rules());
    ASSERT_TRUE(endpoint) << good.text;
    EXPECT_EQ(*endpoint, good.expected) << good.text;
  }
}

struct Bad {
  Words words;
  std::string message;
};

TEST(Endpoint, ErrorsQuoteTheTextAndSayWhatFits) {
  const std::string label(64, 'a');
  const std::string long_name = std::string(62, 'a') + "." + std::string(62, 'b') + "." +
                                std::string(62, 'c') + "." + std::string(62, 'd') + ".ee";
  const Bad bad[] = {
      {{"db:htpp"}, "port 'htpp': not a number from 0 to 65535 nor a known service; did you mean 'http'?"},
      {{"db", "80abc"}, "port '80abc': not a number from 0 to 65535 nor a known service"},
      {{"db", "65536"}, "port '65536': not a number from 0 to 65535 nor a known service"},
      {{"0x50"}, "port '0x50': not a number from 0 to 65535 nor a known service"},
      {{"+80"}, "port '+80': not a number from 0 to 65535 nor a known service"},
      {{" 80"}, "port ' 80': not a number from 0 to 65535 nor a known service"},
      {{"-1"}, "port '-1': not a number from 0 to 65535 nor a known service"},
      {{"db", ""}, "port '': not a number from 0 to 65535 nor a known service"},
      {{"0"}, "port '0': 0 lets the kernel choose, which has no meaning here; a number from 1 to 65535 fits"},
      {{"db:syslog"}, "port 'syslog': the service has a port for UDP only, and not for TCP"},
      {{"example.org"}, "endpoint 'example.org': no port: HOST PORT or HOST:PORT"},
      {{"localhost"}, "endpoint 'localhost': no port: HOST PORT or HOST:PORT"},
      {{"127.0.0.1"}, "endpoint '127.0.0.1': no port: HOST PORT or HOST:PORT"},
      {{"htpp"},
       "endpoint 'htpp': no port: HOST PORT or HOST:PORT; if a service was meant, 'http' is the nearest"},
      {{"::1"}, "endpoint '::1': no port: an IPv6 address with its port is [IPV6]:PORT or IPV6 PORT"},
      {{"::1:80"}, "endpoint '::1:80': no port: an IPv6 address with its port is [IPV6]:PORT or IPV6 PORT"},
      {{"a:b:c"}, "endpoint 'a:b:c': more than one ':'; an IPv6 address stands in brackets: [IPV6]:PORT"},
      {{"[::1]"}, "endpoint '[::1]': no port: HOST PORT or HOST:PORT"},
      {{"[::1"}, "endpoint '[::1': '[' is not closed: [IPV6]:PORT fits"},
      {{"[::1]80"}, "endpoint '[::1]80': '80' after ']': [IPV6]:PORT fits"},
      {{"[::1]:"}, "endpoint '[::1]:': no port after the ':': a number or a service name fits"},
      {{"[db]:80"}, "endpoint '[db]:80': only an IPv6 address stands in brackets: [IPV6]:PORT fits"},
      {{"[]:80"}, "endpoint '[]:80': only an IPv6 address stands in brackets: [IPV6]:PORT fits"},
      {{"[::g]:80"}, "host '::g': not an IPv4 or IPv6 address"},
      {{"[::1%nosuch0]:80"}, "host '::1%nosuch0': no interface of this host is named 'nosuch0'"},
      {{"db:"}, "endpoint 'db:': no port after the ':': a number or a service name fits"},
      {{":"}, "endpoint ':': no port after the ':': a number or a service name fits"},
      {{"", "80"}, "host '': empty: a name or an address is needed"},
      {{"a..b", "80"}, "host 'a..b': has an empty part between its dots"},
      {{".a:80"}, "host '.a': has an empty part between its dots"},
      {{".", "80"}, "host '.': has an empty part between its dots"},
      {{"d b:80"}, "host 'd b': a host name cannot have ' ' in it"},
      {{"d\tb:80"}, "host 'd\\x09b': a host name cannot have '\\x09' in it"},
      {{"d/b:80"}, "host 'd/b': a host name cannot have '/' in it"},
      {{"d\xff", "80"}, "host 'd\\xff': a host name cannot have '\\xff' in it"},
      {{"-h", "80"}, "host '-h': a host name cannot begin with '-'"},
      {{label, "80"}, "host '" + label + "': a part between dots is longer than the 63 bytes a name allows"},
      {{long_name, "80"}, "host '" + long_name + "': longer than the 253 bytes a host name may have"},
      {{"1.2.3", "80"},
       "host '1.2.3': looks like an IPv4 address and is none: that is four numbers from 0 to 255 with dots "
       "between"},
      {{"75.748.86.91"},
       "host '75.748.86.91': looks like an IPv4 address and is none: that is four numbers from 0 to 255 with "
       "dots between"},
      {{"http://0x7f.1/"},
       "host '0x7f.1': looks like an IPv4 address and is none: that is four numbers from 0 to 255 with dots "
       "between"},
      {{"tcp://db:80", "81"},
       "endpoint 'tcp://db:80 81': the first word is an endpoint by itself: one word fits"},
      {{":80", "81"}, "endpoint ':80 81': two ports: ':80' has one already"},
      {{"db:80", "81"}, "endpoint 'db:80 81': two ports: 'db:80' has one already"},
      {{"[::1]:80", "81"}, "endpoint '[::1]:80 81': two ports: '[::1]:80' has one already"},
      {{"unix:/x", "81"}, "endpoint 'unix:/x 81': the first word is an endpoint by itself: one word fits"},
      {{"unix", "80"},
       "endpoint 'unix 80': 'unix:' begins another form; tcp://unix:PORT is the host of that name"},
      {{"a", "1", "b"}, "endpoint 'b': one word too many: HOST PORT or HOST:PORT fits"},
      {{"redis://me:secret@db"},
       "endpoint 'redis://***@db': a user name or password has no place in an endpoint"},
      {{"me:secret@db:80"}, "endpoint '***@db:80': a user name or password has no place in an endpoint"},
      {{"me@db", "80"}, "endpoint '***@db': a user name or password has no place in an endpoint"},
      {{"tcp://db"}, "endpoint 'tcp://db': no port: HOST PORT or HOST:PORT"},
      {{"tcp://"}, "endpoint 'tcp://': no host after '://'"},
      {{"redis:///x"}, "endpoint 'redis:///x': no host after '://'"},
      {{"htpp://db"}, "scheme 'htpp': not tcp, udp, tls, unix nor a known service; did you mean 'http'?"},
      {{"tpc://db:1"}, "scheme 'tpc': not tcp, udp, tls, unix nor a known service; did you mean 'tcp'?"},
      {{"unix:"}, "socket path '': empty: a path or @NAME is needed"},
      {{"unix:@"}, "socket path '@': empty: a path or @NAME is needed"},
      {{"vsock:3"}, "endpoint 'vsock:3': no port: vsock:CID:PORT fits"},
      {{"vsock:x:3"}, "vsock CID 'x': not a number from 0 to 4294967295"},
  };
  for (const Bad& one : bad) {
    const auto endpoint = parse_endpoint(one.words, rules());
    ASSERT_FALSE(endpoint) << one.words[0] << " gave " << endpoint->to_string();
    EXPECT_EQ(endpoint.error().kind, ErrorKind::usage);
    EXPECT_EQ(endpoint.error().message(), one.message);
  }
}

TEST(Endpoint, NothingAtAllSaysWhatFits) {
  for (const Words& words : {Words{}, Words{""}}) {
    const auto endpoint = parse_endpoint(words, rules());
    ASSERT_FALSE(endpoint);
    EXPECT_NE(endpoint.error().message().find("HOST:PORT"), std::string::npos);
  }
}

TEST(Endpoint, NamesAtTheirLongestAreTaken) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');  // 253
  for (const std::string& host : {label, longest, longest + "."})
    EXPECT_TRUE(parse_endpoint(Words{host, "80"}, rules())) << host;
  EXPECT_FALSE(parse_endpoint(Words{longest + "b", "80"}, rules()));
}

TEST(Endpoint, PortZeroIsForTheKernelToChoose) {
  for (const Words& words : {Words{"0"}, Words{":0"}, Words{"127.0.0.1", "0"}, Words{"vsock:1:0"}}) {
    EXPECT_FALSE(parse_endpoint(words, rules())) << words[0];
    const auto endpoint = parse_endpoint(words, rules(Transport::tcp, true));
    ASSERT_TRUE(endpoint) << words[0];
    EXPECT_EQ(endpoint->port, 0u);
  }
}

TEST(Endpoint, UnderUnixRulesAWordIsThePath) {
  const auto path = parse_endpoint(Words{"/tmp/x.sock"}, rules(Transport::unix_stream));
  EXPECT_EQ(path.value(), unix_socket("/tmp/x.sock"));
  EXPECT_EQ(parse_endpoint(Words{"@name"}, rules(Transport::unix_dgram)).value(),
            unix_socket("@name", Transport::unix_dgram));
  EXPECT_EQ(parse_endpoint(Words{"80"}, rules(Transport::unix_stream)).value(), unix_socket("80"));
  EXPECT_EQ(parse_endpoint(Words{"unix:x"}, rules(Transport::unix_stream)).value(), unix_socket("x"));
  EXPECT_EQ(parse_endpoint(Words{"//x"}, rules(Transport::unix_stream)).value(), unix_socket("/x"));
  const auto two = parse_endpoint(Words{"/tmp/x", "80"}, rules(Transport::unix_stream));
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().message(), "endpoint '/tmp/x 80': a Unix socket has no port: one PATH or @NAME fits");
}

TEST(Endpoint, UnderUdpRulesServicesAreThoseOfUdp) {
  EXPECT_EQ(parse_endpoint(Words{"syslog"}, rules(Transport::udp)).value().port, 514u);
  const auto url_of_udp = parse_endpoint(Words{"syslog://db"}, rules(Transport::udp));
  EXPECT_EQ(url_of_udp.value().transport, Transport::udp);
  EXPECT_EQ(url_of_udp.value().port, 514u);
  EXPECT_EQ(parse_endpoint(Words{"tcp://db:80"}, rules(Transport::udp)).value().transport, Transport::tcp);
  EXPECT_EQ(parse_endpoint(Words{"unix:/x"}, rules(Transport::udp)).value().transport, Transport::unix_dgram);
}

TEST(Endpoint, WithoutServiceNamesOnlyNumbersFit) {
  const auto port = parse_port("http", EndpointRules{});
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().message(), "port 'http': not a number from 0 to 65535");
  EXPECT_EQ(parse_port("80", EndpointRules{}).value(), 80);
}

}  // namespace
}  // namespace pier
