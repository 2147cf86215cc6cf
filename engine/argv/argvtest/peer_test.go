//go:build linux

package argvtest

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"sbx/engine/enginetest/box"
)

// must be somewhere that an ordinary user can run it.
var bwrapPeer = sync.OnceValues(func() (program, string) {
	name := os.Getenv("BWRAP_PEER")
	if name == "" {
		var err error
		if name, err = exec.LookPath("bwrap"); err != nil {
			return program{}, "bubblewrap is not installed"
		}
	}
	return program{argv: []string{name}, binder: []string{"--ro-bind"}}, ""
})

var mkosiPeer = sync.OnceValues(func() (program, string) {
	name := os.Getenv("MKOSI_SANDBOX")
	if name == "" {
		return program{}, "MKOSI_SANDBOX does not name the sandbox.py of a checkout of mkosi"
	}
	python := "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		if python, err = exec.LookPath("python3"); err != nil {
			return program{}, "mkosi-sandbox needs Python"
		}
	}
	return program{argv: []string{python, name}, binder: []string{"--ro-bind"}}, ""
})

// frontEnd builds cmd/name.
func frontEnd(name string) func() (string, error) {
	return sync.OnceValues(func() (string, error) { return box.Build("sbx/cmd/" + name) })
}

var (
	ourBwrap = frontEnd("bwrap")
	ourMkosi = frontEnd("mkosi-sandbox")
)

// bwrapPair is bubblewrap and ours.
func bwrapPair(t testing.TB) *pair {
	t.Helper()
	p := bwrapSelf(t)
	bin, err := ourBwrap()
	box.Must(t, err)
	p.ours.argv = []string{bin}
	p.deliberate = bwrapDeliberate
	return p
}

// bwrapSelf is bubblewrap twice.
func bwrapSelf(t testing.TB) *pair {
	t.Helper()
	peer, why := bwrapPeer()
	if why != "" {
		t.Skip(why)
	}
	help, _ := exec.Command(peer.argv[0], "--help").CombinedOutput()
	p := &pair{name: "bubblewrap", theirs: peer, ours: peer, knows: func(option string) bool {
		return strings.Contains(string(help), "    "+option+" ")
	}}
	need(t, p)
	return p
}

func mkosiPair(t testing.TB) *pair {
	t.Helper()
	p := mkosiSelf(t)
	bin, err := ourMkosi()
	box.Must(t, err)
	p.ours.argv = []string{bin}
	p.deliberate = mkosiDeliberate
	return p
}

func mkosiSelf(t testing.TB) *pair {
	t.Helper()
	peer, why := mkosiPeer()
	if why != "" {
		t.Skip(why)
	}
	source, err := os.ReadFile(peer.argv[1])
	box.Must(t, err)
	p := &pair{name: "mkosi-sandbox", theirs: peer, ours: peer, knows: func(option string) bool {
		return strings.Contains(string(source), `"`+option+`"`)
	}}
	need(t, p)
	return p
}

// need skips where the peer cannot make a sandbox, unless that is a must.
func need(t testing.TB, p *pair) {
	t.Helper()
	for _, w := range users() {
		o := new(line).run(t, p.theirs, newSite(t, w))
		if o[""] != "observed" || o["exit"] != "0" {
			box.Skip(t, p.name+" makes no sandbox for "+w.name+": "+o[noteKey])
		}
	}
}

// each runs f for each user, in parallel.
func each(t *testing.T, f func(t *testing.T, w who)) {
	t.Helper()
	for _, w := range users() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f(t, w)
		})
	}
}
