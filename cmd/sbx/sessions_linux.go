package main

// Sessions, as far as the verbs need them.

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
	"sbx/engine/run"
	"sbx/engine/session"
)

// server makes this process a session's server where its arguments say so.
func server(args []string) (int, bool) {
	if len(args) == 0 || args[0] != session.Verb {
		return 0, false
	}
	return session.Serve(), true
}

// interactive reports whether keys can be read from a terminal, and shown on one.
func interactive() bool { return session.Interactive() }

// startSession starts a session with the sandbox of a plan that has no faults, and
// follows it to its end unless that is to be detached. It returns the exit code.
func startSession(p *plan.Plan, sources map[string][]byte, project string, detach bool, key string) int {
	k, err := detachKey(key)
	if err != nil {
		complain(err)
		return exitSetup
	}
	c, err := session.Start(session.Options{Plan: p, Project: project, Terminal: session.CallerTerminal(), Detached: detach})
	if err != nil {
		return sessionFailed(sources, err)
	}
	noteEnd(project, ownSandbox(), sessionSandbox(c.ID()))
	if detach {
		c.Close()
		return out(c.ID() + "\n")
	}
	return follow(c, k, project)
}

// attachSession attaches to a session that runs, and returns the exit code.
func attachSession(id, key string) int {
	k, err := detachKey(key)
	if err != nil {
		complain(err)
		return exitSetup
	}
	c, err := session.Open(id, session.CallerTerminal())
	if err != nil {
		return sessionFailed(nil, err)
	}
	project := ""
	if s := findSandbox(c.ID()); s != nil {
		project = s.Project
	}
	return follow(c, k, project)
}

// findSession returns the name and age of the newest session of a project that
// nobody is attached to, with that command where one is given, or "".
func findSession(project string, command []string) (id string, age time.Duration, err error) {
	list, err := session.List()
	for i := len(list) - 1; i >= 0; i-- {
		s := &list[i]
		if s.Session && s.Project == project && s.Attached == 0 && (len(command) == 0 || slices.Equal(command, s.Command)) {
			return s.ID, s.Age(), nil
		}
	}
	return "", 0, err
}

// detachKey reads --detach-key, for which a variable stands in.
func detachKey(s string) (byte, error) {
	what := "--detach-key"
	if s == "" {
		if s = os.Getenv("SBX_DETACH_KEY"); s != "" {
			what = "$SBX_DETACH_KEY"
		}
	}
	k, err := session.ParseKey(s)
	if err != nil {
		return 0, misuse(what+": "+err.Error(), "")
	}
	return k, nil
}

// follow attaches this terminal until the session, which is one of that project,
// ends or is left.
func follow(c *session.Client, key byte, project string) int {
	o, err := c.Attach(key)
	switch {
	case errors.Is(err, unix.EPIPE):
		run.DieBySignal(unix.SIGPIPE)
		return exitSetup
	case err != nil:
		return sessionFailed(nil, err)
	case o.HungUp:
		run.DieBySignal(unix.SIGHUP)
		return 128 + int(unix.SIGHUP)
	case o.Detached:
		talk("[detached from " + c.ID() + "; sbx attach " + c.ID() + " comes back]\n")
		return 0
	}
	noteEnd(project, sessionSandbox(c.ID()), "")
	return exitCode(o.Status)
}

// ownSandbox is what a sandbox that ends with this process is noted as.
func ownSandbox() string { return processSandbox(os.Getpid()) }

func processSandbox(pid int) string {
	return "process " + strconv.Itoa(pid) + " " + strconv.FormatUint(session.StartTime(pid), 10)
}

// sessionSandbox is what a session is noted as.
func sessionSandbox(id string) string { return "session " + id }

// sandboxRuns reports whether a sandbox that was noted runs.
func sandboxRuns(name string) bool {
	kind, rest, _ := strings.Cut(name, " ")
	if kind == "session" {
		return findSandbox(rest) != nil
	}
	number, _, _ := strings.Cut(rest, " ")
	pid, err := strconv.Atoi(number)
	return err == nil && session.StartTime(pid) != 0 && processSandbox(pid) == name
}

// findSandbox returns what is on record of a sandbox, or nil.
func findSandbox(id string) *session.Info {
	list, err := session.List()
	if err != nil {
		return nil
	}
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

// sessionFailed tells why there is no session, or none any more.
func sessionFailed(sources map[string][]byte, err error) int {
	var f *session.Failure
	if errors.As(err, &f) {
		report(sources, f.Diags...)
		return f.Code
	}
	if errors.Is(err, session.ErrNone) {
		err = misuse(err.Error(), "sbx ps lists those that run")
	}
	complain(err)
	return exitSetup
}

func (c *attachCmd) run() int { return attachSession(c.ID, c.DetachKey) }

func (c *enterCmd) run() int {
	o, err := session.Enter(c.ID, c.Command, session.Interactive())
	switch {
	case err != nil:
		return sessionFailed(nil, err)
	case o.HungUp:
		run.DieBySignal(unix.SIGHUP)
		return 128 + int(unix.SIGHUP)
	}
	return exitCode(o.Status)
}

func (c *killCmd) run() int {
	var sig unix.Signal
	if c.Signal != "" {
		var err error
		if sig, err = signalNumber(c.Signal); err != nil {
			complain(err)
			return exitSetup
		}
	}
	if c.Grace < 0 || c.Grace > 1e6 {
		complain(misuse("--grace is a number of seconds, 0 or more", ""))
		return exitSetup
	}
	code := 0
	before, _ := session.List()
	for _, id := range c.ID {
		var err error
		if sig != 0 {
			err = session.Signal(id, sig)
		} else {
			err = session.End(id, time.Duration(c.Grace*float64(time.Second)))
		}
		if err != nil {
			code = sessionFailed(nil, err)
		}
	}
	if sig == 0 {
		for i := range before {
			if s := &before[i]; s.Session && findSandbox(s.ID) == nil {
				noteEnd(s.Project, sessionSandbox(s.ID), "")
			}
		}
	}
	return code
}

// signalNumber reads a signal: TERM, SIGTERM, sigterm or 15.
func signalNumber(s string) (unix.Signal, error) {
	name := strings.ToUpper(s)
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= 64 {
		return unix.Signal(n), nil
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, misuse(fmt.Sprintf("--signal: there is no signal %q", s), "TERM, INT, HUP, USR1, … or a number from 1 to 64")
}

// sandboxes returns what runs.
func sandboxes() ([]sandboxRow, error) {
	list, err := session.List()
	if err != nil {
		return nil, err
	}
	rows := make([]sandboxRow, len(list))
	for i, u := range session.Measure(list) {
		s := &list[i]
		rows[i] = sandboxRow{
			ID: s.ID, Project: s.Project, Command: s.Command, Started: s.Started, AgeSeconds: int64(s.Age().Seconds()),
			Memory: u.Memory, MemoryKind: u.Kind, Processes: u.Processes, Session: s.Session, Attached: s.Attached,
			Server: s.Server, Leader: s.Leader, Unreachable: !s.Alive(),
		}
	}
	return rows, nil
}
