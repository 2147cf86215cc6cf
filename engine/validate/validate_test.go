package validate

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"sbx/engine/compile"
	"sbx/engine/compile/compiletest"
	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

func world() *host.Facts {
	f := hosttest.Facts("/usr/bin/sh file", "/usr/lib dir", "/etc/x file", "/low/1 dir", "/low/2 dir", "/low/link -> 1",
		"/up/a dir", "/up/b dir", "/up/c dir", "/up/c.work file", "/up/w dir",
		"/work/new/other file", "/work/used/work/#12 file", "/work/closed/work dir 0", "/work/closed/work/x file", "/work/mine/work/x file", "/work/file/work file",
		"/up/a/in dir", "/secret denied", "/home/me dir", "/dev/fuse device",
		"/proc/self/cwd dir", "//proc/./thread-self/cwd/x dir", "/proc/self/task/12/root/usr dir", "/proc/self/exe file", "/dev/stdin file", "/dev/fd/5 file", "/proc/self/status file")
	f.Cwd = "/home/me"
	f.FDs = []int{3, 5}
	return f
}

// at returns a position whose line is n.
func at(n int) plan.Origin { return plan.Origin{Pos: plan.Pos{File: "t.star", Line: int32(n), Col: 1}} }

func str(n int) plan.Str { return plan.Str(strings.Repeat("x", n)) }

func num(n uint32) *uint32 { return &n }

// op returns an operation at /d, changed by the functions.
func op(kind plan.Kind, change ...func(*plan.Op)) plan.Op {
	o := plan.Op{Kind: kind, Dst: "/d"}
	for _, f := range change {
		f(&o)
	}
	return o
}

func dst(s plan.Str) func(*plan.Op)         { return func(o *plan.Op) { o.Dst = s } }
func src(s plan.Str) func(*plan.Op)         { return func(o *plan.Op) { o.Src = s } }
func target(s plan.Str) func(*plan.Op)      { return func(o *plan.Op) { o.Target = s } }
func mode(m plan.Mode) func(*plan.Op)       { return func(o *plan.Op) { o.Mode = &m } }
func lower(list ...plan.Str) func(*plan.Op) { return func(o *plan.Op) { o.Lower = list } }
func upper(u, w plan.Str) func(*plan.Op) {
	return func(o *plan.Op) {
		o.Upper, o.Work = u, w
		if o.Lower == nil {
			o.Lower = []plan.Str{"/low/1"}
		}
	}
}

