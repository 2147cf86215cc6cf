package script

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// again evaluates a script.
func again(t *testing.T, text string) *plan.Plan {
	t.Helper()
	p, err := eval.Eval(eval.Options{File: "t.sbx.star", Source: []byte(text)})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// strange are strings that need care.
var strange = []plan.Str{"", "a", "/usr", "\xff\xfe/x", "a\nb\n", "a\n\"\"\"\\b\r\n\tc", "\"\"\"\n\"\"\n\"", "\\", "\x1b[31m\x00\x7f", "\u202e", "\ufeff", "\ufffd", "a\u2028b\nc\n",
	"{}%s", "'", "é\nü\n\xc3", "tmpfs", "🐧\n\n\n", `\n` + "\nx\n", "$HOME/../x", "a b", "#", strange1}

const strange1 = "a path that is so long that two of them do not fit in one line of the length that is thought to be readable"

func str(r *rand.Rand) plan.Str { return strange[r.IntN(len(strange))] }

func strs(r *rand.Rand, least int) []plan.Str {
	list := make([]plan.Str, least+r.IntN(6))
	for i := range list {
		list[i] = str(r)
	}
	return list
}

// random returns a plan that scripts can make.
func random(r *rand.Rand) *plan.Plan {
	one := func(n int) bool { return r.IntN(n) == 0 }
	p := plan.New()
	compiletest.Settings(r, p, compiletest.Host())
	often := 1 + r.IntN(4) // so that defaults() comes into it
	if one(3) {
		compiletest.GivenSettings(r, p)
	}
	for range r.IntN(20) {
		o := compiletest.Op(r)
		switch o.Kind {
		case plan.Tmpfs:
			o.Size = []uint64{0, 1, 1024, 1 << 20, 3 << 30, 1<<63 - 1, 1000}[r.IntN(7)]
		case plan.Mkdir, plan.Write, plan.Copy, plan.Chmod:
		default:
			o.Mode = nil
		}
		switch o.Kind {
		case plan.Chmod, plan.RemountRO, plan.Mask:
		default:
			o.Create, o.Follow, o.Chase = one(often), one(often), one(often)
			if one(often) {
				o.ParentMode = plan.ModePtr(0o700)
			}
		}
		if one(3) {
			o.Dst = str(r)
		}
		switch o.Kind {
		case plan.Bind, plan.Tmpfs, plan.Overlay:
			o.Suid = one(often)
			if one(often) {
				dev := one(2)
				o.Devices = &dev
			}
		case plan.RemountRO:
			if one(3) {
				o.Devices = new(bool)
			}
			o.Recursive = one(2)
		case plan.Symlink, plan.Write, plan.Copy:
			o.Content = []plan.Content{plan.ContentMount, plan.ContentAuto, plan.ContentThrough}[r.IntN(often)%3]
			o.RO = o.Kind == plan.Write && one(3)
		case plan.Dev:
			o.Bare = one(2)
		case plan.Mkdir:
			o.Optional = one(2)
		}
		switch o.Kind {
		case plan.Bind:
			if one(8) {
				fd := r.IntN(9)
				o = plan.Op{Kind: plan.Bind, Dst: o.Dst, SrcFD: &fd, RO: o.RO, Devices: o.Devices, Suid: o.Suid, Create: o.Create, Follow: o.Follow, Chase: o.Chase, ParentMode: o.ParentMode}
				break
			}
			if one(3) {
				o.Src = str(r)
			}
			o.Optional, o.CreateSrc, o.Foreign = one(4), one(4), one(4)
		case plan.Copy:
			o.Src = str(r)
		case plan.Symlink:
			o.Target = str(r)
		case plan.Write:
			o.Data = str(r)
		case plan.Overlay:
			if one(3) {
				o.Lower = strs(r, 0)
			}
			if o.Upper != "" && one(2) {
				o.Work = str(r)
			}
		}
		p.Ops = append(p.Ops, o)
		if one(3) {
			p.Ops = append(p.Ops, o)
		}
	}
	for range r.IntN(6) {
		switch r.IntN(4) {
		case 0:
			p.Env = append(p.Env, plan.EnvOp{Kind: plan.SetEnv, Name: str(r), Value: str(r)})
		case 1:
			p.Env = append(p.Env, plan.EnvOp{Kind: plan.UnsetEnv, Name: str(r)})
		case 2:
			p.Env = append(p.Env, plan.EnvOp{Kind: plan.PassEnv, Name: str(r)})
		case 3:
			p.Env = append(p.Env, plan.EnvOp{Kind: plan.ClearEnv, Keep: strs(r, 0)})
		}
	}
	if one(2) {
		p.Command = strs(r, 1)
	}
	switch r.IntN(3) {
	case 0:
		p.Dir = str(r)
	case 1:
		p.SameDir = true
	}
	if p.Unshare.UTS && one(2) {
		p.Hostname = ""
	}
	id := func() *uint32 { n := uint32(r.IntN(3)); return &n }
	if one(3) {
		p.Identity.UID = id()
	}
	if one(3) {
		p.Identity.GID = id()
		if one(3) {
			p.Identity.UIDs = []plan.IDRange{{Inside: 1, Outside: 2, Count: 3}}
			p.Identity.GIDs = []plan.IDRange{{Inside: 1, Outside: 2, Count: 3}, {Outside: 5, Count: 1}}
		}
	}
	if one(2) {
		p.Rlimits = append(p.Rlimits, plan.Rlimit{Name: "RLIMIT_AS", Soft: 1 << 63, Hard: 1<<64 - 2})
	}
	p.Identity.Foreign, p.Identity.Delegate = one(3), r.IntN(3)
	p.KeepFDs, p.TerminalInput, p.Suspend = one(3), one(3), one(3)
	fd := func() *int {
		if one(2) {
			return nil
		}
		return plan.IntPtr(r.IntN(5))
	}
	if one(3) {
		p.Join, p.Hooks = plan.Join{User: fd(), User2: fd(), PID: fd()}, plan.Hooks{Info: fd(), Status: fd(), Block: fd(), UserNSBlock: fd(), Sync: fd()}
		p.Filters = []plan.Filter{{Code: "12345678"}, {Code: "\xff2345678"}}
		p.Hooks.Locks = []plan.LockFile{{Path: str(r)}}
		p.NoUserNS, p.AssertNoUserNS = one(2), one(2)
		p.PWD, p.Lifetime = []plan.PWD{plan.PWDKeep, plan.PWDSet}[r.IntN(2)], plan.LifetimeCommand
		p.DefaultPath, p.ShellScripts, p.TryDir = str(r), one(2), !p.SameDir
		p.Unshare.UserTry, p.Unshare.CgroupTry = one(2), !p.Unshare.Cgroup
		if len(p.Command) > 0 {
			p.Argv0 = &strange[3]
		}
		p.Caps = plan.Caps{Set: "caller", Drop: []string{"CAP_CHOWN", "CAP_KILL"}}
	} else {
		p.Unshare.User = one(3)
	}
	if one(5) {
		p.Caps, p.Propagation = plan.Caps{Set: "build"}, plan.PropagationShared
	}
	slices.Sort(p.CloseFDs)
	p.CloseFDs = slices.Compact(p.CloseFDs) // twice is as once
	return p
}

// TestPrintEval is the law: the plan of the script of a plan is that plan.
func TestPrintEval(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 700 {
		p := random(r)
		text, faults := Print(p, "head\n\nhead")
		if faults != nil {
			t.Fatalf("%v\n%s", faults, text)
		}
		q := again(t, text)
		if !plan.Same(p, q) {
			a, _ := p.JSON()
			b, _ := q.JSON()
			t.Fatalf("%s\n%s\n%s", a, text, b)
		}
		if text2, _ := Print(q, "head\n\nhead"); text2 != text {
			t.Fatalf("not canonical:\n%s\n%s", text, text2)
		}
	}
}

// TestNamed has each field of a plan said or named.
func TestNamed(t *testing.T) {
	set := func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int32, reflect.Int64:
			v.SetInt(7)
		case reflect.Uint, reflect.Uint32, reflect.Uint64, reflect.Uint8:
			v.SetUint(7)
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		default:
			t.Fatalf("what is a %s?", v.Type())
		}
	}
	check := func(what string, p *plan.Plan) {
		t.Helper()
		before := string(p.Bare())
		text, faults := Print(p, "")
		if len(faults) > 0 {
			return
		}
		q, err := eval.Eval(eval.Options{File: "t.sbx.star", Source: []byte(text)})
		if err != nil || string(q.Bare()) != before {
			t.Errorf("%s is neither said nor named: %v\n%s", what, err, text)
		}
	}
	kinds := []plan.Kind{"nope", plan.Bind, plan.Tmpfs, plan.Mkdir, plan.Mqueue, plan.Dev, plan.Proc, plan.Symlink, plan.Write, plan.Copy, plan.Overlay, plan.Mask, plan.RemountRO, plan.Chmod}
	for _, k := range kinds {
		typ := reflect.TypeFor[plan.Op]()
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Name != "At" && f.Name != "Kind" {
				p := plan.New()
				p.Ops = []plan.Op{{Kind: k, Dst: "/d"}, {Kind: k, Dst: "/d"}, {Kind: k, Dst: "/d"}}
				set(reflect.ValueOf(&p.Ops[1]).Elem().Field(i))
				check(string(k)+"."+f.Name, p)
			}
		}
	}
	for _, k := range []plan.EnvKind{"nope", plan.SetEnv, plan.UnsetEnv, plan.ClearEnv, plan.PassEnv} {
		typ := reflect.TypeFor[plan.EnvOp]()
		for i := range typ.NumField() {
			if f := typ.Field(i); f.Name != "At" && f.Name != "Kind" {
				p := plan.New()
				p.Env = []plan.EnvOp{{Kind: k}, {Kind: k}, {Kind: k}}
				set(reflect.ValueOf(&p.Env[1]).Elem().Field(i))
				check(string(k)+"."+f.Name, p)
			}
		}
	}
	var each func(v func(*plan.Plan) reflect.Value, name string)
	each = func(v func(*plan.Plan) reflect.Value, name string) {
		typ := v(plan.New()).Type()
		for i := range typ.NumField() {
			f := typ.Field(i)
			switch {
			case name == "" && slices.Contains([]string{"Version", "Ops", "Env", "Params", "Inputs", "Where"}, f.Name):
			case f.Type.Kind() == reflect.Struct:
				each(func(p *plan.Plan) reflect.Value { return v(p).Field(i) }, name+f.Name+".")
			default:
				p := plan.New()
				set(v(p).Field(i))
				check(name+f.Name, p)
			}
		}
	}
	each(func(p *plan.Plan) reflect.Value { return reflect.ValueOf(p).Elem() }, "")
}

