// Package compile turns a plan that has been laid out into a Program, the flat
// list of system calls that makes the sandbox. It is pure: the same plan and
// facts give the same program, and no privilege is needed to see it.
//
// The program makes all mounts with the new mount API relative to file
// descriptors, and resolves every path of the sandbox with openat2(2) below the
// new root, so that no symlink in the script's tree or in a bound one leads to
// the host. Making things takes place one component at a time, in a directory
// that was opened that way.
package compile

import (
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/program"
)

// Options are what a caller may ask for beyond the plan.
type Options struct {
	Debug bool // log each operation to stderr before it is done
	// Describe words an operation for the log; nil: its String method.
	Describe func(*plan.Op) string
	// Become has this process become the command, if the plan lets it, even where
	// that takes a user namespace; see Program.Become. Nobody is left then to lock
	// the upper directories of overlays, and nobody does.
	Become bool
	Pty    *Pty // give the command a terminal of its own
	// Wait has this process stay and wait for the command in any case.
	Wait bool
}

type compiler struct {
	prog  *program.Program
	plan  *plan.Plan
	facts *host.Facts
	opts  Options

	root    program.Slot
	scratch program.Slot // a tmpfs, out of sight
	oldMask program.Slot
	nslots  int
	free    []program.Slot
	serial  int // of names in scratch
	pty     pty
	joined  *bool // of a sandbox that is joined: whether it has a user namespace
	pwd     []int // instructions that set PWD in the environment

	dirPath string // what dirSlot is, where dirSlot >= 0
	dirSlot program.Slot

	ref     int32
	refStep int // of the step that ref stands for

	empty, dot, how program.Arg
	strs            map[string]program.Arg
	attrs           []mountAttr
}

// mountAttr is a struct mount_attr, mount_setattr(2), that is in the program.
type mountAttr struct {
	set, propagation uint64
	arg              program.Arg
}

// Compile makes the program. The layout must have no errors.
func Compile(p *plan.Plan, l *layout.Layout, f *host.Facts, opts Options) (*program.Program, error) {
	c := newCompiler(p, f, opts, len(l.Steps))
	c.namespaces()
	c.network() // first: where a new user namespace gives no rights, this tells best
	c.identity()
	dev := opts.Pty != nil && hasDev(l)
	c.early(dev)
	c.mountRoot(l)
	for _, s := range l.Steps {
		c.step(s)
	}
	c.openPty(dev)
	c.hostname()
	c.enter()
	if len(c.prog.Locks) > 0 && !c.prog.Init && !c.prog.Loose {
		c.prog.Guard = true // somebody must hold the locks when sbx is killed
	}
	if err := c.command(); err != nil {
		return nil, err
	}
	c.prog.Become = !opts.Wait && (c.becomes() || c.privileged() && c.alone()) && !c.prog.Guard && opts.Pty == nil
	c.prog.Slots = c.nslots
	return c.prog, nil
}

func newCompiler(p *plan.Plan, f *host.Facts, opts Options, steps int) *compiler {
	c := &compiler{
		// With room for all of a usual sandbox: each growth would be on new pages.
		prog: &program.Program{
			Plan: p, Insts: make([]program.Inst, 0, 6*steps+240), Arena: make([]byte, 0, 64*steps+8192), Refs: make([]program.Ref, 0, 2*steps+48),
		},
		plan: p, facts: f, opts: opts,
		root: -1, scratch: -1, oldMask: -1, dirSlot: -1, refStep: -1,
		strs: map[string]program.Arg{},
	}
	if opts.Pty != nil {
		c.prog.Pty, c.prog.Ours = true, opts.Pty.Ours
	}
	c.empty = c.str("")
	c.dot = c.str(".")
	// The layout's paths have no symlinks in them. One that is there all the same
	// was put there meanwhile, to lead astray.
	c.how = c.prog.Words(oPath|oDirectory(f.Arch)|oCloexec, 0, resolveInRoot|resolveNoMagiclinks|resolveNoSymlinks)
	return c
}

