//go:build linux

package enginetest

// Who the command is, and what it may do.

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
)

// Sets of capabilities by number, capabilities(7), written out: the build set is
// a promise, not what the code happens to say.
const (
	buildCaps    = 0x812c01df
	buildNetCaps = 0x812c15df
	capNetRaw    = 1 << 13
	capSysAdmin  = 1 << 21
)

// allCaps is the set of all that this kernel has.
func allCaps(t testing.TB) uint64 {
	b, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	box.Must(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	box.Must(t, err)
	return 1<<(n+1) - 1
}

// ownCaps are those of the test process.
func ownCaps(t testing.TB, field string) string {
	b, err := os.ReadFile("/proc/self/status")
	box.Must(t, err)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

const capsShell = "grep ^Cap /proc/self/status | tr -d '\\t'"

func capLines(set uint64) string {
	var b strings.Builder
	for _, f := range []string{"Inh", "Prm", "Eff", "Bnd", "Amb"} {
		fmt.Fprintf(&b, "Cap%s:%016x\n", f, set)
	}
	return b.String()
}

func TestIDs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		const ids = "echo $(id -u) $(id -g)"
		w.want(t, base(), ids, fmt.Sprintf("%d %d", w.UID, w.UID))
		w.want(t, base()+"become_root()", ids, "0 0")
		w.want(t, base()+"map_user(1234)", ids, "1234 1234")
		w.want(t, base()+"map_user(1234, 77)", ids, "1234 77")
		w.want(t, base()+"map_user(4294967294, 0)", ids, "4294967294 0")
		w.want(t, base()+"become_root()\nmap_user(0, 0)", ids, "0 0")
		w.refused(t, base()+"become_root()\nmap_user(7)", "map_user: become_root() is called as well")
	})
	asUserMap := func(t *testing.T, w who) {
		w.want(t, base()+"become_root()", "cat /proc/self/uid_map | tr -s ' '", fmt.Sprintf(" 0 %d 1", w.UID))
		w.want(t, base()+"become_root()", "cat /proc/self/setgroups", "deny")
	}
	t.Run("map", func(t *testing.T) { asUser(t, asUserMap) })
}

func TestCapabilities(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		all := allCaps(t)
		keep := `capabilities(keep = ["net_raw", "CAP_SYS_ADMIN"])` + "\n"
		for _, c := range []struct {
			script string
			set    uint64
		}{
			{"", 0},
			{"map_user(7)", 0},
			{"capabilities(\"none\")", 0},
			{"become_root()\ncapabilities(\"none\")", 0},
			{keep, capNetRaw | capSysAdmin},
			{keep + "map_user(7)", capNetRaw | capSysAdmin},
			{keep + "map_user(0)", capNetRaw | capSysAdmin},
			{keep + "become_root()", capNetRaw | capSysAdmin},
			{"become_root()", buildCaps},
			{"become_root()\nno_new_privs(False)", buildCaps},
			{"become_root()\nunshare(net = True)", buildNetCaps},
			{"become_root()\nunshare(pid = True)\ninit(False)", buildCaps},
			{"become_root()\ndie_with_parent(False)", buildCaps},
			{"capabilities(\"all\")", all},
			{"capabilities(\"all\")\nmap_user(7)", all},
			{"capabilities(\"all\")\nbecome_root()", all},
		} {
			if w.Root() && strings.HasPrefix(c.script, "become_root()") && c.set != 0 ||
				w.Root() && strings.HasPrefix(c.script, "capabilities(\"all\")") {
				continue // as root they are left as they are, below
			}
			w.want(t, base()+c.script, capsShell, capLines(c.set))
		}
		if w.Root() {
			own := "CapPrm:" + ownCaps(t, "CapPrm") + "\nCapEff:" + ownCaps(t, "CapEff") + "\nCapBnd:" + ownCaps(t, "CapBnd")
			for _, script := range []string{"become_root()", "capabilities(\"all\")"} {
				w.want(t, base()+script, capsShell+" | grep -v -e Inh -e Amb", own)
			}
		}
	})
}

// The bounding set holds for programs that gain by their mode, too.
func TestNoNewPrivs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		const line = "grep NoNewPrivs /proc/self/status | tr -d '\\t'"
		w.want(t, base(), line, "NoNewPrivs:1")
		w.want(t, base()+"no_new_privs(True)", line, "NoNewPrivs:1")
		w.want(t, base()+"become_root()", line, "NoNewPrivs:1")
		if w.Root() {
			w.want(t, base()+"no_new_privs(False)", line, "NoNewPrivs:0")
			w.want(t, base()+"no_new_privs(False)", capsShell, capLines(0))
		} else {
			// The filter against typing into the terminal has to be there.
			w.want(t, base()+"no_new_privs(False)", line, "NoNewPrivs:0")
		}
	})
}

// links are the namespaces of the test process.
func nsLink(t testing.TB, name string) string {
	l, err := os.Readlink("/proc/self/ns/" + name)
	box.Must(t, err)
	return l
}