func TestUnsaid(t *testing.T) {
	at := plan.Origin{Pos: plan.Pos{File: "argv", Line: 1, Col: 3}}
	for _, tt := range []struct {
		change func(p *plan.Plan)
		want   string
	}{
		{func(p *plan.Plan) { p.Ops = []plan.Op{{Kind: plan.Proc, Dst: "/p", RO: true, Size: 3, At: at}} },
			"argv:1:3: error: proc: no script can say \"ro\" here\nargv:1:3: error: proc: no script can say \"size\" here"},
		{func(p *plan.Plan) { p.Ops = []plan.Op{{Kind: "loop", Dst: "/p", At: at}} }, `argv:1:3: error: no script can say the operation "loop"`},
		{func(p *plan.Plan) { p.Ops = []plan.Op{{Kind: plan.Overlay, Dst: "/p", Upper: "/u", UpperTmpfs: true}} }, `sbx: error: overlay: no script can say "upper_tmpfs" here`},
		{func(p *plan.Plan) { p.Dir, p.SameDir = "/x", true }, `sbx: error: same_dir: no script can say chdir as well`},
		{func(p *plan.Plan) { p.Hostname = "x" }, `sbx: error: hostname: no script can say the host name "x" without a uts namespace, or if it is no text`},
		{func(p *plan.Plan) { p.Caps.Keep = []string{"CAP_CHOWN"} }, `sbx: error: no script can say "capabilities.keep" here`},
	} {
		p := plan.New()
		tt.change(p)
		if _, faults := Print(p, ""); faults.Error() != tt.want {
			t.Errorf("got  %s\nwant %s", faults.Error(), tt.want)
		}
	}
}

