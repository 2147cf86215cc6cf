package mkosi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

// words splits a command line at blanks; ” is an empty word.
func words(line string) []string {
	list := strings.Fields(line)
	for i, w := range list {
		if w == "''" {
			list[i] = ""
		}
	}
	return list
}

// show is what a plan says beyond that of the empty command line.
func show(p *plan.Plan) string {
	var list []string
	add := func(on bool, format string, args ...any) {
		if on {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	for i := range p.Ops {
		o := p.Ops[i]
		add(o.Kind != plan.Bind && o.Kind != plan.Overlay && !o.Create, "NOT CREATE")
		s := o.String()
		for _, usual := range []string{"create", "suid", "dev", "through", "follow", "chase"} {
			s = strings.NewReplacer(", "+usual, "", " ["+usual+"]", "", "["+usual+", ", "[").Replace(s)
		}
		if o.Kind == plan.Mkdir {
			s = strings.ReplaceAll(s, " [optional]", "")
		}
		add(true, "%s", s)
	}
	for _, e := range p.Env {
		if e.Kind == plan.SetEnv {
			add(true, "%s=%s", e.Name, e.Value)
		} else {
			add(true, "%s %s", e.Kind, e.Name)
		}
	}
	add(p.Dir != "", "chdir %s", p.Dir)
	add(p.SameDir, "same_dir")
	add(p.Identity.Root, "root")
	add(p.Identity.Foreign, "foreign")
	add(p.Identity.Delegate > 0, "delegate %d", p.Identity.Delegate)
	add(p.SuppressChown, "chown")
	add(p.SuppressSync, "sync")
	add(p.Unshare.Net, "net")
	add(p.Unshare.IPC, "ipc")
	add(p.PackFDs, "pack")
	add(p.Suspend, "suspend")
	add(len(p.CloseFDs) > 0, "close %v", p.CloseFDs)
	add(len(p.Command) != 1 || p.Command[0] != "bash", "run %q", p.Command)
	return strings.Join(list, "; ")
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"", ""},
		{"--", ""},
		{"true", `run ["true"]`},
		{"-- --bind", `run ["--bind"]`},
		{"true --bind a b", `run ["true" "--bind" "a" "b"]`},
		{"'' x", `run ["" "x"]`},
		{"--dir /a -- -- x", `mkdir /a; run ["--" "x"]`},

		{"--tmpfs /t --dev /dev --dir d --proc /proc", "dev /dev; bind /proc; tmpfs /t; mkdir /w/d"},
		{"--symlink usr/bin /bin --write DATA /x/", "symlink /bin → usr/bin; write /x [4 bytes]"},
		{"--bind /a //b --ro-bind . ./../c", "bind /a → /b; bind /w → /c [ro]"},
		{"--bind /a/../b/./c /x", "bind /b/c → /x"},
		{"--bind-try /1 /1 --ro-bind-try /2 /2", "bind /1 [optional]; bind /2 [ro, optional]"},
		{"--bind-nofollow /1 /1 --ro-bind-nofollow /2 /2", "bind /1 [nofollow]; bind /2 [ro, nofollow]"},
		{"--bind-foreign /1 /1 --ro-bind-foreign /2 /2", "bind /1 [foreign]; bind /2 [ro, foreign]"},
		{"--bind +/a /1 --ro-bind +b /2", "bind /a → /1 [inside]; bind /w/b → /2 [ro, inside]"},
		{"--bind '' /x", "bind /w → /x"},

		{"--overlay-lowerdir /1 --overlay-lowerdir 2 --overlay /o", "overlay /o ← /1 + /w/2 [ro]"},
		{"--overlay-upperdir tmpfs --overlay-workdir /x --overlay-lowerdir /1 --overlay /o --overlay-lowerdir /2 --overlay-workdir /x --overlay /p", "overlay /o ← /1 [upper tmpfs]; overlay /p ← /2 [ro]"},
		{"--overlay-upperdir u --overlay-workdir v --overlay-lowerdir /1 --overlay /o", "overlay /o ← /1 [upper /w/u, work /w/v]"},

		{"--unsetenv A --setenv A 1 --setenv B x=y", "A=1; B=x=y; unsetenv A"},
		{"--chdir d --same-dir", "same_dir"},
		{"--same-dir --chdir d", "chdir /w/d"},
		{"--become-root --map-foreign --map-delegate 2", "root; foreign; delegate 2"},
		{"--suppress-chown --suppress-sync --unshare-net --unshare-ipc --pack-fds --suspend", "chown; sync; net; ipc; pack; suspend"},
		{"--close-fd 5 --exec-fd 7", "close [5 7]"},

		// The order is that of the destinations, and binds come last at each.
		{"--dir /b --dir /a/b --dir /a.b --dir /a --tmpfs /", "tmpfs /; mkdir /a; mkdir /a/b; mkdir /a.b; mkdir /b"},
		{"--bind /1 /a --tmpfs /a --bind /2 /a --write x /a", "tmpfs /a; write /a [1 bytes]; bind /1 → /a; bind /2 → /a"},
		{"--bind +/x /a --dir /z --bind +/x / --bind /y /y", "bind /y; mkdir /z; bind /x → / [inside]; bind /x → /a [inside]"},
		// Binds within a bind of the same kind at the same place are left out.
		{"--bind / / --bind /usr /usr --ro-bind /etc /etc", "bind /; bind /etc [ro]"},
		{"--bind /a/b /x/b --bind /a /x --bind /a/b /x/c", "bind /a → /x; bind /a/b → /x/c"},
		{"--bind /a /x --bind-try /a/b /x/b --bind-nofollow /a/c /x/c", "bind /a → /x; bind /a/b → /x/b [optional]; bind /a/c → /x/c [nofollow]"},
		{"--ro-bind /a /x --ro-bind /a /x/ --ro-bind /a/b/c /x/b/c", "bind /a → /x [ro]"},
		{"--bind /a /x --bind +/a /x --bind +/a/b /x/b", "bind /a → /x; bind /a/b → /x/b [inside]"},
		{"--bind /a /x --bind /ab /xb", "bind /a → /x; bind /ab → /xb"},
		{"--bind /a /x --tmpfs /x/b --bind /a/b/c /x/b/c", "bind /a → /x; tmpfs /x/b"},
	} {
		l, ds := Parse(words(tt.line), "/w")
		if len(ds) > 0 {
			t.Errorf("%s: %v", tt.line, ds)
			continue
		}
		if got := show(l.Plan); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.line, got, tt.want)
		}
	}
}

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"--frob", `mkosi-sandbox:1:1: error: unrecognized option "--frob"`},
		{"--dir /a -x true", `mkosi-sandbox:3:1: error: unrecognized option "-x"`},
		{"-", `mkosi-sandbox:1:1: error: unrecognized option "-"`},
		{"--dev=/dev", `mkosi-sandbox:1:1: error: unrecognized option "--dev=/dev"`},
		{"--dir", `mkosi-sandbox:1:1: error: --dir wants one operand more`},
		{"--dir /a --bind", `mkosi-sandbox:3:1: error: --bind wants 2 operands more`},
		{"--bind x", `mkosi-sandbox:1:1: error: --bind wants one operand more`},
		{"--overlay-lowerdir /a --overlay-upperdir /b --overlay /c", `mkosi-sandbox:5:1: error: --overlay: there is an upper directory, but no --overlay-workdir`},
		{"--overlay-workdir /a --overlay /c", `mkosi-sandbox:3:1: error: --overlay: there is no --overlay-lowerdir`},
		{"--map-delegate", `mkosi-sandbox:1:1: error: --map-delegate wants one operand more`},
		{"--map-delegate x --setenv =b c --close-fd -1", `mkosi-sandbox:1:1: error: --map-delegate: "x" is not a number
mkosi-sandbox:3:1: error: --setenv: "=b" cannot be the name of a variable
mkosi-sandbox:6:1: error: --close-fd: "-1" is not a number`},
	} {
		_, ds := Parse(words(tt.line), "/w")
		if got := ds.Error(); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.line, got, tt.want)
		}
	}
	if _, ds := Parse([]string{"--dir", "a", "--dir", "/b"}, ""); len(ds) != 1 || !strings.Contains(ds[0].Msg, `"a" is relative`) {
		t.Errorf("no working directory: %v", ds)
	}
}

