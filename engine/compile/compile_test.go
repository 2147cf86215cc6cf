package compile_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sbx/engine/compile"
	"sbx/engine/compile/compiletest"
	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
	"sbx/engine/program"
	"sbx/engine/validate"
)

var update = flag.Bool("update", false, "write the golden files anew")

// compiled compiles a plan that must have no faults.
func compiled(t testing.TB, p *plan.Plan, f *host.Facts, o compile.Options) *program.Program {
	t.Helper()
	l, ds := validate.Check(p, f)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	prog, err := compile.Compile(p, l, f, o)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func text(t testing.TB, prog *program.Program) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "unshare %#x init %v guard %v become %v die_with_parent %v\n", prog.Unshare, prog.Init, prog.Guard, prog.Become, prog.DieWithParent)
	for _, l := range prog.Locks {
		fmt.Fprintf(&b, "lock %s\n", l.Path)
	}
	var cleanup []string
	for _, l := range prog.Cleanup {
		cleanup = append(cleanup, l.Path)
	}
	fmt.Fprintf(&b, "cleanup %q close %v\n", cleanup, prog.CloseFDs)
	if err := prog.Print(&b); err != nil {
		t.Fatal(err)
	}
	return drops.ReplaceAllStringFunc(b.String(), func(m string) string {
		var list []string
		for _, n := range drop.FindAllStringSubmatch(m, -1) {
			list = append(list, n[1])
		}
		return "      drop " + strings.Join(list, " ") + "\n"
	})
}

// drop is a capability that is dropped, of which most programs have many.
var (
	drop  = regexp.MustCompile(`prctl\(24, (\d+), 0\)`)
	drops = regexp.MustCompile(`(?: *\d+  prctl\(24, .*\n)+`)
)

func goldenHost() *host.Facts {
	f := hosttest.Facts("/usr/bin/sh file 0755", "/usr/lib dir", "/usr/local dir", "/usr/share/doc dir 0700", "/opt dir", "/etc/x file 0640",
		"/low/1 dir 0751", "/low/2 dir", `/low/back\slash:,x dir`, "/up/a dir", "/up/w dir", "/mnt/disk dir mount", "/mnt/a file", "/mnt/l -> a", "/dev/fuse device")
	f.Terminal = true
	return f
}

