// Package plan defines the Plan: everything a sandbox is made of, as plain data.
//
// A plan is what a script evaluates to and what the engine checks, compiles and
// runs. Each operation carries the script position it came from, so that a
// failure at any later stage can name the line that asked for it.
package plan

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Version is the version of the JSON form.
const Version = 1

// MaxOps is the number of file system operations a plan may hold. The kernel's
// own limit on mounts in a namespace is 100000 (/proc/sys/fs/mount-max).
const MaxOps = 100_000

// Kind names a file system operation; it is the name of its built-in.
type Kind string

// The file system operations.
const (
	Bind      Kind = "bind"
	Tmpfs     Kind = "tmpfs"
	Mkdir     Kind = "mkdir"
	Mqueue    Kind = "mqueue"
	Dev       Kind = "dev"
	Proc      Kind = "proc"
	Symlink   Kind = "symlink"
	Write     Kind = "write"
	Copy      Kind = "copy"
	Overlay   Kind = "overlay"
	Mask      Kind = "mask"
	RemountRO Kind = "remount_ro"
	Chmod     Kind = "chmod"
)

// Op is one file system operation. Which fields count depends on Kind.
type Op struct {
	Kind Kind `json:"op"`
	Dst  Str  `json:"dst"` // absolute path in the sandbox

	Src      Str   `json:"src,omitempty"`      // Bind, Copy: absolute path on the host
	SrcFD    *int  `json:"src_fd,omitempty"`   // Bind: an open file descriptor of the caller's, instead of Src
	Inside   bool  `json:"inside,omitempty"`   // Bind: Src is a path of the sandbox
	NoFollow bool  `json:"nofollow,omitempty"` // Bind: bind a symlink itself
	Optional bool  `json:"optional,omitempty"` // Bind: skip when Src is missing. Mask: when Dst is. Mkdir: when Dst is there, whatever it is
	RO       bool  `json:"ro,omitempty"`       // Bind: read-only, with all mounts below it. Write with ContentMount: read-only
	Devices  *bool `json:"dev,omitempty"`      // Bind, Tmpfs, Overlay: device nodes work; nil: only of a bind whose Src is /, /dev or below /dev. RemountRO: false takes them away
	Create   bool  `json:"create,omitempty"`   // make Dst on the host where it is missing in a writable bind
	Suid     bool  `json:"suid,omitempty"`     // Bind, Tmpfs, Overlay: set-id programs count as such
	Follow   bool  `json:"follow,omitempty"`   // a symlink at Dst is followed whatever goes there; else only by directories
	Bare     bool  `json:"bare,omitempty"`     // Dev: without fuse, shm with mode 0755, and a console only for standard output
	Chase    bool  `json:"chase,omitempty"`    // symlinks on the way to Dst that lead nowhere count as well, and where they lead is made
	Foreign  bool  `json:"foreign,omitempty"`  // Bind: map the foreign uid range to the ids of the command's user namespace, systemd-mountfsd(8)
	MountFD  *int  `json:"mount_fd,omitempty"` // Bind with Foreign: a file descriptor of the caller's, a detached mount of Src that is mounted as it is
	// Recursive has a RemountRO do all mounts below Dst, too, which else stay as they are.
	Recursive bool `json:"recursive,omitempty"`
	// Exact says that on the way to the Src of a Bind or Copy, or the layers of an Overlay,
	// no symlink is followed:
	// whoever could have made one may still be at it.
	Exact bool `json:"exact,omitempty"`
	// CreateSrc says that a Bind makes Src, where it is missing, as a directory on
	// the host, with its parents, all with mode 0700.
	CreateSrc bool `json:"create_src,omitempty"`
	// Content says where a Symlink, Write or Copy goes.
	Content Content `json:"content,omitempty"`
	// ParentMode is the mode of directories made on the way to Dst; nil: 0755.
	ParentMode *Mode `json:"parent_mode,omitempty"`

	Target Str `json:"target,omitempty"` // Symlink: text of the link
	Data   Str `json:"data,omitempty"`   // Write: content

	Size uint64  `json:"size,omitempty"` // Tmpfs: limit in bytes; 0: half of memory, tmpfs(5)
	Mode *Mode   `json:"mode,omitempty"` // Tmpfs, Mkdir, Write, Copy, Chmod
	UID  *uint32 `json:"uid,omitempty"`  // Chmod: the owner, in the sandbox
	GID  *uint32 `json:"gid,omitempty"`  // Chmod: the group, in the sandbox

	Lower      []Str `json:"lower,omitempty"`       // Overlay: absolute host paths, bottom first
	Upper      Str   `json:"upper,omitempty"`       // Overlay: absolute host path; empty: see UpperTmpfs
	UpperTmpfs bool  `json:"upper_tmpfs,omitempty"` // Overlay: changes go to memory; with no Upper either: read-only
	Work       Str   `json:"work,omitempty"`        // Overlay: absolute host path; empty: Upper + ".work"

	At Origin `json:"at,omitzero"`
}

