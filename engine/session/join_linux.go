package session

// Enter: a new process in a running sandbox, from the side of the caller.

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/compile"
	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/rtinit"
	"sbx/engine/run"
)

// Enter runs a command in a running sandbox, with the confinement of the
// sandbox's own command: its namespaces, capabilities, filters, limits, working
// directory and environment, but for TERM and COLORTERM of the caller. Without a command
// it is $SHELL, or else bash. With pty the command has a terminal of its own in the
// sandbox, which ends with the caller's; else it has the caller's standard files.
//
// What the command leaves running goes on in a sandbox with a pid namespace, and
// ends with the command in one without. When the sandbox ends, so does the command.
func Enter(id string, command []string, pty bool) (Outcome, error) {
	c, err := open(id, hello{Want: "join"})
	if err != nil {
		return Outcome{}, err
	}
	defer c.Close()
	p, namespaces, err := c.join()
	if err != nil {
		return Outcome{}, late(c.id, err)
	}
	for _, arg := range command {
		p.Command = append(p.Command, plan.Str(arg))
	}
	for _, name := range []string{"TERM", "COLORTERM"} {
		there := slices.ContainsFunc(p.Env, func(e plan.EnvOp) bool { return string(e.Name) == name })
		if v, ok := os.LookupEnv(name); ok && (there || pty) {
			p.Env = append(p.Env, plan.EnvOp{Kind: plan.SetEnv, Name: plan.Str(name), Value: plan.Str(v)})
		}
	}
	go func() { // it says nothing more, and ends when the sandbox does
		io.Copy(io.Discard, c.conn)
		for ; ; time.Sleep(10 * time.Millisecond) { // it may be about to start
			run.Signal(unix.SIGKILL)
		}
	}()
	m := &member{plan: p, facts: host.Live(p), namespaces: namespaces}
	var o Outcome
	if pty {
		o, err = m.onPty()
	} else {
		o.Status, err = m.run(compile.Options{})
	}
	return o, late(c.id, err)
}

// join reads what it takes to join.
func (c *Client) join() (*plan.Plan, []compile.Namespace, error) {
	c.conn.SetReadDeadline(time.Now().Add(answerTime))
	defer c.conn.SetReadDeadline(time.Time{})
	var p *plan.Plan
	for p == nil {
		kind, data, err := c.next()
		if err != nil {
			return nil, nil, err
		}
		if kind != frameJoin {
			continue
		}
		if p, err = plan.Read(data, "session"); err != nil {
			return nil, nil, err
		}
	}
	m, err := receive(c.conn)
	if err != nil {
		return nil, nil, errLost
	}
	var list []compile.Namespace
	for _, fd := range m.fds {
		kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
		if err != nil {
			return nil, nil, os.NewSyscallError("NS_GET_NSTYPE", err)
		}
		list = append(list, compile.Namespace{FD: fd, Type: uint64(kind)})
	}
	return p, list, nil
}

// member is a process that joins.
type member struct {
	plan       *plan.Plan
	facts      *host.Facts
	namespaces []compile.Namespace
}

func (m *member) run(o compile.Options) (unix.WaitStatus, error) {
	prog, err := compile.Join(m.plan, m.facts, m.namespaces, o)
	if err != nil {
		return 0, err
	}
	run.RestoreFileLimit()
	status, err := run.Run(prog)
	if err != nil {
		d, code := explain.Failure(prog, m.facts, err)
		return 0, &Failure{Diags: plan.Diagnostics{d}, Code: code, cause: err}
	}
	return status, nil
}

// onPty runs the command on a terminal of its own.
func (m *member) onPty() (Outcome, error) {
	rtinit.Punctual()
	sock, child, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return Outcome{}, err
	}
	o := compile.Options{Pty: &compile.Pty{Sock: child, Ours: []int{rawFD(sock)}, Rows: 24, Cols: 80}}
	if t := CallerTerminal(); t != nil {
		o.Pty.Rows, o.Pty.Cols, o.Pty.Modes = t.Rows, t.Cols, t.Modes
	}
	done := make(chan Outcome, 1)
	failed := make(chan error, 2)
	ended := make(chan struct{}) // with the command
	pumped := make(chan struct{})
	go func() {
		status, err := m.run(o)
		close(ended)
		if err != nil {
			failed <- err
			return
		}
		select {
		case <-pumped:
		case <-time.After(200 * time.Millisecond): // something else keeps the terminal
		}
		done <- Outcome{Status: status}
	}()
	// How it ended before there was a terminal: by a fault, or by a signal.
	early := func() (Outcome, error) {
		close(pumped)
		select {
		case o := <-done:
			return o, nil
		case err := <-failed:
			return Outcome{}, err
		}
	}
	msg, err := receive(sock)
	if err != nil || len(msg.fds) < 2 {
		sock.Close() // without an answer the command does not start
		return early()
	}
	unix.Close(msg.fds[1])
	far := &ptyFar{master: newFile(msg.fds[0], "ptmx"), ended: ended}
	sock.Write([]byte{'+'})
	if _, err := receive(sock); err == nil {
		return early()
	}
	sock.Close()
	go far.keys()
	k := &keyboard{}
	receive := func() {
		defer close(pumped)
		b := make([]byte, 32<<10)
		for {
			n, err := far.master.Read(b)
			if n > 0 {
				if err := k.show(b[:n]); err != nil {
					failed <- err
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	out, err := k.interact(far, nil, 0, receive, done, failed)
	if out.HungUp {
		far.master.Close() // hangs the command's terminal up, too
		select {
		case <-ended:
		case <-time.After(time.Second): // the rest ends with this process
		}
	}
	return out, err
}

// ptyFar is a terminal whose controlling side this process has.
type ptyFar struct {
	master *os.File
	ended  <-chan struct{}
	mu     sync.Mutex
	more   sync.Cond
	queue  []byte
}

func (t *ptyFar) input(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append(t.queue, b...)
	if t.more.L != nil {
		t.more.Signal()
	}
}

// keys writes what is typed; the terminal may take it late.
func (t *ptyFar) keys() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.more.L = &t.mu
	for {
		for len(t.queue) == 0 {
			t.more.Wait()
		}
		b := t.queue
		t.queue = nil
		t.mu.Unlock()
		_, err := t.master.Write(b)
		t.mu.Lock()
		if errors.Is(err, os.ErrClosed) {
			return
		}
	}
}

func (t *ptyFar) eof()                     { t.input([]byte{4}) }
func (t *ptyFar) resize(rows, cols uint16) { setSize(t.master, rows, cols, false) }
func (t *ptyFar) pause()                   {}
func (t *ptyFar) resume(rows, cols uint16) { setSize(t.master, rows, cols, true) }
func (t *ptyFar) signal(sig unix.Signal)   { run.Signal(sig) }

// setSize gives a terminal a size. Where it has that already and is to draw anew,
// full-screen programs are told all the same.
func setSize(master *os.File, rows, cols uint16, redraw bool) {
	if rows == 0 || cols == 0 {
		return
	}
	withFD(master, func(fd int) {
		old, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil && (old.Row != rows || old.Col != cols) {
			unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
		} else if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); redraw && err == nil && group > 1 {
			unix.Kill(-group, unix.SIGWINCH)
		}
	})
}
