package session

// Attach: the caller's terminal, and the session's on it.

import (
	"encoding/binary"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/host"
	"sbx/engine/rtinit"
)

// Outcome is how a client came out of a session.
type Outcome struct {
	Detached bool            // the session lives on
	HungUp   bool            // since the caller's terminal went away
	Status   unix.WaitStatus // of the command, where it has ended
}

// far is the other side of a keyboard: a session, or a process in a sandbox.
type far interface {
	input(b []byte)
	eof()
	resize(rows, cols uint16)
	pause()
	resume(rows, cols uint16)
	signal(sig unix.Signal)
}

func (c *Client) input(b []byte) {
	for len(b) > 0 {
		n := min(len(b), maxRequest)
		c.send(frameInput, b[:n])
		b = b[n:]
	}
}
func (c *Client) resize(rows, cols uint16) { c.send(frameSize, sizeFrame(rows, cols)) }
func (c *Client) pause()                   { c.send(framePause, nil) }
func (c *Client) resume(rows, cols uint16) { c.send(frameResume, sizeFrame(rows, cols)) }
func (c *Client) signal(sig unix.Signal)   { c.send(frameSignal, []byte{byte(sig)}) }

func (c *Client) eof() {
	if !c.Guest {
		c.send(frameEOF, nil)
	}
}

// send writes a frame. Where that fails the reader learns of it, too.
func (c *Client) send(kind byte, data []byte) { c.conn.Write(appendFrame(nil, kind, data)) }

// hangUp tells the command that its terminal is gone, whatever else it prints. It
// returns when the command has been told and has ended, or has had some time to.
func (c *Client) hangUp() {
	c.conn.SetReadDeadline(time.Now().Add(answerTime))
	c.signal(unix.SIGHUP)
	for {
		switch kind, _, err := c.next(); {
		case err != nil || kind == frameExit:
			return
		case kind == frameDone:
			c.conn.SetReadDeadline(time.Now().Add(leaveTime))
		}
	}
}

// leaveTime is how long a client waits for the session to know that it goes.
const leaveTime = time.Second

// holdTime is how long a first press of the key that detaches is kept back.
const holdTime = 500 * time.Millisecond

// Attach connects this process's terminal, or whatever its standard files are, to
// the session, until the command ends or the key is pressed twice; see ParseKey.
// The key counts only where it comes from a terminal. When the caller's
// terminal goes away the session lives on. SIGTERM, SIGUSR1 and SIGUSR2 are passed
// on to the command, and SIGINT and SIGQUIT as the keys that they stand for.
func (c *Client) Attach(key byte) (Outcome, error) {
	rtinit.Punctual()
	defer c.Close()
	k := &keyboard{}
	done := make(chan Outcome, 1)
	failed := make(chan error, 1)
	left := make(chan struct{})
	receive := func() {
		defer close(left)
		shown := func(b []byte) bool {
			err := k.show(b)
			if err == nil {
				return true
			}
			if !k.tty {
				// Nobody reads what the command prints. Where that is no terminal that
				// went away, it is for the command to know.
				c.hangUp()
			}
			failed <- err
			return false
		}
		if !shown(c.pending) {
			return
		}
		for {
			kind, data, err := c.next()
			switch {
			case err != nil:
				failed <- err
				return
			case kind == frameExit && len(data) == 4:
				done <- Outcome{Status: unix.WaitStatus(binary.LittleEndian.Uint32(data))}
				return
			case kind == frameLeft:
				return
			case kind == frameOutput:
				if !shown(data) {
					return
				}
			}
		}
	}
	o, err := k.interact(c, c.sigs, key, receive, done, failed)
	if o.Detached {
		// Whoever looks for a session that nobody is attached to shall find this one.
		c.send(frameLeave, nil)
		select {
		case <-left:
		case <-time.After(leaveTime):
		}
	}
	return o, err
}