// becomes reports whether the caller wants to become the command, and can.
func (c *compiler) becomes() bool {
	return c.opts.Become && c.alone()
}

// alone reports whether the plan needs no process but the command's. This one may be
// the leader of its process group, and such cannot begin a session.
func (c *compiler) alone() bool {
	return !c.plan.DieWithParent && !c.plan.NewSession && !c.plan.Unshare.PID && !c.prog.Init && !c.prog.Copy && c.plan.Join.PID == nil
}

func (c *compiler) privileged() bool {
	if c.joined != nil {
		return !*c.joined
	}
	return c.facts.Privileged(c.plan)
}

func (c *compiler) namespaces() {
	p := c.plan
	flags := uint64(newNS)
	add := func(on bool, flag uint64) {
		if on {
			flags |= flag
		}
	}
	add(!c.privileged() && p.Join.User == nil, newUser)
	add(p.Unshare.Net, newNet)
	add(p.Unshare.IPC, newIPC)
	add(p.Unshare.PID && p.Join.PID == nil, newPID)
	add(p.Unshare.UTS, newUTS)
	add(p.Unshare.Cgroup || p.Unshare.CgroupTry, newCgroup)
	c.prog.Unshare = flags
	c.prog.DieWithParent = p.DieWithParent
	c.prog.Init = p.Init && (p.Unshare.PID || p.Hooks.Locks != nil || p.Hooks.Sync != nil)
	c.prog.Loose = p.Lifetime == plan.LifetimeCommand
	c.prog.Guard = !p.Unshare.PID && p.DieWithParent && !c.prog.Loose
	c.prog.PIDNS = p.Unshare.PID || p.Join.PID != nil
	// What shares its memory with others cannot enter a time namespace. And where nobody
	// stands between, a vfork would keep this process from what the sandbox waits for.
	c.prog.Copy = gated(p) || p.Join.PID != nil || p.Hooks.Block != nil || p.Unshare.Time ||
		c.opts.Pty != nil && !c.prog.Init && !c.prog.Guard
	c.join(flags)
	if gated(p) {
		c.key("hooks", "gate", "")
		c.add(program.Gate)
	}
	if p.Unshare.Time {
		// clone(2) has no room for this flag. Before Linux 6.3 an exec does not enter the
		// namespace either, and whose children are to be in another cannot vfork.
		c.key("unshare.time", "unshare", "")
		c.add(program.Unshare, program.Imm(newTime))
		const children = "/proc/self/ns/time_for_children"
		unshare, fd := c.host(children), c.slot()
		c.add(program.Openat, program.Imm(atFDCWD), c.str(children), program.Imm(oCloexec)).Out = int16(fd)
		c.add(program.Setns, fd.Arg(), program.Imm(newTime))
		c.ref = unshare
		c.close(fd)
	}
}

// gated reports whether sbx has something to do between the clone and the making
// of the sandbox.
func gated(p *plan.Plan) bool {
	return p.Hooks.Info != nil || p.Hooks.Status != nil || p.Hooks.UserNSBlock != nil || p.Identity.Maps() && p.Join.User == nil
}

// join enters the namespaces that the plan names. What the sandbox has of its own
// has to be made after that.
func (c *compiler) join(flags uint64) {
	j := &c.plan.Join
	if j.User != nil {
		c.prog.Unshare = 0
		c.key("join.user", "joining the user namespace", "")
		c.add(program.Setns, program.Imm(*j.User), program.Imm(newUser))
		c.key("", "unshare", "")
		c.add(program.Unshare, program.Imm(flags&^newPID))
	}
	fork := func() {
		c.add(program.ForkOn)
		if c.plan.DieWithParent {
			c.add(program.Prctl, program.Imm(prSetPdeathsig), program.Imm(sigKill))
		}
	}
	if j.PID != nil {
		c.key("join.pid", "joining the pid namespace", "")
		c.add(program.Setns, program.Imm(*j.PID), program.Imm(newPID))
		fork()
	}
	if c.plan.Unshare.PID && (j.User != nil || j.PID != nil) {
		c.key("unshare.pid", "unshare", "")
		c.add(program.Unshare, program.Imm(newPID))
		c.prog.Copy = true
		fork()
	}
}

