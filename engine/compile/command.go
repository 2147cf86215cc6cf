package compile

// The command: who it is, what it may do, and how it starts.

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/seccomp"
)

// command compiles what happens between the finished sandbox and the execve.
func (c *compiler) command() error {
	p := c.plan
	if fd := p.Hooks.Block; fd != nil {
		c.key("hooks", "waiting for the block descriptor", "")
		if c.prog.Loose { // else sbx, which gets them, ends it
			c.add(program.Signals, program.Imm(1))
		}
		c.add(program.ReadCall, program.Imm(*fd), c.prog.Bytes(" "), program.Imm(1)).Flags = program.FlagAnyErr
		if c.prog.Loose {
			c.add(program.Signals, program.Imm(0))
		}
		c.add(program.Close, program.Imm(*fd)).Flags = program.FlagAnyErr
	}
	for i := range p.Hooks.Locks {
		path := string(p.Hooks.Locks[i].Path)
		c.key("lock."+strconv.Itoa(i), "lock file", path)
		fd := c.slot()
		in := c.add(program.Openat, program.Imm(atFDCWD), c.str(path), program.Imm(oNonblock|oCloexec))
		in.Out, in.Flags = int16(fd), program.FlagKeep
		c.add(program.Fcntl, fd.Arg(), program.Imm(fSetLK), c.prog.Words(0, 0, 0, 0)) // struct flock, F_RDLCK, all of it
	}
	if p.NewSession && c.prog.Loose {
		c.key("new_session", "setsid", "")
		c.add(program.Setsid)
	}
	if c.prog.Init {
		c.key("", "init", "")
		// What has capabilities in the sandbox must not look into the init, whose
		// memory is a copy of ours. But who is told its pid may want its namespaces.
		if c.prog.Loose {
			c.initDir()
		} else {
			c.add(program.Prctl, program.Imm(prSetDumpable), program.Imm(0))
		}
		c.add(program.ForkCommand)
	}
	if (p.NewSession || c.opts.Pty != nil) && !c.prog.Loose {
		c.key("new_session", "setsid", "")
		c.add(program.Setsid)
	}
	c.takePty()
	for i := range p.Rlimits {
		r := &p.Rlimits[i]
		c.key("rlimit."+r.Name, "rlimit", r.Name)
		c.add(program.Prlimit64, program.Imm(0), program.Imm(plan.RlimitNumber(r.Name)), c.prog.Words(r.Soft, r.Hard), program.Imm(0))
	}
	c.key("umask", "umask", "")
	if p.Umask != nil {
		c.add(program.Umask, program.Imm(uint32(*p.Umask)))
	} else {
		c.add(program.Umask, c.oldMask.Arg())
	}
	if p.DieWithParent {
		c.key("die_with_parent", "prctl", "")
		c.add(program.Prctl, program.Imm(prSetPdeathsig), program.Imm(sigKill))
	}
	if p.NoNewPrivs {
		c.key("no_new_privs", "prctl", "")
		c.add(program.Prctl, program.Imm(prSetNoNewPrivs), program.Imm(1), program.Imm(0), program.Imm(0), program.Imm(0))
	}
	c.scopeSockets()
	if err := c.filter(); err != nil {
		return err
	}
	c.capabilities()
	if c.prog.Loose { // the command's rights are what counts
		c.chdir()
	}
	env := c.fds(c.environment())
	c.exec(env)
	return nil
}

// terminal reports whether the command could get at a terminal of the host's.
func (c *compiler) terminal() bool {
	p := c.plan
	return c.facts.Terminal || c.opts.Pty != nil || c.joined != nil || c.privileged() || p.PackFDs || len(p.PassFDs) > 0 ||
		slices.ContainsFunc(p.Ops, func(op plan.Op) bool { return op.Kind == plan.Bind && devices(&op) })
}