// interact passes keys, sizes and signals on until done or failed says so. In sigs,
// unless nil, are signals that have come already.
func (k *keyboard) interact(f far, sigs chan os.Signal, key byte, receive func(), done <-chan Outcome, failed <-chan error) (Outcome, error) {
	if sigs == nil {
		sigs = make(chan os.Signal, 16)
	}
	signal.Notify(sigs, unix.SIGWINCH, unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGCONT, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGPIPE) // so that a write to a closed stdout returns
	defer signal.Stop(sigs)
	if err := k.grab(); err != nil {
		return Outcome{}, err
	}
	defer k.close()
	rescued := func(f func()) func() {
		return func() {
			defer func() {
				if v := recover(); v != nil {
					k.restore()
					os.Stderr.Write(debug.Stack())
					panic(v)
				}
			}()
			f()
		}
	}
	typed := make(chan []byte)
	go rescued(receive)()
	go rescued(func() { read(typed) })()
	d := detector{key: key}
	if !k.raw {
		d.key = 0
	}
	var hold <-chan time.Time
	newline := true
	slept := false // and a SIGCONT is to come
	for {
		select {
		case b, ok := <-typed:
			switch {
			case !ok && k.raw: // the terminal is gone
				return Outcome{Detached: true, HungUp: true}, nil
			case !ok:
				typed = nil
				if !newline {
					f.eof() // the first one ends the line
				}
				f.eof()
				continue
			}
			pass, detach := d.feed(b)
			if len(pass) > 0 {
				newline = pass[len(pass)-1] == '\n'
				f.input(pass)
			}
			if detach {
				return Outcome{Detached: true}, nil
			}
			hold = nil
			if len(d.held) > 0 {
				hold = time.After(holdTime)
			}
		case <-hold:
			f.input(d.release())
		case s := <-sigs:
			switch sig := s.(syscall.Signal); {
			case sig == unix.SIGWINCH:
				if rows, cols := k.size(); rows > 0 {
					f.resize(rows, cols)
				}
			case sig == unix.SIGHUP:
				return Outcome{Detached: true, HungUp: true}, nil
			case sig == unix.SIGTSTP:
				f.pause()
				k.restore()
				slept = true
				stop()
				if err := k.grab(); err != nil {
					return Outcome{Detached: true}, err
				}
				f.resume(k.size())
			case sig == unix.SIGCONT && slept && !k.lost(): // else it is that of another stop as well
				slept = false
			case sig == unix.SIGCONT && k.raw:
				// It may have been a SIGSTOP, and whoever had the terminal meanwhile has
				// made it what they want.
				slept = false
				if err := k.grab(); err != nil {
					return Outcome{Detached: true}, err
				}
				f.resume(k.size())
			case sig == unix.SIGPIPE, sig == unix.SIGCONT:
			case sig == unix.SIGINT && !k.raw:
				f.input([]byte{3})
			case sig == unix.SIGQUIT && !k.raw:
				f.input([]byte{0x1c})
			default:
				f.signal(sig)
			}
		case o := <-done:
			return o, nil
		case err := <-failed:
			if k.tty && errors.Is(err, unix.EIO) { // SIGHUP is on its way, too
				return Outcome{Detached: true, HungUp: true}, nil
			}
			return Outcome{}, err
		}
	}
}

// stop stops this process. It returns when that is continued, which the stop of
// the whole process would not wait for.
func stop() {
	runtime.LockOSThread()
	unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
	runtime.UnlockOSThread()
}

// read reads what is typed, and closes the channel at the end.
func read(typed chan<- []byte) {
	defer close(typed)
	for {
		b := make([]byte, 4096)
		n, err := os.Stdin.Read(b)
		if n > 0 {
			typed <- b[:n]
		}
		if err != nil {
			return
		}
	}
}

// Last shows what a session that has ended printed last, and takes it off the
// record.
func (d *Done) Last() error {
	b, err := os.ReadFile(filepath.Join(d.Info.dir(), outputFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	k := &keyboard{tty: host.IsTerminal(1)}
	err = k.show(b)
	k.close()
	if err != nil {
		return err
	}
	return forget(d.Info)
}