// goldens are typical plans.
var goldens = []struct {
	name string
	ops  []plan.Op
	set  func(p *plan.Plan, f *host.Facts)
}{
	{"small", []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true, At: plan.Origin{Pos: plan.Pos{File: "small.star", Line: 1, Col: 1}}},
		{Kind: plan.Symlink, Dst: "/bin", Target: "usr/bin"},
		{Kind: plan.Bind, Src: "/opt", Dst: "/opt"},
		{Kind: plan.Dev, Dst: "/dev"}, {Kind: plan.Proc, Dst: "/proc"}, {Kind: plan.Tmpfs, Dst: "/tmp", Size: 1 << 20},
	}, func(p *plan.Plan, f *host.Facts) {
		p.Command = []plan.Str{"/usr/bin/sh", "-c", "true"}
		p.Dir = "/tmp"
		p.SetWhere("command", plan.Origin{Pos: plan.Pos{File: "small.star", Line: 2, Col: 1}})
	}},
	{"files", []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr"}, {Kind: plan.Write, Dst: "/etc/w", Data: "data"}, {Kind: plan.Write, Dst: "/etc/empty", Mode: plan.ModePtr(0o4755)},
		{Kind: plan.Copy, Src: "/etc/x", Dst: "/etc/x"}, {Kind: plan.Write, Dst: "/usr/bin/sh", Data: "over"}, {Kind: plan.Symlink, Dst: "/usr/new", Target: "t"},
		{Kind: plan.Mkdir, Dst: "/d/e", Mode: plan.ModePtr(0o2770)}, {Kind: plan.Mkdir, Dst: "/usr/d", Create: true}, {Kind: plan.Mkdir, Dst: "/opt"}, {Kind: plan.Mask, Dst: "/usr/lib"}, {Kind: plan.Mask, Dst: "/etc/w"},
		{Kind: plan.Chmod, Dst: "/d", Mode: plan.ModePtr(0o700)}, {Kind: plan.Chmod, Dst: "/", Mode: plan.ModePtr(0o711)},
		{Kind: plan.RemountRO, Dst: "/usr/local"}, {Kind: plan.RemountRO, Dst: "/usr"}, {Kind: plan.RemountRO, Dst: "/"},
		{Kind: plan.RemountRO, Dst: "/opt", Recursive: true}, {Kind: plan.RemountRO, Dst: "/usr", Recursive: true}, {Kind: plan.RemountRO, Dst: "/", Recursive: true},
		{Kind: plan.Bind, Src: "/d", Dst: "/inside", Inside: true, RO: true}, {Kind: plan.Bind, Src: "/", Dst: "/all", Inside: true}, {Kind: plan.Mqueue, Dst: "/mq"},
	}, func(p *plan.Plan, f *host.Facts) {
		p.Ops[5].Create = true
		p.Unshare.IPC = true
	}},
	{"overlays", []plan.Op{
		{Kind: plan.Overlay, Dst: "/ro", Lower: []plan.Str{"/low/1", "/low/2"}}, {Kind: plan.Overlay, Dst: "/one", Lower: []plan.Str{"/low/1"}},
		{Kind: plan.Overlay, Dst: "/mem", Lower: []plan.Str{"/low/1"}, UpperTmpfs: true},
		{Kind: plan.Overlay, Dst: "/host", Lower: []plan.Str{"/low/2"}, Upper: "/up/a", Work: "/up/w"},
		{Kind: plan.Overlay, Dst: "/odd", Lower: []plan.Str{`/low/back\slash:,x`, "/low/1"}},
		{Kind: plan.Tmpfs, Dst: "/ro/new/dir"}, {Kind: plan.Write, Dst: "/ro/file", Data: "x"},
	}, nil},
	{"work", []plan.Op{{Kind: plan.Overlay, Dst: "/host", Lower: []plan.Str{"/low/2"}, Upper: "/up/a"}}, func(p *plan.Plan, f *host.Facts) { p.Unshare.PID = true }},
	{"skeletons", []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true}, {Kind: plan.Tmpfs, Dst: "/usr/new/dir"}, {Kind: plan.Write, Dst: "/usr/new/file", Data: "x"},
		{Kind: plan.Symlink, Dst: "/usr/link", Target: "bin"}, {Kind: plan.Bind, Src: "/etc/x", Dst: "/usr/share/doc/x"},
	}, nil},
	{"mirror", []plan.Op{
		{Kind: plan.Bind, Src: "/mnt", Dst: "/mnt", RO: true}, {Kind: plan.Tmpfs, Dst: "/mnt/new/dir"}, {Kind: plan.Tmpfs, Dst: "/mnt/disk/new"},
	}, nil},
	{"root-bind", []plan.Op{{Kind: plan.Bind, Src: "/", Dst: "/", RO: true}, {Kind: plan.Mkdir, Dst: "/new"}, {Kind: plan.Tmpfs, Dst: "/usr"}}, nil},
	{"root-overlay", []plan.Op{{Kind: plan.Overlay, Dst: "/", Lower: []plan.Str{"/low/1"}, UpperTmpfs: true}, {Kind: plan.Mkdir, Dst: "/new"}}, nil},
	{"root-tmpfs", []plan.Op{{Kind: plan.Tmpfs, Dst: "/", Mode: plan.ModePtr(0o700)}}, nil},
	{"become-root", nil, func(p *plan.Plan, f *host.Facts) {
		p.Identity.Root, p.SuppressChown, p.SuppressSync, p.Unshare.Net = true, true, true, true
		p.SetWhere("become_root", plan.Origin{Pos: plan.Pos{File: "r.star", Line: 3, Col: 1}})
		p.Command = []plan.Str{"make"}
	}},
	{"capabilities", nil, func(p *plan.Plan, f *host.Facts) {
		p.Caps = plan.Caps{Set: "keep", Keep: []string{"CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"}}
		p.NoNewPrivs = false
	}},
	{"all-capabilities", nil, func(p *plan.Plan, f *host.Facts) { p.Caps.Set = "all" }},
	{"map-user", nil, func(p *plan.Plan, f *host.Facts) {
		u, g := uint32(12), uint32(34)
		p.Identity.UID, p.Identity.GID = &u, &g
	}},
	{"descriptors", nil, func(p *plan.Plan, f *host.Facts) {
		f.FDs = []int{3, 5, 9}
		p.CloseFDs, p.PassFDs = []int{2, 3, 9}, []int{5, 5, 9}
	}},
	{"pack-descriptors", nil, func(p *plan.Plan, f *host.Facts) {
		f.FDs = []int{3, 5, 9}
		p.CloseFDs, p.PassFDs, p.PackFDs = []int{5}, []int{3, 9}, true
	}},
	{"pid-namespace", []plan.Op{{Kind: plan.Proc, Dst: "/proc"}, {Kind: plan.Dev, Dst: "/dev"}}, func(p *plan.Plan, f *host.Facts) {
		f.TTY = "/dev/pts/3"
		p.Unshare = plan.Namespaces{PID: true, UTS: true, Time: true, Cgroup: true}
		p.Hostname, p.NewSession, p.Umask = "box", true, plan.ModePtr(0o27)
		p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_NOFILE", Soft: 10, Hard: plan.RlimInfinity}}
		p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: "b"}}
	}},
	{"privileged", []plan.Op{{Kind: plan.Proc, Dst: "/proc"}}, func(p *plan.Plan, f *host.Facts) {
		f.UID, f.GID, f.Caps, f.InitialUserNS = 0, 0, plan.AllCaps, true
		p.Unshare.PID, p.DieWithParent, p.Init = true, false, false
	}},
}

