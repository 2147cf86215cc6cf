package session

// The server: the process that makes a session's sandbox and serves its clients.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/compile"
	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/rtinit"
	"sbx/engine/run"
	"sbx/engine/validate"
)

// Verb is the word of sbx's command line that makes it a server. It is no verb for
// users: the server takes what it needs from the file descriptors 3 and 4.
const Verb = "session-server"

// request is what a server is to do.
type request struct {
	Plan     *plan.Plan `json:"plan"`
	Project  plan.Str   `json:"project"`
	Rows     uint16     `json:"rows"`
	Cols     uint16     `json:"cols"`
	Modes    []byte     `json:"modes,omitempty"` // struct termios
	Whole    bool       `json:"whole"`
	Detached bool       `json:"detached"`

	Made json.RawMessage `json:"made,omitempty"`
}

// Descriptors that a server is started with.
const (
	requestFD = 3
	clientFD  = 4
)

// stall is how long a client may leave its output unread before it is left behind.
const stall = 10 * time.Second

// stayTime is how often the session looks whether it is still on record.
const stayTime = 2 * time.Second

// maxQueue is how much output waits for a client, in bytes.
const maxQueue = 256 << 10

type server struct {
	info     Info
	entry    *entry
	listener *os.File
	rest     []byte // JSON of what is left of the plan for those who join

	master, slave *os.File
	namespaces    []int
	leader        int           // pidfd of the command
	started       chan struct{} // closed once it is known whether the command started
	failure       error         // why it was not to start, once that is known
	input         chan []byte
	pumped        chan struct{} // closed when the terminal has no more to give
	printing      atomic.Bool
	over          chan struct{} // closed when the sandbox is gone

	mu      sync.Mutex
	changed *sync.Cond
	clients map[*client]bool
	history history
	modes   modes
	running bool // since the command has started
	ended   bool
}

// client is one that is attached, or that has asked for something else.
type client struct {
	conn     *os.File
	whole    bool
	stall    time.Duration // how long it is waited for
	attached bool
	behind   bool   // output is left out until it has taken what waits
	paused   bool   // and after that, too
	out      []byte // frames that wait
	gone     bool
	last     bool // nothing follows what waits
}

// Serve is the server's life. It returns the exit code, which nobody waits for.
func Serve() int {
	rtinit.Punctual()
	conn := newFile(clientFD, "client")
	unix.CloseOnExec(clientFD)
	s := &server{clients: map[*client]bool{}, started: make(chan struct{}), input: make(chan []byte, 16), pumped: make(chan struct{}), over: make(chan struct{}), leader: -1}
	s.changed = sync.NewCond(&s.mu)
	req, err := readRequest()
	if err != nil {
		first := s.add(conn, false, true)
		s.fail(first, err)
		return explain.ExitSetup
	}
	first := s.add(conn, req.Whole, !req.Detached)
	if err := s.run(req); err != nil {
		s.fail(first, err)
		return explain.ExitSetup
	}
	return 0
}

func readRequest() (*request, error) {
	f := os.NewFile(requestFD, "request")
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	req := &request{}
	if err := json.Unmarshal(b, req); err != nil || req.Plan == nil {
		return nil, fmt.Errorf("sbx bug: request to a session: %w", err)
	}
	return req, nil
}

