package session

// Start: the server, from the side of whoever wants a session.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/run"
)

// Options describe a session to be.
type Options struct {
	Plan    *plan.Plan // valid; it must pass no file descriptors on
	Project string     // absolute path, or empty
	// Made is for whoever finds the session: what its sandbox was made from, as JSON.
	Made json.RawMessage
	// Terminal is what the command's terminal is to be like; nil: 24 rows and 80
	// columns, and the modes of a new one.
	Terminal *Terminal
	// Detached: nobody is going to attach with the client that Start returns.
	Detached bool
}

// Client is a connection to a session.
type Client struct {
	id      string
	conn    *os.File
	pending []byte         // output that was read too early
	sigs    chan os.Signal // what has come before Attach, where that was to be kept

	// Guest is set where the end of what this process reads is not that of the
	// session's input: somebody else's command goes on, and is shown.
	Guest bool
}

// ID returns the session's name.
func (c *Client) ID() string { return c.id }

// Close lets go of the session, which lives on.
func (c *Client) Close() { c.conn.Close() }

// Start starts a session, and returns when its command runs. A *Failure tells why
// there is none. The client counts as attached from the beginning, so that it
// misses nothing, unless it is not to attach at all. A signal that asks for an end is
// one for the session from here on, and an *Interrupted where that has ended by it.
// With SIGHUP the session goes on alone, as it does later.
func Start(o Options) (*Client, error) {
	if err := passes(o.Plan); err != nil {
		return nil, err
	}
	req := request{Plan: o.Plan, Project: plan.Str(o.Project), Made: o.Made, Rows: 24, Cols: 80, Whole: !host.IsTerminal(1), Detached: o.Detached}
	if t := o.Terminal; t != nil {
		req.Rows, req.Cols, req.Modes = t.Rows, t.Cols, t.Modes
	}
	data, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	c := &Client{sigs: make(chan os.Signal, 16)}
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		if !signal.Ignored(sig) { // as the session inherits it
			signal.Notify(c.sigs, sig)
		}
	}
	server, err := c.spawn(data, o.Project)
	if err == nil {
		err = c.starting(server)
		unix.Close(server)
	}
	if err != nil || o.Detached {
		signal.Stop(c.sigs)
	}
	if err != nil {
		if c.conn != nil {
			c.conn.Close()
		}
		return nil, err
	}
	return c, nil
}

// Interrupted is the error of Start where a signal came that has ended the session
// before its command ran.
type Interrupted struct{ Signal unix.Signal }

// Error says so.
func (i *Interrupted) Error() string {
	return "the session was ended by " + unix.SignalName(i.Signal) + " before it had started"
}

// starting waits until the command runs. Signals that ask for an end are passed on
// meanwhile, to the server, which heeds them while it makes the sandbox as sbx does
// everywhere: the caller does not leave a session behind that nobody knows of.
func (c *Client) starting(server int) error {
	var last atomic.Int32
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case s := <-c.sigs:
				last.Store(int32(s.(unix.Signal)))
				unix.PidfdSendSignal(server, s.(unix.Signal), nil, 0)
			case <-stop:
				return
			}
		}
	}()
	err := c.running()
	close(stop)
	<-stopped
	var f *Failure
	if sig := unix.Signal(last.Load()); err != nil && sig != 0 && !errors.As(err, &f) {
		return &Interrupted{sig}
	}
	return err
}

// passes returns the faults of a plan that is not for a session: file descriptors
// would be the server's.
func passes(p *plan.Plan) error {
	var ds plan.Diagnostics
	fault := func(key string, there bool, msg string) {
		if there {
			ds = append(ds, plan.Diagnostic{At: p.Where[key], Op: key, Msg: msg, Hint: "run the command without a terminal of its own"})
		}
	}
	const noFDs = "a session inherits no file descriptors"
	fault("pass_fd", len(p.PassFDs) > 0, noFDs)
	fault("pack_fds", p.PackFDs, noFDs)
	fault("close_fd", len(p.CloseFDs) > 0, noFDs)
	fault("keep_fds", p.KeepFDs, noFDs)
	h, j := &p.Hooks, &p.Join
	fault("hooks", h.Info != nil || h.Status != nil || h.Block != nil || h.UserNSBlock != nil || h.Sync != nil, noFDs)
	fault("join_namespaces", j.User != nil || j.User2 != nil || j.PID != nil, noFDs)
	fault("lifetime", p.Lifetime == plan.LifetimeCommand, "a session ends with all of its sandbox")
	fault("suspend", p.Suspend, "a session waits for its command to start")
	for i := range p.Ops {
		if op := &p.Ops[i]; op.SrcFD != nil {
			ds = append(ds, plan.Diagnostic{At: op.At, Op: string(op.Kind), Msg: noFDs})
		}
	}
	if ds != nil {
		return &Failure{Diags: ds, Code: 125}
	}
	return nil
}

