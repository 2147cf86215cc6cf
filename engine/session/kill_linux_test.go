package session

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A session that ends before it has answered still has clients to tell how: whoever
// looks after it is not killed for that.
func TestEndUnanswered(t *testing.T) {
	record(t)
	server := exec.Command("sleep", "1000")
	if err := server.Start(); err != nil {
		t.Skip("no sleep: ", err)
	}
	defer server.Process.Kill()
	e, err := newEntry("/x")
	if err != nil {
		t.Fatal(err)
	}
	pid := server.Process.Pid
	if err := e.write(&Info{ID: e.id, Session: true, Leader: pid, Server: pid, Start: StartTime(pid)}); err != nil {
		t.Fatal(err)
	}
	l, err := e.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for { // to TERM it answers, to KILL it does not any more
			conn, err := accept(l)
			if err != nil {
				return
			}
			readFrame(conn, maxRequest)
			_, sigs, _ := readFrame(conn, maxRequest)
			if unix.Signal(sigs[0]) == unix.SIGKILL {
				conn.Close()
				time.Sleep(100 * time.Millisecond)
				e.remove()
				return
			}
			conn.Write(appendFrame(nil, frameDone, nil))
		}
	}()
	if err := End(e.id, 0); err != nil {
		t.Error(err)
	}
	if StartTime(pid) == 0 {
		t.Error("the server was killed")
	}
}

// What comes of a signal does not overtake the answer to who has sent it: both are of
// one moment.
func TestSignalAnswered(t *testing.T) {
	s := newTestServer(t)
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Skip("no sleep: ", err)
	}
	defer cmd.Process.Kill()
	var err error
	if s.leader, err = unix.PidfdOpen(cmd.Process.Pid, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s.leader)
	c := s.dial(t)
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	c.Write(appendJSON(nil, frameHello, hello{Version: version, Want: "signal"}))
	s.mu.Lock()
	for len(s.clients) == 0 {
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
	c.Write(appendFrame(nil, frameSignal, []byte{byte(unix.SIGKILL)}))
	time.Sleep(20 * time.Millisecond)
	early := StartTime(cmd.Process.Pid) == 0
	s.mu.Unlock()
	if kind, _, err := readFrame(c, maxReply); err != nil || kind != frameDone || early {
		t.Errorf("%q, %v; sent before there was an answer: %t", kind, err, early)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not sent")
	}
}
