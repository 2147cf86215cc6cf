//go:build !linux

package verbs

// sbx builds elsewhere for the sake of editors and `sbx help`.

import (
	"errors"
	"os"

	"sbx/engine/host"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/starlark/project"
)

var errLinux = errors.New("sbx makes sandboxes on Linux only")

func hostFacts(*plan.Plan) (*host.Facts, error) { return nil, errLinux }

func perform(*program.Program, *host.Facts, map[string][]byte) int {
	complain(errLinux)
	return exitSetup
}

func quitPlainly() {}

func server([]string) (int, bool) { return 0, false }

func interactive() bool { return false }

func runSession(*runOptions, *project.Result, *host.Facts, map[string][]byte) int { return onLinux() }

func sessionPlaces() []string { return nil }

func sandboxes() ([]sandboxRow, error) { return nil, errLinux }

func (*attachCmd) run() int { return onLinux() }

func (*enterCmd) run() int { return onLinux() }

func (*killCmd) run() int { return onLinux() }

func onLinux() int {
	complain(errLinux)
	return exitSetup
}

func performNoted(p *program.Program, f *host.Facts, sources map[string][]byte, _ string) int {
	return perform(p, f, sources)
}

func colored(*os.File) bool { return false }

func isTerminal(*os.File) bool { return false }

func columns(*os.File) int { return 0 }

func enoughFiles() error { return nil }

func ownSandbox() string { return "" }

func sandboxRuns(string) bool { return false }
