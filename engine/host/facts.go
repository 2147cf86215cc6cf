// Package host holds facts about the host as plain values: who the caller is,
// what a path is, what the kernel can do.
//
// Facts of paths are looked up when first asked for and remembered, so that
// every stage sees the same host. A test fills in a Facts by hand and gives it
// no Prober: what it does not name is missing.
package host

import (
	"syscall"

	"sbx/engine/plan"
)

// FileType says what a path is.
type FileType uint8

// The file types.
const (
	Missing FileType = iota
	Dir
	File
	Symlink
	Device   // character or block device
	Whiteout // device 0:0, the mark of a deletion in a layer of an overlay
	Other    // socket, FIFO
	Unknown  // it could not be looked at: Path.Err
)

// Path is what is known of one path, not following a symlink at its end.
type Path struct {
	Type   FileType
	Target string        // of a Symlink
	Err    syscall.Errno // why Type is Unknown
	Mode   uint32        // permission bits
	Size   int64         // of a File, in bytes
}

// FS is what is known of the file system that holds a path.
type FS struct {
	Magic    int64  // statfs(2) f_type
	Dev      uint64 // st_dev
	Ino      uint64
	MountID  uint64 // statx(2) STX_MNT_ID; 0: not known
	ReadOnly bool
	Err      syscall.Errno
}

// Entry is one name in a directory.
type Entry struct {
	Name string
	Path
}

// Prober looks things up on a real host.
type Prober interface {
	Lstat(path string) Path
	Stat(path string) Path
	FS(path string) FS
	ReadDir(path string) ([]Entry, error)
	Mounts() ([]string, error)
	TmpfsXattr() bool
}

// Facts is what is known of the host.
type Facts struct {
	UID, GID uint32
	Caps     uint64         // effective capabilities of the caller, capabilities(7)
	Env      []string       // NAME=value
	Cwd      string         // working directory; filled where a plan wants it
	TTY      string         // path of the terminal on one of fds 0 to 2, or empty
	FDPaths  map[int]string // the paths on the host of the descriptors that binds name; filled where one does
	FDMoved  map[int]bool   // of those, whose path leads to another file
	FDs      []int          // inherited file descriptors above 2; filled where a plan passes some on
	// Terminal says that the caller has a controlling terminal, or one on a
	// standard file descriptor that the command could make its own; filled where a
	// plan keeps the command from it.
	Terminal bool
	// InitialUserNS says that root here is root of the machine, who owns the files
	// in /proc; filled where a plan wants /proc.
	InitialUserNS bool
	// NoUserNS says that the host allows no user namespaces at all; filled where a
	// plan would like one.
	NoUserNS bool
	// NoTmpfsXattr says that tmpfs has no user attributes, as before Linux 6.6; the
	// Prober is asked where that matters.
	NoTmpfsXattr    bool
	tmpfsXattrAsked bool
	Landlock        int    // version of landlock(7), 0: there is none; filled where a plan wants it
	Arch            string // as GOARCH
	PageSize        int    // in bytes; 0: 4096
	// Limits are the caller's hard limits by name, RLIMIT_NOFILE; filled for those
	// that a plan sets.
	Limits map[string]uint64

	Paths    map[string]Path // lstat(2)
	Followed map[string]Path // stat(2)
	FileSys  map[string]FS
	Dirs     map[string][]Entry
	MountPts []string // mount points, sorted; nil: not yet asked

	Prober Prober // nil: nothing but the above is there
}

// Lstat returns what is at path, not following a symlink at its end.
func (f *Facts) Lstat(path string) Path {
	if p, ok := f.Paths[path]; ok || f.Prober == nil {
		return p
	}
	p := f.Prober.Lstat(path)
	if f.Paths == nil {
		f.Paths = map[string]Path{}
	}
	f.Paths[path] = p
	return p
}

// Stat returns what is at path, following symlinks.
func (f *Facts) Stat(path string) Path {
	if p, ok := f.Followed[path]; ok {
		return p
	}
	if f.Prober == nil {
		return f.follow(path, 40)
	}
	p := f.Prober.Stat(path)
	if f.Followed == nil {
		f.Followed = map[string]Path{}
	}
	f.Followed[path] = p
	return p
}

