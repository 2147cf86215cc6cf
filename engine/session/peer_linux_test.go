package session

import (
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
)

// newTestServer returns a server with a terminal that nobody is on.
func newTestServer(t testing.TB) *server {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	s := &server{clients: map[*client]bool{}, started: make(chan struct{}), input: make(chan []byte, 16), over: make(chan struct{}), pumped: make(chan struct{}), leader: -1}
	s.changed = sync.NewCond(&s.mu)
	s.master = os.NewFile(uintptr(fd), "ptmx")
	if s.rest, err = plan.New().JSON(); err != nil {
		t.Fatal(err)
	}
	close(s.started)
	go s.keys()
	t.Cleanup(func() {
		close(s.over)
		s.master.Close()
	})
	return s
}

// dial connects a client, as a socket does.
func (s *server) dial(t testing.TB) *os.File {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	go s.greet(newFile(fds[0], "client"))
	return newFile(fds[1], "server")
}

// FuzzClient: a client that sends anything is let go or served, and the next one
// finds the server as it was.
func FuzzClient(f *testing.F) {
	attach := appendJSON(nil, frameHello, hello{Version: version, Want: "attach", Rows: 24, Cols: 80})
	f.Add(appendFrame(attach, frameInput, []byte("keys")))
	f.Add(appendFrame(appendFrame(attach, framePause, nil), frameResume, sizeFrame(10, 10)))
	f.Add(appendFrame(appendJSON(nil, frameHello, hello{Version: version, Want: "signal"}), frameSignal, []byte{0, 65, 255}))
	f.Add(appendFrame(appendJSON(nil, frameHello, hello{Version: version, Want: "join"}), frameEOF, nil))
	f.Add(appendJSON(nil, frameHello, hello{Version: 99}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newTestServer(t)
		c := s.dial(t)
		go io.Copy(io.Discard, c)
		c.Write(b)
		// The next one.
		d := s.dial(t)
		defer d.Close()
		d.SetDeadline(time.Now().Add(time.Minute))
		d.Write(attach)
		for {
			kind, _, err := readFrame(d, maxReply)
			if err != nil {
				t.Fatal(err)
			}
			if kind == frameRunning {
				break
			}
		}
		s.print([]byte("printed"))
		for {
			kind, data, err := readFrame(d, maxReply)
			if err != nil {
				t.Fatal(err)
			}
			if kind == frameOutput && string(data) == "printed" {
				break
			}
		}
		c.Close()
	})
}

// A client that does not read is left behind, and shown what there is when it
// reads again.
func TestSlowClients(t *testing.T) {
	s := newTestServer(t)
	hi := appendJSON(nil, frameHello, hello{Version: version, Want: "attach"})
	join := func(n int) *os.File {
		c := s.dial(t)
		c.Write(hi)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			s.mu.Lock()
			in := len(s.clients)
			s.mu.Unlock()
			if in == n {
				return c
			}
			if time.Now().After(deadline) {
				t.Fatal("a client is not let in")
			}
		}
	}
	slow := join(1)
	defer slow.Close()
	s.mu.Lock()
	for c := range s.clients {
		c.stall = 10 * time.Millisecond
	}
	s.mu.Unlock()
	quick := join(2)
	defer quick.Close()
	seen := make(chan string, 100)
	go func() {
		defer close(seen)
		for {
			kind, data, err := readFrame(quick, maxReply)
			if err != nil {
				return
			}
			if kind == frameOutput && len(data) < 100 {
				seen <- string(data)
			}
		}
	}()
	big := make([]byte, 64<<10)
	for i := range big {
		big[i] = 'x'
	}
	for range 64 {
		s.print(big)
	}
	s.print([]byte("\nthe end"))
	for text := range seen {
		if text == "\nthe end" {
			break
		}
	}
	// Now it reads, and has less than all, but the end.
	total, last := 0, []byte(nil)
	slow.SetReadDeadline(time.Now().Add(time.Minute))
	for string(last[max(0, len(last)-7):]) != "the end" {
		kind, data, err := readFrame(slow, maxReply)
		if err != nil {
			t.Fatal(err)
		}
		if kind == frameOutput {
			total += len(data)
			last = data
		}
	}
	if total > 3<<20 {
		t.Errorf("it was sent %d bytes", total)
	}
}

// Who wants to be alone is turned away where somebody is attached, and let in as
// soon as that one has been told that it does not count any more.
func TestAlone(t *testing.T) {
	s := newTestServer(t)
	attach := func(alone bool) (byte, *os.File) {
		t.Helper()
		c := s.dial(t)
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
		c.Write(appendJSON(nil, frameHello, hello{Version: version, Want: "attach", Alone: alone}))
		kind, _, err := readFrame(c, maxReply)
		if err != nil {
			t.Fatal(err)
		}
		return kind, c
	}
	first, c := attach(true)
	busy, _ := attach(true)
	second, d := attach(false)
	if first != frameRunning || busy != frameBusy || second != frameRunning {
		t.Fatalf("%c %c %c", first, busy, second)
	}
	for _, c := range []*os.File{c, d} {
		s.print([]byte("more"))
		c.Write(appendFrame(nil, frameLeave, nil))
		for {
			kind, _, err := readFrame(c, maxReply)
			if err != nil {
				t.Fatal(err)
			}
			if kind == frameLeft {
				break
			}
		}
	}
	if kind, _ := attach(true); kind != frameRunning {
		t.Errorf("%c", kind)
	}
}

// A state has room for what changes in it.
func TestRecord(t *testing.T) {
	record(t)
	e, err := newEntry("/x")
	if err != nil {
		t.Fatal(err)
	}
	info := Info{ID: e.id, Session: true, Leader: 5, Project: "/\xff", Made: []byte(`[1]`), Server: os.Getpid()}
	for _, n := range []int{0, 1, 12345678, 3} {
		info.Attached = n
		if err := e.write(&info); err != nil {
			t.Fatal(err)
		}
		list, err := List()
		if err != nil || len(list) != 1 || list[0].Attached != n || list[0].Project != "/\xff" || string(list[0].Made) != "[1]" {
			t.Fatal(list, err)
		}
	}
	info.Ended = &Ending{At: time.Now(), Status: 7 << 8}
	e.end(&info, []byte("last"))
	e.remove()
	got, err := Lookup(e.id[:2])
	if err != nil || got.Ended == nil || got.Ended.Status.ExitStatus() != 7 {
		t.Fatal(got, err)
	}
	if _, err := Open(e.id, nil, false); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Error(err)
	}
	if err := End(e.id, 0); err != nil {
		t.Error(err)
	}
	if list, err := List(); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}