// TestStop has nothing read after --help and --version, faults before them count.
func TestStop(t *testing.T) {
	for line, want := range map[string]Line{
		"--help --frob": {Help: true}, "--dir /x -h": {Help: true}, "--version": {Version: true},
		"--debug true --help": {Debug: true},
	} {
		l, ds := Parse(words(line), "/")
		l.Plan = nil
		if len(ds) > 0 || *l != want {
			t.Errorf("%s: %+v %v", line, l, ds)
		}
	}
}

func TestSource(t *testing.T) {
	args := []string{"--dir", "/a b", "--debug", "--bind", "x", "y", "--", "sh", "-c", "it's\n"}
	want := "--dir '/a b'\n\n--debug\n--bind x y\n\n\n--\nsh -c 'it'\\''s\\n'\n\n\n"
	if got := string(Source(args)); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	l, _ := Parse(args, "/")
	for i := range l.Plan.Ops {
		o := &l.Plan.Ops[i]
		if w := args[o.At.Pos.Line-1]; w != "--dir" && w != "--bind" {
			t.Errorf("%s is from %q", o, w)
		}
	}
	if n := l.Plan.Where["command"].Pos.Line; n != 8 {
		t.Errorf("the command is word %d", n)
	}
	// It never runs out of what Parse takes.
	Source([]string{"--bind"})
	if got := string(Source([]string{"--dir", "/x", "--frob", "y"})); got != "--dir /x\n\n--frob\ny\n" {
		t.Errorf("with an unknown option: %q", got)
	}
}