func TestOperations(t *testing.T) {
	const relative = `script.dir + "/…" is relative to the script, host.cwd + "/…" to the working directory`
	many := make([]plan.Str, 501)
	for i := range many {
		many[i] = plan.Str(fmt.Sprintf("/low/1/%s", strings.Repeat("./", i)))
	}
	long := "/" + string(str(255))
	for _, tt := range []struct {
		op   plan.Op
		want string // message | hint; several are separated by a line feed
	}{
		{op(plan.Tmpfs, dst("")), `tmpfs: destination is empty`},
		{op(plan.Tmpfs, dst("/a\x00b")), `tmpfs: destination "/a\x00b" has a NUL byte in it`},
		{op(plan.Tmpfs, dst("~/a")), `tmpfs: destination "~/a" is not absolute | a ~ is not expanded; use host.home`},
		{op(plan.Tmpfs, dst("$HOME/a")), `tmpfs: destination "$HOME/a" is not absolute | a $ is not expanded; use host.home, or host.env for other variables`},
		{op(plan.Tmpfs, dst("a")), `tmpfs: destination "a" is not absolute | paths of the sandbox start with /`},
		{op(plan.Tmpfs, dst("/"+str(4095))), `tmpfs: destination "/` + string(str(199)) + `…" has 4096 bytes, at most 4095 are allowed`},
		{op(plan.Bind, src("/proc/self/cwd")), `bind: source "/proc/self/cwd" is another one for the process that mounts it | host.cwd is the working directory`},
		{op(plan.Bind, src("//proc/./thread-self/cwd/x")), `bind: source "//proc/./thread-self/cwd/x" is another one for the process that mounts it | host.cwd is the working directory`},
		{op(plan.Bind, src("/proc/self/task/12/root/usr")), `bind: source "/proc/self/task/12/root/usr" is another one for the process that mounts it | leave out what leads to /`},
		{op(plan.Bind, src("/proc/self/exe")), `bind: source "/proc/self/exe" is another one for the process that mounts it | name the program itself`},
		{op(plan.Bind, src("/dev/stdin")), `bind: source "/dev/stdin" is another one for the process that mounts it | name the file itself, or copy() it`},
		{op(plan.Bind, src("/dev/fd/5")), `bind: source "/dev/fd/5" is another one for the process that mounts it | name the file itself, or copy() it`},
		{op(plan.Bind, src("/proc/self/fd/6")), `bind: source "/proc/self/fd/6" does not exist on the host | pass optional = True to skip it when it is missing, or create_src = True to have a directory made there`},
		{op(plan.Copy, src("/proc/self/cwd")), `copy: source "/proc/self/cwd" is another one for the process that mounts it | host.cwd is the working directory`},
		{op(plan.Copy, src("/dev/stdin")), ``},
		{op(plan.Bind, src("/proc/self/status")), ``},
		{op(plan.Overlay, lower("/proc/self/cwd")), `overlay: layer "/proc/self/cwd" is another one for the process that mounts it | host.cwd is the working directory`},
		{op(plan.Tmpfs, dst("/a/../b")), `tmpfs: destination "/a/../b" has a ".." in it | write the path without it, or use realpath()`},
		{op(plan.Tmpfs, dst("/a/..b/b..")), ``},
		{op(plan.Tmpfs, dst("/"+str(256))), `tmpfs: destination "/` + string(str(199)) + `…" has a name of 256 bytes in it, at most 255 are allowed`},
		{op(plan.Tmpfs, dst(plan.Str(long))), ``},
		{op(plan.Tmpfs, mode(0o10000)), `tmpfs: mode 010000 is more than 07777`},
		{op(plan.Tmpfs, mode(0o7777)), ``},

		{op(plan.Bind, src("usr")), `bind: source "usr" is not absolute | ` + relative},
		{op(plan.Bind, src("/no"), func(o *plan.Op) { o.RO = true }), `bind: source "/no" does not exist on the host | pass optional = True to skip it when it is missing`},
		{op(plan.Bind, src("/no")), `bind: source "/no" does not exist on the host | pass optional = True to skip it when it is missing, or create_src = True to have a directory made there`},
		{op(plan.Bind, src("rel"), dst("rel")), `bind: source "rel" is not absolute | ` + relative},
		{op(plan.Bind, src("/secret")), `bind: source "/secret": permission denied`},
		{op(plan.Copy, src("")), `copy: source is empty`},
		{op(plan.Copy, src("/usr")), `copy: source "/usr" is a directory | bind() or overlay() take directories`},

		{op(plan.Symlink), `symlink: target is empty`},
		{op(plan.Symlink, target("a\x00")), `symlink: target "a\x00" has a NUL byte in it`},
		{op(plan.Symlink, target(str(4096))), `symlink: target "` + string(str(200)) + `…" has 4096 bytes, at most 4095 are allowed`},
		{op(plan.Symlink, target("a/../b")), ``},
		{op(plan.Write, func(o *plan.Op) { o.Data = str(maxWrite + 1) }), `write: data has 67108865 bytes, at most 67108864 are allowed | bind() or copy() a file instead`},
		{op(plan.Mqueue), `mqueue: a message queue file system needs an ipc namespace of the sandbox's own | call unshare(ipc = True)`},
		{op(plan.Chmod), `chmod: no mode is given`},
		{op("frob"), `frob: unknown operation "frob"`},

		{op(plan.Overlay), `overlay: no layers are given | give at least one directory in lower`},
		{op(plan.Overlay, lower(many...)), `overlay: 501 layers are given, at most 500 are allowed | merge some of them`},
		{op(plan.Overlay, lower("/low/1", "/low/2", "/low/1")), `overlay: layer "/low/1" is given twice`},
		{op(plan.Overlay, lower("low")), `overlay: layer "low" is not absolute | ` + relative},
		{op(plan.Overlay, lower("low/1", "low/2")), "overlay: layer \"low/1\" is not absolute | " + relative + "\noverlay: layer \"low/2\" is not absolute | " + relative},
		{op(plan.Overlay, lower("low/1"), upper("up/a", "up/w")), "overlay: layer \"low/1\" is not absolute | " + relative + "\noverlay: upper \"up/a\" is not absolute | " + relative},
		{op(plan.Overlay, lower("/no")), `overlay: layer "/no" does not exist on the host`},
		{op(plan.Overlay, lower("/etc/x")), `overlay: layer "/etc/x" is not a directory`},
		{op(plan.Overlay, lower("/secret")), `overlay: layer "/secret": permission denied`},
		{op(plan.Overlay, lower("/low/link")), ``},
		{op(plan.Overlay, upper("/up/a", ""), func(o *plan.Op) { o.UpperTmpfs = true }), `overlay: upper is both "/up/a" and "tmpfs"`},
		{op(plan.Overlay, upper("", "/up/w")), `overlay: work "/up/w" is given without an upper directory`},
		{op(plan.Overlay, upper("up", "")), `overlay: upper "up" is not absolute | ` + relative},
		{op(plan.Overlay, upper("/no", "")), `overlay: upper "/no" does not exist on the host | make the directory first, or have the changes forgotten: upper = "tmpfs"`},
		{op(plan.Overlay, upper("/etc/x", "")), `overlay: upper "/etc/x" is not a directory`},
		{op(plan.Overlay, upper("/fs/error", "")), `overlay: upper "/fs/error": input/output error`},
		{op(plan.Overlay, upper("/fs/overlay", "")), `overlay: upper "/fs/overlay" is itself on an overlay | put it on another file system, or pass upper = "tmpfs"`},
		{op(plan.Overlay, upper("/fs/ro", "")), `overlay: upper "/fs/ro" is on a read-only file system`},
		{op(plan.Overlay, upper("/up/a", "work")), `overlay: work "work" is not absolute | ` + relative},
		{op(plan.Overlay, upper("/up/a", "/no")), `overlay: work "/no" does not exist on the host | make the directory first, or leave work out: it is made beside upper`},
		{op(plan.Overlay, upper("/up/a", "/fs/error")), `overlay: work "/fs/error": input/output error`},
		{op(plan.Overlay, upper("/up/a", "/fs/other")), `overlay: work "/fs/other" and upper "/up/a" are not on the same mount | a directory beside upper does; leave work out to have one made`},
		{op(plan.Overlay, upper("/up/a", "/up/a/")), `overlay: work and upper are the same directory "/up/a"`},
		{op(plan.Overlay, upper("/up/a", "/up/a/in")), `overlay: work "/up/a/in" and upper "/up/a" lie within each other`},
		{op(plan.Overlay, upper("/up/a", "/up/w")), ``},
		{op(plan.Overlay, upper("/up/a", "/work/new")), ``},
		{op(plan.Overlay, upper("/up/a", "/work/used")), ``},
		{op(plan.Overlay, upper("/up/a", "/work/closed")), ``},
		{op(plan.Overlay, upper("/up/a", "/work/mine")), `overlay: the kernel would delete "/work/mine/work", which is in work "/work/mine" | name an empty directory, or leave work out: it is made beside upper`},
		{op(plan.Overlay, upper("/up/a", "/work/file")), `overlay: the kernel would delete "/work/file/work", which is in work "/work/file" | name an empty directory, or leave work out: it is made beside upper`},
		{op(plan.Overlay, upper("/up/a", "")), ``},
		{op(plan.Overlay, upper("/fs/other", "")), `overlay: upper "/fs/other" is the root of its mount, so there is no place beside it for the work directory | name a directory of the same file system with work`},
		{op(plan.Overlay, upper("/up/c", "")), `overlay: "/up/c.work", where the work directory would be, is not a directory | name another with work`},
		{op(plan.Overlay, lower("/up/a"), upper("/up/a", "")), `overlay: layer "/up/a" and upper "/up/a" are the same directory or lie within each other`},
		{op(plan.Overlay, lower("/up"), upper("/up/a", "")), `overlay: layer "/up" and upper "/up/a" are the same directory or lie within each other`},
	} {
		f := world()
		for name, fs := range map[string]host.FS{
			"/fs/error":   {Err: syscall.EIO},
			"/fs/overlay": {Dev: 1, Ino: 101, MountID: 1, Magic: overlayMagic},
			"/fs/ro":      {Dev: 1, Ino: 102, MountID: 1, ReadOnly: true},
			"/fs/other":   {Dev: 2, Ino: 1, MountID: 2},
			"/fs/":        {Dev: 1, Ino: 103, MountID: 1},
			"/up/":        f.FileSys["/up"],
			"/up/a/":      f.FileSys["/up/a"],
		} {
			f.FileSys[name] = fs
			if _, ok := f.Paths[name]; !ok {
				f.Paths[name] = host.Path{Type: host.Dir}
			}
		}
		for _, l := range many {
			f.Paths[string(l)] = host.Path{Type: host.Dir}
		}
		p := plan.New()
		tt.op.At = at(7)
		p.Ops = []plan.Op{tt.op}
		_, ds := Check(p, f)
		check(t, ds, tt.want, at(7))
	}
}

