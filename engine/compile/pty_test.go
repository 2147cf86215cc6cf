package compile_test

import (
	"slices"
	"testing"

	"sbx/engine/compile"
	"sbx/engine/compile/compiletest"
	"sbx/engine/host"
	"sbx/engine/plan"
)

func ptyOptions() compile.Options {
	return compile.Options{Pty: &compile.Pty{Sock: 9, Ours: []int{8}, Rows: 24, Cols: 80, Modes: make([]byte, 36), Namespaces: true}}
}

// A terminal of the command's own: of the sandbox's /dev/pts, or of the host's.
func TestPty(t *testing.T) {
	p, f := plan.New(), goldenHost()
	p.Ops = []plan.Op{{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}, {Kind: plan.Dev, Dst: "/dev"}}
	p.Unshare = plan.Namespaces{PID: true, Net: true, Time: true}
	p.Command = []plan.Str{"/usr/bin/sh"}
	prog := compiled(t, p, f, ptyOptions())
	for _, err := range compiletest.Verify(prog, f) {
		t.Error(err)
	}
	same(t, prog, "pty")
	if !prog.Pty || !slices.Equal(prog.Ours, []int{8}) || prog.Become || len(prog.CloseFDs) != 1 || prog.CloseFDs[0] != 9 {
		t.Errorf("pty %v become %v close %v", prog.Pty, prog.Become, prog.CloseFDs)
	}

	p.Ops, p.Unshare = p.Ops[:1], plan.Namespaces{}
	p.DieWithParent = false
	prog = compiled(t, p, f, ptyOptions())
	for _, err := range compiletest.Verify(prog, f) {
		t.Error(err)
	}
	same(t, prog, "pty-host")
}

// Joining: what is left of a plan, and the program that it becomes.
func TestJoin(t *testing.T) {
	p, f := plan.New(), goldenHost()
	p.Ops = []plan.Op{{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}}
	p.Unshare.PID, p.Identity.Root, p.SuppressSync, p.Dir = true, true, true, "/usr"
	p.Command = []plan.Str{"make"}
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: "b=c"}, {Kind: plan.UnsetEnv, Name: "SECRET"}}
	p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_NOFILE", Soft: 10, Hard: 20}}
	f.Env = []string{"SECRET=1", "PATH=/usr/bin", "SHELL=/usr/bin/sh", "PWD=/old", "odd"}
	rest := compile.Rest(p, f, 0o027)
	b, err := rest.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if rest, err = plan.Read(b, "p.json"); err != nil {
		t.Fatal(err)
	}
	if len(rest.Ops) != 0 || len(rest.Command) != 0 || *rest.Umask != 0o027 {
		t.Errorf("%s", b)
	}
	env := compile.Environment(rest, []string{"OTHER=x", "SECRET=2"}, "/usr")
	if len(env) != 4 || env[0] != "PATH=/usr/bin" || env[2] != "PWD=/usr" || env[3] != "A=b=c" {
		t.Errorf("%q", env)
	}
	list := []compile.Namespace{{FD: 5, Type: 0x20000}, {FD: 6, Type: 0x20000000}, {FD: 7, Type: 0x10000000}}
	o := ptyOptions()
	o.Pty.Namespaces = false
	prog, err := compile.Join(rest, &host.Facts{Arch: "amd64"}, list, o)
	if err != nil {
		t.Fatal(err)
	}
	same(t, prog, "join")
	if !prog.Join || !prog.Pty || !slices.Equal(prog.Ours, []int{8}) || !prog.Init || !prog.DieWithParent || prog.Unshare != 0 || prog.Guard || prog.Become {
		t.Errorf("%+v", prog)
	}
}