func TestNamespaces(t *testing.T) {
	flags := map[string]string{"net": "net", "ipc": "ipc", "pid": "pid", "uts": "uts", "cgroup": "cgroup", "time": "time"}
	each(t, func(t *testing.T, w who) {
		for flag := range flags {
			r := w.sh(t, base()+fmt.Sprintf("unshare(%s = True)", flag), "cd /proc/self/ns; for n in *; do echo $n $(readlink $n); done")
			if r.Code != 0 {
				t.Fatal(flag, r)
			}
			for line := range strings.Lines(r.Out) {
				name, link, _ := strings.Cut(strings.TrimSpace(line), " ")
				new := name == flags[flag] || name == "mnt" || name == "user" && !w.Root() ||
					name == flags[flag]+"_for_children"
				if same := link == nsLink(t, name); same == new {
					t.Errorf("unshare(%s): namespace %s is %s, outside %s", flag, name, link, nsLink(t, name))
				}
			}
		}
		// Ids that are not root's own need a user namespace even as root.
		r := w.sh(t, base()+"map_user(5)", "readlink /proc/self/ns/user")
		if strings.TrimSpace(r.Out) == nsLink(t, "user") {
			t.Error("map_user: still in the user namespace of the caller")
		}
	})
}

func TestNetwork(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		w.want(t, base()+"unshare(net = True)", "/probe probe:loopback && tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", "connected\nlo")
		w.want(t, base()+"unshare(net = True, pid = True)\nbecome_root()", "/probe probe:loopback", "connected")
	})
}

func TestHostname(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		before, err := os.Hostname()
		box.Must(t, err)
		w.want(t, base()+"hostname(\"box\")", "uname -n", "box")
		w.want(t, base()+"unshare(uts = True)", "uname -n", before)
		if after, _ := os.Hostname(); after != before {
			t.Errorf("the host's name is %q now", after)
		}
		w.refused(t, base()+"hostname(\""+strings.Repeat("x", 65)+"\")", "hostname: host name")
	})
}

func TestTimeNamespace(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		host, err := os.Readlink("/proc/self/ns/time")
		box.Must(t, err)
		for _, more := range []string{"", "unshare(pid = True)\n", "unshare(pid = True)\ninit(False)\n", "die_with_parent(False)\n"} {
			w.want(t, base()+more+"unshare(time = True)", `now=$(readlink /proc/self/ns/time)
				test "$now" != '`+host+`' && test "$now" = "$(readlink /proc/self/ns/time_for_children)" && echo same`, "same")
		}
	})
}

func TestMqueue(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		w.want(t, base()+"unshare(ipc = True)\nmqueue()", "echo /dev/mqueue/*; grep -c ' - mqueue ' /proc/self/mountinfo", "/dev/mqueue/*\n1")
	})
}

// The peer's view of its own process must be ours.
func TestLikeBwrap(t *testing.T) {
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		t.Skip("bwrap is not installed")
	}
	asUser(t, func(t *testing.T, w who) {
		const sh = `grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|SigBlk|SigIgn|SigCgt)' /proc/self/status; pwd; umask`
		args := []string{"--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-user", "--unshare-pid", "--chdir", "/", "--", "sh", "-c", sh}
		cmd := w.Command(t, bwrap, args...)
		peer := box.Finish(t, cmd)
		if peer.Code != 0 {
			t.Skip("bwrap does not work here: " + peer.Err)
		}
		ours := w.sh(t, "bind(\"/\")\ndev()\nproc()\nunshare(pid = True)\n", sh)
		// bwrap leaves the bounding set as it is; ours is empty.
		drop := func(s string) string {
			var b strings.Builder
			for line := range strings.Lines(s) {
				if !strings.HasPrefix(line, "CapBnd") {
					b.WriteString(line)
				}
			}
			return b.String()
		}
		if drop(ours.Out) != drop(peer.Out) {
			t.Errorf("bwrap:\n%s\nsbx:\n%s%s", peer.Out, ours.Out, ours.Err)
		}
	})
}

// TestMapIDs maps more than the caller's ids, which ordinary users may not unless
// the host grants them some.
func TestMapIDs(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		script := func(more string) string {
			own := fmt.Sprintf("(7, %d, 1)", w.UID)
			return base() + fmt.Sprintf("map_ids([%s%s], [%s%s])\n", own, more, own, more)
		}
		w.want(t, script(""), "id -u; id -g; cat /proc/self/uid_map | tr -s ' '", fmt.Sprintf("7\n7\n 7 %d 1", w.UID))
		w.want(t, script("")+"unshare(pid = True)", "id -u", "7")
		if !w.Root() {
			w.refused(t, script(", (100, 1, 5)"), "test.sbx.star:", "map_ids: newgidmap")
			return
		}
		s := script(", (0, 100000, 1), (100, 200000, 5)") + "write(\"/f\", \"\")\nchmod(\"/f\", 0o640, uid = 102, gid = 0)\n"
		w.want(t, s, "stat -c '%u %g %a' /f", "102 0 640")

		// A set-id program of the sandbox's own gains what bounding says.
		s += "tmpfs(\"/s\", suid = True)\ncopy(\"/usr/bin/id\", \"/s/id\")\ncopy(\"/usr/bin/grep\", \"/s/grep\")\n" +
			"chmod(\"/s/id\", 0o4755, uid = 0, gid = 0)\nchmod(\"/s/grep\", 0o4755, uid = 0)\n"
		w.want(t, s+"no_new_privs(False)\ncapabilities(\"none\", bounding = [\"setuid\"])", "/s/id; /s/grep CapEff /proc/self/status; grep CapEff /proc/self/status",
			"uid=7 gid=7 euid=0 groups=7\nCapEff:\t0000000000000080\nCapEff:\t0000000000000000")
		w.want(t, s, "/s/id -u", "7")
	})
}
