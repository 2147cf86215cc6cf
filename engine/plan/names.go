package plan

// The names that the kernel has numbers for: capabilities and resource limits.

import "strconv"

// CapNames are the capabilities by number, capabilities(7), as of Linux 6.18.
var CapNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
	"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// AllCaps is the set of all of CapNames, bit N for capability N.
const AllCaps = 1<<len(CapNames) - 1

// BuildCaps are the capabilities of become_root(), those that mkosi-sandbox
// keeps; BuildNetCaps come on top where the network namespace is the sandbox's own.
var (
	BuildCaps = []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_SETGID", "CAP_SETUID",
		"CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_SETFCAP",
	}
	BuildNetCaps = []string{"CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN"}
)

// CapNumber returns the number of a capability, or -1.
func CapNumber(name string) int { return index(CapNames[:], name) }

// CapSet returns the set of the named capabilities.
func CapSet(names []string) uint64 {
	var set uint64
	for _, n := range names {
		if i := CapNumber(n); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// RlimitNames are the resource limits by number, setrlimit(2) on amd64 and arm64.
var RlimitNames = [...]string{
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
	"RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
}

// RlimitNumber returns the number of a resource limit, or -1.
func RlimitNumber(name string) int { return index(RlimitNames[:], name) }

// LimitText is a resource limit in words.
func LimitText(v uint64) string {
	if v == RlimInfinity {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}

func index(list []string, s string) int {
	for i, v := range list {
		if v == s {
			return i
		}
	}
	return -1
}