// follow is Stat for facts made by hand.
func (f *Facts) follow(path string, depth int) Path {
	p := f.Paths[path]
	if p.Type != Symlink {
		return p
	}
	if depth == 0 {
		return Path{Type: Unknown, Err: syscall.ELOOP}
	}
	t := p.Target
	if t == "" || t[0] != '/' {
		t = path[:lastSlash(path)+1] + t
	}
	return f.follow(t, depth-1)
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

// Source returns the path on the host of what a bind shows, "" if a file
// descriptor has none.
func (f *Facts) Source(op *plan.Op) string {
	if op.SrcFD != nil {
		return f.FDPaths[*op.SrcFD]
	}
	return string(op.Src)
}

// TmpfsMagic is TMPFS_MAGIC, statfs(2).
const TmpfsMagic = 0x01021994

// KeepsDirs reports whether the command can neither remove nor rename directories of
// an overlay's layers: for that the upper directory must have user attributes.
func (f *Facts) KeepsDirs(op *plan.Op) bool {
	if op.Kind != plan.Overlay || !op.UpperTmpfs && (op.Upper == "" || f.FS(string(op.Upper)).Magic != TmpfsMagic) {
		return false
	}
	if !f.tmpfsXattrAsked && f.Prober != nil {
		f.NoTmpfsXattr, f.tmpfsXattrAsked = !f.Prober.TmpfsXattr(), true
	}
	return f.NoTmpfsXattr
}

// FS returns what holds path, following symlinks.
func (f *Facts) FS(path string) FS {
	if v, ok := f.FileSys[path]; ok || f.Prober == nil {
		return v
	}
	v := f.Prober.FS(path)
	if f.FileSys == nil {
		f.FileSys = map[string]FS{}
	}
	f.FileSys[path] = v
	return v
}

// ReadDir returns the entries of a directory, sorted by name.
func (f *Facts) ReadDir(path string) ([]Entry, error) {
	if v, ok := f.Dirs[path]; ok || f.Prober == nil {
		return v, nil
	}
	v, err := f.Prober.ReadDir(path)
	if err != nil {
		return nil, err
	}
	if f.Dirs == nil {
		f.Dirs = map[string][]Entry{}
	}
	f.Dirs[path] = v
	return v, nil
}

// Mounts returns the mount points of the caller's namespace, sorted.
func (f *Facts) Mounts() ([]string, error) {
	if f.MountPts != nil || f.Prober == nil {
		return f.MountPts, nil
	}
	v, err := f.Prober.Mounts()
	if err != nil {
		return nil, err
	}
	f.MountPts = v
	return v, nil
}

// Getenv returns the value of the caller's environment variable name.
func (f *Facts) Getenv(name string) string {
	for _, kv := range f.Env {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:]
		}
	}
	return ""
}

// AboveLimit reports whether a hard limit is above the caller's, which takes the
// machine's root, or somebody with its CAP_SYS_RESOURCE.
func (f *Facts) AboveLimit(r *plan.Rlimit) bool {
	have, known := f.Limits[r.Name]
	return known && r.Hard > have
}

// LimitHint says what to do about that.
const LimitHint = "ask for no more than that, or have root raise it for you: limits.conf(5)"

// ProcOfRoot are the parts of a /proc that root of the machine may write to without
// any capability, by owning the files.
var ProcOfRoot = [...]string{"sys", "sysrq-trigger", "irq", "bus"}

// OwnsProc reports whether a sandbox of this plan has such a root, in a user namespace
// of its own, too.
func (f *Facts) OwnsProc(p *plan.Plan) bool {
	return f.InitialUserNS && (f.UID == 0 || f.Privileged(p))
}

// Privileged reports whether a sandbox of this plan is made without a user
// namespace of its own: the caller may do all of it as it is, and is who the
// command shall be.
func (f *Facts) Privileged(p *plan.Plan) bool {
	id := p.Identity
	if id.Maps() || p.Unshare.User || p.Unshare.UserTry && !f.NoUserNS || p.Join.User != nil {
		return false
	}
	need := uint64(1 << 21) // CAP_SYS_ADMIN
	if p.Unshare.Net {
		need |= 1 << 12 // CAP_NET_ADMIN, for the loopback interface
	}
	drops := p.Caps.Set != "all" && p.Caps.Set != "build" && !(p.Caps.Set == "" && id.Root)
	if p.Caps.Set == "caller" && f.UID == 0 && p.Caps.Add == nil && p.Caps.Drop == nil {
		drops = false
	}
	if drops {
		need |= 1 << 8 // CAP_SETPCAP: there are some to be dropped for good
	}
	root := id.Root && p.Join.User2 == nil // else the command is root there
	return f.Caps&need == need &&
		!(root && (f.UID != 0 || f.GID != 0)) &&
		!(id.UID != nil && *id.UID != f.UID) && !(id.GID != nil && *id.GID != f.GID)
}
