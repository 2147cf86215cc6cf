package bwrap_test

// The laws of Print: what it prints is taken, and says what the plan does.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"sbx/engine/argv/bwrap"
	"sbx/engine/compile/compiletest"
	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// again reads what Print printed.
func again(argv []string, inputs []bwrap.Input) (*plan.Plan, error) {
	l, err := bwrap.Parse(argv, bwrap.Options{Dir: "/elsewhere", Read: func(fd int) ([]byte, error) {
		for _, in := range inputs {
			if in.FD == fd {
				return in.Data, nil
			}
		}
		return nil, errors.New("no such descriptor")
	}})
	if err == nil {
		err = l.Check(1000, 1000)
	}
	if err != nil {
		return nil, err
	}
	return l.Plan, nil
}

// TestPrintedSettings has each setting that is not named come back by the command
// line, changed one by one from what sbx has, and from what bubblewrap has.
func TestPrintedSettings(t *testing.T) {
	theirs := plan.Differ(*plan.New(), *bwrap.New()) // whatever the plan says
	n := 0
	check := func(name string, p *plan.Plan) {
		argv, inputs, lost := bwrap.Print(p)
		if lost.HasErrors() {
			return
		}
		q, err := again(argv, inputs)
		if err != nil {
			t.Errorf("%s: %q: %v", name, argv, err)
			return
		}
		n++
		if once, _, _ := bwrap.Print(q); !slices.Equal(once, argv) {
			t.Errorf("%s: %q\nprinted once more: %q", name, argv, once)
		}
		for _, field := range plan.Differ(*p, *q) {
			switch {
			case field == "ops", field == "where", field == "env":
			case field == "init" && !p.Unshare.PID: // of no consequence
			case field == "chdir" && p.Dir == "" && q.Dir == "/": // the same
			case strings.HasPrefix(field, "capabilities."): // TestPrintedCaps
			case field == "unshare.user" && q.Unshare.User: // one that is new in any case
			case slices.Contains(theirs, field) && slices.Contains(plan.Differ(*q, *plan.New()), field) && !slices.Contains(plan.Differ(*p, *plan.New()), field):
			case slices.ContainsFunc(lost, func(d plan.Diagnostic) bool { return d.Op == p.Calls(field)[0].Name }):
			case field == "identity.root", field == "identity.uid", field == "identity.gid":
				if p.Identity.Root && (q.Identity.UID == nil || *q.Identity.UID != 0 || q.Identity.GID == nil || *q.Identity.GID != 0) {
					t.Errorf("%s: %q: ids %v", name, argv, q.Identity)
				}
			case field == "filters":
				if len(p.Filters) != len(q.Filters) || p.Filters[0].Code != q.Filters[0].Code {
					t.Errorf("%s: %q: filters %v", name, argv, q.Filters)
				}
			case field == "hooks.lock_files":
				if len(p.Hooks.Locks) != len(q.Hooks.Locks) || p.Hooks.Locks[0].Path != q.Hooks.Locks[0].Path {
					t.Errorf("%s: %q: locks %v", name, argv, q.Hooks)
				}
			case field == "pass_fds": // all are
			default:
				t.Errorf("%s: %s is another", name, field)
			}
		}
	}
	// What bubblewrap takes only with something else is made beside all that.
	others := map[string]func(*plan.Plan){
		"":                  func(*plan.Plan) {},
		"join":              func(p *plan.Plan) { p.Join.User = plan.IntPtr(7) },
		"disable_userns":    func(p *plan.Plan) { p.NoUserNS = true },
		"try":               func(p *plan.Plan) { p.Unshare.UserTry = true },
		"user":              func(p *plan.Plan) { p.Unshare.User = true },
		"info":              func(p *plan.Plan) { p.Hooks.Info = plan.IntPtr(8) },
		"root and net":      func(p *plan.Plan) { p.Identity.Root, p.Unshare.Net = true, true },
		"no init":           func(p *plan.Plan) { p.Init = false },
		"bubblewrap's life": func(p *plan.Plan) { p.Lifetime, p.DieWithParent = plan.LifetimeCommand, false },
	}
	for what, also := range others {
		compiletest.Changes(func(name string, p *plan.Plan) {
			p.Ops = slices.DeleteFunc(p.Ops, func(o plan.Op) bool { return o.Kind == plan.Mask || o.Kind == plan.Copy }) // always named
			if !strings.HasPrefix(name, "Argv0") {
				also(p)
			}
			check(what+" + "+name, p)
		})
	}
	t.Logf("%d command lines", n)
	if n < 400 {
		t.Error("too few")
	}
}