// spawn starts sbx as a server, and returns its pidfd.
func (c *Client) spawn(request []byte, project string) (int, error) {
	mem, err := unix.MemfdCreate("session", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(mem), "request")
	defer f.Close()
	if _, err := f.Write(request); err != nil {
		return 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	defer unix.Close(null)
	ours, theirs, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(theirs)
	argv := []string{"sbx", Verb, strings.ToValidUTF8(filepath.Base(project), "?")}
	n := uintptr(null)
	server := -1
	_, err = syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{n, n, n, uintptr(mem), uintptr(theirs)},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &server},
	})
	if err != nil {
		ours.Close()
		return 0, fmt.Errorf("starting the session's process: %w", err)
	}
	c.conn = ours
	return server, nil
}

// ErrAttached is the error of Open where somebody else is attached.
var ErrAttached = errors.New("a terminal is attached to the session already")

// Open connects to the session with that id, or the only one whose id begins so.
// term is the terminal that will attach; nil where none does. With alone it does so
// only where nobody else is attached.
func Open(id string, term *Terminal, alone bool) (*Client, error) {
	h := hello{Want: "attach", Whole: !host.IsTerminal(1), Alone: alone}
	if term != nil {
		h.Rows, h.Cols = term.Rows, term.Cols
	}
	c, err := open(id, h)
	if err != nil {
		return nil, err
	}
	c.conn.SetReadDeadline(time.Now().Add(answerTime))
	if err := c.running(); err != nil {
		c.Close()
		return nil, late(c.id, err)
	}
	c.conn.SetReadDeadline(time.Time{})
	return c, nil
}

// open connects and says what is wanted.
func open(id string, h hello) (*Client, error) {
	info, err := running(id)
	if err != nil {
		return nil, err
	}
	if !info.Session {
		return nil, fmt.Errorf("sandbox %q is no session: it was started without a terminal of its own", info.ID)
	}
	conn, err := connect(info.dir())
	if err != nil {
		return nil, late(info.ID, err)
	}
	h.Version = version
	conn.Write(appendJSON(nil, frameHello, h)) // where that fails, the answer says why
	return &Client{id: info.ID, conn: conn}, nil
}

// late returns that a session has ended, where it has, or is just about to, and err is
// what becomes of a request that comes then; else err.
func late(id string, err error) error {
	var f *Failure
	var made *run.Failure
	switch {
	case errors.Is(err, errLost), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
	case errors.As(err, &f) && errors.As(f.cause, &made) && made.Errno == unix.ENOMEM: // of clone(2), where the pid namespace is about to end
	default:
		return err
	}
	for end := time.Now().Add(leaveTime); ; time.Sleep(5 * time.Millisecond) {
		_, now := running(id)
		var done *Done
		switch {
		case errors.As(now, &done):
			return now
		case errors.Is(now, ErrNone):
			return fmt.Errorf("session %q has ended", id)
		case time.Now().After(end):
			return err
		}
	}
}

var (
	errLost   = errors.New("the process that looks after the session has died, and the sandbox has ended with it")
	errSilent = errors.New("the process that looks after it does not answer")
)

// running reads until the session says that its command runs.
func (c *Client) running() error {
	for {
		kind, data, err := c.next()
		if err != nil {
			return err
		}
		switch kind {
		case frameExit: // somebody has ended the server while it made the sandbox
			return errLost
		case frameOutput:
			c.pending = append(c.pending, data...)
		case frameRunning:
			var r started
			if err := json.Unmarshal(data, &r); err != nil {
				return errFrame
			}
			c.id = r.ID
			return nil
		}
	}
}

// next reads a frame; an error is also what a session has to say at its end.
func (c *Client) next() (kind byte, data []byte, err error) {
	kind, data, err = readFrame(c.conn, maxReply)
	switch {
	case errors.Is(err, errFrame):
		return 0, nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, nil, fmt.Errorf("session %q: %w", c.id, errSilent)
	case err != nil:
		return 0, nil, errLost
	case kind == frameBusy:
		return 0, nil, ErrAttached
	case kind == frameRefused && string(data) == refusedEnded:
		return 0, nil, errLost
	case kind == frameRefused:
		return 0, nil, fmt.Errorf("session %q: %s", c.id, plan.Printable(string(data)))
	case kind == frameFailed:
		var f failed
		if err := json.Unmarshal(data, &f); err != nil {
			return 0, nil, errFrame
		}
		return 0, nil, &Failure{Diags: f.Diags, Code: f.Code}
	}
	return kind, data, nil
}