// scopeSockets has the kernel refuse connections to abstract Unix sockets that
// were bound outside, landlock(7). It restricts nothing else: not mounts either.
func (c *compiler) scopeSockets() {
	if !ScopesSockets(c.plan, c.facts) {
		return
	}
	c.key("scope_sockets", "landlock", "")
	fd := c.slot()
	attr := c.prog.Words(0, 0, landlockScopeAbstract)
	c.add(program.LandlockNew, attr, program.Imm(3*8), program.Imm(0)).Out = int16(fd)
	c.add(program.LandlockSelf, fd.Arg(), program.Imm(0))
	c.add(program.Close, fd.Arg())
}

// ScopesSockets reports whether abstract Unix sockets of the host are kept out of
// reach by other means than a network namespace.
func ScopesSockets(p *plan.Plan, f *host.Facts) bool {
	return p.ScopeSockets && !p.Unshare.Net && f.Landlock >= landlockScopes
}

func (c *compiler) filter() error {
	f := seccomp.Filter{SuppressChown: c.plan.SuppressChown, SuppressSync: c.plan.SuppressSync, DenyTTYInjection: !c.plan.TerminalInput && c.terminal()}
	code, err := f.Program(c.facts.Arch)
	if err != nil {
		return err
	}
	if len(code) == 0 {
		return nil
	}
	key := ""
	if f.SuppressChown {
		key = "suppress_chown"
	} else if f.SuppressSync {
		key = "suppress_sync"
	}
	c.key(key, "seccomp", "")
	prog := c.prog.Words(words(code)...)
	c.add(program.Seccomp, program.Imm(seccompSetFilter), program.Imm(0), c.prog.CountAndPointer(len(code)/8, prog))
	return nil
}

// capabilities leaves the command those it shall have, in all its sets.
func (c *compiler) capabilities() {
	keep, all := Keep(c.plan, c.privileged(), c.facts)
	if all && c.prog.Loose {
		if c.plan.Caps.Set == "all" {
			c.inherit()
		}
		c.raise(keep)
	}
	if all && (c.privileged() || keep == plan.AllCaps) {
		return
	}
	key := ""
	if c.plan.Caps.Set != "" {
		key = "capabilities"
	} else if c.plan.Identity.Root {
		key = "become_root"
	}
	c.key(key, "capabilities", "")
	for drops := ^(keep | plan.CapSet(c.plan.Caps.Bounding)); drops != 0; {
		n := bits.TrailingZeros64(drops)
		drops &^= 1 << n
		// Beyond the last capability of this kernel all the others fail as well.
		in := c.add(program.Prctl, program.Imm(prCapbsetDrop), program.Imm(n), program.Imm(0), program.Imm(0), program.Imm(0))
		in.Errs, in.Skip = [2]uint8{eINVAL}, int16(bits.OnesCount64(drops))
	}
	if all {
		return // those of the user namespace are as they were; programs get none beyond
	}
	lo, hi := uint32(keep), uint32(keep>>32)
	c.add(program.Capset, c.prog.Words32(capVersion3, 0), c.prog.Words32(lo, lo, lo, hi, hi, hi))
	for n := range 64 {
		if keep&(1<<n) != 0 {
			c.add(program.Prctl, program.Imm(prCapAmbient), program.Imm(capAmbientRaise), program.Imm(n), program.Imm(0), program.Imm(0))
		}
	}
}

// inherit makes all capabilities inheritable, if there are all.
func (c *compiler) inherit() {
	c.key("capabilities", "capabilities", "")
	const set = 1<<32 - 1
	c.add(program.Capset, c.prog.Words32(capVersion3, 0), c.prog.Words32(set, set, set, set, set, set)).Errs = [2]uint8{ePERM}
}

// raise makes capabilities ambient, as far as they are inheritable.
func (c *compiler) raise(set uint64) {
	c.key("", "capabilities", "")
	for n := range 64 {
		if set&(1<<n) != 0 {
			c.add(program.Prctl, program.Imm(prCapAmbient), program.Imm(capAmbientRaise), program.Imm(n), program.Imm(0), program.Imm(0)).Errs = [2]uint8{ePERM, eINVAL}
		}
	}
}