func TestForm(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{
		{Kind: plan.Bind, Src: "/usr", Dst: "/usr", RO: true},
		{Kind: plan.Symlink, Target: "usr/bin", Dst: "/bin"},
		{Kind: plan.Symlink, Target: "usr/lib", Dst: "/lib"},
		{Kind: plan.Symlink, Target: "usr/sbin", Dst: "/sbin"},
		{Kind: plan.Tmpfs, Dst: "/tmp", Size: 64 << 20},
		{Kind: plan.Dev, Dst: "/dev"},
		{Kind: plan.Proc, Dst: "/p"},
		{Kind: plan.Write, Dst: "/etc/passwd", Data: "root:x:0:0::/:/bin/sh\n\tnobody:\"\"\\\n", Mode: plan.ModePtr(0o600)},
		{Kind: plan.Write, Dst: "/etc/one", Data: "one\n"},
		{Kind: plan.Overlay, Dst: "/s", Lower: []plan.Str{"/a", "/b"}, UpperTmpfs: true},
		{Kind: plan.Overlay, Dst: "/s", Lower: []plan.Str{strange1, "/b\xff"}, Upper: "/u"},
		{Kind: plan.Mask, Dst: "/a", Optional: true},
		{Kind: plan.Mask, Dst: "/b", Optional: true},
		{Kind: plan.Mask, Dst: "/c"},
		{Kind: plan.Chmod, Dst: "/c", Mode: plan.ModePtr(0)},
	}
	p.Env = []plan.EnvOp{{Kind: plan.ClearEnv}, {Kind: plan.PassEnv, Name: "A"}, {Kind: plan.PassEnv, Name: "B"}, {Kind: plan.SetEnv, Name: "C", Value: "\x1b"}}
	p.Unshare = plan.Namespaces{Net: true, PID: true, UTS: true}
	p.Hostname, p.DieWithParent, p.Dir = "box", false, "/src"
	p.Identity.UID = new(uint32)
	p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_NOFILE", Soft: 10, Hard: plan.RlimInfinity}}
	p.Command = []plan.Str{"cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", "-D_FORTIFY_SOURCE=2", "-c", "a.c", "b.c"}
	text, faults := Print(p, "From a test.\n\nAnd so on \x1b.")
	want := `# From a test.
#
# And so on \x1b.

bind("/usr", ro = True)

symlink("usr/bin", "/bin")
symlink("usr/lib", "/lib")
symlink("usr/sbin", "/sbin")

tmpfs("/tmp", size = "64M")
dev()
proc("/p")
write("/etc/passwd", """\
root:x:0:0::/:/bin/sh
	nobody:\""\\
""", mode = 0o600)
write("/etc/one", "one\n")
overlay("/s", ["/a", "/b"], upper = "tmpfs")
overlay(
    "/s",
    [
        "` + strange1 + `",
        b"/b\xff",
    ],
    upper = "/u",
)

mask("/a", "/b", optional = True)
mask("/c")

chmod("/c", 0o000)

clearenv()
pass_env("A", "B")
setenv("C", "\x1b")

map_user(0, "caller")

unshare(net = True, pid = True)
hostname("box")
die_with_parent(False)

rlimit("nofile", 10, "unlimited")

chdir("/src")
command([
    "cc",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-strict-aliasing",
    "-D_FORTIFY_SOURCE=2",
    "-c",
    "a.c",
    "b.c",
])
`
	if text != want || faults != nil {
		t.Errorf("%v\n%s", faults, diff(text, want))
	}
	if !plan.Same(again(t, text), p) {
		t.Error("another plan")
	}
}

// diff shows where two texts begin to differ.
func diff(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return "got:\n" + strings.Join(a[i:], "\n") + "\nwant:\n" + strings.Join(b[i:], "\n")
}