// Content says where the content of a Symlink, Write or Copy goes.
type Content string

// The ways of content.
const (
	// ContentAuto makes it in place where that is the sandbox's own and free, and
	// mounts it over what is there, or over the host's, otherwise.
	ContentAuto Content = ""
	// ContentThrough makes it in place, in a writable bind on the host. A file that
	// is there is truncated and keeps its mode; a symlink must be the same.
	ContentThrough Content = "through"
	// ContentMount makes it aside and mounts it there.
	ContentMount Content = "mount"
)

// DefaultWork returns the work directory of an overlay that names none: one
// beside Upper.
func (o *Op) DefaultWork() string {
	upper := string(o.Upper)
	for strings.HasSuffix(upper, "/") || strings.HasSuffix(upper, "/.") {
		upper = strings.TrimSuffix(strings.TrimSuffix(upper, "."), "/")
	}
	return upper + ".work"
}

// EnvKind says what an EnvOp does.
type EnvKind string

// The changes to the environment.
const (
	SetEnv   EnvKind = "setenv"
	UnsetEnv EnvKind = "unsetenv"
	ClearEnv EnvKind = "clearenv"
	PassEnv  EnvKind = "pass_env"
)

// EnvOp is one change to the environment the command starts with, which is
// otherwise the caller's. Changes are made in order. PassEnv restores the caller's
// own value, which a plan does not hold, as it may be a secret.
type EnvOp struct {
	Kind  EnvKind `json:"op"`
	Name  Str     `json:"name,omitempty"`  // SetEnv, UnsetEnv, PassEnv
	Value Str     `json:"value,omitempty"` // SetEnv
	Keep  []Str   `json:"keep,omitempty"`  // ClearEnv: names that stay
	At    Origin  `json:"at,omitzero"`
}

// Identity is who the command is. The zero value keeps the caller's ids.
type Identity struct {
	Root bool    `json:"root,omitempty"` // become_root: uid and gid 0
	UID  *uint32 `json:"uid,omitempty"`  // map_user
	GID  *uint32 `json:"gid,omitempty"`

	// UIDs and GIDs are the whole maps of the sandbox's user namespace,
	// user_namespaces(7), made with newuidmap(1) and newgidmap(1) where the caller may
	// not make them. The command is who the caller's ids are mapped to.
	UIDs []IDRange `json:"uids,omitempty"`
	GIDs []IDRange `json:"gids,omitempty"`

	Foreign  bool `json:"foreign,omitempty"`  // the foreign uid range is mapped to itself, systemd-nsresourced(8)
	Delegate int  `json:"delegate,omitempty"` // so many more ranges of 65536 ids
}

// Maps reports whether the identity gives the maps of the user namespace.
func (id *Identity) Maps() bool { return len(id.UIDs)+len(id.GIDs) > 0 }

// IDRange maps Count ids from Inside, in the sandbox, to those from Outside, in
// the caller's user namespace.
type IDRange struct {
	Inside  uint32 `json:"inside"`
	Outside uint32 `json:"outside"`
	Count   uint32 `json:"count"`
}

// Inside returns what the id outside is in the sandbox by a map.
func Inside(ranges []IDRange, outside uint32) (id uint32, ok bool) {
	for _, r := range ranges {
		if outside >= r.Outside && outside-r.Outside < r.Count {
			return r.Inside + (outside - r.Outside), true
		}
	}
	return 0, false
}