func golden(i int, arch string) (*plan.Plan, *host.Facts) {
	p, f := plan.New(), goldenHost()
	p.Ops = append(p.Ops, goldens[i].ops...)
	if goldens[i].set != nil {
		goldens[i].set(p, f)
	}
	f.Arch = arch
	return p, f
}

func TestGolden(t *testing.T) {
	for i, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			p, f := golden(i, "amd64")
			prog := compiled(t, p, f, compile.Options{})
			for _, err := range compiletest.Verify(prog, f) {
				t.Error(err)
			}
			same(t, prog, g.name)
		})
	}
}

// same compares a program with a golden file.
func same(t *testing.T, prog *program.Program, name string) {
	t.Helper()
	got := text(t, prog)
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (update with -update):\n%s", file, difference(got, string(want)))
	}
}

// difference returns the first line that differs.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: %s\nwant:   %s", i+1, g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return fmt.Sprintf("line %d is missing: %s", len(g)+1, w[len(g)])
}

var flags = regexp.MustCompile(`(?:flags=|openat\([^,]+, "[^"]*", )0x[0-9a-f]+|\{\d+ instructions\}`)

// TestArchitectures has programs differ in the flags of open(2) and in filters only.
func TestArchitectures(t *testing.T) {
	plain := func(s string) string {
		return flags.ReplaceAllStringFunc(s, func(m string) string {
			i := strings.Index(m, "0x")
			if i < 0 {
				return "{filter}"
			}
			n, err := strconv.ParseUint(m[i:], 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			const directory, nofollow = 0x10000 | 0x4000, 0x20000 | 0x8000 // amd64, arm64
			for _, bit := range []uint64{directory, nofollow} {
				if n&bit != 0 {
					n |= bit
				}
			}
			return m[:i] + strconv.FormatUint(n, 16)
		})
	}
	for i, g := range goldens {
		p, f := golden(i, "amd64")
		q, h := golden(i, "arm64")
		x, y := text(t, compiled(t, p, f, compile.Options{})), text(t, compiled(t, q, h, compile.Options{}))
		if plain(x) != plain(y) {
			t.Errorf("%s: %s", g.name, difference(plain(y), plain(x)))
		}
	}
	p, f := golden(0, "mips")
	l, _ := validate.Check(p, f)
	if _, err := compile.Compile(p, l, f, compile.Options{}); err == nil || !strings.Contains(err.Error(), `"mips"`) {
		t.Errorf("compiling for mips: %v", err)
	}
}

// TestRandom verifies the programs of random plans. A plan grows operation by
// operation, by those that make no fault.
func TestRandom(t *testing.T) {
	seed := hosttest.Seed(t)
	n := 3000
	if testing.Short() {
		n = 200
	}
	t.Logf("seed %d", seed)
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		p, f := plan.New(), compiletest.Host()
		compiletest.Settings(r, p, f)
		if i%3 == 0 {
			compiletest.GivenSettings(r, p)
		}
		l, ds := validate.Check(p, f)
		if ds.HasErrors() {
			t.Fatal(ds)
		}
		for range 1 + r.IntN(25) {
			q := *p
			o := compiletest.Op(r)
			if p.Order == plan.OrderGiven {
				o = compiletest.GivenOp(r, true)
			}
			q.Ops = append(q.Ops[:len(q.Ops):len(q.Ops)], o)
			if m, ds := validate.Check(&q, f); !ds.HasErrors() {
				p, l = &q, m
			}
		}
		o := compile.Options{Debug: r.IntN(2) == 0}
		if r.IntN(4) == 0 {
			o.Pty = ptyOptions().Pty
		}
		prog, err := compile.Compile(p, l, f, o)
		if err != nil {
			t.Fatal(err)
		}
		if errs := compiletest.Verify(prog, f); errs != nil {
			b, _ := p.JSON()
			t.Fatalf("seed %d, plan %d: %v\n%s\n%s", seed, i, errs, b, text(t, prog))
		}
		again, err := compile.Compile(p, l, f, compile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			l, _ := validate.Check(p, f)
			anew, err := compile.Compile(p, l, f, compile.Options{})
			if err != nil || text(t, again) != text(t, anew) {
				t.Fatalf("seed %d, plan %d: another program the second time: %v", seed, i, err)
			}
		}
	}
}