// identity maps the ids of the user namespace, user_namespaces(7).
func (c *compiler) identity() {
	c.key("umask", "umask", "")
	c.oldMask = c.slot()
	c.add(program.Umask, program.Imm(0)).Out = int16(c.oldMask)
	if c.privileged() {
		c.key("", "mount", "/")
		// What is mounted from here on must not appear on the host.
		c.add(program.MountSetattr, program.Imm(atFDCWD), c.str("/"), program.Imm(atRecursive), c.attr(0, c.propagation()), program.Imm(32))
		return
	}
	uid, gid, key := c.ids()
	c.key(key, "user namespace", "")
	if c.plan.Join.User != nil {
		if gid != c.facts.GID {
			c.add(program.Setgid, program.Imm(gid))
		}
		if uid != c.facts.UID {
			c.add(program.Setuid, program.Imm(uid))
		}
		return
	}
	if c.plan.Hooks.UserNSBlock != nil || c.plan.Identity.Maps() {
		return // the caller, or sbx, has mapped them by now
	}
	c.file("/proc/self/setgroups", "deny")
	c.file("/proc/self/gid_map", idLine(gid, c.facts.GID))
	c.file("/proc/self/uid_map", idLine(uid, c.facts.UID))
}

// ids returns the ids of the command, and the setting that they are from.
func (c *compiler) ids() (uid, gid uint32, key string) {
	uid, gid = c.facts.UID, c.facts.GID
	if c.plan.Identity.Root && c.plan.Join.User2 == nil {
		uid, gid, key = 0, 0, "become_root"
	}
	if id := &c.plan.Identity; id.Maps() {
		uid, _ = plan.Inside(id.UIDs, uid)
		gid, _ = plan.Inside(id.GIDs, gid)
		key = "map_ids"
	}
	if v := c.plan.Identity.UID; v != nil {
		uid, key = *v, "map_user"
	}
	if v := c.plan.Identity.GID; v != nil {
		gid, key = *v, "map_user"
	}
	return uid, gid, key
}

func idLine(inside, outside uint32) string {
	return strconv.FormatUint(uint64(inside), 10) + " " + strconv.FormatUint(uint64(outside), 10) + " 1\n"
}

// file writes a file of the kernel's, on the host.
func (c *compiler) file(path, data string) {
	outer := c.host(path)
	fd := c.slot()
	c.add(program.Openat, program.Imm(atFDCWD), c.str(path), program.Imm(oWronly|oCloexec)).Out = int16(fd)
	c.add(program.WriteCall, fd.Arg(), c.prog.Bytes(data), program.Imm(len(data))).Flags = program.FlagAll
	c.close(fd)
	c.ref = outer
}

// hostname sets the name of the host.
func (c *compiler) hostname() {
	if c.plan.Unshare.UTS && c.plan.Hostname != "" {
		c.key("hostname", "hostname", c.plan.Hostname)
		c.add(program.Sethostname, c.prog.Bytes(c.plan.Hostname), program.Imm(len(c.plan.Hostname)))
	}
}

// network brings the loopback interface of a new network namespace up.
func (c *compiler) network() {
	if !c.plan.Unshare.Net {
		return
	}
	c.key("unshare.net", "loopback interface", "lo")
	fd := c.slot()
	c.add(program.Socket, program.Imm(afInet), program.Imm(sockDgram|sockCloexec), program.Imm(0)).Out = int16(fd)
	c.add(program.Ioctl, fd.Arg(), program.Imm(siocSIFFlags), c.ifreq("lo", iffUp|iffRunning))
	c.close(fd)
}

// ifreq is struct ifreq with a name and flags, netdevice(7).
func (c *compiler) ifreq(name string, flags uint16) program.Arg {
	var b [40]byte
	copy(b[:16], name)
	b[16], b[17] = byte(flags), byte(flags>>8)
	return c.prog.Words(words(b[:])...)
}

