package run

// Run: the clone, and what goes before it.

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
	"sbx/engine/program"
)

// current keeps the memory of the running child reachable; a process makes one
// sandbox at a time.
//
//lint:ignore U1000 being there is what it is for
var current *child

// staying are the children whose guards have outlived their Run, in this memory.
var staying []*child

// guardStack is the stack of the guard; of all of it, only what is touched
// takes memory.
var guardStack [32 << 10]byte

// Run makes the sandbox, runs the command in it, and returns how the command
// ended. An error is a *Failure when the program failed in the child. Run must
// not be called by two goroutines at once.
func Run(p *program.Program) (unix.WaitStatus, error) {
	c, err := prepare(p)
	if err != nil {
		return 0, err
	}
	current = c
	defer func() {
		if c.over {
			staying = append(staying, c)
		}
		current = nil
	}()
	for i := range p.Locks {
		fd, err := lock(p.Locks[i].Path)
		if err != nil {
			return 0, &Failure{Inst: -1, Lock: &p.Locks[i], Errno: errnoOf(err)}
		}
		defer unix.Close(fd)
		c.keep[c.nkeep] = fd
		c.nkeep++
	}
	for k := range p.Cleanup {
		path := p.Cleanup[k].Path
		i := strings.LastIndexByte(path, '/')
		fd, err := unix.Open(path[:i+1], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0, &Failure{Inst: -1, Lock: &p.Cleanup[k], Errno: errnoOf(err)}
		}
		defer unix.Close(fd)
		c.keep[c.nkeep] = fd
		c.nkeep++
		c.clean[c.nclean] = cleanDir{fd, &[]byte(path[i+1:] + "/work\x00")[0], &[]byte(path[i+1:] + "\x00")[0]}
		c.nclean++
	}
	for _, fd := range p.CloseFDs {
		if fd < len(c.closed) {
			c.closed[fd] = true
		}
	}
	if p.Become && mayBecome(p) {
		return 0, become(c, solitary(p))
	}
	sigTooEarly = 0
	if p.Init || c.flags&unix.CLONE_VFORK != 0 {
		_, _, _, later := handlers()
		c.later = handledBy(later, 0)
	}
	if p.Init || p.Copy {
		b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		if err != nil {
			return 0, fmt.Errorf("mmap: %w", err)
		}
		// It stays: the end of this process is near, and would wait for the unmapping.
		c.rep = (*report)(unsafe.Pointer(&b[0]))
	}
	gated := slices.ContainsFunc(p.Insts[:min(16, len(p.Insts))], func(in program.Inst) bool { return in.Call == program.Gate })
	if p.Init || gated || c.pidNS && p.DieWithParent || p.Guard && !p.DieWithParent {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return 0, fmt.Errorf("pipe: %w", err)
		}
		c.pipeR, c.pipe = fds[0], fds[1]
		c.keep[c.nkeep] = fds[1]
		c.nkeep++
		defer unix.Close(c.pipeR)
	}
	ours := p.Ours
	if gated {
		for _, fd := range []*int{p.Plan.Hooks.Info, p.Plan.Hooks.Status} {
			if fd != nil {
				ours = append(ours, *fd)
			}
		}
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return 0, fmt.Errorf("pipe: %w", err)
		}
		c.gate, c.gateW = fds[0], fds[1]
		defer unix.Close(c.gateW)
	}
	copy(c.ours[:], ours)
	if fd := p.Plan.Hooks.Sync; fd != nil && p.Init {
		c.keep[c.nkeep] = *fd
		c.nkeep++
	}
	if p.Guard || p.Join {
		// If the guard is killed, what it guarded comes here to be ended.
		// The guard asks the same for itself; where that is refused, it is here as well.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return 0, plan.Diagnostics{{At: p.Plan.Where["die_with_parent"], Op: "die_with_parent", Msg: fmt.Sprintf("prctl: %v", err)}}
		}
		if !childless() {
			c.before = children()
		}
	}
	// The parent-death signal of the child comes when this thread ends, and the
	// Go runtime lets no thread end that was not locked by a goroutine.
	if p.Loose {
		plainSignals()
		if p.DieWithParent {
			unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
		}
	} else {
		passSignals(c)
	}
	r := startChild(c)
	if c.pipe >= 0 {
		unix.Close(c.pipe)
	}
	if r > ^uintptr(4095) {
		return 0, &Failure{Inst: -1, Errno: unix.Errno(-r)}
	}
	w := &watch{prog: p, child: c, pid: int(r)}
	if gated {
		unix.Close(c.gate)
		// Of a sandbox that has come to its end already, all else that fails is a sequel.
		if err := w.letThrough(); err != nil && w.news(unix.WEXITED|unix.WNOHANG|unix.WNOWAIT) == 0 {
			return 0, err
		}
	}
	st, err := w.wait()
	if err == nil {
		w.reportEnd(st)
	}
	if p.Loose {
		return st, err
	}
	if err != nil || p.Init || p.DieWithParent {
		cleanUp(c)
	}
	regainTerminal()
	return st, err
}

