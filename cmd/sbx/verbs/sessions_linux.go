package verbs

// Sessions, as far as the verbs need them.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sbx/engine/host"
	"sbx/engine/run"
	"sbx/engine/session"
	"sbx/starlark/project"
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

// sessionPlaces returns where sessions are on record.
func sessionPlaces() []string { return session.Places() }

// runSession comes back to a session of the project, or else starts one and follows
// it to its end unless that is to be detached. It returns the exit code.
func runSession(o *runOptions, r *project.Result, f *host.Facts, sources map[string][]byte) int {
	k, err := detachKey(o.detachKey)
	if err != nil {
		complain(err)
		return exitSetup
	}
	quit()
	asked := r.Asked(&o.project, findPlaces())
	if !o.fresh && !o.detach {
		c, err := resume(r, f, asked, len(o.project.Command) > 0)
		if err != nil {
			return sessionFailed(sources, err)
		}
		if c != nil {
			return follow(c, k, r.Dir)
		}
	}
	if !noteBegin(r.Seen, r.Plan) {
		return exitSetup
	}
	made, err := json.Marshal(asked)
	if err != nil {
		complain(err)
		return exitSetup
	}
	attached.Store(true)
	c, err := session.Start(session.Options{Plan: r.Plan, Project: r.Dir, Made: made, Terminal: session.CallerTerminal(), Detached: o.detach})
	if err != nil {
		return sessionFailed(sources, err)
	}
	noteEnd(r.Dir, ownSandbox(), sessionSandbox(c.ID()))
	if o.detach {
		c.Close()
		return out(c.ID() + "\n")
	}
	return follow(c, k, r.Dir)
}

// quit has Ctrl-\ end sbx without a word, as long as it does not belong to the
// session yet: the runtime would print its stacks.
func quit() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGQUIT)
	run.CatchQuit()
	go func() {
		<-c
		if !attached.Load() {
			run.DieBySignal(unix.SIGQUIT)
		}
	}()
}

// attached is set when keys and signals are a session's.
var attached atomic.Bool

// resume attaches to a session of the project that nobody is attached to: to one
// with the same command, and the newest of several. Where none was named, another
// command will do, but another sandbox never. It returns nil where there is none.
func resume(r *project.Result, f *host.Facts, asked []project.Asked, named bool) (*session.Client, error) {
	list, err := session.List()
	if err != nil {
		return nil, err
	}
	command := session.CommandLine(r.Plan, f)
	same := func(i *session.Info) bool { return slices.Equal(i.Command, command) }
	var here []*session.Info
	for i := len(list) - 1; i >= 0; i-- {
		s := &list[i]
		if s.Session && s.Ended == nil && s.Attached == 0 && string(s.Project) == r.Dir && (!named || same(s)) {
			here = append(here, s)
		}
	}
	slices.SortStableFunc(here, func(a, b *session.Info) int {
		switch {
		case same(a) == same(b):
			return 0
		case same(a):
			return -1
		}
		return 1
	})
	var other error
	for _, s := range here {
		if changes := differences(s, asked); changes != nil {
			if other == nil {
				other = misuse(fmt.Sprintf("session %q of this project has another sandbox: %s", s.ID, strings.Join(changes, ", ")),
					fmt.Sprintf("\"sbx attach %s\" comes back to it as it is, --no-reconnect starts another one", s.ID))
			}
			continue
		}
		c, err := session.Open(s.ID, session.CallerTerminal(), true)
		var done *session.Done
		switch {
		case errors.Is(err, session.ErrAttached) || errors.Is(err, session.ErrNone) || errors.As(err, &done):
			continue // meanwhile
		case err != nil:
			return nil, err
		}
		talk("[back in " + s.ID + ", " + age(int64(s.Age().Seconds())) + " old: " + commandText(s.Command) + "; --no-reconnect starts afresh]\n")
		return c, nil
	}
	return nil, other
}

// differences returns how what is asked for is not what a session was made from.
func differences(s *session.Info, asked []project.Asked) []string {
	var made []project.Asked
	if json.Unmarshal(s.Made, &made) != nil || made == nil {
		return []string{"it was started by another version of sbx"}
	}
	return project.Differences(made, asked)
}

