// Package session runs sandboxes on terminals of their own, which outlive the
// terminal that they were started from.
//
// A session is a process, the server, that holds the controlling side of a
// pseudo-terminal and makes the sandbox, as package run does, with the other side
// as the command's terminal. It listens on a Unix socket for clients: those attach
// their terminals, send signals, or have the namespaces of the sandbox handed over
// to join it. A client that dies, or whose terminal goes away, leaves the session
// as it is. Where the server dies, the sandbox ends.
//
// Several clients may be attached at once. All see the same output and all can
// type; the window has the size of the one that attached or was resized last.
//
// A session is a directory $XDG_RUNTIME_DIR/sbx/ID with the files socket and
// state.json, and a lock on it (flock(2)) that the server holds as long as it
// lives. Whoever lists sessions removes those that nobody locks, unless they have
// ended while nobody was attached: then the state says how, and a file output has
// what was printed last, until somebody has seen it.
package session

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
)

// Info describes a session, or another sandbox that runs.
type Info struct {
	ID      string     `json:"id"`
	Project plan.Str   `json:"project,omitempty"` // absolute path
	Command []plan.Str `json:"command"`
	Started time.Time  `json:"started"`
	// Server is the process that looks after the sandbox, and Start its start time in
	// clock ticks since boot, proc_pid_stat(5).
	Server int    `json:"server"`
	Start  uint64 `json:"server_start"`
	// Leader is the process that became the command, or 0 until it did.
	Leader int `json:"leader,omitempty"`
	// Session: there is a terminal to attach to, and Attached clients are.
	Session  bool `json:"session"`
	Attached int  `json:"attached"`
	// Made is Options.Made.
	Made json.RawMessage `json:"made,omitempty"`
	// Ended, where not nil: the session has ended, and nobody was attached.
	Ended *Ending `json:"ended,omitempty"`
}

// Ending is how a session ended.
type Ending struct {
	At     time.Time       `json:"at"`
	Status unix.WaitStatus `json:"wait_status"` // of the command
}

// Done is the error of those who want something of a session that has ended.
type Done struct{ Info *Info }

// Error says so.
func (d *Done) Error() string { return fmt.Sprintf("session %q has ended", d.Info.ID) }

// Failure is that of a sandbox which could not be made, or whose command could
// not be executed. Code is the exit code that stands for it.
type Failure struct {
	Diags plan.Diagnostics
	Code  int
	cause error // nil where it happened in another process
}

// Error returns the first lines of the diagnostics.
func (f *Failure) Error() string { return f.Diags.Error() }

// Unwrap returns the diagnostics.
func (f *Failure) Unwrap() error { return f.Diags }
