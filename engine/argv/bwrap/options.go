package bwrap

// The options, one by one.

import (
	"strconv"
	"strings"

	"sbx/engine/plan"
)

// setting reads an option that is not an operation, and reports whether it is one.
func (r *reader) setting(arg string) bool {
	p := r.p
	ns := func(on *bool, key string) {
		*on = true
		p.SetWhere("unshare."+key, at(r.word))
	}
	switch arg {
	case "--help":
		r.line.Help = true
	case "--version":
		r.line.Version = true
	case "--args":
		r.fromFile()
	case "--level-prefix":
		r.line.LevelPrefix = true

	case "--argv0":
		v := plan.Str(r.take(1, "--argv0 takes one argument")[0])
		if p.Argv0 != nil {
			r.die("--argv0 used multiple times")
		}
		p.Argv0 = &v
	case "--chdir":
		v := r.take(1, "--chdir takes one argument")[0]
		if v == "" {
			r.die("Can't chdir to : No such file or directory")
		}
		r.once(p.Dir != "")
		p.Dir = plan.Str("/" + strings.TrimLeft(v, "/"))
		p.SetWhere("chdir", at(r.word))
	case "--clearenv":
		p.Env = append(p.Env, plan.EnvOp{Kind: plan.ClearEnv, At: at(r.word)})
	case "--setenv":
		v := r.values(2)
		if v[0] == "" || strings.Contains(v[0], "=") {
			r.die("setenv failed")
		}
		p.Env = append(p.Env, plan.EnvOp{Kind: plan.SetEnv, Name: plan.Str(v[0]), Value: plan.Str(v[1]), At: at(r.word)})
	case "--unsetenv":
		v := r.values(1)[0]
		if v == "" || strings.Contains(v, "=") {
			r.die("unsetenv failed")
		}
		p.Env = append(p.Env, plan.EnvOp{Kind: plan.UnsetEnv, Name: plan.Str(v), At: at(r.word)})

	case "--unshare-all":
		ns(&p.Unshare.UserTry, "user")
		ns(&p.Unshare.IPC, "ipc")
		ns(&p.Unshare.PID, "pid")
		ns(&p.Unshare.UTS, "uts")
		ns(&p.Unshare.CgroupTry, "cgroup")
		ns(&p.Unshare.Net, "net")
	case "--unshare-user":
		ns(&p.Unshare.User, "user")
	case "--unshare-user-try":
		ns(&p.Unshare.UserTry, "user")
	case "--unshare-ipc":
		ns(&p.Unshare.IPC, "ipc")
	case "--unshare-pid":
		ns(&p.Unshare.PID, "pid")
	case "--unshare-net":
		ns(&p.Unshare.Net, "net")
	case "--unshare-uts":
		ns(&p.Unshare.UTS, "uts")
	case "--unshare-cgroup":
		ns(&p.Unshare.Cgroup, "cgroup")
	case "--unshare-cgroup-try":
		ns(&p.Unshare.CgroupTry, "cgroup")
	case "--share-net":
		p.Unshare.Net = false
		delete(p.Where, "unshare.net")
	case "--userns":
		r.setFD(&p.Join.User)
		p.SetWhere("join.user", at(r.word))
	case "--userns2":
		r.setFD(&p.Join.User2)
		p.SetWhere("join.user2", at(r.word))
	case "--pidns":
		r.setFD(&p.Join.PID)
		p.SetWhere("join.pid", at(r.word))
	case "--disable-userns":
		p.NoUserNS = true
		p.SetWhere("disable_userns", at(r.word))
	case "--assert-userns-disabled":
		p.AssertNoUserNS = true
		p.SetWhere("assert_userns_disabled", at(r.word))
	case "--uid", "--gid":
		v := r.values(1)[0]
		to, given := &p.Identity.UID, &r.uid
		if arg == "--gid" {
			to, given = &p.Identity.GID, &r.gid
		}
		r.once(*given)
		n := uint32(r.number(v, arg[2:]))
		*to, *given = &n, true
		p.SetWhere("map_user", at(r.word))
	case "--hostname":
		v := r.values(1)[0]
		r.once(r.hostname)
		p.Hostname, r.hostname = v, true
		p.SetWhere("hostname", at(r.word))
	case "--cap-add", "--cap-drop":
		r.cap(arg == "--cap-drop")

	case "--new-session":
		p.NewSession = true
		p.SetWhere("new_session", at(r.word))
	case "--die-with-parent":
		p.DieWithParent = true
		p.SetWhere("die_with_parent", at(r.word))
	case "--as-pid-1":
		r.asPID1 = true
	case "--lock-file":
		p.Hooks.Locks = append(p.Hooks.Locks, plan.LockFile{Path: plan.Str(r.values(1)[0]), At: at(r.word)})
	case "--sync-fd":
		r.setFD(&p.Hooks.Sync)
	case "--block-fd":
		r.setFD(&p.Hooks.Block)
	case "--userns-block-fd":
		r.setFD(&p.Hooks.UserNSBlock)
		r.userBlock = true
	case "--info-fd":
		r.setFD(&p.Hooks.Info)
	case "--json-status-fd":
		r.setFD(&p.Hooks.Status)
	case "--seccomp":
		v := r.values(1)[0]
		if len(p.Filters) > 0 {
			r.die("--seccomp cannot be combined with --add-seccomp-fd")
		}
		r.once(r.line.seccompFD != nil)
		r.line.seccompFD = plan.IntPtr(r.fd(v))
		p.SetWhere("seccomp", at(r.word))
	case "--add-seccomp-fd":
		v := r.values(1)[0]
		if r.line.seccompFD != nil {
			r.die("--add-seccomp-fd cannot be combined with --seccomp")
		}
		r.filter(r.fd(v), int32(r.word))
	case "--exec-label", "--file-label":
		v := r.values(1)[0]
		to := &r.line.ExecLabel
		if arg == "--file-label" {
			to = &r.line.FileLabel
		}
		r.once(*to != "")
		*to = v

	case "--perms":
		v := r.values(1)[0]
		if r.perms >= 0 {
			r.die("--perms given twice for the same action")
		}
		r.perms = r.octal(v)
	case "--size":
		v := r.values(1)[0]
		if r.size != 0 {
			r.die("--size given twice for the same action")
		}
		r.size = r.bytes(v)
	default:
		return false
	}
	return true
}