// attachSession attaches to a session that runs, or shows how it ended, and
// returns the exit code.
func attachSession(id, key string) int {
	k, err := detachKey(key)
	if err != nil {
		complain(err)
		return exitSetup
	}
	quit()
	c, err := session.Open(id, session.CallerTerminal(), false)
	var done *session.Done
	if errors.As(err, &done) {
		return showEnd(done)
	}
	if err != nil {
		return sessionFailed(nil, err)
	}
	c.Guest = true
	dir := ""
	if s := findSandbox(c.ID()); s != nil {
		dir = string(s.Project)
	}
	return follow(c, k, dir)
}

// showEnd shows what a session that has ended printed last, and returns or does
// what its command did in the end.
func showEnd(d *session.Done) int {
	switch err := d.Last(); {
	case errors.Is(err, unix.EPIPE):
		run.DieBySignal(unix.SIGPIPE)
		return exitSetup
	case err != nil:
		complain(errors.New(couldNot(err)))
		return exitSetup
	}
	noteEnd(string(d.Info.Project), sessionSandbox(d.Info.ID), "")
	end := d.Info.Ended
	how := "by " + unix.SignalName(end.Status.Signal())
	if !end.Status.Signaled() {
		how = "with exit code " + strconv.Itoa(end.Status.ExitStatus())
	}
	talk("[" + d.Info.ID + " ended " + age(int64(time.Since(end.At).Seconds())) + " ago " + how + "]\n")
	return exitCode(end.Status)
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
func follow(c *session.Client, key byte, dir string) int {
	attached.Store(true)
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
	noteEnd(dir, sessionSandbox(c.ID()), "")
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

// findSandbox returns what is on record of a sandbox that runs, or nil.
func findSandbox(id string) *session.Info {
	list, err := session.List()
	if err != nil {
		return nil
	}
	for i := range list {
		if list[i].ID == id && list[i].Ended == nil {
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
	var early *session.Interrupted
	if errors.As(err, &early) {
		run.DieBySignal(early.Signal)
		return 128 + int(early.Signal)
	}
	var done *session.Done
	switch {
	case errors.As(err, &done):
		err = misuse(err.Error(), "sbx attach "+done.Info.ID+" shows what it printed last")
	case errors.Is(err, session.ErrPlace):
		err = misuse(err.Error(), session.PlaceHint)
	case errors.Is(err, session.ErrNone):
		err = misuse(err.Error(), "sbx ps lists those that run")
	}
	complain(err)
	return exitSetup
}

func (c *attachCmd) run() int {
	return attachSession(c.ID, c.DetachKey)
}

func (c *enterCmd) run() int {
	quit()
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
	grace, err := c.grace()
	if err != nil {
		complain(err)
		return exitSetup
	}
	code := 0
	before, _ := session.List()
	for _, id := range c.ID {
		var err error
		if sig != 0 {
			err = session.Signal(id, sig)
		} else {
			err = session.End(id, grace)
		}
		if err != nil {
			code = sessionFailed(nil, err)
		}
	}
	if sig == 0 {
		for i := range before {
			if s := &before[i]; s.Session && findSandbox(s.ID) == nil {
				noteEnd(string(s.Project), sessionSandbox(s.ID), "")
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
	if errors.Is(err, session.ErrPlace) {
		return nil, misuse(err.Error(), session.PlaceHint)
	}
	if err != nil {
		return nil, err
	}
	rows := make([]sandboxRow, len(list))
	for i, u := range session.Measure(list) {
		s := &list[i]
		rows[i] = sandboxRow{
			ID: s.ID, Project: s.Project, Command: s.Command, Started: s.Started, AgeSeconds: int64(s.Age().Seconds()),
			Memory: u.Memory, MemoryKind: u.Kind, Processes: u.Processes, Session: s.Session, Attached: s.Attached,
			Server: s.Server, Leader: s.Leader, Unreachable: s.Ended == nil && !s.Alive(),
		}
		if s.Ended == nil {
			continue
		}
		rows[i].Ended = &s.Ended.At
		if status := s.Ended.Status; status.Signaled() {
			rows[i].Signal = unix.SignalName(status.Signal())
		} else {
			code := status.ExitStatus()
			rows[i].ExitCode = &code
		}
	}
	return rows, nil
}
