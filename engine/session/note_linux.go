package session

// Sandboxes without a session, which run on the terminal of their caller.

import (
	"os"
	"time"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// Note puts a sandbox that this process makes on record, so that List shows it and
// End ends it, until forget is called. That it cannot be is no reason not to run it;
// nor is it done where the user has no runtime directory, since that is in memory,
// and on a disk it would take a good part of the time that a sandbox takes.
func Note(p *plan.Plan, f *host.Facts, project string) (forget func()) {
	if _, runtime := place(os.Geteuid()); !runtime {
		return func() {}
	}
	e, err := newEntry(project)
	if err != nil {
		return func() {}
	}
	pid := os.Getpid()
	info := Info{ID: e.id, Project: plan.Str(project), Command: CommandLine(p, f), Started: time.Now(), Server: pid, Start: StartTime(pid)}
	if err := e.write(&info); err != nil {
		e.remove()
		return func() {}
	}
	return e.remove
}