// check compares diagnostics with lines of "op: message | hint".
func check(t *testing.T, ds plan.Diagnostics, want string, pos plan.Origin) {
	t.Helper()
	var list []string
	for _, d := range ds {
		line := d.Op + ": " + d.Msg
		if d.Hint != "" {
			line += " | " + d.Hint
		}
		list = append(list, line)
		if d.At.Pos != pos.Pos || d.Severity != plan.Error {
			t.Errorf("%s: severity %s, at %v, want %v", line, d.Severity, d.At.Pos, pos.Pos)
		}
	}
	if got := strings.Join(list, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSettings(t *testing.T) {
	caps := func(set string, keep ...string) func(*plan.Plan) {
		return func(p *plan.Plan) { p.Caps = plan.Caps{Set: set, Keep: keep} }
	}
	chdir := func(d plan.Str) func(*plan.Plan) { return func(p *plan.Plan) { p.Dir = d } }
	limit := func(list ...plan.Rlimit) func(*plan.Plan) {
		return func(p *plan.Plan) {
			for _, l := range list {
				l.At = at(9)
				p.Rlimits = append(p.Rlimits, l)
			}
		}
	}
	maps := func(uids, gids []plan.IDRange) func(*plan.Plan) {
		return func(p *plan.Plan) {
			p.Identity.UIDs, p.Identity.GIDs = uids, gids
			p.SetWhere("map_ids", at(9))
		}
	}
	env := func(e plan.EnvOp) func(*plan.Plan) {
		return func(p *plan.Plan) { e.At = at(9); p.Env = []plan.EnvOp{e} }
	}
	umask := func(m plan.Mode) func(*plan.Plan) { return func(p *plan.Plan) { p.Umask = &m } }
	for _, tt := range []struct {
		change func(*plan.Plan)
		want   string
	}{
		{chdir("a"), `chdir: directory "a" is not absolute | paths of the sandbox start with /`},
		{chdir("/a\x00"), `chdir: directory "/a\x00" has a NUL byte in it`},
		{chdir("/a/../d"), `chdir: directory "/a/../d" has a ".." in it | write the path without it`},
		{chdir("/" + str(4095)), `chdir: directory "/` + string(str(199)) + `…" has 4096 bytes, at most 4095 are allowed`},
		{chdir("/no"), `chdir: directory "/no" does not exist in the sandbox | mkdir() makes a directory, bind() shows one of the host's`},
		{chdir("/link/lib/x"), `chdir: directory "/link/lib/x" does not exist in the sandbox | mkdir() makes a directory, bind() shows one of the host's`},
		{chdir("/usr/bin/sh"), `chdir: directory "/usr/bin/sh" in the sandbox: not a directory`},
		{chdir("/usr/bin/sh/x"), `chdir: directory "/usr/bin/sh/x" in the sandbox: not a directory`},
		{chdir("/link/lib"), ``},
		{chdir("/proc/self/cwd"), ``},
		{chdir("/"), ``},
		{func(p *plan.Plan) { p.SameDir = true }, `same_dir: directory "/home/me" does not exist in the sandbox | mkdir() makes a directory, bind() shows one of the host's`},

		{func(p *plan.Plan) { p.Hostname, p.Unshare.UTS = string(str(65)), true }, `hostname: host name "` + string(str(65)) + `": want at most 64 bytes, none of them NUL`},
		{func(p *plan.Plan) { p.Hostname, p.Unshare.UTS = "a\x00b", true }, `hostname: host name "a\x00b": want at most 64 bytes, none of them NUL`},
		{func(p *plan.Plan) { p.Hostname = "a" }, `hostname: the host's own name would change | call unshare(uts = True)`},
		{func(p *plan.Plan) { p.Hostname, p.Unshare.UTS = string(str(64)), true }, ``},
		{umask(0o1000), `umask: mode 01000 is more than 0777`},
		{umask(0o777), ``},

		{func(p *plan.Plan) { p.Identity = plan.Identity{Root: true, UID: num(1)} }, `map_user: become_root() is called as well | keep one of the two`},
		{func(p *plan.Plan) { p.Identity = plan.Identity{Root: true, GID: num(1)} }, `map_user: become_root() is called as well | keep one of the two`},
		{func(p *plan.Plan) { p.Identity = plan.Identity{Root: true, UID: num(0), GID: num(0)} }, ``},
		{func(p *plan.Plan) { p.Identity = plan.Identity{UID: num(1<<32 - 1), GID: num(1<<32 - 1)} }, `map_user: uid 4294967295 stands for no user
map_user: gid 4294967295 stands for no group`},
		{caps("all", "CAP_CHOWN"), `capabilities: a list goes with keep only`},
		{caps("some"), `capabilities: unknown set "some" | want "none", "all" or keep = […]`},
		{caps("keep", "CAP_CHOWN", "chown"), `capabilities: unknown capability "chown"`},
		{caps("none"), ``},

		{limit(plan.Rlimit{Name: "NOFILE"}), `rlimit: unknown limit "NOFILE"`},
		{limit(plan.Rlimit{Name: "RLIMIT_CPU", Soft: 2, Hard: 1}), `rlimit: soft limit 2 of RLIMIT_CPU is above the hard one, 1`},
		{limit(plan.Rlimit{Name: "RLIMIT_CPU"}, plan.Rlimit{Name: "RLIMIT_CPU", Hard: 1}), `rlimit: RLIMIT_CPU is limited twice`},
		{limit(plan.Rlimit{Name: "RLIMIT_CPU", Soft: plan.RlimInfinity, Hard: plan.RlimInfinity}), ``},

		{func(p *plan.Plan) { p.CloseFDs = []int{-1, 0, 3, 4} }, `close_fd: -1 is not the number of a file descriptor above 2
close_fd: file descriptor 4 is not open`},
		{func(p *plan.Plan) { p.PassFDs = []int{2, 4, 5} }, `pass_fd: 2 is not the number of a file descriptor above 2
pass_fd: file descriptor 4 is not open`},

		{func(p *plan.Plan) { p.Command = []plan.Str{"a", "b\x00"} }, `command: argument 1, "b\x00", has a NUL byte in it`},
		{func(p *plan.Plan) { p.Command = []plan.Str{"a", str(131071)} }, ``},
		{func(p *plan.Plan) { p.Command = []plan.Str{"a", "b", str(131072)} }, `command: argument 2 has 131072 bytes, at most 131071 are allowed | write() it to a file`},
		{env(plan.EnvOp{Kind: plan.SetEnv, Name: "A", Value: str(131069)}), ``},
		{env(plan.EnvOp{Kind: plan.SetEnv, Name: "A", Value: str(131070)}), `setenv: the variable "A" has 131072 bytes, with its name, at most 131071 are allowed | write() it to a file`},
		{func(p *plan.Plan) {
			p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: str(1 << 18)}, {Kind: plan.UnsetEnv, Name: "A"}, {Kind: plan.SetEnv, Name: "B", Value: str(1 << 18)}, {Kind: plan.ClearEnv, Keep: []plan.Str{"A"}}}
		}, ``},
		{func(p *plan.Plan) { p.Command = []plan.Str{"", ""} }, `command: the name of the command is empty`},

		{env(plan.EnvOp{Kind: plan.SetEnv, Value: "b"}), `setenv: "" is no name of a variable`},
		{env(plan.EnvOp{Kind: plan.UnsetEnv, Name: "a=b"}), `unsetenv: "a=b" is no name of a variable`},
		{env(plan.EnvOp{Kind: plan.PassEnv, Name: "a=b"}), `pass_env: "a=b" is no name of a variable`},
		{env(plan.EnvOp{Kind: plan.PassEnv, Name: "a"}), ``},
		{env(plan.EnvOp{Kind: plan.SetEnv, Name: "a\x00"}), `setenv: "a\x00" is no name of a variable`},
		{env(plan.EnvOp{Kind: plan.SetEnv, Name: "a", Value: "\x00"}), `setenv: the value of "a" has a NUL byte in it`},
		{env(plan.EnvOp{Kind: plan.ClearEnv, Keep: []plan.Str{"a"}}), ``},
		{maps([]plan.IDRange{{Inside: 1000, Outside: 1000, Count: 1}}, nil), `map_ids: the caller's own gid, 1000, is not mapped | the command runs under the id that it is mapped to`},
		{maps([]plan.IDRange{{Inside: 1000, Outside: 1000, Count: 1}, {Inside: 1000, Outside: 5, Count: 1}}, []plan.IDRange{{Inside: 0, Outside: 1000, Count: 1}}),
			`map_ids: a uid is mapped twice: the ranges from 1000 and from 5 overlap`},
		{maps([]plan.IDRange{{Inside: 1000, Outside: 1000, Count: 1}, {Inside: 1, Outside: 5}}, []plan.IDRange{{Inside: 0, Outside: 1000, Count: 1}}),
			`map_ids: the range of 0 uids from 5 to 1 is none`},
		{maps([]plan.IDRange{{Inside: 0, Outside: 0, Count: 65536}}, []plan.IDRange{{Inside: 0, Outside: 1000, Count: 1}, {Inside: 1, Outside: 100000, Count: 65536}}), ``},
		{env(plan.EnvOp{Kind: "putenv"}), `putenv: unknown change of the environment "putenv"`},
	} {
		p := plan.New()
		p.Ops = []plan.Op{
			{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}, {Kind: plan.Symlink, Dst: "/link", Target: "usr"}, {Kind: plan.Proc, Dst: "/proc"},
		}
		for _, key := range []string{"chdir", "same_dir", "hostname", "umask", "map_user", "capabilities", "close_fd", "pass_fd", "command"} {
			p.SetWhere(key, at(9))
		}
		tt.change(p)
		_, ds := Check(p, world())
		check(t, ds, tt.want, at(9))
	}
}