func words(b []byte) []uint64 {
	list := make([]uint64, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		var w uint64
		for i := range 8 {
			w |= uint64(b[i]) << (8 * i)
		}
		list = append(list, w)
	}
	return list
}

// enter makes the new root the root, and lets go of scratch and the caller's
// root in it. The look at ".." is a must: anything left there would lead out.
func (c *compiler) enter() {
	c.key("", "pivot_root", "/")
	proc := program.Slot(-1)
	if c.plan.NoUserNS { // the sandbox need not have one
		proc = c.slot()
		c.add(program.Openat, program.Imm(atFDCWD), c.str("/proc"), program.Imm(oPath|oDirectory(c.facts.Arch)|oCloexec)).Out = int16(proc)
	}
	c.add(program.Fchdir, c.scratch.Arg())
	c.add(program.Chroot, c.dot)
	c.add(program.Fchdir, c.root.Arg())
	c.add(program.PivotRoot, c.dot, c.dot)
	c.add(program.Umount2, c.dot, program.Imm(mntDetach))
	how := c.prog.Words(oPath|oDirectory(c.facts.Arch)|oCloexec, 0, resolveNoXdev)
	c.add(program.Openat2, program.Imm(atFDCWD), c.str(".."), how, program.Imm(24))
	if c.plan.Propagation == plan.PropagationShared {
		c.add(program.MountSetattr, program.Imm(atFDCWD), c.dot, program.Imm(atRecursive), c.attr(0, msShared), program.Imm(32))
	}
	c.userNS(proc)
	if !c.prog.Loose {
		c.chdir()
	}
}

// chdir enters the working directory.
func (c *compiler) chdir() {
	if c.plan.TryDir && c.plan.Dir == "" && !c.plan.SameDir {
		c.tryDirs()
		return
	}
	dir, key := c.workDir()
	c.key(key, "chdir", dir)
	c.add(program.Chdir, c.str(dir))
}

// userNS enters the last user namespace, and makes sure that there are no more.
func (c *compiler) userNS(proc program.Slot) {
	p := c.plan
	if p.Join.User2 != nil {
		c.key("join.user2", "joining the second user namespace", "")
		c.add(program.Setns, program.Imm(*p.Join.User2), program.Imm(newUser))
		if p.Identity.Root {
			c.key("become_root", "becoming root", "")
			c.add(program.Setgid, program.Imm(0))
			c.add(program.Setuid, program.Imm(0))
		}
	}
	if p.NoUserNS {
		c.key("disable_userns", "user namespaces", "")
		file := func(name, data string) {
			fd := c.slot()
			c.add(program.Openat, proc.Arg(), c.str(name), program.Imm(oWronly|oCloexec)).Out = int16(fd)
			c.add(program.WriteCall, fd.Arg(), c.prog.Bytes(data), program.Imm(len(data))).Flags = program.FlagAll
			c.close(fd)
		}
		// The limit is that of the namespace so far, where the command has no rights.
		file("sys/user/max_user_namespaces", "1")
		c.add(program.Unshare, program.Imm(newUser))
		uid, gid, _ := c.ids()
		file("self/gid_map", idLine(gid, gid))
		file("self/uid_map", idLine(uid, uid))
		c.close(proc)
	}
	if p.NoUserNS || p.AssertNoUserNS {
		c.key("assert_userns_disabled", "user namespaces are not disabled", "")
		in := c.add(program.Unshare, program.Imm(newUser))
		in.Flags, in.Skip = program.FlagAnyErr, 1
		c.add(program.Close, program.Imm(-1)) // fails
	}
}

// initDir makes the command's working directory that of the init as well, if it can
// be: who enters the sandbox by the init's pid starts there. The command enters it
// once more, with the rights that it has.
func (c *compiler) initDir() {
	dirs := []string{}
	if c.plan.TryDir && c.plan.Dir == "" && !c.plan.SameDir {
		dirs = append(dirs, c.home(), c.facts.Cwd) // the last one that is there counts
	} else if dir, _ := c.workDir(); dir != "/" {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		if dir != "" {
			c.add(program.Chdir, c.str(dir)).Flags = program.FlagAnyErr
		}
	}
}

