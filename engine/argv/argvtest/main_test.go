//go:build linux

// Package argvtest runs the peers, bubblewrap and mkosi-sandbox, and the front
// ends that take their place on the same command lines, and compares what the
// command sees and what becomes of the host's files.
//
// The peers are found by name, or named by BWRAP_PEER (a program) and
// MKOSI_SANDBOX (sandbox.py of a checkout of mkosi). Random command lines are
// printed with their seed where they differ; SBX_TEST_SEED sets it, ARGV_COUNT how
// many are tried.
//
// As root the host's files are read-only to them, beside the test's own: there are
// command lines by which a peer writes to the host.
package argvtest

import (
	"testing"

	"sbx/engine/enginetest/box"
)

var observer string // the program of that name

func TestMain(m *testing.M) {
	box.Main(m, func() (err error) {
		observer, err = box.Build("./internal/observer", "-ldflags=-E main.entry")
		return err
	})
}