// same compares plans but for positions.
func same(p, q *plan.Plan) bool { return plan.Same(p, q) }

func roundTrip(t *testing.T, args []string, cwd string) {
	t.Helper()
	l, ds := Parse(args, cwd)
	if len(ds) > 0 {
		t.Errorf("%q: %v", args, ds)
		return
	}
	printed, lost := Print(l.Plan)
	if len(lost) > 0 {
		t.Errorf("%q: %v", args, lost)
	}
	again, ds := Parse(printed, "")
	if len(ds) > 0 || !same(l.Plan, again.Plan) {
		t.Errorf("%q\nprints as %q: %v\n got %s\nwant %s", args, printed, ds, show(again.Plan), show(l.Plan))
	}
}

// TestCorpus reads real command lines.
func TestCorpus(t *testing.T) {
	files := []string{"testdata/corpus.jsonl"}
	if f := os.Getenv("MKOSI_SANDBOX_CORPUS"); f != "" {
		files = append(files, f)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		n := 0
		for ; in.Scan(); n++ {
			var v struct{ Argv, Command []string }
			if err := json.Unmarshal(in.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			roundTrip(t, v.Argv, "/work dir")
			l, _ := Parse(v.Argv, "/work dir")
			var command []string
			for _, a := range l.Plan.Command {
				command = append(command, string(a))
			}
			if v.Command != nil && !slices.Equal(command, v.Command) {
				t.Errorf("%s:%d: command %q, want %q", name, n+1, command, v.Command)
			}
		}
		if n == 0 || in.Err() != nil {
			t.Errorf("%s: %d lines, %v", name, n, in.Err())
		}
	}
}

// TestPrintRandom prints and reads random command lines.
func TestPrintRandom(t *testing.T) {
	seed := hosttest.Seed(t)
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	path := func() string {
		p := ""
		for range 1 + rnd.IntN(3) {
			p += "/" + pick("a", "b", "a.b", "tmp", ".", "..")
		}
		return p
	}
	for range 500 {
		var args []string
		for range rnd.IntN(12) {
			switch rnd.IntN(9) {
			case 0:
				args = append(args, pick("--tmpfs", "--dev", "--dir", "--proc"), path())
			case 1, 2, 3, 4:
				args = append(args, pick("--bind", "--ro-bind", "--bind-try", "--ro-bind-try", "--bind-nofollow", "--ro-bind-nofollow", "--bind-foreign", "--ro-bind-foreign"),
					pick("", "", "", "+")+path(), path())
			case 5:
				args = append(args, pick("--symlink", "--write"), pick("x", "", "-y"), path())
			case 6:
				args = append(args, pick("--setenv", "--setenv"), pick("A", "B"), pick("1", ""), "--unsetenv", pick("A", "C"))
			case 7:
				args = append(args, "--overlay-lowerdir", path(), "--overlay-upperdir", pick("tmpfs", path()), "--overlay-workdir", path(), "--overlay", path())
			case 8:
				args = append(args, pick("--become-root", "--unshare-net", "--same-dir", "--pack-fds", "--suppress-chown", "--suppress-sync", "--map-foreign"))
			}
		}
		args = append(args, [][]string{{}, {"--"}, {"sh"}, {"--", "-x", "--dir"}}[rnd.IntN(4)]...)
		roundTrip(t, args, "/")
	}
}

// TestPrintCannot has everything named that there is no option for.
func TestPrintCannot(t *testing.T) {
	at := func(n int32) plan.Origin { return plan.Origin{Pos: plan.Pos{File: "x.star", Line: n, Col: 1}} }
	p := plan.New()
	p.Ops = []plan.Op{
		{Kind: plan.Mask, Dst: "/m", At: at(1)},
		{Kind: plan.Tmpfs, Dst: "/t", Size: 5, Mode: plan.ModePtr(0o700), At: at(2)},
		{Kind: plan.Bind, Src: "/a", Dst: "/b", At: at(3)},
		{Kind: plan.Bind, SrcFD: plan.IntPtr(5), Dst: "/c", At: at(4)},
		{Kind: plan.Bind, Src: "/a", Dst: "/d", Optional: true, NoFollow: true, At: at(5)},
		{Kind: plan.Proc, Dst: "/proc", At: at(6)},
		{Kind: plan.Dev, Dst: "/dev", Bare: true, At: at(7)},
		{Kind: plan.Tmpfs, Dst: "/b", At: at(8)}, // instead of the bind
		{Kind: plan.Write, Dst: "/w", Data: "a\x00", At: at(9)},
		{Kind: plan.Overlay, Dst: "/o", Lower: []plan.Str{"/l"}, Upper: "/u", At: at(10)},
	}
	p.Env = []plan.EnvOp{{Kind: plan.ClearEnv, At: at(11)}, {Kind: plan.UnsetEnv, Name: "A"}, {Kind: plan.SetEnv, Name: "A", Value: "1"}}
	p.Unshare.Net, p.Unshare.UTS, p.Hostname = true, true, "box"
	p.SetWhere("hostname", at(12))
	p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_CPU", At: at(13)}}
	p.NoUserNS = true
	argv, lost := Print(p)
	wantArgv := "--unshare-net --tmpfs /b --dev /dev --overlay-lowerdir /l --overlay-upperdir /u --overlay /o --bind /proc /proc --tmpfs /t --setenv A 1"
	if got := strings.Join(argv, " "); got != wantArgv {
		t.Errorf("got %s\nwant %s", got, wantArgv)
	}
	var got []string
	for _, d := range lost {
		got = append(got, fmt.Sprintf("%d %s %s: %s", d.At.Pos.Line, d.Severity, d.Op, d.Msg))
	}
	want := `0 warning : set-id programs and devices work in what is mounted, as far as the kernel lets them
0 warning : what is missing in a writable bind is made on the host, and in a read-only one it is a fault
0 warning propagation: mounts on the host show in the sandbox, and those in it in namespaces made from it
0 warning pwd: the variable PWD stays as it is
12 error hostname: the name of the host is the caller's
0 warning capabilities: the command keeps those that builds need
0 warning no_new_privs: set-id programs keep their effect, but under a filter
0 warning die_with_parent: what the command leaves running lives on
0 error disable_userns: there is no option for it
13 error rlimit: there is no option for it
0 warning keep_fds: the command has all inherited file descriptors
0 warning terminal_input: the command may type into the caller's terminal
4 error bind: "/c": the source has to have a path
5 error bind: "/d": there is no option --bind-try-nofollow
7 error dev: "/dev": there is no option for bare
1 error mask: "/m": there is no option for it
10 error overlay: the work directory of "/o" must be named
2 error tmpfs: the mode of "/t" is 0755
2 error tmpfs: the size of "/t" has no limit of its own
9 error write: the data of "/w" is no word of a command line
11 error clearenv: the environment is the caller's
0 warning command: without a command it is bash, and never $SHELL`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got:\n%s\nwant:\n%s", s, want)
	}

	// In an order that the options cannot have.
	q := New()
	q.Command = []plan.Str{"true"}
	q.Ops = []plan.Op{*complete(plan.Op{Kind: plan.Bind, Src: "/a", Dst: "/x/y"}, at(1)), *complete(plan.Op{Kind: plan.Tmpfs, Dst: "/x"}, at(2)),
		*complete(plan.Op{Kind: plan.Bind, Src: "/b", Dst: "/z"}, at(3)), *complete(plan.Op{Kind: plan.Tmpfs, Dst: "/z/c"}, at(4)),
		*complete(plan.Op{Kind: plan.Bind, Src: "/b/c/d", Dst: "/z/c/d"}, at(5))}
	_, lost = Print(q)
	if s := lost.Error(); s != `x.star:2:1: error: tmpfs: "/x" comes before the bind at "/x/y", whatever the order of the options
x.star:5:1: error: bind: "/z/c/d" is a part of another bind, and is not mounted once more` {
		t.Error(s)
	}
}

