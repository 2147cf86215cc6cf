package session

// The caller's terminal.

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"sbx/engine/host"
)

// Terminal is what a terminal is like.
type Terminal struct {
	Rows, Cols uint16
	Modes      []byte // struct termios as the kernel has it, or nil
}

// CallerTerminal describes the terminal of this process, or returns nil where none
// of the standard files is one.
func CallerTerminal() *Terminal {
	for _, fd := range []int{1, 0, 2} {
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err != nil {
			continue
		}
		t := &Terminal{Rows: size.Row, Cols: size.Col}
		if t.Rows == 0 || t.Cols == 0 {
			t.Rows, t.Cols = 24, 80
		}
		if modes, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			const kernelTermios = 36 // asm-generic/termbits.h
			t.Modes = append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(modes)), kernelTermios)...)
		}
		return t
	}
	return nil
}

// Interactive reports whether keys can be read from a terminal, and shown on one.
func Interactive() bool { return host.IsTerminal(0) && host.IsTerminal(1) }

// keyboard is the caller's terminal in raw mode, or not a terminal at all.
type keyboard struct {
	mu    sync.Mutex
	saved *unix.Termios // nil: nothing to be restored
	shown modes         // what the programs have made of it
	tty   bool          // output goes to a terminal
	raw   bool          // keys come one by one
	over  bool          // nothing is shown any more
}

// grab puts the terminal into raw mode, if it is one that is looked at, too.
func (k *keyboard) grab() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tty = host.IsTerminal(1)
	if !Interactive() {
		return nil
	}
	old, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return err
	}
	t := *old
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	// Not TCSETSF: what was typed already is for the command.
	if err := unix.IoctlSetTermios(0, unix.TCSETSW, &t); err != nil {
		return err
	}
	if k.saved == nil {
		k.saved = old
	}
	k.raw = true
	return nil
}

// lost reports whether somebody has undone what grab did.
func (k *keyboard) lost() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, err := unix.IoctlGetTermios(0, unix.TCGETS)
	return k.raw && err == nil && (t.Oflag&unix.OPOST != 0 || t.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0)
}

// restore undoes all that was done to the terminal. It may be called at any time,
// and more than once.
func (k *keyboard) restore() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tty {
		if b := k.shown.leave(); len(b) > 0 {
			os.Stdout.Write(b)
		}
		k.shown = modes{}
	}
	if k.saved != nil && k.raw {
		unix.IoctlSetTermios(0, unix.TCSETSW, k.saved)
		k.raw = false
	}
}

// close is restore for good.
func (k *keyboard) close() {
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	k.restore()
}

// show writes output.
func (k *keyboard) show(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return nil
	}
	if k.tty {
		k.shown.feed(b)
	}
	_, err := os.Stdout.Write(b)
	return err
}

// size returns the window's size, or 0, 0.
func (k *keyboard) size() (rows, cols uint16) {
	if t := CallerTerminal(); t != nil {
		return t.Rows, t.Cols
	}
	return 0, 0
}