// bytes reads a size, in decimal, octal or hexadecimal.
func (r *reader) bytes(s string) uint64 {
	digits, base := s, 10
	switch {
	case len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X"):
		digits, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		digits, base = s[1:], 8
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || n == 0 || s[0] < '0' || s[0] > '9' {
		r.die("--size takes a non-zero number of bytes")
	}
	if n > 1<<63-1 {
		r.die("--size (for tmpfs) is limited to " + strconv.Itoa(1<<63-1))
	}
	return n
}

// operation reads an option that is an operation, and reports whether it is one.
func (r *reader) operation(arg string) bool {
	done := func(o plan.Op, dst string) {
		r.op(o, dst)
		r.perms = -1
	}
	switch name, try := strings.CutSuffix(arg, "-try"); name {
	case "--bind", "--ro-bind", "--dev-bind":
		v := r.values(2)
		o := plan.Op{Kind: plan.Bind, Optional: try, RO: name == "--ro-bind", Devices: boolPtr(name == "--dev-bind"), Follow: true}
		if try && r.leadsNowhere(v[0]) {
			break // there is no such file
		}
		o.Src = r.source(v[0])
		r.op(o, v[1])
		return true
	}
	switch arg {
	case "--bind-try", "--ro-bind-try", "--dev-bind-try":
	case "--bind-fd", "--ro-bind-fd":
		v := r.take(2, "--bind-fd takes two arguments")
		fd := r.fd(v[0])
		r.op(plan.Op{Kind: plan.Bind, SrcFD: &fd, RO: arg == "--ro-bind-fd", Devices: boolPtr(false), Follow: true}, v[1])
	case "--remount-ro":
		r.op(plan.Op{Kind: plan.RemountRO, Devices: boolPtr(false)}, r.take(1, "--remount-ro takes one argument")[0])
	case "--overlay-src":
		// One more word than bubblewrap asks for, which takes the next option for it.
		r.sources = append(r.sources, plan.Str(r.values(1)[0]))
	case "--overlay":
		v := r.values(3)
		if len(r.sources) < 1 {
			r.die("--overlay requires at least one --overlay-src")
		}
		o := r.overlay()
		o.Upper, o.Work = r.source(v[0]), r.source(v[1])
		r.op(o, v[2])
	case "--tmp-overlay", "--ro-overlay":
		v := r.values(1)
		tmp, least, count := arg == "--tmp-overlay", 2, "two"
		if tmp {
			least, count = 1, "one"
		}
		if len(r.sources) < least {
			r.die(arg + " requires at least " + count + " --overlay-src")
		}
		o := r.overlay()
		o.UpperTmpfs = tmp
		r.op(o, v[0])
	case "--proc":
		r.op(plan.Op{Kind: plan.Proc}, r.values(1)[0])
	case "--dev":
		r.op(plan.Op{Kind: plan.Dev, Bare: true}, r.values(1)[0])
	case "--mqueue":
		r.op(plan.Op{Kind: plan.Mqueue}, r.values(1)[0])
	case "--tmpfs":
		v := r.values(1)[0]
		done(plan.Op{Kind: plan.Tmpfs, Mode: r.mode(0o755), Size: r.size}, v)
		r.size = 0
	case "--dir":
		v := r.values(1)[0]
		m := r.mode(0o755)
		*m &^= 0o6000 // mkdir(2) does not make them
		done(plan.Op{Kind: plan.Mkdir, Mode: m}, v)
	case "--file":
		v := r.values(2)
		o := plan.Op{Kind: plan.Write, Content: plan.ContentThrough, Follow: true, Mode: r.mode(0o666)}
		o.Data = plan.Str(r.read(r.fd(v[0]), "Can't write data to file "+v[1]))
		done(o, v[1])
	case "--bind-data", "--ro-bind-data":
		v := r.values(2)
		o := plan.Op{Kind: plan.Write, Content: plan.ContentMount, Follow: true, RO: arg == "--ro-bind-data", Mode: r.mode(0o600)}
		o.Data = plan.Str(r.read(r.fd(v[0]), "Can't write data to file "+v[1]))
		done(o, v[1])
	case "--symlink":
		v := r.values(2)
		r.op(plan.Op{Kind: plan.Symlink, Content: plan.ContentThrough, Target: plan.Str(v[0])}, v[1])
	case "--chmod":
		v := r.values(2)
		m := plan.Mode(r.octal(v[0]))
		r.op(plan.Op{Kind: plan.Chmod, Mode: &m}, v[1])
	default:
		return false
	}
	return true
}

// overlay starts an overlay of the layers so far.
func (r *reader) overlay() plan.Op {
	o := plan.Op{Kind: plan.Overlay, Devices: boolPtr(true), Suid: true}
	for _, s := range r.sources {
		o.Lower = append(o.Lower, r.source(string(s)))
	}
	r.sources = nil
	return o
}