// TestFacts has faults that depend on more than the plan.
func TestFacts(t *testing.T) {
	p, f := plan.New(), world()
	p.SameDir, f.Cwd = true, ""
	_, ds := Check(p, f)
	check(t, ds, "same_dir: the working directory has no path any more", plan.Origin{})

	p, f = plan.New(), world()
	f.UID, f.GID, f.Caps = 0, 0, 1<<21|1<<8
	p.Ops = []plan.Op{op(plan.Mqueue)}
	p.Caps = plan.Caps{Set: "keep", Keep: []string{"CAP_SYS_ADMIN", "CAP_SYS_BOOT"}}
	_, ds = Check(p, f)
	check(t, ds, "capabilities: CAP_SYS_BOOT is none of the caller's", plan.Origin{})
	p.Identity.UID = num(1) // a user namespace, where the caller has them all
	_, ds = Check(p, f)
	check(t, ds, "mqueue: a message queue file system needs an ipc namespace of the sandbox's own | call unshare(ipc = True)", plan.Origin{})
	p.Unshare.IPC = true
	_, ds = Check(p, f)
	check(t, ds, "", plan.Origin{})
}

// TestLimits has hard limits above the caller's.
func TestLimits(t *testing.T) {
	const sysResource, all = 1 << 24, ^uint64(0)
	for _, tt := range []struct {
		name string
		hard uint64
		caps uint64
		root bool
		want string
	}{
		{"RLIMIT_NOFILE", 4096, 0, false, ""},
		{"RLIMIT_NOFILE", 4097, 0, false, `rlimit: hard limit 4097 of RLIMIT_NOFILE is above the caller's, 4096 | ` + host.LimitHint},
		{"RLIMIT_NOFILE", plan.RlimInfinity, all &^ sysResource, true, `rlimit: hard limit unlimited of RLIMIT_NOFILE is above the caller's, 4096 | ` + host.LimitHint},
		{"RLIMIT_NOFILE", 4097, all, true, ""},
		{"RLIMIT_CPU", plan.RlimInfinity, 0, false, ""},
		{"RLIMIT_CORE", 5, 0, false, ""}, // nothing is known
	} {
		f, p := world(), plan.New()
		f.Limits = map[string]uint64{"RLIMIT_NOFILE": 4096, "RLIMIT_CPU": plan.RlimInfinity}
		f.Caps = tt.caps
		if tt.root {
			f.UID, f.GID = 0, 0
		}
		p.Rlimits = []plan.Rlimit{{Name: tt.name, Soft: 1, Hard: tt.hard, At: at(3)}}
		_, ds := Check(p, f)
		check(t, ds, tt.want, at(3))
	}
}

