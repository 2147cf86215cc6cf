//go:build linux

package main

// Ids that only systemd can give: --map-foreign, --map-delegate, --bind-foreign
// and --ro-bind-foreign.

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/varlink"
)

// acquire has systemd-nsresourced make the user namespace that the plan asks for,
// where it asks for one such, and enters it. The namespace that the foreign binds
// are mapped to, for the command alone, is entered when all is made. It reports
// whether this process is in another namespace now.
func acquire(p *plan.Plan, f *host.Facts, s varlink.Services) (entered bool, d *plan.Diagnostic) {
	id := &p.Identity
	binds := slices.ContainsFunc(p.Ops, func(o plan.Op) bool { return o.Foreign })
	mapped := id.Foreign && f.Privileged(p) && f.Caps&(1<<unix.CAP_CHOWN) != 0 // the ids are there already
	if id.Delegate == 0 && !binds && (!id.Foreign || mapped) {
		return false, nil
	}
	r := varlink.UserRange{Self: true, Root: id.Root && !binds, Foreign: id.Foreign, Delegate: id.Delegate}
	if binds {
		r.Delegate++ // for the range that the binds are mapped to
	}
	at := where(p)
	fail := func(at plan.Origin, err error) (bool, *plan.Diagnostic) {
		return false, &plan.Diagnostic{At: at, Msg: err.Error()}
	}
	fd, err := emptyUserNS()
	if err != nil {
		return fail(at, err)
	}
	if err := s.AllocateUserRange(fd, r); err != nil {
		return fail(at, err)
	}
	if err := run.EnterUserNS(fd); err != nil {
		return fail(at, fmt.Errorf("entering the user namespace: %w", err))
	}
	unix.Close(fd)
	if r.Root {
		if err := becomeRoot(); err != nil {
			return fail(at, fmt.Errorf("becoming root in the user namespace: %w", err))
		}
	}
	p.Caps = plan.Caps{Set: "keep", Keep: slices.Clone(plan.BuildCaps)}
	if p.Unshare.Net {
		p.Caps.Keep = append(p.Caps.Keep, plan.BuildNetCaps...)
	}
	id.Foreign, id.Delegate = false, 0 // done
	if !binds {
		return true, nil
	}
	last, err := emptyUserNS()
	if err != nil {
		return fail(at, err)
	}
	if err := s.AllocateUserRange(last, varlink.UserRange{}); err != nil {
		return fail(at, err)
	}
	p.Join.User2 = &last
	for i := range p.Ops {
		if op := &p.Ops[i]; op.Foreign {
			mount, err := s.MountDirectory(string(op.Src), last, op.RO)
			if err != nil {
				return fail(op.At, err)
			}
			op.MountFD = &mount
		}
	}
	return true, nil
}

// where returns the position of the option that needs ids.
func where(p *plan.Plan) plan.Origin {
	for _, key := range []string{"map_delegate", "map_foreign"} {
		if at, ok := p.Where[key]; ok {
			return at
		}
	}
	for i := range p.Ops {
		if p.Ops[i].Foreign {
			return p.Ops[i].At
		}
	}
	return plan.Origin{}
}

// becomeRoot takes the ids 0; the C library's way of telling all threads is not
// needed, as there is one.
func becomeRoot() error {
	for _, nr := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, _, errno := unix.RawSyscall(nr, 0, 0, 0); errno != 0 {
			return errno
		}
	}
	return nil
}

// holderName is the first argument of a process of this program that is there for
// its user namespace only.
const holderName = "mkosi-sandbox: user namespace"

// hold waits for the end of standard input.
func hold() {
	var b [1]byte
	for {
		if _, err := unix.Read(0, b[:]); err != unix.EINTR {
			return
		}
	}
}

// emptyUserNS returns a file descriptor of a new user namespace without ids, a
// child of this process's.
func emptyUserNS() (int, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("pipe: %w", err)
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{holderName}, &syscall.ProcAttr{
		Files: []uintptr{uintptr(pipe[0]), 1, 2},
		Sys:   &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: syscall.SIGKILL},
	})
	unix.Close(pipe[0])
	if err != nil {
		unix.Close(pipe[1])
		return -1, fmt.Errorf("making a user namespace: %w", err)
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	unix.Close(pipe[1])
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, &os.PathError{Op: "opening", Path: "the new user namespace", Err: err}
	}
	return fd, nil
}