// home is the command's $HOME.
func (c *compiler) home() string {
	home := ""
	for _, kv := range Environment(c.plan, c.facts.Env, "/") {
		if v, ok := strings.CutPrefix(kv, "HOME="); ok {
			home = v
		}
	}
	return home
}

// tryDirs makes the first of the caller's working directory and $HOME that the
// sandbox has the working directory, or else the root.
func (c *compiler) tryDirs() {
	c.key("", "chdir", "/")
	c.add(program.Chdir, c.str("/"))
	home := c.home()
	var first []int // to skip what comes after one that is there
	for _, dir := range []string{c.facts.Cwd, home} {
		if dir == "" {
			continue
		}
		in := c.add(program.Chdir, c.str(dir))
		in.Flags, in.Skip = program.FlagAnyErr, 2
		c.pwd = append(c.pwd, len(c.prog.Insts))
		c.add(program.Poke, program.Imm(0), c.prog.Str("PWD="+dir)) // where, is not known yet
		c.add(program.Getpid).Flags = program.FlagSkipOK
		first = append(first, len(c.prog.Insts)-1)
	}
	for _, i := range first {
		c.prog.Insts[i].Skip = int16(len(c.prog.Insts) - 1 - i)
	}
}

// workDir returns the command's working directory and the setting it is from.
func (c *compiler) workDir() (dir, key string) {
	switch {
	case c.plan.SameDir:
		return c.facts.Cwd, "same_dir"
	case c.plan.Dir != "":
		return string(c.plan.Dir), "chdir"
	}
	return "/", ""
}

// The small pieces.

func (c *compiler) add(call program.Call, args ...program.Arg) *program.Inst {
	return c.prog.Add(c.ref, call, args...)
}

// key says that what follows is for a setting; the key is empty for what every
// sandbox needs.
func (c *compiler) key(key, what, path string) {
	c.prog.Refs = append(c.prog.Refs, program.Ref{Op: -1, Key: key, What: what, Path: path})
	c.ref = int32(len(c.prog.Refs) - 1)
}

// op says that what follows is for a step.
func (c *compiler) op(s *layout.Step) {
	c.prog.Refs = append(c.prog.Refs, program.Ref{Op: int32(s.Index), What: string(s.Op.Kind), Path: s.Target.Path})
	c.ref = int32(len(c.prog.Refs) - 1)
}

// host says that what follows is about a path on the host, until ref is what it
// was, which it returns.
func (c *compiler) host(path string) (was int32) {
	was = c.ref
	r := c.prog.Refs[was]
	r.Host = path
	c.prog.Refs = append(c.prog.Refs, r)
	c.ref = int32(len(c.prog.Refs) - 1)
	return was
}

func (c *compiler) slot() program.Slot {
	if n := len(c.free); n > 0 {
		s := c.free[n-1]
		c.free = c.free[:n-1]
		return s
	}
	c.nslots++
	return program.Slot(c.nslots - 1)
}

// close closes the descriptor in a slot and frees the slot.
func (c *compiler) close(s program.Slot) {
	c.add(program.Close, s.Arg())
	c.free = append(c.free, s)
}

// str puts a string into the arena; equal strings are there once, as far as it
// is cheap to tell.
func (c *compiler) str(s string) program.Arg {
	if a, ok := c.strs[s]; ok {
		return a
	}
	a := c.prog.Str(s)
	if len(c.strs) < 64 {
		c.strs[s] = a
	}
	return a
}

// attr returns a struct mount_attr.
func (c *compiler) attr(set, propagation uint64) program.Arg {
	for _, a := range c.attrs {
		if a.set == set && a.propagation == propagation {
			return a.arg
		}
	}
	arg := c.prog.Words(set, 0, propagation, 0)
	c.attrs = append(c.attrs, mountAttr{set, propagation, arg})
	return arg
}