func TestOverlaysTogether(t *testing.T) {
	p := plan.New()
	f := world()
	p.Ops = []plan.Op{op(plan.Overlay, upper("/up/a", "")), op(plan.Overlay, dst("/e"), upper("/up/./a", ""))}
	f.Paths["/up/./a"], f.FileSys["/up/./a"] = f.Paths["/up/a"], f.FileSys["/up/a"]
	f.FileSys["/up/"], f.FileSys["/up/./"] = f.FileSys["/up"], f.FileSys["/up"]
	_, ds := Check(p, f)
	check(t, ds, `overlay: upper "/up/./a" is the upper of another overlay of this sandbox, at "/d"`, plan.Origin{})

	// By other names, and through symlinks.
	f = world()
	f.Paths["/alias"], f.Followed = host.Path{Type: host.Symlink, Target: "/up"}, map[string]host.Path{"/alias": f.Paths["/up"]}
	f.FileSys["/alias"], f.FileSys["/alias/.."] = f.FileSys["/up"], f.FileSys["/"]
	for _, name := range []string{"/a", "/b", "/c", "/w", "/a/in"} {
		f.Paths["/alias"+name], f.FileSys["/alias"+name] = f.Paths["/up"+name], f.FileSys["/up"+name]
	}
	f.FileSys["/alias/"], f.FileSys["/alias/a/"] = f.FileSys["/up"], f.FileSys["/up/a"]
	f.Paths["/far"], f.FileSys["/far"] = host.Path{Type: host.Dir}, host.FS{Dev: 2, Ino: f.FileSys["/up"].Ino, MountID: 2}
	f.Paths["/far/up"], f.FileSys["/far/up"], f.FileSys["/far/"] = host.Path{Type: host.Dir}, host.FS{Dev: 2, Ino: 7, MountID: 2}, f.FileSys["/far"]
	for _, tt := range []struct {
		ops  []plan.Op
		want string
	}{
		{[]plan.Op{op(plan.Overlay, lower("/up"), upper("/alias/a", ""))}, `overlay: layer "/up" and upper "/alias/a" are the same directory or lie within each other`},
		{[]plan.Op{op(plan.Overlay, lower("/alias"), upper("/up/a", ""))}, `overlay: layer "/alias" and upper "/up/a" are the same directory or lie within each other`},
		{[]plan.Op{op(plan.Overlay, lower("/"), upper("/alias/a", ""))}, `overlay: layer "/" and upper "/alias/a" are the same directory or lie within each other`},
		{[]plan.Op{op(plan.Overlay, lower("/alias/a/in"), upper("/up/a", ""))}, `overlay: layer "/alias/a/in" and upper "/up/a" are the same directory or lie within each other`},
		{[]plan.Op{op(plan.Overlay, lower("/alias/w"), upper("/up/a", "/up/w"))}, `overlay: layer "/alias/w" and work "/up/w" are the same directory or lie within each other`},
		{[]plan.Op{op(plan.Overlay, upper("/up/a", "/alias/a/in"))}, `overlay: work "/alias/a/in" and upper "/up/a" lie within each other`},
		{[]plan.Op{op(plan.Overlay, upper("/up/a", "")), op(plan.Overlay, dst("/e"), upper("/alias/a", ""))}, `overlay: upper "/alias/a" is the upper of another overlay of this sandbox, at "/d"`},
		{[]plan.Op{op(plan.Overlay, upper("/up/a", "")), op(plan.Overlay, dst("/e"), upper("/up/b", "/alias/a/in"))}, `overlay: work "/alias/a/in" and upper "/up/a" of the overlay at "/d" are the same directory or lie within each other`},
		{[]plan.Op{op(plan.Overlay, lower("/"), upper("/far/up", ""))}, ``}, // mounted there, the layer does not have it
		{[]plan.Op{op(plan.Overlay, lower("/alias/b"), upper("/up/a", "/alias/w"))}, ``},
		{[]plan.Op{op(plan.Overlay, lower("/alias/a", "/up/b", "/up/a"))}, `overlay: layer "/alias/a" and layer "/up/a" are the same directory`},
		{[]plan.Op{op(plan.Overlay, lower("/up/b", "/alias/a/in", "/up/a"))}, `overlay: layer "/alias/a/in" lies within layer "/up/a"`},
		{[]plan.Op{op(plan.Overlay, lower("/alias", "/up/a"))}, `overlay: layer "/up/a" lies within layer "/alias"`},
		{[]plan.Op{op(plan.Overlay, lower("/", "/far/up"))}, ``},
		{[]plan.Op{op(plan.Overlay, lower("/alias/b", "/up/a", "/far"))}, ``},
	} {
		p.Ops = tt.ops
		_, ds = Check(p, f)
		check(t, ds, tt.want, plan.Origin{})
	}

	p.Ops = nil
	for i := range 12 {
		u := fmt.Sprintf("/many/%d", i)
		f.Paths[u], f.FileSys[u] = host.Path{Type: host.Dir}, host.FS{Dev: 1, Ino: uint64(1000 + i), MountID: 1}
		p.Ops = append(p.Ops, op(plan.Overlay, dst(plan.Str(fmt.Sprintf("/o%d", i))), upper(plan.Str(u), "")))
		p.Ops[i].At = at(i + 1)
	}
	f.FileSys["/many/"] = host.FS{Dev: 1, MountID: 1}
	_, ds = Check(p, f)
	check(t, ds, "overlay: more than 8 overlays have an upper directory on the host", at(9))
}

