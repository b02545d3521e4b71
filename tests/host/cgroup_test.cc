#include "host/cgroup.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

// 64 hexadecimal digits.
#define ID "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"

struct Case {
  const char* what;
  const char* text;
  CgroupNames names;
};

TEST(Cgroup, NamesUnitAndContainer) {
  const Case cases[] = {
      {"version 2, a service", "0::/system.slice/nginx.service\n", {"nginx.service", ""}},
      {"version 2, without a line end", "0::/system.slice/nginx.service", {"nginx.service", ""}},
      {"the root", "0::/\n", {"", ""}},
      {"a login session", "0::/user.slice/user-1000.slice/session-3.scope\n", {"session-3.scope", ""}},
      {"a user's service is innermost",
       "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service\n",
       {"app-x.service", ""}},
      {"a template", "0::/system.slice/system-getty.slice/getty@tty1.service\n", {"getty@tty1.service", ""}},
      {"Docker, systemd driver", "0::/system.slice/docker-" ID ".scope\n", {"docker-" ID ".scope", ID}},
      {"Docker, cgroupfs driver, version 1",
       "12:memory:/docker/" ID "\n1:name=systemd:/docker/" ID "\n0::/system.slice/containerd.service\n",
       {"containerd.service", ID}},
      {"Podman", "0::/machine.slice/libpod-" ID ".scope/container\n", {"libpod-" ID ".scope", ID}},
      {"Podman's monitor is not in the container",
       "0::/machine.slice/libpod-conmon-" ID ".scope\n",
       {"libpod-conmon-" ID ".scope", ""}},
      {"Podman, rootless",
       "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope\n",
       {"libpod-" ID ".scope", ID}},
      {"Kubernetes, containerd, systemd driver",
       "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaa_bb.slice/cri-containerd-" ID
       ".scope\n",
       {"cri-containerd-" ID ".scope", ID, "aa-bb"}},
      {"Kubernetes, CRI-O",
       "0::/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope\n",
       {"crio-" ID ".scope", ID, "1"}},
      {"Kubernetes, cgroupfs driver", "4:memory:/kubepods/besteffort/pod11-22/" ID "\n", {"", ID, "11-22"}},
      {"containerd below systemd",
       "1:name=systemd:/system.slice/containerd.service/kubepods-besteffort-podaa.slice:cri-containerd:" ID
       "\n",
       {"containerd.service", ID, "aa"}},
      {"a container in a container is the inner one",
       "0::/docker/" ID "/docker/"
       "00000000000000000000000000000000"
       "00000000000000000000000000000001\n",
       {"", "0000000000000000000000000000000000000000000000000000000000000001"}},
      {"LXC", "0::/lxc.payload.web/system.slice/cron.service\n", {"cron.service", "web"}},
      {"LXC, version 1", "3:cpu:/lxc/web/user.slice\n", {"", "web"}},
      {"systemd-nspawn",
       "0::/machine.slice/systemd-nspawn@build\\x2dbox.service/payload\n",
       {"systemd-nspawn@build\\x2dbox.service", "build-box"}},
      {"a registered machine", "0::/machine.slice/machine-db.scope\n", {"machine-db.scope", "db"}},
      {"version 1: systemd's own hierarchy counts before the others",
       "5:memory:/user.slice/other.service\n1:name=systemd:/system.slice/ssh.service\n",
       {"ssh.service", ""}},
      {"seen from inside a cgroup namespace", "0::/../cron.service\n", {"cron.service", ""}},
      {"an id must be 64 digits", "0::/docker/3f4e5d\n", {"", ""}},
      {"colons in the path", "0::/system.slice/a:b.service\n", {"a:b.service", ""}},
      {"nothing", "", {"", ""}},
      {"not a cgroup file", "hello\n:\n0:\n0::relative.service\n", {"", ""}},
  };
  for (const Case& c : cases) {
    const CgroupNames names = parse_cgroup(c.text);
    EXPECT_EQ(names.unit, c.names.unit) << c.what;
    EXPECT_EQ(names.container, c.names.container) << c.what;
  }
}

}  // namespace
}  // namespace pier