// Keep returns the capabilities that the command keeps, or all: as they are, but
// for what programs could gain.
func Keep(p *plan.Plan, privileged bool, f *host.Facts) (keep uint64, all bool) {
	have := f.Caps
	switch p.Caps.Set {
	case "caller":
		if f.UID == 0 && p.Caps.Add == nil && p.Caps.Drop == nil {
			return have, true
		}
		if f.UID != 0 {
			have = 0
		}
		return (have | plan.CapSet(p.Caps.Add)) &^ plan.CapSet(p.Caps.Drop), false
	case "none":
		return 0, false
	case "keep":
		keep = plan.CapSet(p.Caps.Keep)
		if privileged && p.Lifetime == plan.LifetimeCommand {
			keep &= have
		}
		return keep, false
	case "build":
		if privileged {
			return have, true
		}
	case "all":
		if privileged {
			return have, true
		}
		return plan.AllCaps, false
	}
	switch {
	case p.Identity.Root && privileged:
		return have, true // root already: nothing to do
	case p.Identity.Root, p.Caps.Set == "build":
		keep = plan.CapSet(plan.BuildCaps)
		if p.Unshare.Net {
			keep |= plan.CapSet(plan.BuildNetCaps)
		}
		return keep, false
	}
	return 0, false
}

// fds has the descriptors that the command inherits survive the execve.
func (c *compiler) fds(env []string) []string {
	p := c.plan
	defer func() { // a number closed twice may be another file's by then
		slices.Sort(c.prog.CloseFDs)
		c.prog.CloseFDs = slices.Compact(c.prog.CloseFDs)
	}()
	if o := c.opts.Pty; o != nil {
		c.prog.CloseFDs = append(c.prog.CloseFDs, o.Sock)
	}
	keep := p.KeepFDs && !p.PackFDs
	if keep {
		c.prog.CloseFDs = append(c.prog.CloseFDs, c.facts.FDs...)
		c.hideFDs()
	} else {
		c.key("", "close_range", "")
		c.add(program.CloseRange, program.Imm(3), program.Imm(^uint32(0)), program.Imm(closeRangeCloexec))
	}
	skip := map[int]bool{}
	for _, fd := range p.CloseFDs {
		if fd < 3 || keep {
			c.key("close_fd", "file descriptor", "")
			c.add(program.Fcntl, program.Imm(fd), program.Imm(fSetFD), program.Imm(1)) // FD_CLOEXEC
		}
		skip[fd] = true
		c.prog.CloseFDs = append(c.prog.CloseFDs, fd)
	}
	pass := func(fd int) {
		c.add(program.Fcntl, program.Imm(fd), program.Imm(fSetFD), program.Imm(0))
	}
	for _, fd := range p.PassFDs {
		c.prog.CloseFDs = append(c.prog.CloseFDs, fd)
		if !p.PackFDs && !skip[fd] {
			c.key("pass_fd", "file descriptor", "")
			pass(fd)
		}
	}
	if !p.PackFDs {
		return env
	}
	c.key("pack_fds", "file descriptors", "")
	fds := c.facts.FDs
	if len(p.PassFDs) > 0 {
		fds = slices.Clone(p.PassFDs)
	}
	slices.Sort(fds) // so that a number is free when its turn comes
	n := 0
	for _, fd := range slices.Compact(fds) {
		if skip[fd] {
			continue
		}
		if to := 3 + n; to == fd {
			pass(fd)
		} else {
			c.add(program.Dup3, program.Imm(fd), program.Imm(to), program.Imm(0))
		}
		c.prog.CloseFDs = append(c.prog.CloseFDs, fd)
		n++
	}
	if n == 0 {
		return env
	}
	return setEnv(setEnv(env, "LISTEN_FDS", strconv.Itoa(n)), "LISTEN_PID", pidSpace)
}