// TestAllAtOnce has faults of every stage in one plan, in the order of lines.
// TestExtraLayer has what is put into a read-only overlay, which takes a layer.
func TestExtraLayer(t *testing.T) {
	var layers []plan.Str
	var dirs []string
	for i := range maxLayers {
		layers = append(layers, plan.Str(fmt.Sprintf("/low/%d", i)))
		dirs = append(dirs, fmt.Sprintf("/low/%d dir", i))
	}
	put := []plan.Op{{Kind: plan.Write, Dst: "/o/new/x", At: at(7)}, {Kind: plan.Mkdir, Dst: "/o/new/y", At: at(8)}}
	for _, tt := range []struct {
		dst  plan.Str
		n    int
		ops  []plan.Op
		want string
	}{
		{"/o", maxLayers, nil, ""},
		{"/o", maxLayers - 1, put, ""},
		{"/o", maxLayers, put, `write: destination "/o/new/x" would need one more layer in the overlay at "/o", which has 500, and more are not allowed | merge some of them`},
		{"/", maxLayers, put, `write: destination "/o/new/x" would need one more layer in the overlay at "/", which has 500, and more are not allowed | merge some of them`},
	} {
		p := plan.New()
		p.Ops = append([]plan.Op{{Kind: plan.Overlay, Dst: tt.dst, Lower: layers[:tt.n], At: at(1)}}, tt.ops...)
		_, ds := Check(p, hosttest.Facts(dirs...))
		check(t, ds, tt.want, at(7))
	}
}

