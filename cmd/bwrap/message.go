//go:build linux

package main

// What goes wrong, in bubblewrap's words, as far as it has any.

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sbx/engine/argv/bwrap"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/run"
)

// errnoText words an error that ends with an errno as the C library does.
func errnoText(err error) error {
	s := err.Error()
	var errno unix.Errno
	if errors.As(err, &errno) && s != "" {
		e := errno.Error()
		s = capital(strings.TrimSuffix(s, e)) + capital(e)
	}
	return errors.New(s)
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// mountText words an errno of a mount.
func mountText(e unix.Errno) string {
	if e == unix.ENOSPC {
		return "Limit exceeded (ENOSPC): see /proc/sys/fs/mount-max"
	}
	return errnoText(e).Error()
}

type messages struct{ line *bwrap.Line }

// word returns the word with a number counted from 1.
func (m *messages) word(n int) string {
	if n < 1 || n > len(m.line.Words) {
		return ""
	}
	return m.line.Words[n-1]
}

// dst is the destination of an operation as the user wrote it.
func (m *messages) dst(op *plan.Op) string {
	n := int(op.At.Pos.Line)
	switch name := m.word(n); name {
	case "--overlay":
		n += 3
	case "--proc", "--dev", "--tmpfs", "--mqueue", "--dir", "--remount-ro", "--tmp-overlay", "--ro-overlay":
		n++
	default:
		n += 2
	}
	return m.word(n)
}

// src is the source of a bind as the user wrote it.
func (m *messages) src(op *plan.Op) string {
	if op.SrcFD != nil {
		return "/proc/self/fd/" + strconv.Itoa(*op.SrcFD)
	}
	return m.word(int(op.At.Pos.Line) + 1)
}

// op returns the operation that a position belongs to, or nil.
func (m *messages) op(at plan.Origin) *plan.Op {
	ops := m.line.Plan.Ops
	for i := range ops {
		if ops[i].At.Pos == at.Pos {
			return &ops[i]
		}
	}
	return nil
}

// fault words what the checks found.
func (m *messages) fault(d plan.Diagnostic) string {
	op := m.op(d.At)
	e := errnoText(d.Errno).Error()
	switch {
	case d.What == plan.WhatDirectory:
		return "Can't chdir to " + m.word(int(d.At.Pos.Line)+1) + ": " + e
	case d.What == plan.WhatCommand:
		return "execvp : " + e
	case op == nil:
	case d.What == plan.WhatSource && op.SrcFD != nil && d.Errno == unix.ESTALE:
		return raceMessage
	case d.What == plan.WhatSource && op.Kind == plan.Bind:
		return "Can't find source path " + m.src(op) + ": " + e
	case d.What == plan.WhatSource:
		return "Can't find source path " + m.layer(op, d.Path) + ": " + e
	case d.What == plan.WhatOverlap:
		return overlap(op)
	case d.What == plan.WhatTarget:
		return "Can't make symlink at " + m.dst(op) + ": " + e
	case d.What == plan.WhatParents && op.Kind != plan.Chmod:
		return "Can't mkdir parents for " + m.dst(op) + ": " + e
	case d.What == plan.WhatConflict && d.Path != "":
		return "Can't make symlink at " + m.dst(op) + ": existing destination is " + d.Path
	case d.What == plan.WhatConflict:
		return "Can't make symlink at " + m.dst(op) + ": destination exists and is not a symlink"
	case d.What == plan.WhatPoint || d.What == plan.WhatParents:
		return m.point(op, d.Errno)
	}
	switch name := m.word(int(d.At.Pos.Line)); {
	case name == "":
		return d.Msg
	case name == "--hostname":
		return "Can't set hostname to " + m.line.Plan.Hostname + ": Invalid argument"
	case op != nil && op.Kind == plan.Mqueue && !m.line.Plan.Unshare.IPC:
		return "Can't mount mqueue on " + newRoot(op) + ": Operation not permitted"
	case name == "--seccomp" || name == "--add-seccomp-fd":
		return "Unable to set up system call filtering as requested: " + d.Msg
	default:
		return name + ": " + d.Msg
	}
}

// layer is a directory of an overlay as the user wrote it, but for those of
// --overlay-src, which the original has absolute as well.
func (m *messages) layer(op *plan.Op, path string) string {
	if n := int(op.At.Pos.Line); m.word(n) == "--overlay" {
		for _, w := range []string{m.word(n + 1), m.word(n + 2)} {
			if w != "" && w[0] != '/' && strings.HasSuffix(path, "/"+w) {
				return w
			}
		}
	}
	return path
}

// point words that the place of an operation cannot be made, or is of another kind.
func (m *messages) point(op *plan.Op, errno unix.Errno) string {
	dst, e := m.dst(op), errnoText(errno).Error()
	switch {
	case op.Kind == plan.Chmod:
		return fmt.Sprintf("Can't chmod %#o %s: %s", uint32(*op.Mode), dst, e)
	case op.Kind == plan.RemountRO:
		return "Can't remount readonly on " + newRoot(op) + ": realpath(destination): " + e
	case op.Kind == plan.Symlink:
		return "Can't make symlink at " + dst + ": " + e
	case op.Kind == plan.Write && op.Content == plan.ContentThrough:
		return "Can't create file " + dst + ": " + e
	case op.Kind == plan.Write || op.Kind == plan.Bind && errno == unix.EISDIR:
		return "Can't create file at " + dst + ": " + e
	}
	return "Can't mkdir " + dst + ": " + e
}

// raceMessage tells that a descriptor's file is not at its path any more.
const raceMessage = "Race condition binding dirfd: Invalid argument"

// newRoot is the place of an operation as the original's set-up sees it.
func newRoot(op *plan.Op) string { return "/newroot" + string(op.Dst) }

// failure words what went wrong while the sandbox was made.
func (m *messages) failure(p *program.Program, err error) string {
	var fail *run.Failure
	if !errors.As(err, &fail) {
		return errnoText(err).Error()
	}
	e := errnoText(fail.Errno).Error()
	switch {
	case fail.NoExec:
		return "execvp " + string(p.Plan.Command[0]) + ": " + e
	case fail.Inst < 0:
		return clone(p, fail.Errno)
	}
	in := &p.Insts[fail.Inst]
	r := p.Refs[in.Ref]
	if r.Op >= 0 {
		return m.operation(p, fail, &p.Plan.Ops[r.Op])
	}
	key, number, _ := strings.Cut(r.Key, ".")
	switch {
	case r.Key == "chdir":
		return "Can't chdir to " + m.word(int(p.Plan.Where["chdir"].Pos.Line)+1) + ": " + e
	case key == "hostname":
		return "Can't set hostname to " + r.Path + ": " + e
	case r.Key == "join.user" && fail.Errno == unix.EINVAL:
		return "Joining the specified user namespace failed, it might not be a descendant of the current user namespace."
	case r.Key == "join.user":
		return "Joining specified user namespace failed: " + e
	case r.Key == "join.user2":
		return "Setting userns2 failed: " + e
	case r.Key == "join.pid":
		return "Setting pidns failed: " + e
	case key == "assert_userns_disabled":
		return "creation of new user namespaces was not disabled as requested"
	case key == "disable_userns" && in.Call == program.Openat:
		return "cannot open /proc/sys/user/max_user_namespaces: " + e
	case key == "disable_userns":
		return "unshare user ns: " + e
	case key == "lock" && in.Call == program.Openat:
		return "Unable to open lock file " + r.Path + ": " + e
	case key == "lock":
		return "Unable to lock file " + r.Path + ": " + e
	case key == "filter" && fail.Errno == unix.EINVAL:
		n, _ := strconv.Atoi(number)
		return fmt.Sprintf("Unable to set up system call filtering as requested: prctl(PR_SET_SECCOMP) reported EINVAL for a filter of %d instructions: it is not valid, or this kernel has no filters", len(p.Plan.Filters[n].Code)/8)
	case key == "filter":
		return "Unable to set up system call filtering as requested: " + e
	case in.Call == program.Capset:
		return "capset failed: " + e
	case in.Call == program.Setsid:
		return "setsid: " + e
	case r.What == "user namespace":
		return "setting up uid map: " + e
	case r.Key == "unshare.net" && in.Call == program.Socket:
		return "loopback: Failed to create NETLINK_ROUTE socket: " + e
	case r.Key == "unshare.net":
		return "loopback: Failed RTM_NEWADDR: " + e // where nothing may be mounted, the first that the original may not do
	case r.Path == "/" && (in.Call == program.Fsopen || in.Call == program.MountSetattr):
		return "Failed to make / slave: " + e // likewise
	}
	return strings.TrimPrefix(fmt.Sprintf("%s: %s: %s", r.What, in.Call, e), ": ")
}

// clone words that the process of the sandbox could not be made.
func clone(p *program.Program, errno unix.Errno) string {
	switch {
	case p.Unshare&unix.CLONE_NEWUSER != 0 && errno == unix.EINVAL:
		return "Creating new namespace failed, likely because the kernel does not support user namespaces."
	case p.Unshare&unix.CLONE_NEWUSER != 0 && errno == unix.EPERM:
		return "No permissions to create a new namespace, likely because this host does not let ordinary users make user namespaces; sbx doctor tells what to do."
	case errno == unix.ENOSPC:
		return "Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)"
	}
	return "Creating new namespace failed: " + errnoText(errno).Error()
}

// operation words that an operation failed.
func (m *messages) operation(p *program.Program, fail *run.Failure, op *plan.Op) string {
	in := &p.Insts[fail.Inst]
	e := errnoText(fail.Errno).Error()
	switch in.Call {
	case program.Same:
		return raceMessage
	case program.Mkdirat, program.Openat2:
		if in.Call == program.Openat2 || parent(p, fail.Inst) {
			return "Can't mkdir parents for " + m.dst(op) + ": " + e
		}
		return "Can't mkdir " + m.dst(op) + ": " + e
	case program.Mknodat:
		return "Can't create file at " + m.dst(op) + ": " + e
	case program.Symlinkat:
		return "Can't make symlink at " + m.dst(op) + ": " + e
	case program.WriteCall:
		return "Can't write data to file " + m.dst(op) + ": " + e
	}
	e = mountText(fail.Errno)
	switch op.Kind {
	case plan.Bind:
		return "Can't bind mount /oldroot" + path.Clean("/"+m.src(op)) + " on " + newRoot(op) + ": Unable to mount source on destination: " + e
	case plan.Write:
		return m.point(op, fail.Errno)
	case plan.Chmod:
		return m.point(op, fail.Errno)
	case plan.RemountRO:
		if fail.Errno == unix.EINVAL {
			return "Can't remount readonly on " + newRoot(op) + ": Unable to find \"" + newRoot(op) + "\" in mount table"
		}
		return "Can't remount readonly on " + newRoot(op) + ": " + e
	case plan.Overlay:
		if fail.Errno == unix.ELOOP {
			return overlap(op)
		}
		return "Can't make overlay mount on " + newRoot(op) + ": " + e
	}
	return "Can't mount " + string(op.Kind) + " on " + newRoot(op) + ": " + e
}

func overlap(op *plan.Op) string {
	return "Can't make overlay mount on " + newRoot(op) + ": Overlay directories may not overlap"
}

// parent reports whether a mkdir is of a directory on the way: the next thing that
// its operation makes is not mounted on what it made.
func parent(p *program.Program, i int) bool {
	ref := p.Insts[i].Ref
	for _, in := range p.Insts[i+1:] {
		switch {
		case in.Ref != ref:
			return false
		case in.Call == program.Openat2 || in.Call == program.Close:
			continue
		}
		return in.Call == program.Mkdirat || in.Call == program.Mknodat || in.Call == program.Symlinkat || in.Call == program.Openat
	}
	return false
}