// hideFDs keeps the descriptors that are meant for sbx from the command, which
// inherits all others.
func (c *compiler) hideFDs() {
	p := c.plan
	c.key("hooks", "file descriptor", "")
	hide := func(fds ...*int) {
		for _, fd := range fds {
			if fd != nil {
				c.add(program.Fcntl, program.Imm(*fd), program.Imm(fSetFD), program.Imm(1)).Flags = program.FlagAnyErr
			}
		}
	}
	hide(p.Hooks.Info, p.Hooks.Status, p.Hooks.Block, p.Hooks.UserNSBlock, p.Join.User, p.Join.User2, p.Join.PID)
	if c.prog.Init { // else somebody must hold it
		hide(p.Hooks.Sync)
	}
	for i := range p.Ops {
		hide(p.Ops[i].SrcFD, p.Ops[i].MountFD)
	}
}

// pidSpace stands for the command's pid, which is not known before it exists.
const pidSpace = "\x00pid"

// exec compiles the environment, the arguments and the tries of execve.
func (c *compiler) exec(env []string) {
	c.key("command", "exec", "")
	envp := make([]program.Arg, len(env))
	for i, kv := range env {
		if name, ok := strings.CutSuffix(kv, pidSpace); ok {
			off := len(c.prog.Arena) + len(name)
			envp[i] = c.prog.Bytes(name + strings.Repeat("\x00", 24))
			pid := c.slot()
			c.add(program.Getpid).Out = int16(pid)
			c.add(program.Decimal, pid.Arg(), program.Imm(off))
			continue
		}
		envp[i] = c.prog.Str(kv)
	}
	envv := c.prog.Pointers(envp)
	pwd := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "PWD=") })
	for _, at := range c.pwd {
		if pwd < 0 {
			c.prog.Insts[at] = program.Inst{Call: program.Getpid, Out: program.None, Ref: c.prog.Insts[at].Ref}
		} else {
			c.prog.Insts[at].Args[0] = uint64(envv.Offset() + 8*pwd)
		}
	}
	if c.plan.Suspend {
		c.key("suspend", "kill", "")
		pid := c.slot()
		c.add(program.Getpid).Out = int16(pid)
		c.add(program.Kill, pid.Arg(), program.Imm(sigStop))
	}
	for i := range c.plan.Filters { // last of all: they may forbid anything
		f := &c.plan.Filters[i]
		c.key("filter."+strconv.Itoa(i), "seccomp", "")
		code := c.prog.Words(words([]byte(f.Code))...)
		// By prctl(2), as a filter before this one may forbid seccomp(2).
		c.add(program.Prctl, program.Imm(prSetSeccomp), program.Imm(seccompModeFilter), c.prog.CountAndPointer(len(f.Code)/8, code))
	}
	if c.plan.Suspend || c.plan.Filters != nil {
		c.key("command", "exec", "")
	}
	if c.opts.Pty != nil {
		c.sendPty()
		c.key("command", "exec", "")
	}
	kept := program.Slot(c.nslots) // and its neighbour, for the number of the try
	c.nslots += 2
	var paths []program.Arg
	for _, t := range Tries(c.plan, env, c.facts.Getenv("SHELL")) {
		argv := make([]program.Arg, len(t.Argv))
		for i, a := range t.Argv {
			argv[i] = c.prog.Str(a)
		}
		argvv := c.prog.Pointers(argv)
		for _, path := range t.Paths {
			arg := c.prog.Str(path)
			try := func(arg, argvv program.Arg) *program.Inst {
				in := c.add(program.Execve, arg, argvv, envv)
				in.Flags, in.Out, in.Args[5] = program.FlagExec, int16(kept), uint64(len(paths))
				return in
			}
			if !c.plan.ShellScripts {
				try(arg, argvv)
			} else {
				sh := c.str("/bin/sh")
				scriptv := c.prog.Pointers(append([]program.Arg{sh, arg}, argv[1:]...))
				try(arg, argvv).Skip = 1
				try(sh, scriptv)
			}
			paths = append(paths, arg)
		}
	}
	c.failPty()
	list := c.prog.Pointers(paths)
	c.add(program.ExecFailed, program.Imm(int(kept)), program.Imm(list.Offset()), program.Imm(len(paths)))
}