func TestAllAtOnce(t *testing.T) {
	p := plan.New()
	ops := []plan.Op{
		op(plan.Tmpfs, dst("relative")), op(plan.Bind, src("/no")), op(plan.Write, dst("/d")), op(plan.Tmpfs, dst("/f/x")), op(plan.Write, dst("/f")),
	}
	for i := range ops {
		ops[i].At = at(2*i + 2)
	}
	p.Ops = ops
	p.SetWhere("umask", at(1))
	p.SetWhere("capabilities", at(5))
	p.Umask, p.Caps.Set = plan.ModePtr(0o1777), "x"
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, At: at(3)}}
	p.Hostname = "h" // no position: comes last
	_, ds := Check(p, world())
	var got []string
	for _, d := range ds {
		got = append(got, fmt.Sprint(d.At.Pos.Line, d.Op))
	}
	if s := strings.Join(got, " "); s != "1umask 2tmpfs 3setenv 5capabilities 8tmpfs 0hostname" {
		t.Errorf("order: %s", s)
	}
	if ds.Err() == nil {
		t.Error("no error")
	}
}

func TestSound(t *testing.T) {
	p, f := good(t), world()
	if _, ds := Check(p, f); len(ds) > 0 {
		t.Error(ds)
	}
}

// good returns a plan without faults that has a bit of everything.
func good(t testing.TB) *plan.Plan {
	p := plan.New()
	p.Ops = []plan.Op{
		op(plan.Bind, src("/usr"), dst("/usr"), func(o *plan.Op) { o.RO = true }),
		op(plan.Symlink, dst("/bin"), target("usr/bin")),
		op(plan.Tmpfs, dst("/usr/new")),
		op(plan.Dev, dst("/dev")), op(plan.Proc, dst("/proc")), op(plan.Mqueue, dst("/dev/mqueue")),
		op(plan.Write, dst("/etc/hosts"), func(o *plan.Op) { o.Data = "x" }), op(plan.Copy, src("/etc/x"), dst("/etc/x")),
		op(plan.Overlay, dst("/o"), lower("/low/1", "/low/2"), func(o *plan.Op) { o.UpperTmpfs = true }),
		op(plan.Overlay, dst("/p"), lower("/low/1", "/low/2"), upper("/up/a", "/up/w")),
		op(plan.Mask, dst("/usr/lib")), op(plan.RemountRO, dst("/o")), op(plan.Chmod, dst("/etc/x"), mode(0o600)),
		op(plan.Bind, src("/etc"), dst("/etc2"), func(o *plan.Op) { o.Inside = true }),
		op(plan.Mkdir, dst("/home/me")),
	}
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: "b"}, {Kind: plan.UnsetEnv, Name: "B"}}
	p.Unshare = plan.Namespaces{Net: true, IPC: true, PID: true, UTS: true, Cgroup: true, Time: true}
	p.Hostname, p.SameDir, p.Umask = "box", true, plan.ModePtr(0o22)
	p.Identity.Root, p.Caps = true, plan.Caps{Set: "keep", Keep: []string{"CAP_CHOWN"}}
	p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_CORE"}}
	p.CloseFDs, p.PassFDs, p.PackFDs = []int{3}, []int{5}, true
	p.SuppressChown, p.SuppressSync, p.NewSession = true, true, true
	p.Command = []plan.Str{"sh", "-c", "true"}
	return p
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, f := good(b), world()
			for i := range n {
				p.Ops = append(p.Ops, op(plan.Bind, src("/usr/lib"), dst(plan.Str(fmt.Sprintf("/many/%d", i)))))
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, ds := Check(p, f); len(ds) > 0 {
					b.Fatal(ds)
				}
			}
		})
	}
}