// dirModes are the modes of the directories that a plan makes, by path.
func dirModes(l *layout.Layout) map[string]plan.Mode {
	modes := map[string]plan.Mode{}
	made := func(path string, m *plan.Mode, usual plan.Mode) {
		if m != nil {
			usual = *m
		}
		if _, there := modes[path]; !there {
			modes[path] = usual
		}
	}
	for _, s := range l.Steps {
		for _, dir := range s.Target.Make {
			made(dir, s.Op.ParentMode, 0o755)
		}
		usual := plan.Mode(0o755)
		if strings.HasSuffix(s.Target.Path, "/tmp") {
			usual = 0o1777
		}
		switch s.Op.Kind {
		case plan.Mkdir:
			if !s.Done {
				made(s.Target.Path, s.Op.Mode, usual)
			}
		case plan.Chmod:
			if _, ours := modes[s.Target.Path]; ours {
				modes[s.Target.Path] = *s.Op.Mode
			}
		case plan.Tmpfs:
			delete(modes, s.Target.Path)
			made(s.Target.Path, s.Op.Mode, usual)
		default: // what is below cannot be seen
			delete(modes, s.Target.Path)
		}
	}
	return modes
}

func list(p *plan.Plan) string {
	s := ""
	for i := range p.Ops {
		s += p.Ops[i].String() + "; "
	}
	return s
}

// TestPrintedTree has a command line make the tree of a random plan: the same
// things at the same places, and the directories on the way with the same modes.
func TestPrintedTree(t *testing.T) {
	seed := hosttest.Seed(t)
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	n, deep := 0, 0
	for range 3000 {
		p := plan.New()
		p.Command = []plan.Str{"sh"}
		p.Ops = []plan.Op{{Kind: plan.Symlink, Target: "usr", Dst: "/link"}, {Kind: plan.Symlink, Target: "link/lib", Dst: "/sh"}, {Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}}
		// One for all: which of two that need a directory makes it depends on symlinks.
		parents := []*plan.Mode{nil, nil, plan.ModePtr(0o700), plan.ModePtr(0o755), plan.ModePtr(0o711), plan.ModePtr(0o750)}[r.IntN(6)]
		for range 1 + r.IntN(6) {
			o := compiletest.Op(r)
			o.ParentMode = parents
			p.Ops = append(p.Ops, o)
		}
		f := compiletest.Host()
		l := layout.Build(p, f, nil)
		if l.Diags.HasErrors() || slices.ContainsFunc(l.Steps, func(s *layout.Step) bool {
			return len(s.Skeletons)+len(s.Extra) > 0 || s.Target.Exists == host.Symlink || s.Op.Kind == plan.Mkdir && path.Clean(string(s.Op.Dst)) != s.Target.Path || s.Op.Kind == plan.Symlink && s.Target.Exists != host.Missing || s.Op.Kind == plan.Dev || s.Op.Kind == plan.Proc
		}) || l.Root != nil {
			// What is missing in a read-only bind, what bubblewrap does not put symlinks
			// over, and who of two that need a directory makes it.
			continue
		}
		argv, inputs, lost := bwrap.Print(l.Settled(p))
		if lost.HasErrors() {
			continue
		}
		q, err := again(argv, inputs)
		if err != nil {
			t.Fatalf("%s\n%q: %v", list(p), argv, err)
		}
		m := layout.Build(q, f, nil)
		if m.Diags.HasErrors() {
			t.Fatalf("%s\n%q: %v", list(p), argv, m.Diags)
		}
		n++
		want, got := dirModes(l), dirModes(m)
		deep += len(want)
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Fatalf("%s\n%q\nmodes %v\nwant  %v", list(p), argv, got, want)
		}
		for _, s := range l.Steps {
			for _, at := range []string{s.Target.Path, string(s.Op.Dst), path.Dir(string(s.Op.Dst)), s.Target.Path + "/a"} {
				if x, y := l.Type(at), m.Type(at); x != y {
					t.Fatalf("%s\n%q\n%s is %v, want %v", list(p), argv, at, y, x)
				}
			}
		}
	}
	t.Logf("%d command lines, %d directories", n, deep)
	if n < 100 || deep < 100 {
		t.Error("too few")
	}
}