// TestPrintPlaced has what sbx does otherwise at a place said so that it comes to the
// same, or named: no --write goes through to the host's files, and no --symlink lacks
// its directory.
func TestPrintPlaced(t *testing.T) {
	bind := plan.Op{Kind: plan.Bind, Src: "/a", Dst: "/s"}
	write := plan.Op{Kind: plan.Write, Dst: "/s/x/f", Data: "x"}
	link := plan.Op{Kind: plan.Symlink, Dst: "/s/x/l", Target: "y"}
	for _, tt := range []struct {
		name, want, err string
		ops             []plan.Op
	}{
		{"write in a bind", "--bind /a /s", `error: write: "/s/x/f" would be written in the bind at "/s", and not over it`, []plan.Op{write, bind}},
		{"write in the sandbox's own", "--tmpfs /s --write x /s/x/f", "", []plan.Op{write, {Kind: plan.Tmpfs, Dst: "/s"}}},
		{"write in a tmpfs in a bind", "--bind /a /s --tmpfs /s/x --write x /s/x/f", "", []plan.Op{bind, {Kind: plan.Tmpfs, Dst: "/s/x"}, write}},
		{"write in an overlay", "--overlay-lowerdir /l --overlay-upperdir /u --overlay-workdir /v --overlay /s", `error: write: "/s/x/f" would be written in the overlay at "/s", and not over it`,
			[]plan.Op{write, {Kind: plan.Overlay, Dst: "/s", Lower: []plan.Str{"/l"}, Upper: "/u", Work: "/v"}}},
		{"write in an overlay in memory", "--overlay-lowerdir /l --overlay-upperdir tmpfs --overlay /s --write x /s/x/f", "",
			[]plan.Op{write, {Kind: plan.Overlay, Dst: "/s", Lower: []plan.Str{"/l"}, UpperTmpfs: true}}},
		{"write instead of a bind", "--write x /s", "", []plan.Op{bind, {Kind: plan.Write, Dst: "/s", Data: "x"}}},
		{"one layer", "--ro-bind /l /s", "", []plan.Op{{Kind: plan.Overlay, Dst: "/s", Lower: []plan.Str{"/l"}}}},
		{"symlink", "--dir /s/x --symlink y /s/x/l", "", []plan.Op{link}},
		{"two symlinks", "--dir /s/x --symlink y /s/x/k --symlink y /s/x/l", "", []plan.Op{link, {Kind: plan.Symlink, Dst: "/s/x/k", Target: "y"}}},
		{"symlink in the root", "--symlink y /l", "", []plan.Op{{Kind: plan.Symlink, Dst: "/l", Target: "y"}}},
		{"symlink where there is a directory", "--dir /s/x/d --symlink y /s/x/l", "", []plan.Op{link, {Kind: plan.Mkdir, Dst: "/s/x/d"}}},
		{"symlink in a bind", "--bind /a /s --symlink y /s/x/l", "", []plan.Op{link, bind}},
		{"symlink in a tmpfs", "--tmpfs /s --dir /s/x --symlink y /s/x/l", "", []plan.Op{link, {Kind: plan.Tmpfs, Dst: "/s"}}},
	} {
		p := plan.New()
		p.Command, p.Ops = []plan.Str{"true"}, tt.ops
		argv, lost := Print(p)
		var errs plan.Diagnostics
		for _, d := range lost {
			if d.Severity == plan.Error {
				errs = append(errs, d)
			}
		}
		if got := strings.TrimSuffix(strings.Join(argv, " "), " -- true"); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if got := strings.TrimPrefix(errs.Error(), "sbx: "); got != tt.err {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.err)
		}
	}
	// A line of mkosi-sandbox's own says what it does.
	roundTrip(t, words("--bind /a /s --write x /s/f --overlay-lowerdir /l --overlay /o --symlink y /q/w/e"), "/")
}
