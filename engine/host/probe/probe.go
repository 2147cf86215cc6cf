// Package probe finds out what a host can do for sandboxes, by doing it: each
// probe makes the namespace, the mount or the call it is named after, in a child
// process where that would leave a trace, and never guesses from a kernel version.
//
// It is made for `sbx doctor`, and for `sbx check` to say whether a sandbox can be made
// at all. A probe takes milliseconds, so no other verb runs one.
package probe

// Status is the outcome of a probe.
type Status uint8

// The outcomes.
const (
	OK      Status = iota
	Missing        // tried, and refused or without effect
	Unknown        // could not be tried
)

func (s Status) String() string {
	switch s {
	case OK:
		return "ok"
	case Missing:
		return "missing"
	}
	return "unknown"
}

// MarshalText makes a Status its name in JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Result is what one probe found.
type Result struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	Detail   string `json:"detail"`         // what was seen
	Why      string `json:"why"`            // why it matters
	Mend     string `json:"mend,omitempty"` // shell commands or a setting; a line that starts with # separates alternatives
	Required bool   `json:"required"`       // no sandbox can be made without it

	Hardening bool `json:"-"` // no sandbox needs it; the host is safer with it
}

// A finding is the part of a Result that a probe decides.
type finding struct {
	status Status
	detail string
	mend   string
}

// A feature is the part of a Result that is known beforehand.
type feature struct {
	name string
	need need
	why  string
}

// need says who cannot do without a feature.
type need uint8

const (
	optional  need = iota
	forAll         // every sandbox
	forUsers       // every sandbox, unless the caller has CAP_SYS_ADMIN already
	hardening      // no sandbox; the host is safer with it
)

// features is every probe there is, in the order of All: what others build on first.
var features = []feature{
	{"user-namespaces", forUsers, "an ordinary user gets the rights to build a sandbox from one, user_namespaces(7)"},
	{"id-maps", forUsers, "files in the sandbox keep their owner, or the caller becomes root there"},
	{"max-user-namespaces", forUsers, "the limit on user namespaces; nested sandboxes count too"},
	{"capabilities", optional, "with CAP_SYS_ADMIN a sandbox needs no user namespace"},
	{"subordinate-ids", optional, "more than one user or group id in a sandbox needs ranges in subuid(5) and subgid(5)"},
	{"mount-api", forAll, "every mount is made with it: fsopen, fsmount, open_tree, move_mount (5.2), mount_setattr (5.12)"},
	{"mount-max", optional, "the limit on mounts in a sandbox, proc_sys_fs(5)"},
	{"openat2", forAll, "paths of the sandbox are resolved inside it, so that no symlink leads to the host (5.6)"},
	{"overlay", optional, "overlay() needs one that a user namespace may mount (5.11)"},
	{"lowerdir+", optional, "layers are given to overlay() one by one; without it by links, in one page of options (6.7)"},
	{"tmpfs-xattr", optional, `without it the command cannot remove or rename directories of a layer where upper is "tmpfs" or on one (6.6)`},
	{"seccomp", forAll, "keeps commands from typing into the terminal; suppress_chown() and suppress_sync()"},
	{"landlock", optional, "scope_sockets() needs version 6 of landlock(7), and has no effect without it (6.12)"},
	{"pid-namespace", optional, "unshare(pid = True)"},
	{"proc-mount", optional, "proc() in a pid namespace of its own"},
	{"net-namespace", optional, "unshare(net = True), with a loopback interface"},
	{"ipc-namespace", optional, "unshare(ipc = True) and mqueue()"},
	{"uts-namespace", optional, "hostname()"},
	{"cgroup-namespace", optional, "unshare(cgroup = True)"},
	{"time-namespace", optional, "unshare(time = True) (5.6)"},
	{"pidfd", optional, "signals reach the command and no other process that got its number (5.3)"},
	{"close_range", optional, "closes inherited file descriptors in one call (5.11)"},
	{"proc-children", optional, "finds the processes of a sandbox without reading all of /proc (CONFIG_PROC_CHILDREN)"},
	{"terminal-injection", hardening, "sandboxes are kept from TIOCSTI by a filter; this keeps everything else from it too (6.2)"},
}

// All runs every probe.
func All() []Result {
	h := newHost()
	list := make([]Result, len(features))
	for i := range features {
		list[i] = h.result(&features[i])
	}
	return list
}

// Run runs one probe; there may be none of that name.
func Run(name string) (Result, bool) {
	for i := range features {
		if features[i].name == name {
			return newHost().result(&features[i]), true
		}
	}
	return Result{}, false
}

// Lacks returns the first feature without which no sandbox can be made and that is
// missing; with inUserNS, also of those that a sandbox in a user namespace needs.
func Lacks(inUserNS bool) (Result, bool) {
	h := newHost()
	for i := range features {
		if f := &features[i]; f.need == forAll || f.need == forUsers && inUserNS {
			if r := h.result(f); r.Status == Missing {
				return r, true
			}
		}
	}
	return Result{}, false
}

// result runs a probe. A fault in one must not cost the report of the others.
func (h *host) result(f *feature) (r Result) {
	r = Result{Name: f.name, Why: f.why, Status: Unknown, Detail: "the probe failed"}
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); ok {
				r.Detail += ": " + err.Error()
			}
		}
	}()
	r.Hardening = f.need == hardening
	r.Required = f.need == forAll || f.need == forUsers && !h.privileged()
	found := h.run(f.name)
	r.Status, r.Detail, r.Mend = found.status, found.detail, found.mend
	return r
}