// Caps says which capabilities the command has.
type Caps struct {
	// Set is "": none, or "build" under Identity.Root; "none", "all", "keep";
	// "build": the caller's without a new user namespace, else BuildCaps; "caller":
	// those of a caller with uid 0, else none.
	Set  string   `json:"set,omitempty"`
	Keep []string `json:"keep,omitempty"` // with Set "keep": names as in capabilities(7), CAP_SYS_ADMIN
	Add  []string `json:"add,omitempty"`  // with Set "caller": more
	Drop []string `json:"drop,omitempty"` // with Set "caller": less
	// Bounding are more that set-id programs can gain, where NoNewPrivs is not set.
	Bounding []string `json:"bounding,omitempty"`
}

// Namespaces are the namespaces besides mount (always new) and user (new unless
// the caller is root) that the sandbox gets of its own, namespaces(7).
type Namespaces struct {
	Net    bool `json:"net,omitempty"`
	IPC    bool `json:"ipc,omitempty"`
	PID    bool `json:"pid,omitempty"`
	UTS    bool `json:"uts,omitempty"`
	Cgroup bool `json:"cgroup,omitempty"`
	Time   bool `json:"time,omitempty"`

	User      bool `json:"user,omitempty"`       // even where the caller has the rights without
	UserTry   bool `json:"user_try,omitempty"`   // the same, where the host allows any
	CgroupTry bool `json:"cgroup_try,omitempty"` // Cgroup, where the kernel has any
}

// Rlimit is one resource limit, setrlimit(2). Unlimited is RlimInfinity.
type Rlimit struct {
	Name string `json:"name"` // as in setrlimit(2), RLIMIT_NOFILE
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
	At   Origin `json:"at,omitzero"`
}

// RlimInfinity means no limit, RLIM_INFINITY.
const RlimInfinity = ^uint64(0)

// Param is a parameter that the script declared.
type Param struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // "string", "int", "bool", "list"
	Help     string `json:"help,omitempty"`
	Default  any    `json:"default,omitempty"`
	Choices  []any  `json:"choices,omitempty"`
	Required bool   `json:"required,omitempty"`
	Value    any    `json:"value,omitempty"`
	At       Origin `json:"at,omitzero"`
}

// Input is something of the host that the script looked at, so that a plan
// tells what it depends on.
type Input struct {
	Kind  string `json:"kind"` // "env", "path", "file", "glob", "realpath", "which", "host"
	Name  Str    `json:"name"`
	Value Str    `json:"value,omitempty"` // what was found; of files and globs the SHA-256
}

// Order is an order of operations.
type Order string

// The orders.
const (
	// OrderTree sorts by destination, parents first; of several at one destination
	// the last counts. What is missing in a read-only tree appears in the sandbox only.
	OrderTree Order = ""
	// OrderGiven keeps the order of the list, as bubblewrap does: a later mount
	// hides what lies below it, one at / all before it. What cannot be made where
	// it is missing is a fault. Paths may have ".." in them.
	OrderGiven Order = "given"
)

// Propagation is how mount events reach the sandbox, mount_namespaces(7).
type Propagation string

// The propagations.
const (
	PropagationPrivate Propagation = "" // not at all
	PropagationSlave   Propagation = "slave"
	// PropagationShared is as slave; and what is mounted in the sandbox shows up in
	// mount namespaces that are made from it.
	PropagationShared Propagation = "shared"
)

