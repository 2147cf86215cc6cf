package main

// What a verb needs of Linux: the facts of this host, and a sandbox on it.

import (
	"time"

	"sbx/engine/explain"
	"sbx/engine/host"
	"sbx/engine/program"
	"sbx/engine/run"
)

// hostFacts returns the facts of this host.
func hostFacts() (*host.Facts, error) { return host.Live(), nil }

// perform runs the program and returns the exit code, or ends sbx by the signal
// that ended the command.
func perform(prog *program.Program, f *host.Facts, sources map[string][]byte) int {
	status, err := run.Run(prog)
	if err != nil {
		d, code := explain.Failure(prog, f, err)
		report(sources, d)
		return code
	}
	if status.Signaled() {
		sig := status.Signal()
		run.DieBySignal(sig)
		time.Sleep(time.Second) // another thread may be the one to take it
		return 128 + int(sig)
	}
	return status.ExitStatus()
}