// FuzzCheck has plans of any kind checked and, where they have no faults, compiled.
func FuzzCheck(f *testing.F) {
	seed := func(p *plan.Plan) {
		b, err := p.JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(good(f))
	for i := range uint64(20) {
		r := rand.New(rand.NewPCG(1, i))
		p := plan.New()
		compiletest.Settings(r, p, compiletest.Host())
		for range 6 {
			p.Ops = append(p.Ops, compiletest.Op(r))
		}
		seed(p)
	}
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"ops":[{"op":"","dst":""},{"op":"overlay","dst":"/","lower":["/low/1"],"upper":"/up/a"},{"op":"chmod","dst":"/"}],"chdir":"/a/../b"}`))
	f.Add([]byte(`{"version":1,"ops":[{"op":"symlink","dst":"/a","target":"a"},{"op":"tmpfs","dst":"/a/b"}],"same_dir":true,"capabilities":{"set":"keep","keep":["x"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := plan.Read(b, "p.json")
		if err != nil || len(b) > 1<<16 {
			return
		}
		facts := compiletest.Host()
		l, ds := Check(p, facts)
		for _, d := range ds {
			if d.Msg == "" || strings.Contains(d.Msg, "%!") {
				t.Errorf("message %q", d.Msg)
			}
		}
		if ds.HasErrors() {
			return
		}
		prog, err := compile.Compile(p, l, facts, compile.Options{Debug: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range compiletest.Verify(prog, facts) {
			t.Error(err)
		}
		if err := prog.Print(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