// run makes the sandbox and serves until it has ended.
func (s *server) run(req *request) error {
	p := req.Plan
	f := host.Live(p)
	f.Terminal = true
	l, ds := validate.Check(p, f)
	if err := ds.Err(); err != nil {
		return &Failure{Diags: ds, Code: explain.ExitSetup}
	}
	sock, child, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return err
	}
	withFD(sock, func(fd int) { err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	if err != nil {
		return fmt.Errorf("setsockopt: %w", err)
	}
	prog, err := compile.Compile(p, l, f, compile.Options{Pty: &compile.Pty{
		Sock: child, Ours: []int{rawFD(sock), clientFD}, Rows: req.Rows, Cols: req.Cols, Modes: req.Modes, Namespaces: true,
	}})
	if err != nil {
		return err
	}
	umask := unix.Umask(0o077)
	unix.Umask(umask)
	if s.rest, err = compile.Rest(p, f, uint32(umask)).JSON(); err != nil {
		return err
	}
	if s.entry, err = newEntry(string(req.Project)); err != nil {
		return err
	}
	defer func() { s.entry.remove() }()
	if s.listener, err = s.entry.listen(); err != nil {
		return err
	}
	s.info = Info{
		ID: s.entry.id, Project: req.Project, Started: time.Now(), Session: true,
		Server: os.Getpid(), Start: StartTime(os.Getpid()), Command: CommandLine(p, f), Made: req.Made,
	}
	unix.Chdir("/") // it shall not keep a file system busy
	go s.start(sock)
	go s.listen(s.listener)
	go s.stay()

	run.ResetSignals()
	run.RestoreFileLimit()
	status, err := run.Run(prog)
	s.mu.Lock()
	failure := s.failure
	s.mu.Unlock()
	if failure != nil {
		return failure
	}
	if err != nil {
		d, code := explain.Failure(prog, f, err)
		return &Failure{Diags: plan.Diagnostics{d}, Code: code}
	}
	<-s.started
	s.finish(status)
	return nil
}

// CommandLine is what the plan has executed.
func CommandLine(p *plan.Plan, f *host.Facts) []plan.Str {
	tries := compile.Tries(p, compile.Environment(p, f.Env, "/"), f.Getenv("SHELL"))
	words := make([]plan.Str, len(tries[0].Argv))
	for i, w := range tries[0].Argv {
		words[i] = plan.Str(w)
	}
	return words
}

// start takes the terminal over from the sandbox, and follows the command until it
// has started.
func (s *server) start(sock *os.File) {
	defer close(s.started)
	defer sock.Close()
	// Without an answer the command does not start.
	fail := func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failure = err
	}
	m, err := receive(sock)
	switch {
	case err == io.EOF || err == nil && m.data == '-': // Run knows why
		return
	case err == nil && len(m.fds) < 2:
		err = unix.EMFILE
		fallthrough
	case err != nil:
		fail(fmt.Errorf("terminal of the session: %w", err))
		return
	}
	leader, err := unix.PidfdOpen(m.pid, 0)
	if err == unix.ESRCH { // it has died since
		return
	}
	if err != nil {
		fail(fmt.Errorf("pidfd_open: %w", err))
		return
	}
	s.leader = leader
	s.mu.Lock()
	s.info.Leader = m.pid
	s.master, s.slave = newFile(m.fds[0], "ptmx"), os.NewFile(uintptr(m.fds[1]), "pts")
	s.namespaces = m.fds[2:]
	s.failure = s.record() // one that nobody could find shall not be
	s.mu.Unlock()
	if s.failure != nil {
		return
	}
	if _, err := sock.Write([]byte{'+'}); err != nil {
		return // it has died
	}
	go s.pump()
	go s.keys()
	if _, err := receive(sock); err == nil {
		return // it did not
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	for c := range s.clients {
		c.out = appendJSON(c.out, frameRunning, started{s.info.ID})
	}
	s.changed.Broadcast()
}

// attached returns how many clients are, with the lock held.
func (s *server) attached() int {
	n := 0
	for c := range s.clients {
		if c.attached {
			n++
		}
	}
	return n
}

// record writes the state, with the lock held.
func (s *server) record() error {
	if s.entry == nil || s.info.Leader == 0 || s.ended {
		return nil
	}
	s.info.Attached = s.attached()
	return s.entry.write(&s.info)
}

// pump reads what is printed, until the end.
func (s *server) pump() {
	defer close(s.pumped)
	b := make([]byte, 32<<10)
	for {
		n, err := s.master.Read(b)
		if n > 0 {
			s.printing.Store(true)
			s.print(b[:n])
			s.printing.Store(false)
		}
		if err != nil {
			return
		}
	}
}

// keys writes what is typed.
func (s *server) keys() {
	for {
		select {
		case b := <-s.input:
			s.master.Write(b)
		case <-s.over:
			return
		}
	}
}

// print gives output to all clients. One that does not take it is waited for, but
// not for ever.
func (s *server) print(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history.add(b)
	s.modes.feed(b)
	for c := range s.clients {
		if !c.attached {
			continue
		}
		if len(c.out) > maxQueue && !c.whole && !c.behind {
			end := time.Now().Add(c.stall)
			t := time.AfterFunc(c.stall, s.changed.Broadcast)
			for len(c.out) > maxQueue && !c.gone && !c.behind {
				if !time.Now().Before(end) {
					c.behind = true
				} else {
					s.changed.Wait()
				}
			}
			t.Stop()
		}
		for c.whole && len(c.out) > maxQueue && !c.gone && !c.behind {
			s.changed.Wait()
		}
		if !c.behind && !c.gone {
			c.out = appendFrame(c.out, frameOutput, b)
		}
	}
	s.changed.Broadcast()
}

// show has a client's terminal show what there is, with the lock held.
func (s *server) show(c *client) {
	if b := append(s.modes.enter(), s.history.replay()...); len(b) > 0 {
		c.out = appendFrame(c.out, frameOutput, b)
	}
	c.behind = false
}

// resize gives the window a size, with the lock held.
func (s *server) resize(rows, cols uint16, redraw bool) {
	if s.master != nil {
		setSize(s.master, rows, cols, redraw)
	}
}

// finish hands out the rest of the output and how the command ended. Where there
// is nobody to take it, it stays on record.
func (s *server) finish(status unix.WaitStatus) {
	close(s.over)
	if s.slave != nil {
		s.drain()
	}
	s.mu.Lock()
	s.ended = true
	var last [4]byte
	for i := range last {
		last[i] = byte(uint32(status) >> (8 * i))
	}
	if s.info.Attached = s.attached(); s.info.Attached == 0 && s.running {
		s.info.Ended = &Ending{At: time.Now(), Status: status}
		s.entry.end(&s.info, s.history.replay())
	}
	for c := range s.clients {
		if c.attached {
			c.out = appendFrame(c.out, frameExit, last[:])
		}
		c.last = true
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.entry.remove()
	s.listener.Close()
	s.wait()
}

// stay puts the session on record again when that was removed, as happens to
// all of a user's runtime directory at the last logout.
func (s *server) stay() {
	for {
		select {
		case <-s.over:
			return
		case <-time.After(stayTime):
		}
		s.mu.Lock()
		if !s.ended && s.entry.lost() {
			if e, err := s.entry.again(); err == nil {
				s.listener.Close()
				s.entry.remove()
				s.entry = e
				if s.listener, err = e.listen(); err == nil {
					go s.listen(s.listener)
				}
				s.record()
			}
		} else if !s.ended && s.entry.state < 0 {
			s.record() // there was no space for it
		}
		s.mu.Unlock()
	}
}

// drain waits until the terminal has given all: till nobody has it open any more
// or, where something outlives the command, till it is silent.
func (s *server) drain() {
	s.slave.Close()
	for quiet := 0; quiet < 3; quiet++ {
		select {
		case <-s.pumped:
			return
		case <-time.After(20 * time.Millisecond):
		}
		more := false
		withFD(s.master, func(fd int) {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			unix.Poll(p, 0)
			more = p[0].Revents&unix.POLLIN != 0
		})
		if more || s.printing.Load() {
			quiet = -1
		}
	}
}

// wait returns when all clients have what is theirs.
func (s *server) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.clients) > 0 {
		s.changed.Wait()
	}
}

// fail tells the first client why there is no session.
func (s *server) fail(c *client, err error) {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Diags: plan.Diagnostics{{Msg: err.Error()}}, Code: explain.ExitSetup}
		if errors.Is(err, ErrPlace) {
			f.Diags[0].Hint = PlaceHint
		}
	}
	s.mu.Lock()
	c.out = appendJSON(c.out, frameFailed, failed{f.Diags, f.Code})
	for c := range s.clients {
		c.last = true
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	s.wait()
}