// lock takes the lock of a directory. Every copy of the descriptor holds it, so
// it lasts as long as sbx or the guard.
func lock(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err {
	case nil, unix.ENOLCK, unix.EOPNOTSUPP: // some network file systems have no locks
		return fd, nil
	default:
		unix.Close(fd)
		return -1, err
	}
}

func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	errors.As(err, &errno)
	return errno
}

// prepare links the program: every offset becomes an address.
func prepare(p *program.Program) (*child, error) {
	if len(p.Insts) == 0 {
		return nil, fmt.Errorf("sbx bug: empty program")
	}
	if len(p.Arena) == 0 {
		p.Arena = make([]byte, 8)
	}
	base := uint64(uintptr(unsafe.Pointer(&p.Arena[0])))
	for _, off := range p.Relocs {
		*(*uint64)(unsafe.Pointer(&p.Arena[off])) += base
	}
	for i := range p.Insts {
		in := &p.Insts[i]
		for k := 0; in.Ptrs>>k != 0; k++ {
			if in.Ptrs&(1<<k) != 0 {
				in.Args[k] += base
			}
		}
	}
	c := &child{
		insts: &p.Insts[0], n: uintptr(len(p.Insts)),
		slots:   &make([]int64, p.Slots+2)[0],
		arena:   &p.Arena[0],
		numbers: &callNumbers[0],
		pipe:    -1, pipeR: -1, gate: -1, gateW: -1, ours: [4]int{-1, -1, -1, -1}, childrenFD: -1,
		guard: p.Guard, init: p.Init, join: p.Join, pty: p.Pty, die: p.DieWithParent,
		apart: p.Plan.NewSession || p.Pty,
		pidNS: p.PIDNS,
		pid1:  p.PIDNS && !p.Init && !p.Guard && p.Plan.Join.PID == nil && p.Plan.Join.User == nil,
		loose: p.Loose,
		all:   ^uint64(0),
		wake:  1 << (unix.SIGCONT - 1),
		death: 1 << (deathSignal - 1),
		keys:  1<<(unix.SIGINT-1) | 1<<(unix.SIGQUIT-1) | 1<<(unix.SIGTSTP-1) | 1<<(unix.SIGHUP-1),
		ppid:  uintptr(os.Getpid()),
		rep:   &report{},
		flags: uintptr(p.Unshare) | uintptr(unix.SIGCHLD),
	}
	copy(c.path[:], "/proc/thread-self/children")
	copy(c.self[:], "/proc/self")
	// By sbx's own name whoever means sbx would kill it at the same time.
	copy(c.name[:], "sandbox-guard")
	if c.init && !c.join {
		copy(c.name[:], "sandbox-init\x00")
	}
	if !p.Init && !p.Copy {
		c.flags |= unix.CLONE_VM | unix.CLONE_VFORK
	}
	if p.Guard {
		if c.flags&unix.CLONE_VFORK != 0 {
			c.flags |= unix.CLONE_SIGHAND // from here on: a guard that sleeps in a vfork
		}
		_, _, nothing, _ := handlers()
		c.nothing = handledBy(nothing, 0)
		c.stack = guardStack[:]
		if len(staying) > 0 {
			c.stack = make([]byte, len(guardStack))
		}
	}
	return c, nil
}
