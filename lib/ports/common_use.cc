#include "ports/common_use.h"

#include <algorithm>
#include <array>

namespace pier {
namespace {

constexpr PortProtocols kTcp = PortProtocol::tcp;
constexpr PortProtocols kUdp = PortProtocol::udp;

// Add yours here, by ascending port, with the maker's own document: what a product says of itself, not what a
// list of ports says about it, and `true` once you have read it there. Uses that the registry itself names
// are left out.
constexpr std::array kUses{
    CommonUse{81, kTcp, "Nginx Proxy Manager", "Nginx Proxy Manager: Full Setup Instructions"},
    CommonUse{1880, kTcp, "Node-RED", "Node-RED: Running Node-RED locally"},
    CommonUse{2019, kTcp, "Caddy admin API", "Caddy: API"},
    CommonUse{3000, kTcp, "Grafana", "Grafana: Configure Grafana, http_port"},
    CommonUse{3000, kTcp, "Rails, Next.js and other dev servers", "Rails guides: The Rails command line"},
    CommonUse{3100, kTcp, "Grafana Loki", "Grafana Loki: Configuration, http_listen_port"},
    CommonUse{3128, kTcp, "Squid HTTP proxy", "Squid: http_port directive"},
    CommonUse{4040, kTcp, "Apache Spark application UI", "Apache Spark: Monitoring and Instrumentation"},
    CommonUse{4200, kTcp, "Angular dev server", "Angular: ng serve"},
    CommonUse{4222, kTcp, "NATS clients", "NATS: Server configuration"},
    CommonUse{4317, kTcp, "OpenTelemetry OTLP over gRPC", "OpenTelemetry: OTLP Specification"},
    CommonUse{4318, kTcp, "OpenTelemetry OTLP over HTTP", "OpenTelemetry: OTLP Specification"},
    CommonUse{4444, kTcp, "Selenium Grid", "Selenium: Grid, Getting started"},
    CommonUse{4646, kTcp, "HashiCorp Nomad HTTP API", "Nomad: Agent configuration, ports"},
    CommonUse{5000, kTcp, "container image registry", "CNCF Distribution: Configuring a registry"},
    CommonUse{5000, kTcp, "Flask dev server", "Flask: Quickstart"},
    CommonUse{5001, kTcp, "iperf 2", "iperf 2: manual page"},
    CommonUse{5005, kTcp, "Java debugger (JDWP)", "Oracle JDK: JPDA Connection and Invocation"},
    CommonUse{5044, kTcp, "Logstash, Beats input", "Elastic: Logstash, Beats input plugin"},
    CommonUse{5173, kTcp, "Vite dev server", "Vite: Server Options, server.port"},
    CommonUse{5201, kTcp | kUdp, "iperf3", "iperf3: manual page"},
    CommonUse{5601, kTcp, "Kibana", "Elastic: Configure Kibana, server.port"},
    CommonUse{5901, kTcp, "VNC screen 1", "TigerVNC: Xvnc manual page"},
    CommonUse{6432, kTcp, "PgBouncer", "PgBouncer: Configuration, listen_port"},
    CommonUse{6443, kTcp, "Kubernetes API server", "Kubernetes: Ports and Protocols", true},
    CommonUse{6650, kTcp, "Apache Pulsar broker", "Apache Pulsar: Broker configuration"},
    CommonUse{6881, kTcp | kUdp, "BitTorrent", "BitTorrent: BEP 3"},
    CommonUse{7000, kTcp, "Cassandra between nodes", "Apache Cassandra: cassandra.yaml, storage_port"},
    CommonUse{7001, kTcp, "Oracle WebLogic Server", "Oracle: WebLogic Server, network channels"},
    CommonUse{7077, kTcp, "Apache Spark master", "Apache Spark: Spark Standalone Mode"},
    CommonUse{8000, kTcp, "Django dev server", "Django: runserver"},
    CommonUse{8000, kTcp, "Python's http.server", "Python: http.server"},
    CommonUse{8008, kTcp, "Matrix Synapse", "Synapse: Configuration manual, listeners"},
    CommonUse{8009, kTcp, "Apache Tomcat AJP", "Apache Tomcat: The AJP Connector"},
    CommonUse{8065, kTcp, "Mattermost", "Mattermost: Configuration, listen address"},
    CommonUse{8080, kTcp, "Apache Tomcat", "Apache Tomcat: The HTTP Connector"},
    CommonUse{8080, kTcp, "Jenkins", "Jenkins: Initial settings, httpPort"},
    CommonUse{8081, kTcp, "Sonatype Nexus Repository", "Sonatype: Nexus Repository, Run behind a proxy"},
    CommonUse{8086, kTcp, "InfluxDB", "InfluxData: InfluxDB configuration"},
    CommonUse{8088, kTcp, "Hadoop YARN ResourceManager", "Apache Hadoop: yarn-default.xml"},
    CommonUse{8090, kTcp, "Atlassian Confluence", "Atlassian: Ports used by Atlassian applications"},
    CommonUse{8091, kTcp, "Couchbase Server", "Couchbase: Network and Firewall"},
    CommonUse{8096, kTcp, "Jellyfin", "Jellyfin: Networking"},
    CommonUse{8123, kTcp, "ClickHouse HTTP", "ClickHouse: Network ports"},
    CommonUse{8123, kTcp, "Home Assistant", "Home Assistant: HTTP integration, server_port"},
    CommonUse{8125, kUdp, "StatsD", "StatsD: README, port"},
    CommonUse{8200, kTcp, "HashiCorp Vault", "Vault: TCP listener configuration"},
    CommonUse{8265, kTcp, "Ray dashboard", "Ray: Configuring Ray, ports"},
    CommonUse{8291, kTcp, "MikroTik WinBox", "MikroTik: RouterOS, IP Services"},
    CommonUse{8443, kTcp, "HTTPS of Tomcat and of many admin pages",
              "Apache Tomcat: SSL/TLS Configuration How-To"},
    CommonUse{8500, kTcp, "HashiCorp Consul HTTP API", "Consul: Required ports"},
    CommonUse{8529, kTcp, "ArangoDB", "ArangoDB: Server options, endpoint"},
    CommonUse{8600, kTcp | kUdp, "HashiCorp Consul DNS", "Consul: Required ports"},
    CommonUse{8728, kTcp, "MikroTik RouterOS API", "MikroTik: RouterOS, API"},
    CommonUse{8888, kTcp, "Jupyter", "Jupyter Server: Config file, port"},
    CommonUse{8983, kTcp, "Apache Solr", "Apache Solr: Solr Control Script"},
    CommonUse{9000, kTcp, "ClickHouse native protocol", "ClickHouse: Network ports"},
    CommonUse{9000, kTcp, "MinIO", "MinIO: minio server"},
    CommonUse{9000, kTcp, "PHP-FPM", "PHP: FastCGI Process Manager, listen"},
    CommonUse{9000, kTcp, "SonarQube", "SonarSource: SonarQube, sonar.web.port"},
    CommonUse{9042, kTcp, "Cassandra clients", "Apache Cassandra: cassandra.yaml"},
    CommonUse{9050, kTcp, "Tor SOCKS proxy", "Tor: manual page, SocksPort"},
    CommonUse{9090, kTcp, "Prometheus", "Prometheus: Getting started"},
    CommonUse{9090, kTcp, "Cockpit", "Cockpit: TCP Port and Address"},
    CommonUse{9091, kTcp, "Prometheus Pushgateway", "Prometheus: Pushgateway"},
    CommonUse{9092, kTcp, "Apache Kafka", "Apache Kafka: Broker Configs, listeners", true},
    CommonUse{9093, kTcp, "Prometheus Alertmanager", "Prometheus: Alertmanager"},
    CommonUse{9093, kTcp, "Apache Kafka KRaft controller", "Apache Kafka: server.properties, listeners",
              true},
    CommonUse{9100, kTcp, "Prometheus node exporter", "Prometheus: Monitoring Linux host metrics"},
    CommonUse{9200, kTcp, "Elasticsearch and OpenSearch HTTP", "Elastic: Elasticsearch, Networking"},
    CommonUse{9229, kTcp, "Node.js inspector", "Node.js: Debugging Node.js"},
    CommonUse{9300, kTcp, "Elasticsearch between nodes", "Elastic: Elasticsearch, Networking"},
    CommonUse{9411, kTcp, "Zipkin", "Zipkin: Quickstart"},
    CommonUse{9443, kTcp, "Portainer", "Portainer: Install Portainer CE with Docker"},
    CommonUse{9870, kTcp, "Hadoop HDFS NameNode", "Apache Hadoop: hdfs-default.xml"},
    CommonUse{10000, kTcp, "Webmin", "Webmin: Installation"},
    CommonUse{10250, kTcp, "Kubernetes kubelet API", "Kubernetes: Ports and Protocols", true},
    CommonUse{10256, kTcp, "Kubernetes kube-proxy health", "Kubernetes: Ports and Protocols"},
    CommonUse{10257, kTcp, "Kubernetes controller manager", "Kubernetes: Ports and Protocols", true},
    CommonUse{10259, kTcp, "Kubernetes scheduler", "Kubernetes: Ports and Protocols", true},
    CommonUse{11434, kTcp, "Ollama", "Ollama: FAQ"},
    CommonUse{15672, kTcp, "RabbitMQ management", "RabbitMQ: Networking, Ports"},
    CommonUse{16686, kTcp, "Jaeger UI", "Jaeger: Deployment"},
    CommonUse{19999, kTcp, "Netdata", "Netdata: Web server reference"},
    CommonUse{25565, kTcp, "Minecraft (Java Edition)", "Mojang: server.properties, server-port"},
    CommonUse{25672, kTcp, "RabbitMQ between nodes", "RabbitMQ: Networking, Ports"},
    CommonUse{26379, kTcp, "Redis Sentinel", "Redis: High availability with Sentinel"},
    CommonUse{27018, kTcp, "MongoDB shard member", "MongoDB: Default MongoDB Port"},
    CommonUse{27019, kTcp, "MongoDB config server", "MongoDB: Default MongoDB Port"},
    CommonUse{32400, kTcp, "Plex Media Server", "Plex: What network ports do I need to allow"},
    CommonUse{41641, kUdp, "Tailscale", "Tailscale: What firewall ports should I open"},
    CommonUse{50000, kTcp, "IBM Db2", "IBM: Db2, Connecting to a database server"},
    CommonUse{50000, kTcp, "Jenkins agents", "Jenkins: Official Docker image"},
    CommonUse{50051, kTcp, "gRPC examples and servers", "gRPC: Quick start"},
    CommonUse{51820, kUdp, "WireGuard", "WireGuard: Quick Start"},
    CommonUse{61613, kTcp, "ActiveMQ STOMP", "Apache ActiveMQ: Stomp"},
    CommonUse{61616, kTcp, "ActiveMQ OpenWire", "Apache ActiveMQ: Run Broker"},
    CommonUse{64738, kTcp | kUdp, "Mumble", "Mumble: murmur.ini"},
};
static_assert(std::ranges::is_sorted(kUses, {}, &CommonUse::port));

}  // namespace

std::span<const CommonUse> common_uses() {
  return kUses;
}

std::vector<const CommonUse*> common_uses_of(PortProtocol protocol, std::uint16_t port) {
  std::vector<const CommonUse*> found;
  for (const CommonUse& use : std::ranges::equal_range(kUses, port, {}, &CommonUse::port))
    if (use.protocols.contains(protocol)) found.push_back(&use);
  return found;
}

}  // namespace pier