func TestEnvironment(t *testing.T) {
	p := plan.New()
	p.Env = []plan.EnvOp{
		{Kind: plan.SetEnv, Name: "A", Value: "1"}, {Kind: plan.SetEnv, Name: "AB", Value: "2"}, {Kind: plan.SetEnv, Name: "A", Value: "3"},
		{Kind: plan.UnsetEnv, Name: "HOME"}, {Kind: plan.UnsetEnv, Name: "none"},
	}
	env := []string{"PWD=/old", "OLDPWD=/older", "HOME=/h", "AB=x=y", "odd"}
	if got := fmt.Sprint(compile.Environment(p, env, "/new")); got != "[PWD=/new AB=2 odd A=3]" {
		t.Error(got)
	}
	p.Env = append(p.Env, plan.EnvOp{Kind: plan.PassEnv, Name: "HOME"}, plan.EnvOp{Kind: plan.PassEnv, Name: "none"})
	if got := fmt.Sprint(compile.Environment(p, env, "/new")); got != "[PWD=/new AB=2 odd A=3 HOME=/h]" {
		t.Error(got)
	}
	p.Env = append(p.Env, plan.EnvOp{Kind: plan.ClearEnv, Keep: []plan.Str{"A"}}, plan.EnvOp{Kind: plan.SetEnv, Name: "B"})
	if got := fmt.Sprint(compile.Environment(p, env, "/new")); got != "[A=3 B=]" {
		t.Error(got)
	}
	if env[0] != "PWD=/old" {
		t.Error("the caller's environment has changed")
	}
}