// Try is a command and the paths at which it may be.
type Try struct {
	Argv  []string
	Paths []string
}

// DefaultPath is what is searched where the environment has no PATH.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Tries returns what is executed, in the order of the attempts: the plan's
// command, or else $SHELL, or else bash.
func Tries(p *plan.Plan, env []string, shell string) []Try {
	path := DefaultPath
	if p.DefaultPath != "" {
		path = string(p.DefaultPath)
	}
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	search := func(argv []string) Try {
		if strings.Contains(argv[0], "/") || argv[0] == "" {
			return Try{argv, argv[:1]}
		}
		t := Try{Argv: argv}
		for dir := range strings.SplitSeq(path, ":") {
			if dir == "" {
				dir = "."
			}
			t.Paths = append(t.Paths, strings.TrimRight(dir, "/")+"/"+argv[0])
		}
		return t
	}
	if len(p.Command) > 0 {
		argv := make([]string, len(p.Command))
		for i, a := range p.Command {
			argv[i] = string(a)
		}
		t := search(argv)
		if p.Argv0 != nil {
			t.Argv = append([]string{string(*p.Argv0)}, argv[1:]...)
		}
		return []Try{t}
	}
	var list []Try
	if shell != "" {
		list = append(list, search([]string{shell}))
	}
	return append(list, search([]string{"bash"}))
}

// environment returns the command's environment, NAME=value.
func (c *compiler) environment() []string {
	dir, _ := c.workDir()
	return Environment(c.plan, c.facts.Env, dir)
}

// Environment applies the plan's changes to the caller's environment, and makes
// PWD agree with the working directory dir as the plan has it.
func Environment(p *plan.Plan, env []string, dir string) []string {
	out := make([]string, 0, len(env)+len(p.Env)+2)
	for _, kv := range env {
		if p.PWD == plan.PWDAgree {
			if strings.HasPrefix(kv, "PWD=") {
				kv = "PWD=" + dir
			}
			if strings.HasPrefix(kv, "OLDPWD=") {
				continue
			}
		}
		out = append(out, kv)
	}
	for i := range p.Env {
		switch e := &p.Env[i]; e.Kind {
		case plan.SetEnv:
			out = setEnv(out, string(e.Name), string(e.Value))
		case plan.UnsetEnv:
			out = dropEnv(out, func(name string) bool { return name == string(e.Name) })
		case plan.PassEnv:
			if v, ok := lookupEnv(env, string(e.Name)); ok {
				out = setEnv(out, string(e.Name), v)
			}
		case plan.ClearEnv:
			out = dropEnv(out, func(name string) bool {
				for _, k := range e.Keep {
					if string(k) == name {
						return false
					}
				}
				return true
			})
		}
	}
	if p.PWD == plan.PWDSet {
		out = setEnv(out, "PWD", dir)
	}
	return out
}

func lookupEnv(env []string, name string) (value string, ok bool) {
	for _, kv := range env {
		if n, v, ok := strings.Cut(kv, "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

func dropEnv(env []string, drop func(name string) bool) []string {
	out := env[:0]
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if !drop(name) {
			out = append(out, kv)
		}
	}
	return out
}

func setEnv(env []string, name, value string) []string {
	for i, kv := range env {
		if strings.HasPrefix(kv, name) && len(kv) > len(name) && kv[len(name)] == '=' {
			env[i] = name + "=" + value
			return env
		}
	}
	return append(env, name+"="+value)
}