// Plan is a whole sandbox. Make one with New.
type Plan struct {
	Version int `json:"version"`

	Ops []Op `json:"ops"`
	// Order is the order in which Ops are done.
	Order Order `json:"order,omitempty"`
	// Propagation says whether what is mounted on the host later shows up in binds.
	Propagation Propagation `json:"propagation,omitempty"`
	// PointMode is the mode of files made to be mounted on; nil: 0644.
	PointMode *Mode `json:"point_mode,omitempty"`

	Env []EnvOp `json:"env,omitempty"`

	Command []Str `json:"command,omitempty"` // empty: $SHELL, then bash
	Argv0   *Str  `json:"argv0,omitempty"`   // the command's own name for itself; nil: Command[0]
	// DefaultPath is searched where the environment has no PATH; empty: the usual directories.
	DefaultPath Str `json:"default_path,omitempty"`
	// ShellScripts has what the kernel cannot execute be run by /bin/sh, execvp(3).
	ShellScripts bool `json:"shell_scripts,omitempty"`
	Dir          Str  `json:"chdir,omitempty"` // working directory in the sandbox; empty: /
	SameDir      bool `json:"same_dir,omitempty"`
	// TryDir, without Dir: the caller's working directory where the sandbox has it,
	// or else $HOME, or else /.
	TryDir bool `json:"try_dir,omitempty"`
	PWD    PWD  `json:"pwd,omitempty"`

	Hostname string `json:"hostname,omitempty"` // needs Unshare.UTS, which the built-in sets
	Umask    *Mode  `json:"umask,omitempty"`

	Identity   Identity   `json:"identity,omitzero"`
	Caps       Caps       `json:"capabilities,omitzero"`
	NoNewPrivs bool       `json:"no_new_privs"`
	Unshare    Namespaces `json:"unshare,omitzero"`

	Init          bool     `json:"init"`            // with Unshare.PID: pid 1 is ours and reaps
	DieWithParent bool     `json:"die_with_parent"` // everything in the sandbox ends when sbx does
	Lifetime      Lifetime `json:"lifetime,omitempty"`
	NewSession    bool     `json:"new_session,omitempty"`

	Join Join `json:"join,omitzero"`
	// NoUserNS leaves the command no way to make user namespaces; AssertNoUserNS
	// makes it a fault if it can.
	NoUserNS       bool  `json:"no_userns,omitempty"`
	AssertNoUserNS bool  `json:"assert_no_userns,omitempty"`
	Hooks          Hooks `json:"hooks,omitzero"`

	Filters []Filter `json:"filters,omitempty"` // beside those of the Suppress fields

	// ScopeSockets keeps the command from abstract Unix sockets of processes outside,
	// unix(7), which a shared network namespace shows it, where the kernel can (6.12).
	ScopeSockets bool `json:"scope_sockets,omitempty"`

	SuppressChown bool     `json:"suppress_chown,omitempty"`
	SuppressSync  bool     `json:"suppress_sync,omitempty"`
	Rlimits       []Rlimit `json:"rlimits,omitempty"`

	CloseFDs []int `json:"close_fds,omitempty"`
	PassFDs  []int `json:"pass_fds,omitempty"`
	PackFDs  bool  `json:"pack_fds,omitempty"`
	KeepFDs  bool  `json:"keep_fds,omitempty"` // the command has all that is inherited, but for CloseFDs

	TerminalInput bool `json:"terminal_input,omitempty"` // the command may type into the caller's terminal
	Suspend       bool `json:"suspend,omitempty"`        // the command stops itself, SIGSTOP, before its execve

	Params []Param `json:"params,omitempty"`
	Inputs []Input `json:"inputs,omitempty"`

	// Where holds the positions of settings that are not operations, by the
	// name of the built-in ("become_root") or of its argument ("unshare.net").
	Where map[string]Origin `json:"where,omitempty"`
}

// New returns an empty plan with the safe defaults.
func New() *Plan {
	return &Plan{Version: Version, Ops: []Op{}, NoNewPrivs: true, Init: true, DieWithParent: true}
}

// SetWhere records the position of the setting key.
func (p *Plan) SetWhere(key string, at Origin) {
	if p.Where == nil {
		p.Where = map[string]Origin{}
	}
	p.Where[key] = at
}

// JSON returns the canonical JSON form, indented, with a final newline. Equal
// plans give equal bytes.
func (p *Plan) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// Same reports whether two plans do the same.
func Same(p, q *Plan) bool { return bytes.Equal(p.Bare(), q.Bare()) }

// Bare returns what the plan does: its canonical form, not indented, without
// positions, declared parameters and inputs.
func (p *Plan) Bare() []byte {
	q := *p
	q.Params, q.Inputs, q.Where = nil, nil, nil
	q.Ops = append([]Op{}, p.Ops...)
	for i := range q.Ops {
		q.Ops[i].At = Origin{}
	}
	q.Env = append([]EnvOp(nil), p.Env...)
	for i := range q.Env {
		q.Env[i].At = Origin{}
	}
	q.Filters = append([]Filter(nil), p.Filters...)
	for i := range q.Filters {
		q.Filters[i].At = Origin{}
	}
	q.Hooks.Locks = append([]LockFile(nil), p.Hooks.Locks...)
	for i := range q.Hooks.Locks {
		q.Hooks.Locks[i].At = Origin{}
	}
	q.Rlimits = append([]Rlimit(nil), p.Rlimits...)
	for i := range q.Rlimits {
		q.Rlimits[i].At = Origin{}
	}
	b, err := json.Marshal(&q)
	if err != nil {
		panic("sbx bug: plan does not marshal: " + err.Error())
	}
	return b
}
