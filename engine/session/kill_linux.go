package session

// Signals for sandboxes that run.

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Signal sends a signal to the command of a sandbox.
func Signal(id string, sig unix.Signal) error {
	k, err := newKiller(id)
	if err != nil {
		return err
	}
	defer k.close()
	return k.signal(sig)
}

// End ends a sandbox and returns when it has ended: it sends SIGTERM to the command,
// with SIGHUP, which interactive shells obey, and SIGCONT; and after the grace
// SIGKILL. Of one that has ended already it removes what is on record.
func End(id string, grace time.Duration) error {
	k, err := newKiller(id)
	var done *Done
	if errors.As(err, &done) {
		return forget(done.Info)
	}
	if err != nil {
		return err
	}
	defer k.close()
	err = k.signal(unix.SIGTERM, unix.SIGHUP, unix.SIGCONT)
	if err == nil {
		if k.gone(grace) {
			return nil
		}
		err = k.signal(unix.SIGKILL)
	}
	// A session that could not answer may be ending, and has to tell its clients how.
	silent := err != nil && (!k.info.Session || errors.Is(err, errSilent))
	if !silent && k.gone(answerTime) || k.gone(0) {
		return nil
	}
	// Its guard ends the sandbox with whoever looks after it.
	if k.server < 0 {
		return fmt.Errorf("sandbox %q does not end, and the process that looks after it is out of sight", k.info.ID)
	}
	if err := unix.PidfdSendSignal(k.server, unix.SIGKILL, nil, 0); err != nil {
		return os.NewSyscallError("pidfd_send_signal", err)
	}
	if !k.gone(answerTime) {
		return fmt.Errorf("sandbox %q does not end", k.info.ID)
	}
	return nil
}

// killer is the way to a sandbox.
type killer struct {
	info   *Info
	dir    string
	server int // pidfd, or -1 where the process is not to be seen
}

func newKiller(id string) (*killer, error) {
	info, err := running(id)
	if err != nil {
		return nil, err
	}
	k := &killer{info: info, dir: info.dir(), server: -1}
	if fd, err := unix.PidfdOpen(info.Server, 0); err == nil {
		if k.server = fd; !info.Alive() { // another process has its number
			unix.Close(fd)
			k.server = -1
		}
	}
	return k, nil
}

func (k *killer) close() {
	if k.server >= 0 {
		unix.Close(k.server)
	}
}

// answerTime is how long a server may take to do what is asked of it.
const answerTime = 4 * time.Second

// signal sends signals to the command.
func (k *killer) signal(sigs ...unix.Signal) error {
	if !k.info.Session { // sbx passes on what it gets
		if k.server < 0 {
			return fmt.Errorf("sandbox %q: the process that looks after it is out of sight", k.info.ID)
		}
		for _, sig := range sigs {
			if err := unix.PidfdSendSignal(k.server, sig, nil, 0); err != nil {
				return os.NewSyscallError("pidfd_send_signal", err)
			}
		}
		return nil
	}
	c, err := open(k.info.ID, hello{Want: "signal"})
	if err != nil {
		return err
	}
	defer c.Close()
	c.conn.SetDeadline(time.Now().Add(answerTime))
	var list []byte
	for _, sig := range sigs {
		list = append(list, byte(sig))
	}
	c.send(frameSignal, list)
	for {
		kind, _, err := c.next()
		if err != nil || kind == frameDone {
			return err
		}
	}
}

// gone waits until nobody looks after the sandbox any more, and removes what is
// left on record: whoever ends it knows how it ended.
func (k *killer) gone(limit time.Duration) bool {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		if s := look(k.dir); !s.locked {
			os.RemoveAll(k.dir)
			return true
		}
		if !time.Now().Before(end) {
			return false
		}
	}
}