func TestTries(t *testing.T) {
	for _, tt := range []struct {
		command []plan.Str
		env     []string
		shell   string
		want    string
	}{
		{[]plan.Str{"a/b", "c"}, nil, "", "[{[a/b c] [a/b]}]"},
		{[]plan.Str{"a"}, []string{"PATH=/x/:/y::rel"}, "", "[{[a] [/x/a /y/a ./a rel/a]}]"},
		{[]plan.Str{"a"}, []string{"PATH="}, "", "[{[a] [./a]}]"},
		{[]plan.Str{"a"}, []string{"PATH=/"}, "", "[{[a] [/a]}]"},
		{nil, []string{"PATH=/x"}, "/bin/zsh", "[{[/bin/zsh] [/bin/zsh]} {[bash] [/x/bash]}]"},
		{nil, []string{"PATH=/x"}, "", "[{[bash] [/x/bash]}]"},
		{[]plan.Str{"a"}, nil, "", "[{[a] [/usr/local/sbin/a /usr/local/bin/a /usr/sbin/a /usr/bin/a /sbin/a /bin/a]}]"},
	} {
		p := plan.New()
		p.Command = tt.command
		if got := fmt.Sprint(compile.Tries(p, tt.env, tt.shell)); got != tt.want {
			t.Errorf("%q with %q: %s, want %s", tt.command, tt.env, got, tt.want)
		}
	}
}

func TestKeep(t *testing.T) {
	build := plan.CapSet(plan.BuildCaps)
	for _, tt := range []struct {
		set        string
		root, net  bool
		privileged bool
		keep       uint64
		all        bool
	}{
		{"", false, false, false, 0, false}, {"", false, false, true, 0, false}, {"", true, false, false, build, false},
		{"", true, true, false, build | plan.CapSet(plan.BuildNetCaps), false}, {"", true, false, true, 5, true},
		{"none", true, false, true, 0, false}, {"all", false, false, false, plan.AllCaps, false}, {"all", false, false, true, 5, true},
		{"keep", true, false, false, 1, false},
	} {
		p := plan.New()
		p.Caps = plan.Caps{Set: tt.set, Keep: []string{"CAP_CHOWN"}}
		p.Identity.Root, p.Unshare.Net = tt.root, tt.net
		if keep, all := compile.Keep(p, tt.privileged, &host.Facts{Caps: 5}); keep != tt.keep || all != tt.all {
			t.Errorf("%+v: %#x, %v", tt, keep, all)
		}
	}
}

// many returns a plan with n binds.
func many(n int) *plan.Plan {
	p, _ := golden(0, "amd64")
	for i := range n {
		p.Ops = append(p.Ops, plan.Op{Kind: plan.Bind, Src: "/opt", Dst: plan.Str(fmt.Sprintf("/many/%d", i)), RO: true})
	}
	return p
}

// TestGrowth compiles the largest plan that there may be.
func TestGrowth(t *testing.T) {
	f := goldenHost()
	small := compiled(t, many(1000), f, compile.Options{})
	prog := compiled(t, many(plan.MaxOps-100), f, compile.Options{})
	times := float64(plan.MaxOps-100) / 1000
	if len(prog.Insts) > int(times*float64(len(small.Insts))) || len(prog.Arena) > int(1.5*times*float64(len(small.Arena))) {
		t.Errorf("%d operations: %d instructions and %d bytes; 1000: %d and %d",
			plan.MaxOps-100, len(prog.Insts), len(prog.Arena), len(small.Insts), len(small.Arena))
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, f := many(n), goldenHost()
			l, ds := validate.Check(p, f)
			if len(ds) > 0 {
				b.Fatal(ds)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compile.Compile(p, l, f, compile.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
